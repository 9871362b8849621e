// Whatever the program does to what the recorder looks at, its status comes back.
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/live_program.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/unit/elf_fixture.h"

using namespace cowscope::e2e;
namespace fs = std::filesystem;

namespace {

const std::string kHostile = program_of_tests("hostile_interpreter");
constexpr int kHostileStatus = 7;

// The threads of a process but its first.
std::vector<pid_t> other_threads(pid_t pid) {
    std::vector<pid_t> threads;
    for (const auto& each : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
        const pid_t tid = std::stoi(each.path().filename().string());
        if (tid != pid) threads.push_back(tid);
    }
    return threads;
}

// The thread goes on where nothing is mapped.
bool crash(pid_t tid) {
    if (ptrace(PTRACE_ATTACH, tid, nullptr, nullptr) != 0) return false;
    int status = 0;
    if (waitpid(tid, &status, __WALL) != tid) return false;
    user_regs_struct registers{};
    if (ptrace(PTRACE_GETREGS, tid, nullptr, &registers) != 0) return false;
    registers.rip = 8;
    registers.orig_rax = ~0ULL;
    return ptrace(PTRACE_SETREGS, tid, nullptr, &registers) == 0 &&
           ptrace(PTRACE_DETACH, tid, nullptr, nullptr) == 0;
}

}  // namespace

TEST_CASE("a program that truncates what looks like an interpreter gets its own status",
          "[survives]") {
    const TemporaryFolder folder;
    const std::string file = folder / "libpython3.11.so";
    const bool is_big = GENERATE(false, true);
    cowscope::test::write_file(file, is_big ? cowscope::test::elf_with_symbols(200'000, "_PyRuntim")
                                            : cowscope::test::read_file(kHostile));
    const RunResult run = record(folder / "t.cow", {kHostile, file, "truncate"});
    CAPTURE(run.err);
    CHECK(run.status() == kHostileStatus);
    CHECK(processes_of(report_json(folder / "t.cow"), "fork").size() == 3);
}

TEST_CASE("a recording ends with its program, whatever names its interpreter's symbols have",
          "[survives]") {
    const TemporaryFolder folder;
    const std::string file = folder / "libpython3.11.so";
    cowscope::test::write_file(
        file, cowscope::test::elf_with_symbols(200'000, std::string(4'000'000, 'A')));
    RunOptions options;
    // It took hours.
    options.timeout = std::chrono::seconds(60);
    const RunResult run = record(folder / "t.cow", {kHostile, file}, options);
    CAPTURE(run.err);
    CHECK_FALSE(run.timed_out);
    CHECK(run.status() == kHostileStatus);
}

TEST_CASE("where the recorder crashes over what it looks at, the program's status comes back",
          "[survives]") {
    const TemporaryFolder folder;
    LiveProgram program({kCowscope, "record", "--quiet", "-o", folder / "t.cow", "--",
                         program_of_tests("signal_taker"), "2"});
    REQUIRE(program.line() == "ready");
    const auto has_started = [&](pid_t tid) {
        std::ifstream status("/proc/" + std::to_string(tid) + "/status");
        for (std::string line; std::getline(status, line);) {
            if (line.rfind("SigBlk:", 0) != 0) continue;
            return (std::stoull(line.substr(7), nullptr, 16) >> (SIGSEGV - 1) & 1) == 0;
        }
        return false;
    };
    REQUIRE(comes_true([&] {
        const std::vector<pid_t> threads = other_threads(program.pid());
        return threads.size() == 2 && has_started(threads[0]) && has_started(threads[1]);
    }));
    const size_t which = GENERATE(0U, 1U);
    const std::vector<pid_t> threads = other_threads(program.pid());
    REQUIRE(which < threads.size());
    REQUIRE(crash(threads[which]));
    // What is signalled to it is passed on all the same, an odd one among it.
    for (const int signal : {SIGTERM, SIGSEGV}) {
        REQUIRE(kill(program.pid(), signal) == 0);
        CHECK(program.line() == std::to_string(signal) + " 0 -");
    }
    CHECK(program.end_status() == kHostileStatus);
    CHECK(processes_of(report_json(folder / "t.cow"), "root").size() == 1);
}
