// Every end of a process: its parent sees the same end as without cowscope, and the report has what
// it had copied until then.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

const std::string kProgram = program_of_tests("endings");

// The program's only child.
int child_of(const Account& account) {
    REQUIRE(account.json["children"].size() == 1);
    return account.json["children"][0]["pid"].get<int>();
}
int wait_status_of(const Account& account) {
    REQUIRE(account.json["children"].size() == 1);
    return account.json["children"][0]["wait_status"].get<int>();
}

AccountRun record_ending(const TemporaryFolder& folder, const std::string& how,
                         Instruments instruments) {
    const RunResult run = record_account(folder / "t.cow", {kProgram, how}, instruments);
    CAPTURE(how, run.err);
    REQUIRE_FALSE(run.timed_out);
    REQUIRE(run.status() == 0);
    AccountRun recorded{account_from(run.out), report_json(folder / "t.cow"), instruments,
                        folder / "t.cow"};
    check_consistent(recorded.report);
    return recorded;
}

int status_alone(const std::string& how) {
    const RunResult alone = run_program({kProgram, how});
    CAPTURE(how, alone.err);
    REQUIRE(alone.status() == 0);
    return wait_status_of(account_from(alone.out));
}

// The child's row of an ending that it could see coming.
Json check_seen_ending(const std::string& how, Instruments instruments) {
    const TemporaryFolder folder;
    const AccountRun recorded = record_ending(folder, how, instruments);
    const int child = child_of(recorded.account);
    const Json row = row_of(recorded, child);
    CAPTURE(how, recorded.report["witness"].dump(), row.dump(1));
    CHECK(wait_status_of(recorded.account) == status_alone(how));
    CHECK(row["census"] == "final");
    check_copies(recorded, child);
    return row;
}

Instruments any_instruments() {
    return GENERATE(Instruments::all, Instruments::census_only);
}

// Into `folder`, with core files allowed. Nothing where they cannot be.
struct CoreRun {
    bool allowed = false;
    int wait_status = 0;
};
CoreRun run_with_core_files(const Words& command, const TemporaryFolder& folder) {
    rlimit limit{};
    getrlimit(RLIMIT_CORE, &limit);
    if (limit.rlim_max == 0) return {};
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_CORE, &limit);
        const int out = open((folder / "out").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
        dup2(out, STDOUT_FILENO);
        std::vector<char*> arguments;
        for (const std::string& word : command) {
            arguments.push_back(const_cast<char*>(word.c_str()));
        }
        arguments.push_back(nullptr);
        if (chdir(folder.path().c_str()) == 0) execv(arguments[0], arguments.data());
        _exit(127);
    }
    CoreRun run{true, 0};
    REQUIRE(waitpid(pid, &run.wait_status, 0) == pid);
    return run;
}

// Starts `endings group` under the recorder and sends the signal as soon as all children wait;
// `to_group`: to everybody, not to the recorder alone.
struct GroupRun {
    RunResult run;
    Account account;
    Json report;
};
GroupRun end_group(const TemporaryFolder& folder, int signal, bool to_group,
                   Instruments instruments) {
    const std::string ready = folder / "ready";
    RunOptions options;
    options.timeout = kLongestRun;
    options.when_started = [&](pid_t recorder) {
        constexpr int kMostTries = 20'000;
        for (int i = 0; i < kMostTries && !std::filesystem::exists(ready); ++i) usleep(1000);
        kill(to_group ? -recorder : recorder, signal);
    };
    Words command = {"record", "-o", folder / "t.cow"};
    if (instruments == Instruments::census_only) command = joined(command, {"--witness", "off"});
    command = joined(command, {"--", kProgram, "group", ready});
    GroupRun group{run_cowscope(command, options), {}, {}};
    CAPTURE(group.run.err);
    REQUIRE_FALSE(group.run.timed_out);
    group.account = account_from(group.run.out);
    group.report = report_json(folder / "t.cow");
    REQUIRE(group.account.writers().size() == 3);
    check_consistent(group.report);
    return group;
}

}  // namespace

TEST_CASE("a process that exits in any way takes its last census", "[ends]") {
    const std::string how = GENERATE(std::string("return"), "exit", "exit-handlers", "_exit",
                                     "quick_exit", "failed-exec", "handler", "exit-beside-threads");
    const Json row = check_seen_ending(how, any_instruments());
    CHECK(row["exit"] == Json({{"kind", "exit"}, {"value", 7}}));
}

TEST_CASE("a process whose last thread ends exits like others", "[ends]") {
    const Json row = check_seen_ending("last-thread", any_instruments());
    CHECK(row["exit"] == Json({{"kind", "exit"}, {"value", 0}}));
}

TEST_CASE("a process that becomes another program takes its last census", "[ends]") {
    const Json row = check_seen_ending("exec", any_instruments());
    CHECK(row["exit"]["kind"] == "exec");
}

TEST_CASE("a signal that asks a process to end lets it take its last census", "[ends]") {
    const Instruments instruments = any_instruments();
    const std::string how = GENERATE(std::string("TERM"), "TERM-beside-threads", "TERM-of-a-thread",
                                     "handler-and-default");
    CHECK(check_seen_ending(how, instruments)["exit"] ==
          Json({{"kind", "signal"}, {"value", SIGTERM}}));
}

TEST_CASE("an interrupt and a hang-up do the same", "[ends]") {
    const Instruments instruments = any_instruments();
    CHECK(check_seen_ending("INT", instruments)["exit"] ==
          Json({{"kind", "signal"}, {"value", SIGINT}}));
    CHECK(check_seen_ending("HUP", instruments)["exit"] ==
          Json({{"kind", "signal"}, {"value", SIGHUP}}));
}

// What a scan from outside finds is tested in test_outside_scan.cpp.
TEST_CASE("a process that ends in the middle keeps what the witness saw", "[ends]") {
    const std::string how =
        GENERATE(std::string("abort"), "raw-exit", "raw-exec", "QUIT", "ABRT", "ALRM", "USR1",
                 "PIPE", "TRAP", "KILL", "alarm-clock", "null", "constant", "stack-overflow");
    const TemporaryFolder folder;
    const AccountRun recorded = record_ending(folder, how, Instruments::all);
    const int child = child_of(recorded.account);
    const Json row = row_of(recorded, child);
    CAPTURE(how, row.dump(1), recorded.report["notes"].dump(1));
    CHECK(wait_status_of(recorded.account) == status_alone(how));
    check_copies(recorded, child);
    if (row["census"] != "final") {
        CHECK_FALSE(find_note(recorded.report, {"process " + std::to_string(child)}).empty());
    }
}

TEST_CASE("an end that nobody saw is the same without a witness", "[ends]") {
    const std::string how =
        GENERATE(std::string("abort"), "raw-exit", "raw-exec", "QUIT", "KILL", "null", "TRAP");
    const TemporaryFolder folder;
    const AccountRun recorded = record_ending(folder, how, Instruments::census_only);
    const int child = child_of(recorded.account);
    CAPTURE(how, recorded.report["notes"].dump(1));
    CHECK(wait_status_of(recorded.account) == status_alone(how));
    const Json row = row_of(recorded, child);
    // Too little, and it says so, but nothing that is not true.
    check_copies(recorded, child, Bound::at_most);
    if (row["census"] != "final") {
        CHECK_FALSE(find_note(recorded.report, {"process " + std::to_string(child)}).empty());
    }
}

TEST_CASE("core files are written as without cowscope", "[ends]") {
    const std::string how =
        GENERATE(std::string("QUIT"), "ABRT", "abort", "null", "TRAP", "TERM", "USR1");
    CAPTURE(how);
    const TemporaryFolder alone;
    const TemporaryFolder recorded;
    const CoreRun run = run_with_core_files({kProgram, how}, alone);
    if (!run.allowed) {
        WARN("SKIPPED: core files are not allowed here; nothing was tested with them");
        return;
    }
    REQUIRE(run.wait_status == 0);
    REQUIRE(run_with_core_files(
                {kCowscope, "record", "--quiet", "-o", recorded / "t.cow", "--", kProgram, how},
                recorded)
                .wait_status == 0);
    const int status_before = wait_status_of(account_from(read_file(alone / "out")));
    const int status_now = wait_status_of(account_from(read_file(recorded / "out")));
    CHECK(WCOREDUMP(status_now) == WCOREDUMP(status_before));
    CHECK(status_now == status_before);
}

TEST_CASE("a whole group that is killed with its recorder leaves a whole trace", "[ends]") {
    const TemporaryFolder folder;
    const GroupRun group = end_group(folder, SIGKILL, true, Instruments::all);
    CHECK(WIFSIGNALED(group.run.wait_status));
    CHECK(WTERMSIG(group.run.wait_status) == SIGKILL);
    const AccountRun recorded{group.account, group.report, Instruments::all, folder / "t.cow"};
    for (const int pid : group.account.writers()) {
        CHECK(row_of(recorded, pid)["census"] != "final");
        check_copies(recorded, pid);
        CHECK_FALSE(find_note(group.report, {"process " + std::to_string(pid)}).empty());
    }
    // The text report is for people who come back to such a trace.
    CHECK(run_cowscope({"report", folder / "t.cow"}).status() == 0);
}

TEST_CASE("a whole group that is interrupted is recorded to its end", "[ends]") {
    const Instruments instruments = any_instruments();
    const TemporaryFolder folder;
    const GroupRun group = end_group(folder, SIGINT, true, instruments);
    CHECK(group.run.status() == 128 + SIGINT);
    const AccountRun recorded{group.account, group.report, instruments, folder / "t.cow"};
    for (const int pid : group.account.writers()) {
        const Json row = row_of(recorded, pid);
        CHECK(row["census"] == "final");
        CHECK(row["exit"] == Json({{"kind", "signal"}, {"value", SIGINT}}));
        check_copies(recorded, pid);
    }
    CHECK(row_of(recorded, group.account.root)["census"] == "final");
}

TEST_CASE("a program whose recorder is killed is recorded to its end", "[ends]") {
    const Instruments instruments = any_instruments();
    const TemporaryFolder folder;
    // The program ends the children itself when its recorder is gone.
    const std::string script = kProgram + " TERM >'" + folder / "out" + "'";
    const std::string wait = "while [ ! -e '" + folder / "go" + "' ]; do sleep 0.01; done; ";
    RunOptions options;
    options.timeout = kLongestRun;
    options.when_started = [&](pid_t recorder) {
        constexpr int kMostTries = 20'000;
        for (int i = 0; i < kMostTries && !has_segment(folder / "t.cow"); ++i) usleep(1000);
        kill(recorder, SIGKILL);
        std::ofstream(folder / "go").put('\n');
    };
    Words command = {"record", "-o", folder / "t.cow"};
    if (instruments == Instruments::census_only) command = joined(command, {"--witness", "off"});
    const RunResult run =
        run_cowscope(joined(command, {"--", "/bin/sh", "-c", wait + script}), options);
    CHECK(WTERMSIG(run.wait_status) == SIGKILL);
    const Account account = account_from(read_file(folder / "out"));
    const AccountRun recorded{account, report_json(folder / "t.cow"), instruments,
                              folder / "t.cow"};
    const int child = child_of(account);
    CHECK(WTERMSIG(wait_status_of(account)) == SIGTERM);
    CHECK(row_of(recorded, child)["census"] == "final");
    check_copies(recorded, child);
}
