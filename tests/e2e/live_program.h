// A program that is talked to while it runs: signalled, stopped, continued.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/catch.h"

namespace cowscope::e2e {

// True as soon as `holds`; false where it does not for 20 seconds.
inline bool comes_true(const std::function<bool()>& holds) {
    for (int tries = 0; tries < 2000; ++tries) {
        if (holds()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

// As in /proc: 'R', 'S', 'T' ...; 0 where there is no such process.
inline char state_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(file, text);
    const size_t name_end = text.rfind(')');
    return name_end == std::string::npos ? char{0} : text[name_end + 2];
}

// The child of `parent` whose executable has this name; 0 where there is none.
inline pid_t child_of(pid_t parent, const std::string& name) {
    const std::string task = std::to_string(parent);
    std::ifstream children("/proc/" + task + "/task/" + task + "/children");
    for (pid_t child = 0; children >> child;) {
        char path[4096];
        const ssize_t length =
            readlink(("/proc/" + std::to_string(child) + "/exe").c_str(), path, sizeof(path));
        const std::string file(path, length > 0 ? static_cast<size_t>(length) : 0);
        if (file.substr(file.rfind('/') + 1) == name) return child;
    }
    return 0;
}

struct LiveOptions {
    // In the new process, before exec.
    std::function<void()> before_exec;
    // A terminal that the program's session has, with the program in its foreground: the program
    // leads its session, or (`in_job`) a job that a shell made for it.
    bool has_terminal = false;
    bool in_job = false;
};

// Leads a process group of its own.
class LiveProgram {
  public:
    explicit LiveProgram(const std::vector<std::string>& command, const LiveOptions& options = {}) {
        int ends[2];
        REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
        out_ = ends[0];
        if (options.has_terminal) {
            master_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
            REQUIRE((master_ >= 0 && grantpt(master_) == 0 && unlockpt(master_) == 0));
        }
        const std::string terminal = master_ >= 0 ? ptsname(master_) : "";
        int pids[2];
        REQUIRE(pipe2(pids, O_CLOEXEC) == 0);
        child_ = fork();
        REQUIRE(child_ >= 0);
        if (child_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            dup2(ends[1], STDOUT_FILENO);
            if (terminal.empty()) {
                setpgid(0, 0);
            } else {
                setsid();
                const int slave = open(terminal.c_str(), O_RDWR);
                ioctl(slave, TIOCSCTTY, 0);
            }
            if (options.in_job) become_shell(command, options, pids[1]);
            become(command, options);
        }
        close(ends[1]);
        close(pids[1]);
        pid_ = child_;
        if (options.in_job) REQUIRE(read(pids[0], &pid_, sizeof(pid_)) == sizeof(pid_));
        close(pids[0]);
    }
    LiveProgram(const LiveProgram&) = delete;
    LiveProgram& operator=(const LiveProgram&) = delete;
    ~LiveProgram() {
        if (!has_ended_) {
            kill(-pid_, SIGKILL);
            kill(child_, SIGKILL);
            waitpid(child_, nullptr, 0);
        }
        close(out_);
        if (master_ >= 0) close(master_);
    }

    pid_t pid() const { return pid_; }
    int terminal() const { return master_; }

    // The next line of its output; "" where none comes.
    std::string line() {
        while (true) {
            const size_t end = text_.find('\n');
            if (end != std::string::npos) {
                const std::string line = text_.substr(0, end);
                text_.erase(0, end + 1);
                return line;
            }
            pollfd ready = {out_, POLLIN, 0};
            char bytes[4096];
            ssize_t got = 0;
            if (poll(&ready, 1, 20'000) > 0) got = read(out_, bytes, sizeof(bytes));
            if (got <= 0) return "";
            text_.append(bytes, static_cast<size_t>(got));
        }
    }

    // Of waitpid(2) with WUNTRACED and WCONTINUED; -1 where nothing happens for 20 seconds. With
    // `in_job`: of the shell, which ends with the same status.
    int wait() {
        int status = -1;
        const bool has_changed = comes_true(
            [&] { return waitpid(child_, &status, WNOHANG | WUNTRACED | WCONTINUED) == child_; });
        if (!has_changed) return -1;
        has_ended_ = WIFEXITED(status) || WIFSIGNALED(status);
        return status;
    }
    // Its end, with other changes passed over: as a shell says it.
    int end_status() {
        while (true) {
            const int status = wait();
            if (status == -1) return -1;
            if (WIFEXITED(status)) return WEXITSTATUS(status);
            if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
        }
    }

  private:
    [[noreturn]] static void become(const std::vector<std::string>& command,
                                    const LiveOptions& options) {
        for (const char* name : {"LD_PRELOAD", "COWSCOPE_OUTPUT"}) unsetenv(name);
        if (options.before_exec) options.before_exec();
        std::vector<char*> words;
        for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
        words.push_back(nullptr);
        execvp(words[0], words.data());
        _exit(127);
    }
    // What a shell does for a job in the foreground, and `fg` whenever that stops.
    [[noreturn]] static void become_shell(const std::vector<std::string>& command,
                                          const LiveOptions& options, int say_pid) {
        signal(SIGTTOU, SIG_IGN);
        const pid_t job = fork();
        if (job == 0) {
            setpgid(0, 0);
            const int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
            tcsetpgrp(terminal, getpid());
            signal(SIGTTOU, SIG_DFL);
            become(command, options);
        }
        setpgid(job, job);
        if (write(say_pid, &job, sizeof(job)) < 0) _exit(126);
        while (true) {
            int status = 0;
            waitpid(job, &status, WUNTRACED);
            if (WIFSTOPPED(status)) {
                const std::string line =
                    "shell: stopped by " + std::to_string(WSTOPSIG(status)) + "\n";
                if (write(STDOUT_FILENO, line.data(), line.size()) < 0) _exit(126);
                kill(-job, SIGCONT);
                continue;
            }
            _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
        }
    }

    pid_t child_ = 0;
    pid_t pid_ = 0;
    int out_ = -1;
    int master_ = -1;
    bool has_ended_ = false;
    std::string text_;
};

}  // namespace cowscope::e2e
