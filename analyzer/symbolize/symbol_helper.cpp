#include "symbolize/symbol_helper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <new>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/other_process.h"
#include "symbolize/demangle.h"
#include "symbolize/memory_allowance.h"

namespace cowscope::symbolize {

// One symbol at a time is demangled.
struct SymbolHelper::State {
    static constexpr size_t kMostSymbolBytes = 8192;
    volatile bool is_demangling;
    uint32_t symbol_bytes;
    char symbol[kMostSymbolBytes];
};

namespace {

// Each costs the CPU time of a name and a new helper.
constexpr size_t kMostRawNames = 4;
// A helper that crashes costs little else.
constexpr unsigned kMostStarts = 64;
constexpr size_t kMostNotes = 32;
constexpr uint64_t kMsPerSecond = 1000;

// Ends this process when it has used so much more CPU time; 0: never.
void end_after(int timer, uint64_t cpu_ms) {
    itimerval value{};
    value.it_value.tv_sec = static_cast<time_t>(cpu_ms / kMsPerSecond);
    value.it_value.tv_usec = static_cast<suseconds_t>(cpu_ms % kMsPerSecond * 1000);
    setitimer(timer, &value, nullptr);
}

uint64_t cpu_ms_of(const rusage& usage) {
    const auto ms = [](const timeval& time) {
        return static_cast<uint64_t>(time.tv_sec) * kMsPerSecond +
               static_cast<uint64_t>(time.tv_usec) / 1000;
    };
    return ms(usage.ru_utime) + ms(usage.ru_stime);
}

std::string seconds(uint64_t ms) {
    return fmt::format("{:g} s", static_cast<double>(ms) / kMsPerSecond);
}

// In the helper, where it says what it is at.
template <typename State>
class TimedNames : public DemangleGuard {
  public:
    TimedNames(State* state, uint64_t cpu_ms, const std::set<std::string>* raw)
        : state_(state), cpu_ms_(cpu_ms), raw_(raw) {}

    bool begin(std::string_view symbol) override {
        if (symbol.size() > State::kMostSymbolBytes || raw_->size() >= kMostRawNames ||
            raw_->count(std::string(symbol)) != 0) {
            return false;
        }
        std::memcpy(state_->symbol, symbol.data(), symbol.size());
        state_->symbol_bytes = static_cast<uint32_t>(symbol.size());
        state_->is_demangling = true;
        end_after(ITIMER_VIRTUAL, cpu_ms_);
        return true;
    }

    void end() override {
        end_after(ITIMER_VIRTUAL, 0);
        state_->is_demangling = false;
    }

  private:
    State* state_;
    uint64_t cpu_ms_;
    const std::set<std::string>* raw_;
};

// As a new process has them: a timer that ends us must not be caught or held back.
void reset_signals() {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int each :
         {SIGPROF, SIGVTALRM, SIGXCPU, SIGTERM, SIGINT, SIGBUS, SIGSEGV, SIGABRT, SIGFPE, SIGILL}) {
        std::signal(each, SIG_DFL);
    }
}

// libdw says on standard error that it is out of memory and calls exit(). This is a copy of another
// process, whose buffers must not be written twice and whose destructors must not run.
void end_quietly() {
    std::atexit([] { _exit(1); });
    if (kSlowness != 1) return;  // what sanitizers say is to be read
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) dup2(nowhere, STDERR_FILENO);
}

// First what was left out, then the answer.
std::string answer_to(const std::string& message, SymbolSource* source) {
    MessageReader question(message);
    const auto kind = static_cast<Question>(question.number());
    const uint64_t number = question.number();
    const std::string path = question.text();
    MessageWriter answer;
    switch (kind) {
        case Question::locate:
            answer.add(source->resolve(path, number));
            break;
        case Question::layout:
            answer.add(source->layout(path));
            break;
    }
    MessageWriter all;
    const std::vector<std::string> notes = source->take_notes();
    all.add(uint64_t{1});
    all.add(uint64_t{notes.size()});
    for (const std::string& each : notes) all.add(std::string_view(each));
    return all.bytes() + answer.bytes();
}

std::string failure() {
    MessageWriter message;
    message.add(uint64_t{0});
    return message.bytes();
}

}  // namespace

SymbolHelper::SymbolHelper(std::string debug_path, const HelperLimits& limits)
    : debug_path_(std::move(debug_path)), limits_(limits) {
    void* shared =
        mmap(nullptr, sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) throw std::bad_alloc();
    state_ = static_cast<State*>(shared);
}

SymbolHelper::~SymbolHelper() {
    if (pid_ > 0) bury();
    munmap(state_, sizeof(State));
}

void SymbolHelper::serve(int socket) {
    reset_signals();
    end_quietly();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    // Never asked for over the network, and nothing here starts a program that would miss it.
    unsetenv("DEBUGINFOD_URLS");
    const uint64_t left_ms = limits_.cpu_ms - used_cpu_ms_;
    const rlim_t most_seconds = left_ms / kMsPerSecond + 1;
    const rlimit cpu{most_seconds, most_seconds + 1};
    setrlimit(RLIMIT_CPU, &cpu);
    limit_memory(limits_.memory_bytes);
    try {
        TimedNames<State> names(state_, limits_.cpu_of_name_ms, &raw_names_);
        guard_demangling(&names);
        SymbolSource source(debug_path_);
        for (const auto& [path, depth] : depths_) source.set_depth(path, depth);
        while (const auto question = receive_message(socket)) {
            end_after(ITIMER_PROF, std::min(limits_.cpu_of_one_ms, left_ms));
            std::string answer;
            try {
                answer = answer_to(*question, &source);
            } catch (const std::exception&) {
                answer = failure();
            }
            end_after(ITIMER_PROF, 0);
            if (!send_message(socket, answer)) break;
        }
        // Without what a program does at its end: this is a copy of another.
        _exit(0);
    } catch (const std::exception&) {
    }
    _exit(1);
}

bool SymbolHelper::start() {
    if (has_given_up_) return false;
    // What it takes to come as far as the last one.
    constexpr uint64_t kLeastMs = 100;
    if (starts_ == kMostStarts || used_cpu_ms_ + kLeastMs > limits_.cpu_ms) {
        has_given_up_ = true;
        note(fmt::format(
            "the names of other places are left out: to read those that were found took "
            "{} of CPU time and {} processes",
            seconds(used_cpu_ms_), starts_));
        return false;
    }
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
        has_given_up_ = true;
        note(fmt::format("names are left out: {}", std::strerror(errno)));
        return false;
    }
    state_->is_demangling = false;
    pid_ = fork();
    if (pid_ == 0) {
        close(sockets[0]);
        serve(sockets[1]);
    }
    close(sockets[1]);
    if (pid_ < 0) {
        const int error = errno;
        close(sockets[0]);
        has_given_up_ = true;
        note(fmt::format("names are left out: no process to read them: {}", std::strerror(error)));
        return false;
    }
    socket_ = sockets[0];
    is_stuck_ = false;
    ++starts_;
    return true;
}

// False where it never comes.
bool SymbolHelper::wait_for_answer() {
    constexpr int kBetweenMs = 100;
    uint64_t idle_since_ns = 0;
    uint64_t ticks_before = 0;
    for (;;) {
        pollfd wanted{socket_, POLLIN, 0};
        const int found = poll(&wanted, 1, kBetweenMs);
        if (found > 0) return true;
        if (found < 0 && errno != EINTR) return false;
        const auto process = OtherProcess::open(pid_);
        const auto status = process ? process->status() : std::nullopt;
        bool is_at_work = false;
        if (status) {
            const uint64_t ticks = status->user_ticks + status->system_ticks;
            constexpr std::string_view kBusy = "RDT";
            is_at_work = kBusy.find(status->state) != kBusy.npos || ticks != ticks_before;
            ticks_before = ticks;
        }
        const uint64_t now_ns = monotonic_ns();
        if (is_at_work || idle_since_ns == 0) idle_since_ns = now_ns;
        if (now_ns - idle_since_ns > limits_.idle_ms * 1'000'000) {
            is_stuck_ = true;
            return false;
        }
    }
}

std::optional<std::string> SymbolHelper::exchange(const std::string& question) {
    if (!send_message(socket_, question) || !wait_for_answer()) return std::nullopt;
    return receive_message(socket_);
}

SymbolHelper::Death SymbolHelper::bury() {
    close(socket_);
    socket_ = -1;
    // It ends at the end of its socket, if it is not at work or stuck.
    kill(pid_, SIGKILL);
    int status = 0;
    rusage usage{};
    pid_t ended = -1;
    do {
        ended = wait4(pid_, &status, 0, &usage);
    } while (ended < 0 && errno == EINTR);
    pid_ = -1;
    used_cpu_ms_ += ended < 0 ? limits_.cpu_of_one_ms : cpu_ms_of(usage);
    Death death;
    death.was_demangling = state_->is_demangling;
    const int signal = ended > 0 && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (is_stuck_) {
        death.reason = "waits for something that is no disk";
    } else if (signal == SIGPROF || signal == SIGXCPU || signal == SIGVTALRM) {
        death.reason = fmt::format("takes over {} of CPU time", seconds(limits_.cpu_of_one_ms));
    } else if (signal != 0 && signal != SIGKILL) {
        death.reason = fmt::format("crashes the library that does it (signal {})", signal);
    } else if (ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) != 0) {
        death.reason = fmt::format("ends with status {}", WEXITSTATUS(status));
    } else {
        death.reason = "fails, or takes more memory than it may";
    }
    return death;
}

void SymbolHelper::blame(const std::string& path, const Death& death) {
    if (death.was_demangling) {
        const size_t bytes = std::min<size_t>(state_->symbol_bytes, State::kMostSymbolBytes);
        raw_names_.emplace(state_->symbol, bytes);
        note(fmt::format("{}: a symbol's name is shown as it is: to demangle it takes over {} ms",
                         path, limits_.cpu_of_name_ms));
        return;
    }
    Depth& depth = depths_[path];
    const bool had_debug_info = depth == Depth::all;
    depth = had_debug_info ? Depth::without_debug_info : Depth::nothing;
    note(fmt::format("{}: {} left out: to read {} {}", path,
                     had_debug_info ? "debug information" : "names", had_debug_info ? "it" : "them",
                     death.reason));
}

void SymbolHelper::note(const std::string& text) {
    if (notes_.size() < kMostNotes && noted_.insert(text).second) notes_.push_back(text);
}

template <typename Answer, typename Read>
std::optional<Answer> SymbolHelper::ask(Question kind, const std::string& path, uint64_t number,
                                        const Read& read) {
    MessageWriter question;
    question.add(static_cast<uint64_t>(kind));
    question.add(number);
    question.add(std::string_view(path));
    for (;;) {
        const auto depth = depths_.find(path);
        if (depth != depths_.end() && depth->second == Depth::nothing) return std::nullopt;
        if (pid_ < 0 && !start()) return std::nullopt;
        try {
            if (const auto message = exchange(question.bytes())) {
                MessageReader answer(*message);
                if (answer.number() != 0) {
                    for (uint64_t left = answer.number(); left != 0; --left) note(answer.text());
                    return read(&answer);
                }
            }
        } catch (const Error&) {
            // It says what makes no sense: as if it had crashed.
        }
        blame(path, bury());
    }
}

std::optional<Location> SymbolHelper::locate(const std::string& path, uint64_t file_offset) {
    return ask<Location>(Question::locate, path, file_offset,
                         [](MessageReader* answer) { return answer->location(); });
}

std::optional<ModuleLayout> SymbolHelper::layout(const std::string& path) {
    return ask<ModuleLayout>(Question::layout, path, 0,
                             [](MessageReader* answer) { return answer->layout(); });
}

}  // namespace cowscope::symbolize
