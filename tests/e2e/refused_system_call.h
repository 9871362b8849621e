// A kernel that refuses a system call, made with a seccomp filter: the same on every machine, where
// permissions and kernel settings are not.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>

namespace cowscope::e2e {

// From here on, in this process and all that come from it, the system call fails with `error`, and
// so does every ioctl with that request (0: none).
inline bool refuse_system_call(unsigned number, unsigned error, unsigned ioctl_request = 0) {
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ioctl_request == 0 ? ~0U : ioctl_request, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{sizeof(program) / sizeof(program[0]), program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// As perf_event_paranoid 3 does on Debian's kernels, and Docker's default profile.
inline bool refuse_witness() {
    return refuse_system_call(SYS_perf_event_open, EACCES);
}

// As Docker's default profile does; by the device, too.
inline bool refuse_tracker() {
    constexpr unsigned kUserfaultfdIocNew = 0xaa00;  // linux/userfaultfd.h: _IO(0xAA, 0x00)
    return refuse_system_call(SYS_userfaultfd, EPERM, kUserfaultfdIocNew);
}

}  // namespace cowscope::e2e
