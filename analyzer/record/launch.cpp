// The start is a dialogue over one socket pair, closed by exec:
//
//     parent                                   child
//     fork                                     restores the signal mask, waits for its environment
//     prepare(pid), sends the environment  ->  execvpe
//     reads: end of file = started         <-  errno, if exec failed
//
// The child has no other way to go on: without a whole environment it ends.
#include "record/launch.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "error.h"
#include "record/clock.h"
#include "record/file_descriptor.h"
#include "record/find_program.h"

namespace cowscope::record {

namespace {

constexpr int kSignalStatusBase = 128;
// What shells report for a command that they could not start; nobody but us sees it.
constexpr int kNotStarted = 127;

bool send_all(int socket, const void* data, size_t bytes) {
    const char* position = static_cast<const char*>(data);
    while (bytes > 0) {
        const ssize_t sent = send(socket, position, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        position += sent;
        bytes -= static_cast<size_t>(sent);
    }
    return true;
}

bool receive_all(int socket, void* data, size_t bytes) {
    char* position = static_cast<char*>(data);
    while (bytes > 0) {
        const ssize_t got = recv(socket, position, bytes, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        position += got;
        bytes -= static_cast<size_t>(got);
    }
    return true;
}

// A length, then the strings with their final NULs.
bool send_environment(int socket, const std::vector<std::string>& environment) {
    std::string text;
    for (const std::string& entry : environment) text.append(entry.c_str(), entry.size() + 1);
    const uint64_t bytes = text.size();
    return send_all(socket, &bytes, sizeof(bytes)) && send_all(socket, text.data(), text.size());
}

bool receive_environment(int socket, std::string& text) {
    uint64_t bytes = 0;
    if (!receive_all(socket, &bytes, sizeof(bytes))) return false;
    text.resize(bytes);
    return receive_all(socket, text.data(), text.size());
}

[[noreturn]] void run_child(int socket, const std::vector<std::string>& command) {
    std::string text;
    if (!receive_environment(socket, text)) _exit(kNotStarted);

    std::vector<char*> environment;
    for (size_t at = 0; at < text.size(); at += std::strlen(&text[at]) + 1) {
        environment.push_back(&text[at]);
    }
    environment.push_back(nullptr);
    std::vector<char*> arguments;
    for (const std::string& argument : command) {
        arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);

    execvpe(arguments[0], arguments.data(), environment.data());
    const int error = errno;
    send_all(socket, &error, sizeof(error));
    _exit(kNotStarted);
}

volatile pid_t forward_to = 0;

void forward(int signal_number, siginfo_t* info, void*) {
    // What the kernel sends (a closed terminal) reaches the program as well; only what a process
    // sent to us alone must be passed on. si_code is above 0 for signals of the kernel,
    // sigaction(2).
    if (info->si_code > 0) return;
    const int saved_errno = errno;
    kill(forward_to, signal_number);
    errno = saved_errno;
}

// Blocks all signals but while it is told to let them in; its end restores the mask of its start.
class SignalGate {
  public:
    SignalGate() {
        sigprocmask(SIG_SETMASK, nullptr, &before_);
        shut();
    }
    SignalGate(const SignalGate&) = delete;
    SignalGate& operator=(const SignalGate&) = delete;
    ~SignalGate() { open(); }
    void open() const { sigprocmask(SIG_SETMASK, &before_, nullptr); }
    // Lets in what open() does, but SIGCHLD only within wait().
    void open_but_for_child() const {
        sigset_t but_child = before_;
        sigaddset(&but_child, SIGCHLD);
        sigprocmask(SIG_SETMASK, &but_child, nullptr);
    }
    // Until a signal comes, or for `most_ns`.
    void wait(const std::optional<uint64_t>& most_ns) const {
        constexpr uint64_t kSecondNs = 1'000'000'000;
        sigset_t with_child = before_;
        sigdelset(&with_child, SIGCHLD);
        timespec timeout{};
        if (most_ns) {
            timeout.tv_sec = static_cast<time_t>(*most_ns / kSecondNs);
            timeout.tv_nsec = static_cast<long>(*most_ns % kSecondNs);
        }
        ppoll(nullptr, 0, most_ns ? &timeout : nullptr, &with_child);
    }
    void shut() const {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, nullptr);
    }

  private:
    sigset_t before_{};
};

// What this process does with signals while the program runs.
class WaitingDispositions {
  public:
    explicit WaitingDispositions(pid_t program) {
        forward_to = program;
        set(SIGINT, SIG_IGN);
        set(SIGQUIT, SIG_IGN);
        // An ignored SIGCHLD, which is inherited, would lose the program's exit status; one without
        // a handler would not interrupt a wait.
        set(
            SIGCHLD, [](int) {}, SA_RESTART | SA_NOCLDSTOP);
        pass_on(SIGTERM);
        pass_on(SIGHUP);
    }
    WaitingDispositions(const WaitingDispositions&) = delete;
    WaitingDispositions& operator=(const WaitingDispositions&) = delete;
    ~WaitingDispositions() {
        for (const auto& [number, action] : before_) sigaction(number, &action, nullptr);
    }

  private:
    void set(int number, void (*disposition)(int), int flags = 0) {
        struct sigaction action {};
        action.sa_handler = disposition;
        action.sa_flags = flags;
        install(number, action);
    }
    // One that is ignored (nohup) stays so for this process and the program.
    void pass_on(int number) {
        struct sigaction current {};
        sigaction(number, nullptr, &current);
        if ((current.sa_flags & SA_SIGINFO) == 0 && current.sa_handler == SIG_IGN) return;
        struct sigaction action {};
        action.sa_sigaction = forward;
        action.sa_flags = SA_SIGINFO | SA_RESTART;
        install(number, action);
    }
    void install(int number, const struct sigaction& action) {
        struct sigaction before {};
        sigaction(number, &action, &before);
        before_.emplace_back(number, before);
    }

    std::vector<std::pair<int, struct sigaction>> before_;
};

bool has_ended(pid_t pid) {
    siginfo_t info{};
    int result = 0;
    do {
        result = waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT | WNOHANG);
    } while (result != 0 && errno == EINTR);
    // On an error there is nothing to wait for: reap() will say so.
    return result != 0 || info.si_pid != 0;
}

void wait_until_ended(pid_t pid, const SignalGate& gate, const Meanwhile& meanwhile) {
    gate.open_but_for_child();
    while (!has_ended(pid)) {
        std::optional<uint64_t> most_ns;
        if (meanwhile) most_ns = meanwhile();
        gate.wait(most_ns);
    }
}

Ending reap(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            throw Error(fmt::format("the program's exit status is lost: {}", std::strerror(errno)));
        }
    }
    if (WIFSIGNALED(status)) return {true, WTERMSIG(status)};
    return {false, WEXITSTATUS(status)};
}

// The errno of a failed exec; 0 if the program runs.
int start(int socket, const std::vector<std::string>& environment) {
    // A child that was killed meanwhile is no failure to start: its ending tells.
    if (!send_environment(socket, environment)) return 0;
    int error = 0;
    return receive_all(socket, &error, sizeof(error)) ? error : 0;
}

std::string why_not_started(const std::string& program, int error) {
    // A folder of PATH that may not be searched makes execvp(3) say so, even if no folder has the
    // program.
    if (error == EACCES && find_program(program, F_OK).empty()) error = ENOENT;
    return fmt::format("cannot run '{}': {}", program, std::strerror(error));
}

}  // namespace

int Ending::status() const {
    return by_signal ? kSignalStatusBase + value : value;
}

LaunchResult launch(const std::vector<std::string>& command, const PrepareEnvironment& prepare,
                    const std::function<void()>& started, const Meanwhile& meanwhile) {
    int pair[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        throw Error(fmt::format("cannot run '{}': {}", command[0], std::strerror(errno)));
    }
    FileDescriptor ours(pair[0]);
    FileDescriptor theirs(pair[1]);

    LaunchResult result;
    // Declared before the dispositions, so that signals stay out until these are restored.
    const SignalGate gate;
    const pid_t pid = fork();
    if (pid < 0) throw Error(fmt::format("cannot run '{}': {}", command[0], std::strerror(errno)));
    if (pid == 0) {
        ours.reset();
        gate.open();
        run_child(theirs.get(), command);
    }
    theirs.reset();
    result.pid = pid;
    const WaitingDispositions dispositions(pid);

    std::vector<std::string> environment;
    try {
        environment = prepare(pid);
    } catch (...) {
        ours.reset();
        reap(pid);
        throw;
    }
    result.start_ns = monotonic_ns();
    const int error = start(ours.get(), environment);
    if (error != 0) {
        reap(pid);
        throw Error(why_not_started(command[0], error));
    }

    gate.open();
    started();
    wait_until_ended(pid, gate, meanwhile);
    result.end_ns = monotonic_ns();
    // Once reaped, the pid may become someone else's: no signal may be passed on to it any more.
    gate.shut();
    result.ending = reap(pid);
    return result;
}

}  // namespace cowscope::record
