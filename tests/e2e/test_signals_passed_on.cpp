// What is signalled to the recorder is meant for the program: whoever started it knows no other
// number.
#include <sched.h>
#include <sys/syscall.h>
#include <termios.h>

#include <fstream>
#include <sstream>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/live_program.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

const std::string kTaker = program_of_tests("signal_taker");
constexpr int kTakerStatus = 7;
constexpr int kLastSignal = 64;

Words recorded(const TemporaryFolder& folder, const Words& program) {
    return joined({kCowscope, "record", "--quiet", "-o", folder / "t.cow", "--"}, program);
}

std::vector<int> signals_that_can_be_taken() {
    std::vector<int> signals;
    for (int signal = 1; signal <= kLastSignal; ++signal) {
        if (signal != SIGKILL && signal != SIGSTOP) signals.push_back(signal);
    }
    return signals;
}

// By the system call: libc refuses two of them.
bool queue(pid_t pid, int signal, int value) {
    siginfo_t info{};
    info.si_signo = signal;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = value;
    return syscall(SYS_rt_sigqueueinfo, pid, signal, &info) == 0;
}

struct Way {
    const char* name;
    int code;
    bool (*send)(pid_t pid, int signal, int value);
};
const std::vector<Way> kWays = {
    {"kill", SI_USER, [](pid_t pid, int signal, int) { return kill(pid, signal) == 0; }},
    {"tgkill", SI_TKILL,
     [](pid_t pid, int signal, int) { return syscall(SYS_tgkill, pid, pid, signal) == 0; }},
    {"sigqueue", SI_QUEUE, queue},
};

// Whether the process has taken all signals that it was sent. Two of the same that wait together
// are one, for every process.
bool has_taken_all(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("ShdPnd:", 0) == 0) {
            return line.find_first_not_of("0 \t", sizeof("ShdPnd:") - 1) == std::string::npos;
        }
    }
    return false;
}

std::string line_of(int signal, int code, int value) {
    return std::to_string(signal) + " " + std::to_string(code) + " " +
           (code == SI_QUEUE ? std::to_string(value) : "-");
}

}  // namespace

TEST_CASE("every signal that is sent to the recorder reaches the program, as what it was",
          "[signals]") {
    const Way& way = GENERATE(from_range(kWays));
    CAPTURE(way.name);
    const TemporaryFolder folder;
    const std::vector<int> signals = signals_that_can_be_taken();
    LiveProgram program(recorded(folder, {kTaker, std::to_string(signals.size())}));
    REQUIRE(program.line() == "ready");
    for (const int signal : signals) {
        REQUIRE(way.send(program.pid(), signal, 1000 + signal));
        // One by one, so that none is merged with another, or continues what another has stopped.
        CHECK(program.line() == line_of(signal, way.code, 1000 + signal));
    }
    CHECK(program.end_status() == kTakerStatus);
    CHECK(processes_of(report_json(folder / "t.cow"), "root").at(0)["exit"]["value"] ==
          kTakerStatus);
}

TEST_CASE("many queued signals reach the program with their values and in their order",
          "[signals]") {
    const TemporaryFolder folder;
    constexpr int kCount = 3000;
    LiveProgram program(recorded(folder, {kTaker, std::to_string(kCount)}));
    REQUIRE(program.line() == "ready");
    int wrong = 0;
    for (int i = 0; i < kCount; ++i) REQUIRE(queue(program.pid(), SIGRTMIN + 3, i));
    for (int i = 0; i < kCount; ++i) {
        wrong += program.line() == line_of(SIGRTMIN + 3, SI_QUEUE, i) ? 0 : 1;
    }
    CHECK(wrong == 0);
    CHECK(program.end_status() == kTakerStatus);
}

TEST_CASE("a signal that is sent to the whole group reaches the program once", "[signals]") {
    const TemporaryFolder folder;
    const std::vector<int> signals = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGCONT, SIGRTMAX};
    // Each is followed by one for the recorder alone, which a doubled one would come before.
    LiveProgram program(recorded(folder, {kTaker, std::to_string(2 * signals.size())}));
    REQUIRE(program.line() == "ready");
    for (const int signal : signals) {
        REQUIRE(kill(-program.pid(), signal) == 0);
        CHECK(program.line() == line_of(signal, SI_USER, 0));
        REQUIRE(queue(program.pid(), SIGUSR2, signal));
        CHECK(program.line() == line_of(SIGUSR2, SI_QUEUE, signal));
    }
    CHECK(program.end_status() == kTakerStatus);
}

TEST_CASE("the same signal for the group and then for the recorder reaches the program twice",
          "[signals]") {
    const TemporaryFolder folder;
    LiveProgram program(recorded(folder, {kTaker, "4"}));
    REQUIRE(program.line() == "ready");
    for (int round = 0; round < 2; ++round) {
        REQUIRE(kill(-program.pid(), SIGTERM) == 0);
        CHECK(program.line() == line_of(SIGTERM, SI_USER, 0));
        REQUIRE(comes_true([&] { return has_taken_all(program.pid()); }));
        REQUIRE(kill(program.pid(), SIGTERM) == 0);
        CHECK(program.line() == line_of(SIGTERM, SI_USER, 0));
    }
    CHECK(program.end_status() == kTakerStatus);
}

TEST_CASE("a program in a group of its own gets what it would get as the leader of the job's",
          "[signals]") {
    const TemporaryFolder folder;
    LiveProgram program(recorded(folder, {kTaker, "--own-group", "2"}));
    REQUIRE(program.line() == "ready");
    REQUIRE(kill(-program.pid(), SIGINT) == 0);
    CHECK(program.line() == line_of(SIGINT, SI_USER, 0));
    REQUIRE(comes_true([&] { return has_taken_all(program.pid()); }));
    REQUIRE(kill(program.pid(), SIGINT) == 0);
    CHECK(program.line() == line_of(SIGINT, SI_USER, 0));
    CHECK(program.end_status() == kTakerStatus);
}

TEST_CASE("what the terminal sends reaches the program once", "[signals][terminal]") {
    const TemporaryFolder folder;
    LiveOptions options;
    options.has_terminal = true;
    options.in_job = GENERATE(true, false);
    CAPTURE(options.in_job);
    LiveProgram program(recorded(folder, {kTaker, "8"}), options);
    REQUIRE(program.line() == "ready");
    const auto check_once = [&](int signal) {
        CHECK(program.line() == line_of(signal, SI_KERNEL, 0));
        REQUIRE(queue(program.pid(), SIGUSR2, signal));
        CHECK(program.line() == line_of(SIGUSR2, SI_QUEUE, signal));
    };
    const std::vector<std::pair<char, int>> keys = {
        {'\x03', SIGINT}, {'\x1c', SIGQUIT}, {'\x1a', SIGTSTP}};
    for (const auto& [key, signal] : keys) {
        REQUIRE(write(program.terminal(), &key, 1) == 1);
        check_once(signal);
    }
    const winsize size = {50, 100, 0, 0};
    REQUIRE(ioctl(program.terminal(), TIOCSWINSZ, &size) == 0);
    check_once(SIGWINCH);
    CHECK(program.end_status() == kTakerStatus);
}

TEST_CASE("the recorder stops and goes on with the program under a shell's job control",
          "[signals][terminal]") {
    const TemporaryFolder folder;
    LiveOptions options;
    options.has_terminal = true;
    options.in_job = true;
    LiveProgram program(recorded(folder, {kTaker, "--default"}), options);
    REQUIRE(program.line() == "ready");
    for (int round = 0; round < 3; ++round) {
        const char key = '\x1a';
        REQUIRE(write(program.terminal(), &key, 1) == 1);
        // It continues the job at once, as `fg` does.
        CHECK(program.line() == "shell: stopped by " + std::to_string(SIGTSTP));
        const pid_t taker = child_of(program.pid(), "signal_taker");
        CHECK(comes_true([&] { return state_of(taker) == 'S' && state_of(program.pid()) == 'S'; }));
    }
    const char key = '\x03';
    REQUIRE(write(program.terminal(), &key, 1) == 1);
    CHECK(program.end_status() == 128 + SIGINT);
    CHECK(processes_of(report_json(folder / "t.cow"), "root").size() == 1);
}

TEST_CASE("who stops and continues the recorder stops and continues the program", "[signals]") {
    const int signal = GENERATE(SIGTSTP, SIGTTIN, SIGTTOU);
    CAPTURE(signal);
    const TemporaryFolder folder;
    LiveProgram program(recorded(folder, {kTaker, "--default"}));
    REQUIRE(program.line() == "ready");
    const pid_t taker = child_of(program.pid(), "signal_taker");
    REQUIRE(taker > 0);
    for (int round = 0; round < 5; ++round) {
        CAPTURE(round);
        REQUIRE(kill(program.pid(), signal) == 0);
        REQUIRE(comes_true([&] { return state_of(taker) == 'T'; }));
        // Now and then it is continued at once, before the recorder has seen that it stopped.
        if (round % 2 == 0) {
            int status = program.wait();
            while (WIFCONTINUED(status) || (WIFSTOPPED(status) && state_of(program.pid()) != 'T')) {
                status = program.wait();
            }
            REQUIRE(WIFSTOPPED(status));
            CHECK(WSTOPSIG(status) == signal);
        }
        REQUIRE(kill(program.pid(), SIGCONT) == 0);
        REQUIRE(comes_true([&] { return state_of(taker) == 'S'; }));
    }
    REQUIRE(kill(program.pid(), SIGTERM) == 0);
    CHECK(program.end_status() == 128 + SIGTERM);
}

TEST_CASE("a program that is stopped and continued by its own number takes the recorder along",
          "[signals]") {
    const TemporaryFolder folder;
    LiveProgram program(recorded(folder, {kTaker, "--default"}));
    REQUIRE(program.line() == "ready");
    const pid_t taker = child_of(program.pid(), "signal_taker");
    REQUIRE(taker > 0);
    REQUIRE(kill(taker, SIGSTOP) == 0);
    int status = program.wait();
    REQUIRE(WIFSTOPPED(status));
    CHECK(WSTOPSIG(status) == SIGSTOP);
    const bool is_killed = GENERATE(false, true);
    REQUIRE(kill(taker, is_killed ? SIGKILL : SIGCONT) == 0);
    status = program.wait();
    CHECK(WIFCONTINUED(status));
    if (!is_killed) REQUIRE(kill(program.pid(), SIGTERM) == 0);
    CHECK(program.end_status() == 128 + (is_killed ? SIGKILL : SIGTERM));
}

TEST_CASE("a program inherits what was blocked, ignored and to come", "[signals]") {
    const std::vector<int> ignored = {SIGHUP, SIGPIPE, SIGCHLD, SIGINT, SIGTSTP, SIGRTMIN + 1};
    const std::vector<int> blocked = {SIGTERM, SIGCHLD, SIGUSR1, SIGRTMIN + 2, SIGCONT};
    LiveOptions options;
    options.before_exec = [&] {
        for (const int each : ignored) signal(each, SIG_IGN);
        sigset_t set;
        sigemptyset(&set);
        for (const int each : blocked) sigaddset(&set, each);
        sigprocmask(SIG_BLOCK, &set, nullptr);
    };
    std::string said[2];
    const TemporaryFolder folder;
    const Words program = {kTaker, "--inherited"};
    for (const bool is_recorded : {false, true}) {
        LiveProgram live(is_recorded ? recorded(folder, program) : program, options);
        for (std::string line; !(line = live.line()).empty();) said[is_recorded] += line + "\n";
        CHECK(live.end_status() == kTakerStatus);
    }
    CHECK(contains(said[0], "SigIgn:"));
    CHECK(said[0] == said[1]);
}

TEST_CASE("a program gets a signal that it ignored at its start, and has an alarm's time",
          "[signals]") {
    const TemporaryFolder folder;
    LiveOptions options;
    SECTION("ignored, as by nohup or for a script's background jobs") {
        options.before_exec = [] {
            signal(SIGHUP, SIG_IGN);
            signal(SIGINT, SIG_IGN);
        };
        LiveProgram program(recorded(folder, {kTaker, "2"}), options);
        REQUIRE(program.line() == "ready");
        for (const int signal : {SIGHUP, SIGINT}) {
            REQUIRE(kill(program.pid(), signal) == 0);
            CHECK(program.line() == line_of(signal, SI_USER, 0));
        }
        CHECK(program.end_status() == kTakerStatus);
    }
    SECTION("pending, because it was blocked") {
        options.before_exec = [] {
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGUSR1);
            sigprocmask(SIG_BLOCK, &set, nullptr);
            kill(getpid(), SIGUSR1);
        };
        LiveProgram program(recorded(folder, {kTaker, "1"}), options);
        CHECK(program.line() == "ready");
        CHECK(program.line() == line_of(SIGUSR1, SI_USER, 0));
        CHECK(program.end_status() == kTakerStatus);
    }
    SECTION("alarm(2) before exec") {
        options.before_exec = [] { alarm(1); };
        LiveProgram program(recorded(folder, {kTaker, "--default"}), options);
        CHECK(program.line() == "ready");
        CHECK(program.end_status() == 128 + SIGALRM);
        CHECK(processes_of(report_json(folder / "t.cow"), "root").size() == 1);
    }
}

TEST_CASE("as a container's first process the recorder passes signals on and collects orphans",
          "[signals]") {
    const TemporaryFolder folder;
    Words unshare = {"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"};
    if (geteuid() != 0) unshare.push_back("--map-root-user");
    REQUIRE(run_program(joined(unshare, {"true"})).status() == 0);

    SECTION("orphans") {
        LiveProgram program(joined(unshare, recorded(folder, {kTaker, "--orphans", "20"})));
        CHECK(program.end_status() == kTakerStatus);
    }
    SECTION("signals, of which a first process has no default action") {
        LiveProgram program(joined(unshare, recorded(folder, {kTaker, "--default"})));
        REQUIRE(program.line() == "ready");
        const pid_t first = child_of(program.pid(), "cowscope");
        REQUIRE(first > 0);
        REQUIRE(kill(first, SIGTERM) == 0);
        CHECK(program.end_status() == 128 + SIGTERM);
    }
    SECTION("from within: the program signals the first process") {
        // Its shell gets what it sends to process 1.
        LiveProgram program(joined(
            unshare,
            recorded(folder, {"/bin/sh", "-c",
                              "trap 'exit 9' USR1; kill -USR1 1; while :; do sleep 0.1; done"})));
        CHECK(program.end_status() == 9);
    }
    CHECK(processes_of(report_json(folder / "t.cow"), "root").at(0)["pid"] != 0);
}

TEST_CASE("signals that follow the program's end do not cost the report or the status",
          "[signals]") {
    const TemporaryFolder folder;
    // The end of a recording is signalled again and again, from another process.
    LiveProgram program({kCowscope, "run", "-o", folder / "t.cow", "--", kTaker, "1"});
    REQUIRE(program.line() == "ready");
    const pid_t sender = fork();
    if (sender == 0) {
        for (int i = 0; i < 40; ++i) {
            for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGWINCH, SIGHUP}) {
                if (kill(program.pid(), signal) != 0) _exit(0);
            }
            usleep(2000);
        }
        _exit(0);
    }
    CHECK(program.end_status() == kTakerStatus);
    waitpid(sender, nullptr, 0);
    CHECK(processes_of(report_json(folder / "t.cow"), "root").at(0)["exit"]["value"] ==
          kTakerStatus);
}
