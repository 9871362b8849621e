#include "record/instruments/missing.h"

#include <linux/seccomp.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace cowscope::record {

bool is_filtered(const Machine& machine) {
    return machine.seccomp == SECCOMP_MODE_FILTER;
}

std::string describe(int error) {
    return error == 0 ? std::string("no error was given") : std::string(std::strerror(error));
}

Capability missing(const ProbeOutcome& outcome, std::string reason, std::string remedy) {
    return {false, outcome.error, std::move(reason), std::move(remedy)};
}

Capability unexpected(const ProbeOutcome& outcome, const std::string& what) {
    if (outcome.killed_by == SIGALRM) {
        return missing(outcome, fmt::format("{}: the test did not end in time", what),
                       "try again on a less busy machine");
    }
    if (outcome.killed_by != 0) {
        return missing(outcome,
                       fmt::format("{}: the test was killed by signal {}", what, outcome.killed_by),
                       "a kernel on which the test runs through, Linux 6.7 or newer");
    }
    if (outcome.error == EMFILE || outcome.error == ENFILE || outcome.error == ENOMEM ||
        outcome.error == EAGAIN) {
        return missing(outcome, fmt::format("{}: {}", what, describe(outcome.error)),
                       "raise the limits of open files, processes and memory (ulimit -a)");
    }
    return missing(outcome, fmt::format("{}: {}", what, describe(outcome.error)),
                   "a kernel and container that allow it, Linux 6.7 or newer");
}

Capability unreadable_page_table(const ProbeOutcome& outcome) {
    return missing(outcome,
                   fmt::format("/proc/self/pagemap cannot be opened: {}", describe(outcome.error)),
                   "mount /proc (mount -t proc proc /proc), on a kernel with "
                   "CONFIG_PROC_PAGE_MONITOR");
}

}  // namespace cowscope::record
