// Starts a program under seccomp filters that each kill for one system call, one after the other,
// and prints how each ended:
//
//   filtered_start [NAME=VALUE ...] -- PROGRAM ARGUMENTS...
//
// The variables are set for the program alone.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr uint32_t kCalls = 470;

bool kill_for(uint32_t number) {
    const sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{sizeof(code) / sizeof(code[0]), const_cast<sock_filter*>(code)};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

int main(int argc, char** argv) {
    int program = 1;
    while (program < argc && std::strcmp(argv[program], "--") != 0) ++program;
    if (++program >= argc) return 2;
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    for (uint32_t number = 0; number < kCalls; ++number) {
        if (number == SYS_execve) continue;
        const pid_t child = fork();
        if (child == 0) {
            for (int i = 1; i < program - 1; ++i) putenv(argv[i]);
            const int nothing = open("/dev/null", O_WRONLY);
            dup2(nothing, 1);
            dup2(nothing, 2);
            if (!kill_for(number)) _exit(98);
            execv(argv[program], argv + program);
            _exit(97);
        }
        int status = 0;
        if (waitpid(child, &status, 0) != child) return 3;
        std::printf("%u: %d\n", number, status);
    }
    return 0;
}
