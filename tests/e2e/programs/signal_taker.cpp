// Takes signals and says what came: NUMBER CODE VALUE, one line each, as siginfo has it.
//
//     signal_taker COUNT           blocks all signals and takes so many, one by one
//     signal_taker --default       says "ready" and waits
//     signal_taker --own-group COUNT   the same as the first, in a process group of its own
//     signal_taker --inherited     says which signals are blocked and ignored
//     signal_taker --orphans N     makes N processes whose parent ends before them, then waits
//     until
//                                  none of them is left (by /proc)
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace {

constexpr int kStatus = 7;

void say(const std::string& line) {
    const std::string text = line + "\n";
    if (write(STDOUT_FILENO, text.data(), text.size()) < 0) _exit(1);
}

int take(int count) {
    // libc's functions leave out signals 32 and 33.
    const uint64_t all = ~uint64_t{0};
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, sizeof(all));
    say("ready");
    while (count > 0) {
        siginfo_t info{};
        const timespec limit = {30, 0};
        const long number = syscall(SYS_rt_sigtimedwait, &all, &info, &limit, sizeof(all));
        if (number < 0 && errno == EINTR) continue;
        if (number < 0) return 3;
        const bool has_value = info.si_code == SI_QUEUE;
        say(std::to_string(number) + " " + std::to_string(info.si_code) + " " +
            (has_value ? std::to_string(info.si_value.sival_int) : "-"));
        --count;
    }
    return kStatus;
}

int say_inherited() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        for (const char* name : {"SigBlk:", "SigIgn:", "ShdPnd:", "SigPnd:"}) {
            if (line.rfind(name, 0) == 0) say(line);
        }
    }
    return kStatus;
}

int make_orphans(int count) {
    std::vector<pid_t> orphans;
    for (int i = 0; i < count; ++i) {
        int ends[2];
        if (pipe(ends) != 0) return 1;
        const pid_t middle = fork();
        if (middle == 0) {
            const pid_t orphan = fork();
            if (orphan == 0) {
                usleep(100'000);
                _exit(0);
            }
            if (write(ends[1], &orphan, sizeof(orphan)) < 0) _exit(1);
            _exit(0);
        }
        pid_t orphan = 0;
        if (read(ends[0], &orphan, sizeof(orphan)) != sizeof(orphan)) return 1;
        orphans.push_back(orphan);
        waitpid(middle, nullptr, 0);
        close(ends[0]);
        close(ends[1]);
    }
    for (int tries = 0; tries < 500; ++tries) {
        bool is_left = false;
        for (const pid_t orphan : orphans) is_left = is_left || kill(orphan, 0) == 0;
        if (!is_left) return kStatus;
        usleep(20'000);
    }
    return 4;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string mode = argc > 1 ? argv[1] : "";
    const int count = argc > 2 ? std::atoi(argv[2]) : 0;
    if (mode == "--default") {
        say("ready");
        sleep(30);
        return kStatus;
    }
    if (mode == "--own-group") {
        setpgid(0, 0);
        return take(count);
    }
    if (mode == "--inherited") return say_inherited();
    if (mode == "--orphans") return make_orphans(count);
    return take(std::atoi(mode.c_str()));
}
