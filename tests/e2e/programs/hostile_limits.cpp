// Programs that take away what a profiler in the same process may need: limits, rights, system
// calls, its files. They go on as ever, or end with status 98.
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <csignal>
#include <cstddef>
#include <vector>

#include "tree_cases.h"

using namespace tree;

namespace {

// What must come out the same however little a child has left.
void write_pages() {
    account::store_to_shared(region, 128, 1);
    account::add_written(account::Kind::copied, region, 128, 1);
}

void limit(int resource, rlim_t most) {
    rlimit now;
    require(getrlimit(resource, &now) == 0, "getrlimit");
    const rlimit lower{most, now.rlim_max};
    require(setrlimit(resource, &lower) == 0, "setrlimit");
}

rlim_t address_space() {
    FILE* file = std::fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    require(file != nullptr && std::fscanf(file, "%lu", &pages) == 1, "statm");
    std::fclose(file);
    return pages * kPageBytes;
}

// Each in a child before it writes, and in the parent before it forks.
template <typename Take>
void without(Take&& take) {
    wait_for_child(start_child([&] {
        take();
        write_pages();
        wait_for_child(start_child(write_pages));
    }));
    wait_for_child(start_child([&] {
        take();
        for (int i = 0; i < 3; ++i) wait_for_child(start_child(write_pages));
    }));
}

void file_size() {
    // SIGXFSZ at its default would end the child.
    without([] { limit(RLIMIT_FSIZE, 0); });
}
void file_size_small() {
    without([] { limit(RLIMIT_FSIZE, 20 * 1024); });
}
void address_space_full() {
    without([] { limit(RLIMIT_AS, address_space()); });
}
void no_locked_memory() {
    without([] { limit(RLIMIT_MEMLOCK, 0); });
}
void no_data() {
    without([] { limit(RLIMIT_DATA, 0); });
}
void small_stack() {
    without([] { limit(RLIMIT_STACK, 64 * 1024); });
}
void no_signals_queued() {
    without([] { limit(RLIMIT_SIGPENDING, 0); });
}

// --- rights
// ---------------------------------------------------------------------------------------

void not_dumpable() {
    without([] { require(prctl(PR_SET_DUMPABLE, 0) == 0, "prctl"); });
}

constexpr uid_t kNobody = 65534;

void drop_rights() {
    wait_for_child(start_child([] {
        write_copied(region, 32);
        require(setgroups(0, nullptr) == 0 && setgid(kNobody) == 0 && setuid(kNobody) == 0,
                "setuid");
        account::store_to_shared(at(32), 64, 1);
        account::add_written(account::Kind::copied, at(32), 64, 1);
        wait_for_child(start_child(write_pages));
    }));
}

void change_root() {
    wait_for_child(start_child([] {
        write_copied(region, 32);
        char folder[] = "/tmp/cowscope-root-XXXXXX";
        require(mkdtemp(folder) != nullptr, "mkdtemp");
        require(chroot(folder) == 0 && chdir("/") == 0, "chroot");
        account::store_to_shared(at(32), 64, 1);
        account::add_written(account::Kind::copied, at(32), 64, 1);
        wait_for_child(start_child(write_pages));
        require(chmod("/", 0700) == 0, "chmod");
    }));
    // The folder is empty: nobody has put a file there.
    require(std::system("rmdir /tmp/cowscope-root-??????") == 0, "somebody left a file in a root");
}

// --- system calls -------------------------------------------------------------------------------

// After this `refused` calls end the process, or fail with EPERM.
void filter(std::vector<int> refused, uint32_t action) {
    std::vector<sock_filter> code;
    code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
    for (const int number : refused) {
        code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(number), 0, 1));
        code.push_back(BPF_STMT(BPF_RET | BPF_K, action));
    }
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
    require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
    require(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
}

// What sandboxes refuse and ordinary programs do without.
const std::vector<int> kUnusual = {SYS_userfaultfd,       SYS_perf_event_open, SYS_process_vm_readv,
                                   SYS_process_vm_writev, SYS_ptrace,          SYS_bpf};

void calls_refused() {
    without([] { filter(kUnusual, SECCOMP_RET_ERRNO | EPERM); });
}
void calls_deadly_before_fork() {
    filter(kUnusual, SECCOMP_RET_KILL_PROCESS);
    for (int i = 0; i < 3; ++i) wait_for_child(start_child(write_pages));
}
// Of the calls that the shim makes for looking at filters.
void looks_deadly_before_fork() {
    filter({SYS_prctl, SYS_rt_tgsigqueueinfo, SYS_unlink}, SECCOMP_RET_KILL_PROCESS);
    for (int i = 0; i < 3; ++i) wait_for_child(start_child(write_pages));
}
void calls_deadly_after_fork() {
    wait_for_child(start_child([] {
        write_copied(at(128), 16);
        filter(kUnusual, SECCOMP_RET_KILL_PROCESS);
        write_pages();
        wait_for_child(start_child(write_pages));
    }));
}
// A worker that may only read, write and end.
void strict() {
    const pid_t child = start_child([] {
        write_copied(at(128), 16);
        write_pages();
        require(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0, "seccomp");
        const bool written = write(2, "", 0) == 0;
        syscall(SYS_exit, written ? 7 : 8);
    });
    int status = 0;
    require(waitpid(child, &status, 0) == child, "waitpid");
    note_figure("status", status);
}

const Case kCases[] = {
    {"file-size", file_size},
    {"file-size-small", file_size_small},
    {"address-space", address_space_full},
    {"locked-memory", no_locked_memory},
    {"data", no_data},
    {"stack", small_stack},
    {"signals-queued", no_signals_queued},
    {"not-dumpable", not_dumpable},
    {"drop-rights", drop_rights},
    {"change-root", change_root},
    {"calls-refused", calls_refused},
    {"calls-deadly-before-fork", calls_deadly_before_fork},
    {"looks-deadly-before-fork", looks_deadly_before_fork},
    {"calls-deadly-after-fork", calls_deadly_after_fork},
    {"strict", strict},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
