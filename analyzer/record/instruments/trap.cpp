// The witness `trap`. Its probe makes two first writes to shared pages, one seen at once and one
// while SIGTRAP is blocked.
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>

#include "arch/processor.h"
#include "preload/format/kernel_abi.h"
#include "record/instruments.h"
#include "record/instruments/missing.h"

namespace cowscope::record {

namespace {

// Any byte but the first: the witness must name the byte and not the page.
constexpr size_t kByteInPage = 1237;
// Any value that nobody else would use: it comes back with every signal of this event.
constexpr uint64_t kCookie = 0x636f7773636f7065;

// What the handler saw. Lives in memory that is mapped shared and already touched, so that the
// handler causes no fault of its own.
struct Sighting {
    uint64_t expected_address;
    uint64_t cookie;
    uint32_t flags;
    int code;
    int old_byte;  // -1 until the expected signal came
};

volatile Sighting* sighting = nullptr;

void on_trap(int, siginfo_t* info, void*) {
    kernel::PerfSiginfo perf;
    std::memcpy(&perf, info, sizeof(perf));
    // Other faults of this thread fire too, such as the first call into a page of code.
    if (perf.code != kernel::kTrapPerf || perf.address != sighting->expected_address) return;
    if (sighting->old_byte >= 0) return;
    sighting->code = perf.code;
    sighting->cookie = perf.perf_data;
    sighting->flags = perf.perf_flags;
    sighting->old_byte = *reinterpret_cast<const unsigned char*>(perf.address);
}

int open_event() {
    perf_event_attr attributes;
    std::memset(&attributes, 0, sizeof(attributes));
    attributes.size = sizeof(attributes);
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.config = PERF_COUNT_SW_PAGE_FAULTS;
    attributes.sample_period = 1;
    attributes.sigtrap = 1;
    attributes.sig_data = kCookie;
    attributes.remove_on_exec = 1;
    attributes.inherit = 1;
    attributes.inherit_thread = 1;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    attributes.disabled = 1;
    return static_cast<int>(
        syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

void expect_write_to(volatile char* byte) {
    sighting->expected_address = reinterpret_cast<uintptr_t>(byte);
    sighting->cookie = 0;
    sighting->flags = 0;
    sighting->code = 0;
    sighting->old_byte = -1;
}

bool write_under_event(ProbeOutcome& outcome, int event, volatile char* byte) {
    if (ioctl(event, PERF_EVENT_IOC_ENABLE, 0) != 0) {
        outcome.error = errno;
        return false;
    }
    *byte = 1;
    ioctl(event, PERF_EVENT_IOC_DISABLE, 0);
    return true;
}

void probe(ProbeOutcome& outcome) {
    void* shared =
        mmap(nullptr, sizeof(Sighting), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    void* target = mmap(nullptr, 2 * arch::kPageBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || target == MAP_FAILED) {
        outcome.error = errno;
        return;
    }
    sighting = static_cast<volatile Sighting*>(shared);
    madvise(target, 2 * arch::kPageBytes, MADV_NOHUGEPAGE);
    volatile char* first = static_cast<volatile char*>(target) + kByteInPage;
    volatile char* second = first + arch::kPageBytes;
    // Reading maps the kernel's shared zero page: the writes below then copy, as after a fork.
    if (*first != 0 || *second != 0) return;

    struct sigaction action {};
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &action, nullptr);

    outcome.step = ProbeStep::open;
    const int event = open_event();
    if (event < 0) {
        outcome.error = errno;
        return;
    }

    outcome.step = ProbeStep::attach;
    expect_write_to(first);
    if (!write_under_event(outcome, event, first)) return;

    outcome.step = ProbeStep::verify;
    if (sighting->old_byte != 0 || sighting->cookie != kCookie ||
        (sighting->flags & kernel::kTrapPerfFlagAsync) != 0 || *first != 1) {
        return;
    }

    // Before Linux 5.19 (commit 78ed93d72ded) this kills the process, and so any program that
    // blocks SIGTRAP while it is watched.
    outcome.step = ProbeStep::blocked;
    sigset_t trap_only;
    sigemptyset(&trap_only);
    sigaddset(&trap_only, SIGTRAP);
    sigprocmask(SIG_BLOCK, &trap_only, nullptr);
    expect_write_to(second);
    if (!write_under_event(outcome, event, second)) return;
    const bool came_early = sighting->old_byte >= 0;
    sigprocmask(SIG_UNBLOCK, &trap_only, nullptr);
    if (came_early || sighting->old_byte != 1 ||
        (sighting->flags & kernel::kTrapPerfFlagAsync) == 0) {
        return;
    }
    outcome.step = ProbeStep::done;
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

Capability explain(const ProbeOutcome& outcome, const Machine& machine) {
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

}  // namespace

constinit const Instrument kTrap = {"trap", probe, explain};

}  // namespace cowscope::record
