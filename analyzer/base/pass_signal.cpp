#include "base/pass_signal.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace cowscope {

void pass_signal(pid_t program, const siginfo_t& info) {
    const int signal = info.si_signo;
    if (info.si_code == SI_TKILL) {
        // To its first thread, as it came to this one's. That one may have ended.
        if (syscall(SYS_tgkill, program, program, signal) == 0) return;
    } else if (is_sent_by_process(info) && info.si_code != SI_USER) {
        // With its value and sender. A full queue (RLIMIT_SIGPENDING) empties as the program takes
        // from it.
        constexpr int kMostTries = 200;
        constexpr useconds_t kTryUs = 1000;
        for (int tries = 0; tries < kMostTries; ++tries) {
            siginfo_t copy = info;
            if (syscall(SYS_rt_sigqueueinfo, program, signal, &copy) == 0) return;
            if (errno != EAGAIN) break;
            usleep(kTryUs);
        }
    }
    // The kernel lets nobody name another sender here.
    kill(program, signal);
}

}  // namespace cowscope
