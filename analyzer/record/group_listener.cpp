#include "record/group_listener.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "base/clock.h"
#include "base/signal_mask.h"

namespace cowscope::record {

namespace {

// A stopped listener (somebody has stopped all of the group) does not answer.
constexpr int kAnswerMs = 200;
constexpr int kWatchMs = 50;

struct Request {
    uint64_t number = 0;
    int signal = 0;  // 0: watch `pid`, or end the watch
    int code = 0;
    pid_t pid = 0;
    uint64_t since_ns = 0;
};
struct Answer {
    uint64_t number = 0;
    bool has_heard = false;
};

bool has_sender(const siginfo_t& info) {
    return info.si_code <= 0;
}

// What has come, by signal.
class Heard {
  public:
    void add(const siginfo_t& info) {
        Row& row = rows_[static_cast<size_t>(info.si_signo - 1)];
        const pid_t sender = has_sender(info) ? info.si_pid : 0;
        const bool is_same = row.code == info.si_code && row.sender == sender;
        row = {is_same ? row.count + 1 : 1, info.si_code, sender, monotonic_ns()};
    }
    bool take(const Request& request) {
        Row& row = rows_[static_cast<size_t>(request.signal - 1)];
        if (row.count == 0) return false;
        if (row.time_ns < request.since_ns) {
            row.count = 0;
            return false;
        }
        if (row.code != request.code || row.sender != request.pid) return false;
        --row.count;
        return true;
    }

  private:
    struct Row {
        uint64_t count = 0;
        int code = 0;
        pid_t sender = 0;
        uint64_t time_ns = 0;
    };
    std::array<Row, kHighestSignal> rows_{};
};

// 'T' where the process is stopped; 0 where it cannot be asked. "PID (NAME) STATE ...".
char state_of(pid_t pid) {
    std::array<char, 64> path{};
    std::snprintf(path.data(), path.size(), "/proc/%d/stat", pid);
    std::array<char, 256> text{};
    const int file = open(path.data(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    const ssize_t got = read(file, text.data(), text.size());
    close(file);
    if (got <= 0) return 0;
    const std::string_view stat(text.data(), static_cast<size_t>(got));
    const size_t name_end = stat.rfind(')');
    return name_end == std::string_view::npos || name_end + 2 >= stat.size() ? char{0}
                                                                             : stat[name_end + 2];
}

[[noreturn]] void listen(int socket, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    prctl(PR_SET_NAME, "cowscope-group");
    // Whoever reads what the program writes waits for the last who could write.
    constexpr int kSocket = 3;
    if (dup2(socket, kSocket) < 0) _exit(1);
    syscall(SYS_close_range, kSocket + 1, ~0U, 0);
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) close(standard);
    if (chdir("/") != 0) _exit(1);

    // signalfd(2), by its system call: libc's leaves signals out.
    const auto signals = static_cast<int>(
        syscall(SYS_signalfd4, -1, &kAllSignals, sizeof(kAllSignals), SFD_CLOEXEC));
    Heard heard;
    pid_t watched = 0;
    while (true) {
        std::array<pollfd, 2> ready = {{{kSocket, POLLIN, 0}, {signals, POLLIN, 0}}};
        poll(ready.data(), ready.size(), watched != 0 ? kWatchMs : -1);
        siginfo_t info;
        while (wait_for_signal(kAllSignals, &info, 0) != 0) {
            if (!has_sender(info) || info.si_pid != parent) heard.add(info);
        }
        if (watched != 0 && state_of(watched) != 'T') {
            kill(parent, SIGCONT);
            watched = 0;
        }
        if (ready[0].revents == 0) continue;
        Request request;
        const ssize_t got = recv(kSocket, &request, sizeof(request), 0);
        if (got != sizeof(request)) _exit(0);
        if (request.signal == 0) {
            watched = request.pid;
            continue;
        }
        const Answer answer = {request.number, heard.take(request)};
        if (send(kSocket, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer)) _exit(0);
    }
}

}  // namespace

GroupListener::GroupListener() {
    std::array<int, 2> pair = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) return;
    FileDescriptor ours(pair[0]);
    const FileDescriptor theirs(pair[1]);
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ == 0) listen(theirs.get(), parent);
    if (pid_ > 0) socket_ = std::move(ours);
}

GroupListener::~GroupListener() {
    if (pid_ <= 0) return;
    socket_.reset();
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

bool GroupListener::has_heard(const siginfo_t& info, uint64_t since_ns) {
    if (!is_there()) return false;
    const Request request = {++asked_, info.si_signo, info.si_code,
                             has_sender(info) ? info.si_pid : 0, since_ns};
    if (send(socket_.get(), &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request)) {
        socket_.reset();
        return false;
    }
    while (true) {
        pollfd ready = {socket_.get(), POLLIN, 0};
        const int count = poll(&ready, 1, kAnswerMs);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        Answer answer;
        if (recv(socket_.get(), &answer, sizeof(answer), 0) != sizeof(answer)) {
            socket_.reset();
            return false;
        }
        if (answer.number == asked_) return answer.has_heard;
    }
}

void GroupListener::watch(pid_t program) {
    if (!is_there()) return;
    const Request request = {++asked_, 0, 0, program, 0};
    if (send(socket_.get(), &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request)) {
        socket_.reset();
    }
}

}  // namespace cowscope::record
