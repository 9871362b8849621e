#include "run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace cowscope::e2e {
namespace {

constexpr int kNotExecuted = 127;  // as in shells
using Clock = std::chrono::steady_clock;

struct Pipe {
    int read_end = -1;
    int write_end = -1;

    Pipe() {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
        read_end = ends[0];
        write_end = ends[1];
    }
    ~Pipe() {
        close_end(&read_end);
        close_end(&write_end);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    static void close_end(int* end) {
        if (*end >= 0) close(*end);
        *end = -1;
    }
};

void leave_out_own_variables() {
    std::vector<std::string> names = {"LD_PRELOAD"};
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string text = *entry;
        if (text.rfind("COWSCOPE_", 0) == 0) names.push_back(text.substr(0, text.find('=')));
    }
    for (const std::string& name : names) unsetenv(name.c_str());
}

[[noreturn]] void become_program(const std::vector<std::string>& command,
                                 const RunOptions& options) {
    // Nothing is left behind where the tests are killed.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGPIPE, SIG_DFL);
    leave_out_own_variables();
    for (const std::string& variable : options.environment) {
        const size_t equals = variable.find('=');
        setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
    }
    if (!options.folder.empty() && chdir(options.folder.c_str()) != 0) _exit(kNotExecuted);
    if (options.before_exec && !options.before_exec()) _exit(kNotExecuted);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    _exit(kNotExecuted);
}

// Both return false at the end of the stream.
bool read_some(int fd, std::string* text) {
    char buffer[65536];
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    text->append(buffer, static_cast<size_t>(got));
    return got > 0;
}

bool write_some(int fd, const std::string& text, size_t* done) {
    const ssize_t put = write(fd, text.data() + *done, text.size() - *done);
    if (put < 0) return errno == EINTR || errno == EAGAIN;
    *done += static_cast<size_t>(put);
    return *done < text.size();
}

// Feeds and reads until the program has closed both streams. False when the time is over.
bool talk(Pipe* in, Pipe* out, Pipe* err, const RunOptions& options, RunResult* result) {
    const auto deadline = Clock::now() + options.timeout;
    size_t written = 0;
    if (options.input.empty()) Pipe::close_end(&in->write_end);
    while (out->read_end >= 0 || err->read_end >= 0) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) return false;
        // Negative descriptors are passed over, poll(2).
        pollfd ends[] = {
            {in->write_end, POLLOUT, 0}, {out->read_end, POLLIN, 0}, {err->read_end, POLLIN, 0}};
        if (poll(ends, 3, static_cast<int>(left)) < 0 && errno != EINTR) return false;
        if (ends[0].revents != 0 && !write_some(in->write_end, options.input, &written)) {
            Pipe::close_end(&in->write_end);
        }
        if (ends[1].revents != 0 && !read_some(out->read_end, &result->out)) {
            Pipe::close_end(&out->read_end);
        }
        if (ends[2].revents != 0 && !read_some(err->read_end, &result->err)) {
            Pipe::close_end(&err->read_end);
        }
    }
    return true;
}

}  // namespace

int RunResult::status() const {
    constexpr int kSignalStatusBase = 128;
    return WIFSIGNALED(wait_status) ? kSignalStatusBase + WTERMSIG(wait_status)
                                    : WEXITSTATUS(wait_status);
}

RunResult run_program(const std::vector<std::string>& command, const RunOptions& options) {
    // A program that does not read its input must not end the tests.
    signal(SIGPIPE, SIG_IGN);
    Pipe in;
    Pipe out;
    Pipe err;
    const pid_t pid = fork();
    if (pid < 0) throw std::runtime_error(std::string("fork failed: ") + std::strerror(errno));
    if (pid == 0) {
        if (dup2(in.read_end, STDIN_FILENO) < 0 || dup2(out.write_end, STDOUT_FILENO) < 0 ||
            dup2(err.write_end, STDERR_FILENO) < 0) {
            _exit(kNotExecuted);
        }
        become_program(command, options);
    }
    setpgid(pid, pid);  // whoever comes first
    Pipe::close_end(&in.read_end);
    Pipe::close_end(&out.write_end);
    Pipe::close_end(&err.write_end);
    fcntl(in.write_end, F_SETFL, O_NONBLOCK);
    if (options.when_started) options.when_started(pid);

    RunResult result;
    if (!talk(&in, &out, &err, options, &result)) {
        result.timed_out = true;
        kill(-pid, SIGKILL);
    }
    rusage usage{};
    while (wait4(pid, &result.wait_status, 0, &usage) < 0 && errno == EINTR) {
    }
    result.max_rss_kb = usage.ru_maxrss;
    return result;
}

}  // namespace cowscope::e2e
