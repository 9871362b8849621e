// What the probes find, and how it is explained. Refusals are made with a seccomp filter, so that
// these tests say the same on every machine.
#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string>
#include <vector>

#include "preload/format/kernel_abi.h"
#include "record/capabilities.h"
#include "record/contained.h"
#include "tests/catch.h"

using namespace cowscope;
using namespace cowscope::record;

namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

ProbeOutcome failed_at(ProbeStep step, int error, int killed_by = 0) {
    ProbeOutcome outcome;
    outcome.step = step;
    outcome.error = error;
    outcome.killed_by = killed_by;
    return outcome;
}

Machine machine_with(int paranoid, uint64_t capabilities = 0, int seccomp = 0) {
    Machine machine;
    machine.perf_event_paranoid = paranoid;
    machine.capabilities = capabilities;
    machine.seccomp = seccomp;
    return machine;
}

constexpr int kFilter = 2;  // seccomp mode

bool refuse_system_call(unsigned number, unsigned error, unsigned ioctl_request = 0) {
    std::vector<sock_filter> program = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 2, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ioctl_request, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// The outcome of the probe in a process of its own for which a system call, and one ioctl request
// with it, fail with `error`.
ProbeOutcome probe_while_refused(const Instrument& instrument, unsigned number, unsigned error,
                                 unsigned ioctl_request = 0) {
    void* memory = mmap(nullptr, sizeof(ProbeOutcome), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    auto* shared = new (memory) ProbeOutcome;
    const pid_t child = fork();
    if (child == 0) {
        if (!refuse_system_call(number, error, ioctl_request)) _exit(1);
        *shared = run_contained(instrument.probe);
        _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
    const ProbeOutcome outcome = *shared;
    munmap(memory, sizeof(ProbeOutcome));
    return outcome;
}

size_t open_descriptors() {
    DIR* directory = opendir("/proc/self/fd");
    REQUIRE(directory != nullptr);
    size_t count = 0;
    while (readdir(directory) != nullptr) ++count;
    closedir(directory);
    return count;
}

}  // namespace

TEST_CASE("a probe that dies is an answer", "[capabilities]") {
    const ProbeOutcome outcome = run_contained([](ProbeOutcome& o) {
        o.step = ProbeStep::protect;
        o.error = 5;
        raise(SIGKILL);
    });
    CHECK_FALSE(outcome.ok());
    CHECK(outcome.step == ProbeStep::protect);
    CHECK(outcome.error == 5);
    CHECK(outcome.killed_by == SIGKILL);
}

TEST_CASE("a probe gets the default dispositions and an open mask", "[capabilities]") {
    signal(SIGTRAP, SIG_IGN);
    const ProbeOutcome outcome = run_contained([](ProbeOutcome& o) {
        o.step = ProbeStep::blocked;
        raise(SIGTRAP);
        o.step = ProbeStep::done;
    });
    signal(SIGTRAP, SIG_DFL);
    CHECK(outcome.killed_by == SIGTRAP);
    CHECK(outcome.step == ProbeStep::blocked);
}

TEST_CASE("probes leave nothing behind in the caller", "[capabilities]") {
    const size_t descriptors = open_descriptors();
    struct sigaction before {};
    sigaction(SIGTRAP, nullptr, &before);

    const ProbeOutcome outcomes[] = {run_contained(kUserfaultfd.probe),
                                     run_contained(kSoftDirty.probe), run_contained(kTrap.probe)};
    for (const ProbeOutcome& outcome : outcomes) {
        // Whatever the machine allows, a probe gets past its own preparations.
        CHECK(outcome.step != ProbeStep::start);
        CHECK((outcome.ok() ? outcome.error == 0 && outcome.killed_by == 0 : true));
    }

    struct sigaction after {};
    sigaction(SIGTRAP, nullptr, &after);
    CHECK(after.sa_handler == before.sa_handler);
    CHECK(open_descriptors() == descriptors);
    CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("probes notice what is refused", "[capabilities]") {
    SECTION("userfaultfd, by system call and by device") {
        const ProbeOutcome outcome =
            probe_while_refused(kUserfaultfd, SYS_userfaultfd, EPERM, USERFAULTFD_IOC_NEW);
        CHECK(outcome.step == ProbeStep::open);
        CHECK(outcome.error == EPERM);
    }
    SECTION("perf_event_open") {
        const ProbeOutcome outcome = probe_while_refused(kTrap, SYS_perf_event_open, EACCES);
        CHECK(outcome.step == ProbeStep::open);
        CHECK(outcome.error == EACCES);
    }
    SECTION("PAGEMAP_SCAN, where userfaultfd is allowed") {
        const ProbeOutcome allowed = run_contained(kUserfaultfd.probe);
        // An unrelated system call is named, so that only the ioctl is refused.
        const ProbeOutcome outcome = probe_while_refused(
            kUserfaultfd, SYS_acct, ENOTTY, static_cast<unsigned>(kernel::kPagemapScan));
        CHECK(outcome.step == (allowed.ok() ? ProbeStep::protect : allowed.step));
        CHECK(outcome.error == (allowed.ok() ? ENOTTY : allowed.error));
    }
}

TEST_CASE("a missing witness is explained with what allows it", "[capabilities]") {
    const ProbeOutcome refused = failed_at(ProbeStep::open, EACCES);
    SECTION("perf_event_paranoid") {
        const Capability trap = kTrap.explain(refused, machine_with(3));
        CHECK_FALSE(trap.ok);
        CHECK(trap.error == EACCES);
        CHECK(contains(trap.reason, "kernel.perf_event_paranoid is 3"));
        CHECK(contains(trap.remedy, "sudo sysctl kernel.perf_event_paranoid=2"));
    }
    SECTION("paranoid is not blamed where it allows enough or the user is privileged") {
        CHECK(
            contains(kTrap.explain(refused, machine_with(2)).reason, "perf_event_open is refused"));
        const uint64_t perfmon = uint64_t{1} << kernel::kCapPerfmon;
        CHECK(contains(kTrap.explain(refused, machine_with(4, perfmon)).reason,
                       "perf_event_open is refused"));
    }
    SECTION("seccomp") {
        const Capability trap =
            kTrap.explain(failed_at(ProbeStep::open, EPERM), machine_with(2, 0, kFilter));
        CHECK(contains(trap.reason, "seccomp"));
        CHECK(contains(trap.remedy, "--cap-add PERFMON"));
    }
    SECTION("old kernels") {
        CHECK(contains(kTrap.explain(failed_at(ProbeStep::open, E2BIG), machine_with(2)).remedy,
                       "Linux 5.19"));
        const Capability killed =
            kTrap.explain(failed_at(ProbeStep::blocked, 0, SIGTRAP), machine_with(2));
        CHECK(contains(killed.reason, "blocks SIGTRAP"));
        CHECK(contains(killed.remedy, "Linux 5.19"));
    }
    SECTION("limits") {
        CHECK(contains(kTrap.explain(failed_at(ProbeStep::open, EMFILE), machine_with(2)).remedy,
                       "ulimit"));
    }
}

TEST_CASE("a missing tracker is explained with what allows it", "[capabilities]") {
    SECTION("seccomp") {
        const Capability capability =
            kUserfaultfd.explain(failed_at(ProbeStep::open, EPERM), machine_with(2, 0, kFilter));
        CHECK(contains(capability.reason, "seccomp"));
        CHECK(contains(capability.remedy, "seccomp=unconfined"));
    }
    SECTION("no seccomp") {
        const Machine machine = machine_with(2);
        CHECK(contains(kUserfaultfd.explain(failed_at(ProbeStep::open, EPERM), machine).remedy,
                       "vm.unprivileged_userfaultfd=1"));
        CHECK(contains(kUserfaultfd.explain(failed_at(ProbeStep::open, ENOSYS), machine).reason,
                       "without userfaultfd"));
        CHECK(contains(kUserfaultfd.explain(failed_at(ProbeStep::features, EINVAL), machine).reason,
                       "UFFD_FEATURE_WP_ASYNC"));
        CHECK(contains(kUserfaultfd.explain(failed_at(ProbeStep::protect, ENOTTY), machine).reason,
                       "PAGEMAP_SCAN"));
    }
    SECTION("soft-dirty without the kernel's option") {
        CHECK(contains(kSoftDirty.explain(failed_at(ProbeStep::verify, 0), {}).reason,
                       "CONFIG_MEM_SOFT_DIRTY"));
    }
}

TEST_CASE("every failure has a reason and a remedy", "[capabilities]") {
    const int errors[] = {0, EPERM, EACCES, EINVAL, ENOSYS, ENOENT, E2BIG, EMFILE, ENOTTY, EBUSY};
    for (int step = 0; step < static_cast<int>(ProbeStep::done); ++step) {
        for (const int error : errors) {
            for (const int killed_by : {0, SIGALRM, SIGSEGV, SIGTRAP}) {
                for (const int seccomp : {0, kFilter}) {
                    CAPTURE(step, error, killed_by, seccomp);
                    const ProbeOutcome outcome =
                        failed_at(static_cast<ProbeStep>(step), error, killed_by);
                    const Machine machine = machine_with(4, 0, seccomp);
                    for (const Capability& capability :
                         {kUserfaultfd.explain(outcome, machine),
                          kSoftDirty.explain(outcome, machine), kTrap.explain(outcome, machine)}) {
                        CHECK_FALSE(capability.ok);
                        CHECK(capability.error == error);
                        CHECK_FALSE(capability.reason.empty());
                        CHECK_FALSE(capability.remedy.empty());
                        CHECK_FALSE(contains(capability.reason + capability.remedy, "\n"));
                    }
                }
            }
        }
    }
}

TEST_CASE("auto takes the best that the machine has", "[capabilities]") {
    std::vector<Probed> probed = {{&kUserfaultfd, {}}, {&kSoftDirty, {}}};
    CHECK(best_of(probed) == Choice::off());
    probed[1].capability.ok = true;
    CHECK(best_of(probed) == Choice(kSoftDirty));
    probed[0].capability.ok = true;
    CHECK(best_of(probed) == Choice(kUserfaultfd));
    CHECK(best_of({}) == Choice::off());
}

TEST_CASE("the machine's facts agree with the system", "[capabilities]") {
    const Machine machine = read_machine();
    CHECK(contains(machine.kernel, "Linux "));
    CHECK(machine.user_id == geteuid());
    for (unsigned number : {kernel::kCapSysPtrace, kernel::kCapSysAdmin}) {
        // A capability that is effective is in the bounding set or was never dropped.
        if (machine.has_capability(number)) CHECK(prctl(PR_CAPBSET_READ, number) == 1);
    }
    CHECK(machine.seccomp == prctl(PR_GET_SECCOMP));
}
