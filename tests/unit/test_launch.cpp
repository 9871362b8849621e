// Starting the program, waiting for it, and the folder that its trace goes to.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "record/launch.h"
#include "record/record.h"
#include "record/recording.h"
#include "record/shim.h"
#include "record/trace_folder.h"
#include "tests/catch.h"

using namespace cowscope;
using namespace cowscope::record;
namespace fs = std::filesystem;

namespace {

// A folder of its own as the current directory, for the time of a test.
class Scratch {
  public:
    Scratch() : before_(fs::current_path()) {
        std::string name = (fs::temp_directory_path() / "cowscope-test-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
        fs::current_path(path_);
    }
    ~Scratch() {
        fs::current_path(before_);
        fs::remove_all(path_);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

  private:
    fs::path before_;
    fs::path path_;
};

class Variable {
  public:
    Variable(const char* name, const std::string& value) : name_(name) {
        if (const char* before = std::getenv(name)) before_ = before;
        setenv(name, value.c_str(), 1);
    }
    ~Variable() {
        if (before_.empty()) {
            unsetenv(name_);
        } else {
            setenv(name_, before_.c_str(), 1);
        }
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

  private:
    const char* name_;
    std::string before_;
};

template <typename Call>
std::string error_of(Call&& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

std::string read_file(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

void touch(const fs::path& path) {
    std::ofstream(path).put('x');
}

const std::vector<std::string> kNoEnvironment;

// Leaves the signal mask and dispositions as they were.
LaunchResult launch_once(
    const std::vector<std::string>& command, const PrepareEnvironment& prepare,
    const std::function<void()>& started = [] {}) {
    SignalGate gate;
    return launch(&gate, command, prepare, started);
}

LaunchResult launch_shell(const std::string& script) {
    return launch_once({"/bin/sh", "-c", script}, [](pid_t) { return kNoEnvironment; });
}

// A shim that does nothing: a library that every program has anyway.
std::string harmless_shim() {
    Dl_info info{};
    REQUIRE(dladdr(reinterpret_cast<void*>(&getpid), &info) != 0);
    return fs::canonical(info.dli_fname).string();
}

}  // namespace

TEST_CASE("the program's ending is reported as a shell would", "[launch]") {
    const LaunchResult exited = launch_shell("exit 3");
    CHECK_FALSE(exited.ending.by_signal);
    CHECK(exited.ending.status() == 3);
    CHECK(exited.pid > 0);
    CHECK(exited.end_ns > exited.start_ns);

    const LaunchResult killed = launch_shell("kill -9 $$");
    CHECK(killed.ending.by_signal);
    CHECK(killed.ending.value == SIGKILL);
    CHECK(killed.ending.status() == 137);
}

TEST_CASE("the program gets the environment that was prepared, and nothing else", "[launch]") {
    const Scratch scratch;
    pid_t told = 0;
    const LaunchResult result = launch_once(
        {"/bin/sh", "-c", "/usr/bin/env > out; echo $$ > pid"},
        [&](pid_t pid) {
            told = pid;
            return std::vector<std::string>{"A=1", "B=two words", "PWD=/", "EMPTY="};
        },
        [] {});
    CHECK(result.ending.status() == 0);
    CHECK(read_file("pid") == std::to_string(told) + '\n');
    const std::string environment = read_file("out");
    CHECK(environment.find("A=1\n") != std::string::npos);
    CHECK(environment.find("B=two words\n") != std::string::npos);
    CHECK(environment.find("EMPTY=\n") != std::string::npos);
    CHECK(environment.find("HOME=") == std::string::npos);
}

TEST_CASE("an environment larger than a socket's buffer arrives whole", "[launch]") {
    const Scratch scratch;
    constexpr size_t kEntries = 64;
    constexpr size_t kBytes = 20'000;
    const auto prepare = [](pid_t) {
        std::vector<std::string> environment;
        for (size_t entry = 0; entry < kEntries; ++entry) {
            environment.push_back(fmt::format("V{}={}", entry, std::string(kBytes, 'v')));
        }
        return environment;
    };
    const LaunchResult result =
        launch_once({"/bin/sh", "-c", "/usr/bin/env | /usr/bin/grep -c ^V > out"}, prepare);
    CHECK(result.ending.status() == 0);
    CHECK(read_file("out") == std::to_string(kEntries) + '\n');
}

TEST_CASE("a program that cannot be started is an error", "[launch]") {
    const Scratch scratch;
    bool started = false;
    const auto launch_it = [&](const std::string& program) {
        return error_of([&] {
            launch_once(
                {program}, [](pid_t) { return kNoEnvironment; }, [&] { started = true; });
        });
    };
    CHECK(launch_it("./nowhere") == "cannot run './nowhere': No such file or directory");
    CHECK(launch_it("cowscope-no-such-program") ==
          "cannot run 'cowscope-no-such-program': No such file or directory");
    {
        // Permission is not what is missing where no folder of PATH has the program.
        fs::create_directory("closed");
        fs::permissions("closed", fs::perms::none);
        const Variable path("PATH", fs::absolute("closed").string() + ":/usr/bin");
        CHECK(launch_it("cowscope-no-such-program") ==
              "cannot run 'cowscope-no-such-program': No such file or directory");
        fs::permissions("closed", fs::perms::owner_all);
    }
    touch("plain");
    CHECK(launch_it("./plain") == "cannot run './plain': Permission denied");
    CHECK_FALSE(started);
}

TEST_CASE("the program does not start where its preparation fails", "[launch]") {
    const Scratch scratch;
    const auto refuse = [](pid_t) -> std::vector<std::string> { throw Error("no"); };
    CHECK(error_of([&] { launch_once({"/bin/sh", "-c", "echo > ran"}, refuse); }) == "no");
    CHECK_FALSE(fs::exists("ran"));
}

TEST_CASE("signals reach the program, and dispositions come back", "[launch]") {
    const Scratch scratch;
    struct sigaction before {};
    sigaction(SIGTERM, nullptr, &before);
    const auto nothing = [](pid_t) { return kNoEnvironment; };

    SECTION("a SIGTERM for the recorder is passed on") {
        const LaunchResult result =
            launch_once({"/bin/sleep", "60"}, nothing, [] { kill(getpid(), SIGTERM); });
        CHECK(result.ending.by_signal);
        CHECK(result.ending.value == SIGTERM);
    }
    SECTION("what is ignored stays ignored, here and in the program") {
        signal(SIGHUP, SIG_IGN);
        const LaunchResult result = launch_once({"/bin/sh", "-c", "kill -HUP $$; exit 6"}, nothing,
                                                [] { kill(getpid(), SIGHUP); });
        signal(SIGHUP, SIG_DFL);
        CHECK(result.ending.status() == 6);
    }
    SECTION("what comes when the program has ended ends nobody") {
        SignalGate gate;
        const LaunchResult result = launch(&gate, {"/bin/sh", "-c", "exit 5"}, nothing, [] {});
        for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGPIPE, SIGRTMIN}) {
            kill(getpid(), number);
        }
        CHECK(result.ending.status() == 5);
    }
    SECTION("an ignored SIGCHLD does not lose the exit status") {
        signal(SIGCHLD, SIG_IGN);
        const LaunchResult result = launch_shell("exit 7");
        struct sigaction after {};
        sigaction(SIGCHLD, nullptr, &after);
        signal(SIGCHLD, SIG_DFL);
        CHECK(result.ending.status() == 7);
        CHECK(after.sa_handler == SIG_IGN);
    }
    struct sigaction after {};
    sigaction(SIGTERM, nullptr, &after);
    CHECK(after.sa_handler == before.sa_handler);
    sigset_t mask;
    sigprocmask(SIG_SETMASK, nullptr, &mask);
    CHECK(sigismember(&mask, SIGTERM) == 0);
}

TEST_CASE("the default folder is named after program and process", "[launch]") {
    CHECK(default_folder_name("python3", 7) == "cowscope.python3.7.cow");
    CHECK(default_folder_name("/usr/bin/python3", 7) == "cowscope.python3.7.cow");
    CHECK(default_folder_name("./a.out/", 7) == "cowscope.a.out.7.cow");
    CHECK(default_folder_name("/", 7) == "cowscope.program.7.cow");
    CHECK(default_folder_name(std::string(5000, 'x'), 7).size() <= 255);
}

TEST_CASE("an output folder is new or empty", "[launch]") {
    const Scratch scratch;
    TraceFolder created = open_trace_folder("new");
    CHECK(created.created);
    CHECK(created.path == (fs::canonical(".") / "new").string());
    CHECK((fs::status("new").permissions() & fs::perms::all) == fs::perms::owner_all);

    // Root's has one for other users in it, which goes where nobody needed it.
    CHECK(created.has_others == (geteuid() == 0));
    CHECK(fs::exists("new/others") == created.has_others);
    remove_unused(&created);
    CHECK(fs::is_empty("new"));
    CHECK_FALSE(open_trace_folder("new").created);
    touch("new/file");
    CHECK(error_of([] { open_trace_folder("new"); }) ==
          "output folder 'new' exists and is not empty");
    touch("file");
    CHECK(error_of([] { open_trace_folder("file"); }) ==
          "output folder 'file' exists and is not a folder");
    CHECK(error_of([] { open_trace_folder("no/parent"); }) ==
          "cannot create output folder 'no/parent': No such file or directory");
}

TEST_CASE("the newest trace is the one that changed last and holds something", "[launch]") {
    const Scratch scratch;
    CHECK(newest_trace(".").empty());
    const auto now = fs::file_time_type::clock::now();
    for (const char* name : {"old.cow", "new.cow", "empty.cow", "other"}) {
        fs::create_directory(name);
        if (std::string(name) != "empty.cow") touch(fs::path(name) / "process-1-1.cowseg");
    }
    fs::last_write_time("old.cow", now - std::chrono::seconds(10));
    fs::last_write_time("new.cow", now - std::chrono::seconds(5));
    CHECK(newest_trace(".") == "new.cow");
    fs::last_write_time("old.cow", now);
    CHECK(newest_trace(".") == "old.cow");
}

TEST_CASE("recording.json holds what the recorder knows", "[launch]") {
    const Scratch scratch;
    Recording recording;
    recording.command = {"prog", "two words", "\xff"};
    recording.result.pid = 12;
    recording.result.start_ns = 5;
    recording.result.end_ns = 9;
    recording.result.ending = {true, 15};
    recording.witness_requested = Choice::off();
    recording.notes = {"a note"};
    fs::create_directory("trace");
    write_recording("trace", recording);

    const auto json = nlohmann::json::parse(read_file("trace/recording.json"));
    CHECK(json["schema"] == "cowscope.recording/1");
    CHECK(json["command"] == nlohmann::json({"prog", "two words", "\xef\xbf\xbd"}));
    CHECK(json["start_ns"] == 5);
    CHECK(json["end_ns"] == 9);
    CHECK(json["root_pid"] == 12);
    CHECK(json["exit"] == nlohmann::json({{"kind", "signal"}, {"value", 15}}));
    CHECK(json["tracker_requested"] == "auto");
    CHECK(json["witness_requested"] == "off");
    CHECK(json["notes"] == nlohmann::json({"a note"}));
    CHECK((fs::status("trace/recording.json").permissions() & fs::perms::all) ==
          (fs::perms::owner_read | fs::perms::owner_write));
    CHECK_FALSE(fs::exists("trace/recording.json.tmp"));
    CHECK(error_of([&] { write_recording("nowhere", recording); }) ==
          "cannot write 'nowhere/recording.json': No such file or directory");
}

TEST_CASE("the shim is where COWSCOPE_SHIM says", "[launch]") {
    const Scratch scratch;
    const Variable missing("COWSCOPE_SHIM", "nowhere.so");
    CHECK(search_shim().path.empty());
    CHECK(error_of([] { require_shim(); }).find("nowhere.so") != std::string::npos);
    touch("here.so");
    const Variable present("COWSCOPE_SHIM", "here.so");
    CHECK(require_shim() == fs::absolute("here.so").string());
}

TEST_CASE("a program's file tells why nothing was preloaded", "[launch]") {
    const Scratch scratch;
    CHECK(why_not_preloaded("sh").empty());
    CHECK(why_not_preloaded("cowscope-no-such-program").empty());
    fs::copy_file("/bin/sh", "setuid");
    REQUIRE(chmod("setuid", 04755) == 0);
    CHECK(why_not_preloaded("./setuid") == "it is setuid");
    std::ofstream("script") << "#! " << fs::absolute("setuid").string() << " -x\n";
    CHECK(why_not_preloaded("./script") == "it is setuid");
    // libc.so.6 is a program, too, and names its loader.
    CHECK(why_not_preloaded(harmless_shim()).empty());
    std::ofstream("cut", std::ios::binary) << "\x7f"
                                              "ELF\x01";
    CHECK(why_not_preloaded("./cut").empty());
}

TEST_CASE("a recording leaves a folder only if the program started", "[launch]") {
    const Scratch scratch;
    const Variable shim("COWSCOPE_SHIM", harmless_shim());
    RecordOptions options;
    options.tracker = Choice::off();
    options.witness = Choice::off();
    std::vector<std::string> said;
    const auto say = [&](const std::string& line) { said.push_back(line); };

    SECTION("not started") {
        CHECK(error_of([&] { record_program(options, {"./nowhere"}, say); }) ==
              "cannot run './nowhere': No such file or directory");
        options.output = "named";
        CHECK(error_of([&] { record_program(options, {"./nowhere"}, say); }) != "no error");
        CHECK(fs::is_empty("."));
        fs::create_directory("named");
        CHECK(error_of([&] { record_program(options, {"./nowhere"}, say); }) != "no error");
        CHECK(fs::is_directory("named"));
        CHECK(said.empty());
    }
    SECTION("started, but the shim wrote nothing") {
        const RecordResult result = record_program(options, {"/bin/sh", "-c", "exit 5"}, say);
        CHECK(result.launch.ending.status() == 5);
        CHECK_FALSE(result.has_segments);
        REQUIRE(said.size() == 1);
        CHECK(said[0].rfind("nothing was recorded: '/bin/sh' did not load the shim", 0) == 0);
        CHECK(result.folder.shown == fmt::format("cowscope.sh.{}.cow", result.launch.pid));
        CHECK(fs::exists(result.folder.shown + "/recording.json"));
    }
    SECTION("started, and something wrote a segment") {
        options.output = "named";
        const RecordResult result = record_program(
            options, {"/bin/sh", "-c", "echo > $COWSCOPE_OUTPUT/process-1-1.cowseg"}, say);
        CHECK(result.has_segments);
        CHECK(said.empty());
        CHECK(result.folder.shown == "named");
    }
}

TEST_CASE("who watches a recording is called when they asked to be", "[launch]") {
    const Scratch scratch;
    const Variable shim("COWSCOPE_SHIM", harmless_shim());
    RecordOptions options;
    options.tracker = Choice::off();
    options.witness = Choice::off();
    unsigned calls = 0;
    const auto watch = [&](const observe::SeenSoFar&) -> uint64_t {
        ++calls;
        return 10'000'000;
    };
    record_program(
        options, {"/bin/sleep", "2"}, [](const std::string&) {}, watch);
    // Looks from outside are at least 250 ms apart: eight.
    CHECK(calls > 20);
}
