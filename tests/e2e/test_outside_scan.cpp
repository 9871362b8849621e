// What the recorder sees from outside: the copies of processes whose end no code of theirs sees,
// how they ended, how the copies grew, and what looking costs.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "tests/catch.h"
#include "tests/e2e/copied_pages.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/truth.h"
#include "trace/outside.h"

using namespace cowscope;
using namespace cowscope::e2e;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

constexpr uint64_t kPageBytes = 4096;
const std::string kPausedWriter = program_of_tests("paused_writer");

// The recorder rests 128 times as long as it looked, and a look takes a while where the processor
// is emulated (tests/vm).
constexpr std::chrono::seconds kLongestWait{100};

// False when that did not come true by then.
bool wait_until(const std::function<bool()>& condition) {
    const auto deadline = Clock::now() + kLongestWait;
    while (!condition()) {
        if (Clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

void touch(const std::string& path) {
    std::ofstream(path).put('\n');
}

// What the writer says of itself when it has written its pages.
struct Ready {
    pid_t pid = 0;
    Pages pages;
};

Ready read_ready(const std::string& path) {
    std::ifstream file(path);
    Ready ready;
    file >> ready.pid;
    for (std::string page; file >> page;) ready.pages.insert(parse_address(page));
    return ready;
}

// What the recorder has written about a process by now.
std::optional<trace::Outside> outside_of(const std::string& folder, pid_t pid) {
    const std::string prefix = "outside-" + std::to_string(pid) + "-";
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.rfind(prefix, 0) != 0 || entry.path().extension() != trace::kOutsideSuffix)
            continue;
        try {
            return trace::read_outside(entry.path().string());
        } catch (const Error&) {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

bool census_holds(const std::string& folder, const Ready& ready) {
    const auto outside = outside_of(folder, ready.pid);
    if (!outside || !outside->census) return false;
    for (const uint64_t page : ready.pages) {
        if (!outside->census->copied.contains(page)) return false;
    }
    return true;
}

// Records the writer's parent and child. `steer` is called when the child has written its pages.
struct Recorded {
    TemporaryFolder talk;
    TemporaryFolder traces;
    std::string trace = traces / "t.cow";
    Ready ready;
    RunResult run;

    void record(const Words& options, const Words& writer,
                const std::function<void(pid_t recorder)>& steer) {
        RunOptions run_options;
        run_options.timeout = 3 * kLongestWait;
        run_options.when_started = [&](pid_t recorder) {
            if (wait_until([&] { return fs::exists(talk / "ready"); })) {
                ready = read_ready(talk / "ready");
                steer(recorder);
            }
            touch(talk / "go");
            touch(talk / "reap");
        };
        Words words = joined({"record", "-o", trace}, options);
        words = joined(joined(words, {"--", kPausedWriter, talk.path()}), writer);
        run = run_cowscope(words, run_options);
    }

    // Waits until the recorder has seen all of the pages that the child wrote.
    void require_scanned() {
        CHECK(wait_until([&] { return census_holds(trace, ready); }));
    }

    Json child() {
        const Json found = find_process(report_json(trace), ready.pid);
        REQUIRE_FALSE(found.is_null());
        return found;
    }
};

// Its own, not that of the children it waited for. proc(5), fields 14 and 15.
double cpu_seconds(pid_t pid) {
    const std::string text = read_file("/proc/" + std::to_string(pid) + "/stat");
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string field;
    for (int number = 3; number < 14; ++number) fields >> field;
    double user_ticks = 0;
    double system_ticks = 0;
    fields >> user_ticks >> system_ticks;
    REQUIRE(fields);
    return (user_ticks + system_ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// All of the pages that the child wrote, and none else of its region.
void check_copied(const std::string& folder, const Ready& ready) {
    const auto processes = read_copied_pages(folder);
    const CopiedPages& copied = forked_process(processes, ready.pid);
    uint64_t missing = 0;
    uint64_t wrong = 0;
    for (uint64_t page = *ready.pages.begin(); page <= *ready.pages.rbegin(); page += kPageBytes) {
        const bool is_true = ready.pages.count(page) != 0;
        if (is_true && !copied.is_copied(page)) ++missing;
        if (!is_true && copied.is_copied(page)) ++wrong;
    }
    CHECK(missing == 0);
    CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("a killed child has the copies of its last census from outside", "[outside]") {
    const bool is_seen_dead = GENERATE(true, false);
    CAPTURE(is_seen_dead);
    Recorded recorded;
    recorded.record({"--witness", "off"}, {"4000", "1", "goes_on"}, [&](pid_t) {
        recorded.require_scanned();
        kill(recorded.ready.pid, SIGKILL);
        if (!is_seen_dead) return;
        CHECK(wait_until([&] {
            const auto outside = outside_of(recorded.trace, recorded.ready.pid);
            return outside && outside->fate;
        }));
    });
    REQUIRE(recorded.run.status() == 0);
    REQUIRE(recorded.ready.pages.size() == 2000);
    const Json report = report_json(recorded.trace);
    check_consistent(report);
    const Json child = recorded.child();
    CAPTURE(child.dump(1), report["notes"].dump(1));
    CHECK(child["census"] == "last");
    CHECK(child["census_age_ns"] > 0);
    if (is_seen_dead) {
        CHECK(child["exit"] == Json({{"kind", "signal"}, {"value", SIGKILL}}));
    } else {
        // Seen by chance only: never something else.
        CHECK((child["exit"]["kind"] == "unknown" ||
               child["exit"] == Json({{"kind", "signal"}, {"value", SIGKILL}})));
    }
    CHECK(child["copied_pages"] >= recorded.ready.pages.size());
    check_copied(recorded.trace, recorded.ready);
    const std::string pid = std::to_string(recorded.ready.pid);
    CHECK_FALSE(find_note(report, {"process " + pid, "census", "ms before its end"}).empty());
    const RunResult text = run_cowscope({"report", recorded.trace});
    CHECK(text.status() == 0);
    CHECK(contains(text.out, pid));
}

TEST_CASE("a raw exit_group leaves the last census and the status", "[outside]") {
    Recorded recorded;
    recorded.record({"--witness", "off"}, {"4000", "1", "exit_group"}, [&](pid_t) {
        recorded.require_scanned();
        touch(recorded.talk / "go");
        CHECK(wait_until([&] {
            const auto outside = outside_of(recorded.trace, recorded.ready.pid);
            return outside && outside->fate;
        }));
    });
    REQUIRE(recorded.run.status() == 0);
    const Json child = recorded.child();
    CAPTURE(child.dump(1));
    CHECK(child["census"] == "last");
    CHECK(child["exit"] == Json({{"kind", "exit"}, {"value", 7}}));
    check_copied(recorded.trace, recorded.ready);
}

TEST_CASE("a census from outside adds to what the witness saw", "[outside]") {
    Recorded recorded;
    recorded.record({}, {"4000", "1", "goes_on"}, [&](pid_t) {
        recorded.require_scanned();
        kill(recorded.ready.pid, SIGKILL);
    });
    REQUIRE(recorded.run.status() == 0);
    const Json report = report_json(recorded.trace);
    check_consistent(report);
    const Json child = recorded.child();
    CHECK(child["census"] == "last");
    check_copied(recorded.trace, recorded.ready);
    if (report["witness"] == "trap") {
        CHECK(child["witnessed_pages"] >= recorded.ready.pages.size());
    }
}

TEST_CASE("a process that ends by itself is counted by its own census", "[outside]") {
    Recorded recorded;
    recorded.record({"--witness", "off"}, {"4000", "1", "goes_on"},
                    [&](pid_t) { recorded.require_scanned(); });
    REQUIRE(recorded.run.status() == 0);
    const Json child = recorded.child();
    CHECK(child["census"] == "final");
    CHECK(child["census_age_ns"] == 0);
    CHECK(child["exit"] == Json({{"kind", "exit"}, {"value", 0}}));
    // The second half was written after the last look that we know of.
    CHECK(child["copied_pages"] >= 4000);
}

TEST_CASE("the timeline rises from scan to scan and ends at the copies", "[outside]") {
    const std::string witness = GENERATE(std::string("off"), "auto");
    CAPTURE(witness);
    Recorded recorded;
    recorded.record({"--witness", witness}, {"8000", "6", "goes_on"},
                    [&](pid_t) { recorded.require_scanned(); });
    REQUIRE(recorded.run.status() == 0);
    const Json report = report_json(recorded.trace);
    std::map<int, std::vector<std::pair<uint64_t, uint64_t>>> points;
    for (const Json& point : report["timeline"]) {
        points[point["pid"].get<int>()].emplace_back(point["t_ns"].get<uint64_t>(),
                                                     point["copied_pages"].get<uint64_t>());
    }
    for (const auto& [pid, line] : points) {
        CAPTURE(pid);
        CHECK(line.size() <= 256);
        for (size_t i = 1; i < line.size(); ++i) {
            CHECK(line[i].first >= line[i - 1].first);
            CHECK(line[i].second >= line[i - 1].second);
        }
        for (const Json& process : report["processes"]) {
            if (process["pid"] == pid) CHECK(line.back().second == process["copied_pages"]);
        }
    }
    // It was seen on its way: the child took 1.5 s and more.
    const auto& line = points[recorded.ready.pid];
    std::set<uint64_t> counts;
    for (const auto& [time_ns, copied] : line) counts.insert(copied);
    CHECK(counts.size() >= 4);
}

TEST_CASE("a program goes on when its recorder is killed between two scans", "[outside]") {
    Recorded recorded;
    pid_t child = 0;
    recorded.record({"--witness", "off"}, {"4000", "1", "goes_on"}, [&](pid_t recorder) {
        recorded.require_scanned();
        child = recorded.ready.pid;
        kill(recorder, SIGKILL);
    });
    CHECK(WIFSIGNALED(recorded.run.wait_status));
    REQUIRE(child != 0);
    // Its end closed the streams that we waited for.
    const Json report = report_json(recorded.trace);
    check_consistent(report);
    const Json process = find_process(report, child);
    REQUIRE_FALSE(process.is_null());
    CHECK(process["census"] == "final");
    CHECK(process["exit"] == Json({{"kind", "exit"}, {"value", 0}}));
    CHECK(process["copied_pages"] >= 4000);
    CHECK(processes_of(report, "root").at(0)["exit"] == Json({{"kind", "exit"}, {"value", 0}}));
}

TEST_CASE("scans that cannot be written are one note, and the recording goes on", "[outside]") {
    // Every second of 20,000 pages makes a file of 160 kB. The shim needs less, and so does the
    // writer's own file (15 bytes a page).
    Recorded recorded;
    RunOptions options;
    options.before_exec = [] {
        const rlimit limit{155'000, 155'000};
        return setrlimit(RLIMIT_FSIZE, &limit) == 0;
    };
    options.when_started = [&](pid_t) {
        wait_until([&] { return fs::exists(recorded.talk / "ready"); });
        // Nothing shows that a look was not written until the end.
        std::this_thread::sleep_for(std::chrono::seconds(3));
        touch(recorded.talk / "go");
        touch(recorded.talk / "reap");
    };
    const RunResult run =
        run_cowscope({"record", "-o", recorded.trace, "--witness", "off", "--", kPausedWriter,
                      recorded.talk.path(), "20000", "1", "exit_group"},
                     options);
    CAPTURE(run.err);
    REQUIRE(run.status() == 0);
    const Json report = report_json(recorded.trace);
    CAPTURE(report["notes"].dump(1));
    CHECK_FALSE(find_note(report, {"from outside", "written", "File too large"}).empty());
    for (const auto& entry : fs::directory_iterator(recorded.trace)) {
        CHECK(entry.path().extension() != ".tmp");
    }
}

TEST_CASE("rubbish in the trace folder does not disturb the recorder", "[outside]") {
    const TemporaryFolder folder;
    const std::string trace = folder / "t.cow";
    const std::string script =
        "cd '" + trace +
        "' && mkfifo process-$$-7.cowseg process-1-1.cowseg && "
        "printf rubbish > process-$$-8.cowseg && ln -s /dev/zero process-$$-9.cowseg && "
        "mkdir process-$$-10.cowseg && : > process-99999999999-1.cowseg && "
        ": > process--1-1.cowseg && head -c 300000 /dev/urandom > process-$$-11.cowseg && "
        "{ printf 'COWSCOPE\\001\\000\\000\\000'; head -c 300000 /dev/zero; } > "
        "process-$$-12.cowseg && sleep 1.2; exit 5";
    const RunResult run = record(trace, {"/bin/sh", "-c", script});
    CAPTURE(run.err);
    CHECK(run.status() == 5);
    CHECK(run_cowscope({"report", trace}).status() == 0);
}

// A child with 1 GB to look at, half of it copied.
TEST_CASE("looking from outside costs less than a fiftieth of a core", "[outside]") {
    constexpr size_t kPages = size_t{1} << 18;
    Recorded recorded;
    double share = -1;
    recorded.record({"--witness", "off"}, {std::to_string(kPages), "1", "goes_on"},
                    [&](pid_t recorder) {
                        recorded.require_scanned();
                        const auto start = Clock::now();
                        const double before = cpu_seconds(recorder);
                        std::this_thread::sleep_for(std::chrono::seconds(6));
                        const double used = cpu_seconds(recorder) - before;
                        const std::chrono::duration<double> elapsed = Clock::now() - start;
                        share = used / elapsed.count();
                    });
    REQUIRE(recorded.run.status() == 0);
    CAPTURE(share);
    CHECK(share >= 0);
    CHECK(share < 0.02);
}
