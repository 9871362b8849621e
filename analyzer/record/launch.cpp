// The start is a dialogue over one socket pair, closed by exec:
//
//     parent                                   child
//     fork                                     restores the signal mask, waits for its environment
//     prepare(pid), sends the environment  ->  execvpe
//     reads: end of file = started         <-  errno, if exec failed
//
// The child has no other way to go on: without a whole environment it ends.
#include "record/launch.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file_descriptor.h"
#include "base/signal_mask.h"
#include "record/find_program.h"
#include "record/group_listener.h"
#include "record/interval_timers.h"
#include "record/repeated_work.h"
#include "record/signal_relay.h"

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

// An ignored SIGCHLD, which is inherited, would lose the program's exit status.
class StandardChildSignal {
  public:
    StandardChildSignal() {
        struct sigaction standard {};
        standard.sa_handler = SIG_DFL;
        sigaction(SIGCHLD, &standard, &before_);
    }
    StandardChildSignal(const StandardChildSignal&) = delete;
    StandardChildSignal& operator=(const StandardChildSignal&) = delete;
    ~StandardChildSignal() { restore(); }
    // In the program's process, too.
    void restore() const { sigaction(SIGCHLD, &before_, nullptr); }

  private:
    struct sigaction before_ {};
};

// What wait() may tell of a child, without waiting; si_pid 0: nothing.
siginfo_t ask_of_child(idtype_t kind, pid_t pid, int what) {
    siginfo_t info{};
    while (waitid(kind, static_cast<id_t>(pid), &info, what | WNOHANG) != 0) {
        info.si_pid = 0;
        if (errno != EINTR) break;
    }
    return info;
}

// Whether the program has ended, which is left for reap(). Reaps others: a process may have had
// children when it executed cowscope, and a container's first one gets all that lose their parent.
bool look_at_children(pid_t program, SignalRelay* relay) {
    while (true) {
        const siginfo_t ended = ask_of_child(P_ALL, 0, WEXITED | WNOWAIT);
        if (ended.si_pid == program) return true;
        if (ended.si_pid == 0) break;
        ask_of_child(P_PID, ended.si_pid, WEXITED);
    }
    const siginfo_t changed = ask_of_child(P_PID, program, WSTOPPED | WCONTINUED);
    if (changed.si_pid == program && changed.si_code == CLD_STOPPED) {
        relay->stop_as_well(changed.si_status);
        // Perhaps it has ended meanwhile.
        return look_at_children(program, relay);
    }
    // It cannot be waited for: reap() will say so.
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(program), &info, WEXITED | WNOWAIT | WNOHANG) != 0;
}

void wait_until_ended(pid_t program, SignalRelay* relay, const Meanwhile& meanwhile) {
    std::optional<RepeatedWork> work;
    if (meanwhile) work.emplace(meanwhile);
    const bool works_here = meanwhile && !work->has_thread();
    while (!look_at_children(program, relay)) {
        std::optional<uint64_t> most_ns;
        if (works_here) most_ns = meanwhile();
        siginfo_t info;
        if (wait_for_signal(kAllSignals, &info, most_ns) != 0) relay->take(info);
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

LaunchResult launch(SignalGate* gate, const std::vector<std::string>& command,
                    const PrepareEnvironment& prepare, const std::function<void()>& started,
                    const Meanwhile& meanwhile) {
    int pair[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        throw Error(fmt::format("cannot run '{}': {}", command[0], std::strerror(errno)));
    }
    FileDescriptor ours(pair[0]);
    FileDescriptor theirs(pair[1]);

    LaunchResult result;
    const StandardChildSignal child_signal;
    const IntervalTimers timers;
    GroupListener listener;
    SignalRelay relay(&listener);
    const pid_t pid = fork();
    if (pid < 0) throw Error(fmt::format("cannot run '{}': {}", command[0], std::strerror(errno)));
    if (pid == 0) {
        ours.reset();
        child_signal.restore();
        timers.set();
        change_mask(SIG_SETMASK, gate->mask_before());
        run_child(theirs.get(), command);
    }
    theirs.reset();
    result.pid = pid;
    relay.set_program(pid);

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

    gate->program_has_started(pid);
    started();
    wait_until_ended(pid, &relay, meanwhile);
    result.end_ns = monotonic_ns();
    result.ending = reap(pid);
    gate->program_has_ended(result.ending.status());
    return result;
}

}  // namespace cowscope::record
