#include "record/capabilities.h"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fmt/format.h>

#include "preload/format/kernel_abi.h"

namespace cowscope::record {

namespace {

constexpr int kSeccompFilter = 2;  // linux/seccomp.h: SECCOMP_MODE_FILTER

bool is_filtered(const Machine& machine) {
    return machine.seccomp == kSeccompFilter;
}

std::string describe(int error) {
    return error == 0 ? std::string("no error was given") : std::string(std::strerror(error));
}

Capability missing(const ProbeOutcome& outcome, std::string reason, std::string remedy) {
    return {false, outcome.error, std::move(reason), std::move(remedy)};
}

// What any probe can run into.
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

constexpr const char* kNewerKernel = "Linux 6.7 or newer with CONFIG_USERFAULTFD";

Capability unreadable_page_table(const ProbeOutcome& outcome) {
    return missing(outcome,
                   fmt::format("/proc/self/pagemap cannot be opened: {}", describe(outcome.error)),
                   "mount /proc (mount -t proc proc /proc), on a kernel with "
                   "CONFIG_PROC_PAGE_MONITOR");
}

Capability userfaultfd_not_opened(const ProbeOutcome& outcome, const Machine& machine) {
    if ((outcome.error == EPERM || outcome.error == ENOSYS) && is_filtered(machine)) {
        return missing(outcome,
                       "a seccomp filter refuses userfaultfd, as Docker's default profile does",
                       "allow userfaultfd in the container's seccomp profile, or: docker run "
                       "--security-opt seccomp=unconfined");
    }
    if (outcome.error == ENOSYS) {
        return missing(outcome, "the kernel was built without userfaultfd", kNewerKernel);
    }
    if (outcome.error == EINVAL) {
        return missing(outcome, "the kernel is too old to know UFFD_USER_MODE_ONLY", kNewerKernel);
    }
    if (outcome.error == EPERM || outcome.error == EACCES) {
        return missing(outcome, fmt::format("userfaultfd is refused: {}", describe(outcome.error)),
                       "sudo sysctl vm.unprivileged_userfaultfd=1, or give the user access to "
                       "/dev/userfaultfd");
    }
    return unexpected(outcome, "userfaultfd cannot be opened");
}

Capability trap_refused(const ProbeOutcome& outcome, const Machine& machine) {
    const bool privileged =
        machine.has_capability(kernel::kCapPerfmon) || machine.has_capability(kernel::kCapSysAdmin);
    constexpr int kParanoidEnough = 2;  // what an event without the kernel's part needs
    if (!privileged && machine.perf_event_paranoid.value_or(0) > kParanoidEnough) {
        return missing(outcome,
                       fmt::format("kernel.perf_event_paranoid is {}, which refuses page-fault "
                                   "events to users without CAP_PERFMON or CAP_SYS_ADMIN",
                                   *machine.perf_event_paranoid),
                       "sudo sysctl kernel.perf_event_paranoid=2, or run as root");
    }
    if (is_filtered(machine)) {
        return missing(outcome,
                       "a seccomp filter refuses perf_event_open, as Docker's default profile "
                       "does without CAP_PERFMON or CAP_SYS_ADMIN",
                       "allow perf_event_open in the container's seccomp profile, or: docker run "
                       "--cap-add PERFMON");
    }
    return missing(
        outcome,
        fmt::format("perf_event_open is refused: {} (kernel.perf_event_paranoid is {})",
                    describe(outcome.error),
                    machine.perf_event_paranoid ? std::to_string(*machine.perf_event_paranoid)
                                                : "not readable"),
        "sudo sysctl kernel.perf_event_paranoid=2, run as root, or ask what security "
        "module forbids it");
}

constexpr const char* kTrapKernel = "Linux 5.19 or newer with CONFIG_PERF_EVENTS";

Capability trap_not_opened(const ProbeOutcome& outcome, const Machine& machine) {
    switch (outcome.error) {
        case EACCES:
        case EPERM:
            return trap_refused(outcome, machine);
        case EINVAL:
        case E2BIG:
            return missing(outcome,
                           "the kernel is too old for page-fault events that raise a signal",
                           kTrapKernel);
        case ENOENT:
            return missing(outcome, "the kernel has no page-fault events", kTrapKernel);
        case ENOSYS:
            if (is_filtered(machine)) return trap_refused(outcome, machine);
            return missing(outcome, "the kernel was built without perf events", kTrapKernel);
        default:
            return unexpected(outcome, "perf_event_open failed");
    }
}

}  // namespace

Capability explain_userfaultfd(const ProbeOutcome& outcome, const Machine& machine) {
    if (outcome.ok()) {
        return {true, 0, outcome.device ? "through /dev/userfaultfd" : std::string(), {}};
    }
    if (outcome.killed_by != 0) return unexpected(outcome, "userfaultfd");
    switch (outcome.step) {
        case ProbeStep::open:
            return userfaultfd_not_opened(outcome, machine);
        case ProbeStep::features:
            return missing(outcome,
                           "the kernel's userfaultfd lacks asynchronous write-protection "
                           "(UFFD_FEATURE_WP_ASYNC)",
                           kNewerKernel);
        case ProbeStep::attach:
            return unexpected(outcome, "memory cannot be registered with userfaultfd");
        case ProbeStep::read_table:
            return unreadable_page_table(outcome);
        case ProbeStep::protect:
        case ProbeStep::scan:
            return missing(
                outcome,
                fmt::format("the kernel's pagemap lacks PAGEMAP_SCAN: {}", describe(outcome.error)),
                kNewerKernel);
        case ProbeStep::verify:
            return missing(outcome, "the kernel names other pages than those that were written",
                           kNewerKernel);
        default:
            return unexpected(outcome, "userfaultfd");
    }
}

Capability explain_soft_dirty(const ProbeOutcome& outcome, const Machine&) {
    if (outcome.ok()) return {true, 0, {}, {}};
    if (outcome.killed_by != 0) return unexpected(outcome, "soft-dirty");
    switch (outcome.step) {
        case ProbeStep::open:
        case ProbeStep::protect:
            return missing(
                outcome,
                fmt::format("/proc/self/clear_refs cannot be written: {}", describe(outcome.error)),
                "mount /proc writable (mount -t proc proc /proc), on a kernel with "
                "CONFIG_PROC_PAGE_MONITOR");
        case ProbeStep::read_table:
        case ProbeStep::scan:
            return unreadable_page_table(outcome);
        case ProbeStep::verify:
            return missing(outcome, "the kernel was built without CONFIG_MEM_SOFT_DIRTY",
                           "a kernel with CONFIG_MEM_SOFT_DIRTY, such as Debian's and Ubuntu's");
        default:
            return unexpected(outcome, "soft-dirty");
    }
}

Capability explain_trap(const ProbeOutcome& outcome, const Machine& machine) {
    if (outcome.ok()) return {true, 0, {}, {}};
    if (outcome.step == ProbeStep::blocked && outcome.killed_by == SIGTRAP) {
        return missing(outcome, "this kernel would kill a program that blocks SIGTRAP",
                       kTrapKernel);
    }
    if (outcome.killed_by != 0) return unexpected(outcome, "page-fault events");
    switch (outcome.step) {
        case ProbeStep::open:
            return trap_not_opened(outcome, machine);
        case ProbeStep::verify:
            return missing(outcome, "a first write raised no signal that names its address",
                           kTrapKernel);
        case ProbeStep::blocked:
            return missing(outcome, "a signal while SIGTRAP is blocked does not come marked late",
                           kTrapKernel);
        default:
            return unexpected(outcome, "page-fault events");
    }
}

Capabilities probe_capabilities(const Machine& machine) {
    return {explain_userfaultfd(probe_userfaultfd(), machine),
            explain_soft_dirty(probe_soft_dirty(), machine), explain_trap(probe_trap(), machine)};
}

const Capability& capability_of(const Capabilities& capabilities, TrackerChoice tracker) {
    return tracker == TrackerChoice::soft_dirty ? capabilities.soft_dirty
                                                : capabilities.userfaultfd;
}

TrackerChoice best_tracker(const Capabilities& capabilities) {
    for (const TrackerChoice tracker : {TrackerChoice::userfaultfd, TrackerChoice::soft_dirty}) {
        if (capability_of(capabilities, tracker).ok) return tracker;
    }
    return TrackerChoice::off;
}

WitnessChoice best_witness(const Capabilities& capabilities) {
    return capabilities.trap.ok ? WitnessChoice::trap : WitnessChoice::off;
}

}  // namespace cowscope::record
