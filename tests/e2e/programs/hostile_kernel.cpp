// Programs that use what the shim uses (userfaultfd, perf events), that trace their children, go
// into namespaces of their own, or have memory written in other ways than by a store.
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <csignal>
#include <thread>

#include "tree_cases.h"

using namespace tree;

namespace {

// --- the program's own userfaultfd and perf events
// ------------------------------------------------

unsigned char* served;
constexpr size_t kServed = 16;

// Pages of `served` come from a thread, filled with their number.
void serve(int uffd) {
    alignas(kPageBytes) static unsigned char page[kPageBytes];
    for (size_t done = 0; done < kServed; ++done) {
        uffd_msg message;
        require(read(uffd, &message, sizeof(message)) == sizeof(message), "read of a fault");
        const uint64_t at = message.arg.pagefault.address & ~(kPageBytes - 1);
        std::memset(page,
                    static_cast<int>((at - reinterpret_cast<uint64_t>(served)) / kPageBytes + 1),
                    kPageBytes);
        uffdio_copy copy{};
        copy.dst = at;
        copy.src = reinterpret_cast<uint64_t>(page);
        copy.len = kPageBytes;
        require(ioctl(uffd, UFFDIO_COPY, &copy) == 0, "UFFDIO_COPY");
    }
}

void own_userfaultfd() {
    wait_for_child(start_child([] {
        write_copied(region, 100);
        const int uffd =
            static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
        require(uffd >= 0, "userfaultfd");
        uffdio_api api{};
        api.api = UFFD_API;
        require(ioctl(uffd, UFFDIO_API, &api) == 0, "UFFDIO_API");
        served = map(kServed);
        uffdio_register registration{};
        registration.range = {reinterpret_cast<uint64_t>(served), kServed * kPageBytes};
        registration.mode = UFFDIO_REGISTER_MODE_MISSING;
        require(ioctl(uffd, UFFDIO_REGISTER, &registration) == 0, "UFFDIO_REGISTER");
        std::thread server(serve, uffd);
        // Shared with a child, and tracked anew, while it is registered.
        for (size_t i = 0; i < kServed / 2; ++i)
            require(served[i * kPageBytes] == i + 1, "content");
        wait_for_child(start_child([] {
            account::store_to_shared(region, 100, 1);
            account::add_written(account::Kind::copied, region, 100, 1);
        }));
        for (size_t i = 0; i < kServed; ++i)
            require(served[i * kPageBytes + 7] == i + 1, "content");
        server.join();
    }));
}

// Memory that was there at the fork, some of it copied: a part of it first, and by each way to ask.
void own_userfaultfd_later() {
    wait_for_child(start_child([] {
        write_copied(region, 136);
        const int uffd =
            static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
        require(uffd >= 0, "userfaultfd");
        uffdio_api api{};
        api.api = UFFD_API;
        require(ioctl(uffd, UFFDIO_API, &api) == 0, "UFFDIO_API");
        const auto take = [&](size_t page, size_t pages, bool by_libc) {
            uffdio_register registration{};
            registration.range = {reinterpret_cast<uint64_t>(at(page)), pages * kPageBytes};
            registration.mode = UFFDIO_REGISTER_MODE_MISSING;
            const long result = by_libc ? ioctl(uffd, UFFDIO_REGISTER, &registration)
                                        : syscall(SYS_ioctl, uffd, UFFDIO_REGISTER, &registration);
            require(result == 0, "UFFDIO_REGISTER");
        };
        take(128, 16, true);
        take(160, 16, false);
        // Its own, now: an error like any other.
        const int other =
            static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
        require(other >= 0 && ioctl(other, UFFDIO_API, &api) == 0, "another userfaultfd");
        uffdio_register again{};
        again.range = {reinterpret_cast<uint64_t>(at(128)), 16 * kPageBytes};
        again.mode = UFFDIO_REGISTER_MODE_MISSING;
        require(ioctl(other, UFFDIO_REGISTER, &again) != 0 && errno == EBUSY, "taken twice");
        write_copied(at(136), 60);
        wait_for_child(start_child([] { write_copied(region, 200); }));
        // What was discarded comes by the program's userfaultfd.
        require(madvise(at(130), kPageBytes, MADV_DONTNEED) == 0, "madvise");
        alignas(kPageBytes) static unsigned char page[kPageBytes] = {42};
        std::thread reader([] { require(at(130)[0] == 42, "content"); });
        uffd_msg message;
        require(read(uffd, &message, sizeof(message)) == sizeof(message), "read of a fault");
        uffdio_copy copy{};
        copy.dst = message.arg.pagefault.address & ~(kPageBytes - 1);
        copy.src = reinterpret_cast<uint64_t>(page);
        copy.len = kPageBytes;
        require(ioctl(uffd, UFFDIO_COPY, &copy) == 0, "UFFDIO_COPY");
        reader.join();
    }));
}

volatile sig_atomic_t own_events = 0;

void own_perf_event() {
    wait_for_child(start_child([] {
        struct sigaction action {};
        action.sa_flags = SA_SIGINFO;
        action.sa_sigaction = [](int, siginfo_t* info, void*) {
            // TRAP_PERF is 6. Another's event would have other data.
            if (info->si_code != 6) _exit(97);
            own_events = own_events + 1;
        };
        require(sigaction(SIGTRAP, &action, nullptr) == 0, "sigaction");
        perf_event_attr attributes{};
        attributes.size = sizeof(attributes);
        attributes.type = PERF_TYPE_SOFTWARE;
        attributes.config = PERF_COUNT_SW_PAGE_FAULTS_MIN;
        attributes.sample_period = 1;
        attributes.exclude_kernel = attributes.exclude_hv = 1;
        attributes.remove_on_exec = attributes.sigtrap = 1;
        attributes.sig_data = 0x1234;
        const int fd = static_cast<int>(
            syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
        require(fd >= 0, "perf_event_open");
        write_copied(region, 64);
        close(fd);
        note_figure("own events", own_events);
        write_copied(at(64), 64);
    }));
}

// --- tracers
// --------------------------------------------------------------------------------------

// Like a debugger: sees each signal first, and passes it on.
void traced_child() {
    const pid_t child = start_child([] {
        require(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0, "PTRACE_TRACEME");
        raise(SIGSTOP);
        write_copied(region, 64);
    });
    int status = 0;
    for (;;) {
        require(waitpid(child, &status, 0) == child, "waitpid");
        if (!WIFSTOPPED(status)) break;
        const int signal = WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status);
        require(ptrace(PTRACE_CONT, child, nullptr, static_cast<long>(signal)) == 0, "PTRACE_CONT");
    }
    require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the traced child");
}

// --- namespaces
// -------------------------------------------------------------------------------------

void in_namespaces(int flags) {
    wait_for_child(start_child([=] {
        write_copied(at(128), 16);
        require(unshare(flags) == 0, "unshare");
        // The first of a pid namespace, and with it the namespace, lives as long as the other.
        wait_for_child(start_child([] {
            wait_for_child(start_child([] { account::store_to_shared(region, 100, 1); }));
            account::store_to_shared(region, 100, 1);
        }));
    }));
}
void new_pid_namespace() {
    in_namespaces(CLONE_NEWPID);
}
void new_mount_namespace() {
    in_namespaces(CLONE_NEWNS);
}
void new_user_namespace() {
    in_namespaces(CLONE_NEWUSER | CLONE_NEWPID);
}

// The first process of a namespace, with children of the same number in another: one by a bare
// system call, and one that has its memory.
void same_number() {
    require(unshare(CLONE_NEWPID) == 0, "unshare");
    wait_for_child(start_child([] {
        write_copied(region, 100);
        require(getpid() == 1, "getpid");
        const long bare = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
        if (bare == 0) {
            const bool is_same = getpid() == 1;
            munmap(at(200), 8 * kPageBytes);
            close(900);
            _exit(is_same ? 7 : 8);
        }
        int status = 0;
        require(waitpid(static_cast<pid_t>(bare), &status, 0) == bare, "waitpid");
        require(WIFEXITED(status) && WEXITSTATUS(status) == 7, "the bare child");
        require(unshare(CLONE_NEWPID) == 0, "unshare");
        const pid_t shared = vfork();
        if (shared == 0) _exit(getpid() == 1 ? 9 : 10);
        require(waitpid(shared, &status, 0) == shared, "waitpid");
        require(WIFEXITED(status) && WEXITSTATUS(status) == 9, "the child of vfork");
        write_copied(at(100), 64);
    }));
}

// --- other ways to write
// ----------------------------------------------------------------------------

void written_from_outside() {
    const pid_t child = start_child([] {
        write_copied(region, 128);
        reach_step(kChildDone);
        wait_for_step(kParentDone);
    });
    wait_for_step(kChildDone);
    unsigned char bytes[64] = {7};
    for (size_t i = 0; i < 64; ++i) {
        iovec local{bytes, sizeof(bytes)};
        iovec remote{at(128 + i), sizeof(bytes)};
        require(process_vm_writev(child, &local, 1, &remote, 1, 0) == sizeof(bytes),
                "process_vm_writev");
    }
    account::book->written[account::book->written_count.fetch_add(1)] = {
        child, account::Kind::copied, reinterpret_cast<uint64_t>(at(128)), 64, 1};
    reach_step(kParentDone);
    wait_for_child(child);
}

void written_by_proc_mem() {
    wait_for_child(start_child([] {
        write_copied(region, 128);
        const int fd = open("/proc/self/mem", O_RDWR);
        require(fd >= 0, "open mem");
        for (size_t i = 0; i < 64; ++i) {
            require(pwrite(fd, "x", 1,
                           static_cast<off_t>(reinterpret_cast<uint64_t>(at(128 + i)))) == 1,
                    "write to mem");
        }
        account::add_written(account::Kind::copied, at(128), 64, 1);
    }));
}

// --- many
// -------------------------------------------------------------------------------------------

void thousand_children() {
    int release[2];
    require(pipe(release) == 0, "pipe");
    pid_t children[1000];
    for (pid_t& child : children) {
        child = start_child([&] {
            close(release[1]);
            account::store_to_shared(region, 8, 1);
            reach_step(kChildDone);
            char nothing;
            const bool is_released = read(release[0], &nothing, 1) == 0;
            _exit(is_released ? 0 : 98);
        });
    }
    wait_for_step(kChildDone, 1000);
    close(release[1]);
    for (const pid_t child : children) wait_for_child(child);
}

const Case kCases[] = {
    {"own-userfaultfd", own_userfaultfd},
    {"own-userfaultfd-later", own_userfaultfd_later},
    {"own-perf-event", own_perf_event},
    {"same-number", same_number},
    {"traced-child", traced_child},
    {"pid-namespace", new_pid_namespace},
    {"mount-namespace", new_mount_namespace},
    {"user-namespace", new_user_namespace},
    {"process-vm-writev", written_from_outside},
    {"proc-mem", written_by_proc_mem},
    {"thousand-children", thousand_children},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
