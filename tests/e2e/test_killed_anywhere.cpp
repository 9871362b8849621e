// The program, its recorder, or both are killed at hundreds of random moments of a run. Whatever
// trace is left can be read, holds all that was written until then, and says what is missing.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <future>
#include <random>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/programs/counting_writer.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;
namespace fs = std::filesystem;
namespace writer = counting_writer;

namespace {

constexpr int kKills = 200;
constexpr uint32_t kAllWrites = writer::kChildren * writer::kPages;
constexpr uint64_t kOtherCopies = 64;  // of a process's stack and libraries
// The children touch no memory of their own but the C library's, which may come as one of these.
constexpr uint64_t kHugePage = 512;
const std::string kProgram = program_of_tests("counting_writer");

// What the program's children said of themselves.
class Counts {
  public:
    explicit Counts(std::string path) : path_(std::move(path)) {
        std::ofstream(path_, std::ios::binary)
            .write(std::string(writer::kFileBytes, '\0').data(), writer::kFileBytes);
        const int fd = open(path_.c_str(), O_RDWR | O_CLOEXEC);
        void* memory = mmap(nullptr, writer::kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        REQUIRE(memory != MAP_FAILED);
        counts_ = static_cast<writer::Count*>(memory);
    }
    Counts(const Counts&) = delete;
    Counts& operator=(const Counts&) = delete;
    ~Counts() { munmap(counts_, writer::kFileBytes); }

    void clear() {
        for (size_t i = 0; i < writer::kChildren; ++i) {
            counts_[i].pid = 0;
            counts_[i].written = 0;
        }
    }
    // 0 for a process that is none of the children.
    uint32_t written_by(int pid) const {
        for (size_t i = 0; i < writer::kChildren; ++i) {
            if (counts_[i].pid == pid) return counts_[i].written;
        }
        return 0;
    }
    // By all of them.
    uint32_t all() const {
        uint32_t all = 0;
        for (size_t i = 0; i < writer::kChildren; ++i) all += counts_[i].written;
        return all;
    }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
    writer::Count* counts_;
};

uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void wait_ns(uint64_t ns) {
    timespec time{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &time, &time) == EINTR) {
    }
}

// The recorded program, while its recorder lives; 0 where there is none.
pid_t program_of(pid_t recorder) {
    const std::string id = std::to_string(recorder);
    std::ifstream children("/proc/" + id + "/task/" + id + "/children");
    pid_t child = 0;
    children >> child;
    return child;
}

enum class How { recorder, library_alone };

RunResult run_once(How how, const std::string& trace, const Counts& counts,
                   const std::function<void(pid_t)>& when_started) {
    RunOptions options;
    options.when_started = when_started;
    if (how == How::recorder) {
        return run_cowscope({"record", "--quiet", "-o", trace, "--", kProgram, counts.path()},
                            options);
    }
    options.environment = {"LD_PRELOAD=" + kShim, "COWSCOPE_OUTPUT=" + trace};
    return run_program({kProgram, counts.path()}, options);
}

uint64_t length_of_run(How how, Counts* counts) {
    std::vector<uint64_t> lengths;
    for (int i = 0; i < 5; ++i) {
        const TemporaryFolder folder;
        const uint64_t start = now_ns();
        CHECK(run_once(how, folder / "t.cow", *counts, nullptr).status() == writer::kStatus);
        lengths.push_back(now_ns() - start);
        CHECK(counts->all() == kAllWrites);
    }
    std::sort(lengths.begin(), lengths.end());
    return lengths[lengths.size() / 2];
}

// Whether anybody got as far as to say who it is.
bool has_record(const std::string& trace) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(trace, ignored)) {
        if (entry.path().extension() == ".cowseg" && fs::file_size(entry.path(), ignored) != 0) {
            return true;
        }
    }
    return false;
}

void kill_victim(How how, uint64_t victim, pid_t started) {
    if (victim == 0) {
        kill(-started, SIGKILL);  // and all children
    } else if (victim == 1 || how == How::library_alone) {
        kill(started, SIGKILL);
    } else if (const pid_t program = program_of(started)) {
        kill(program, SIGKILL);
    }
}

// What is reported of one process is possible, and all that it had written is there.
void check_process(const Json& report, const Json& process, const Counts& counts) {
    const int pid = process["pid"].get<int>();
    const auto copied = process["copied_pages"].get<uint64_t>();
    CAPTURE(process.dump(1), report["notes"].dump(1));
    CHECK(copied <= writer::kPages + kOtherCopies);
    CHECK(process["fresh_pages"] <= kHugePage + kOtherCopies);
    CHECK(process["lost_events"] == 0);
    if (process["role"] != "fork") return;
    // The other child, or the parent, may have gone before: a page that nobody shares is no copy.
    const auto first_writes = copied + process["reused_pages"].get<uint64_t>();
    // Later ones nobody looks at.
    if (process["alone_ns"].is_null()) CHECK(first_writes >= counts.written_by(pid));
    CHECK(copied <= counts.written_by(pid) + 1 + kOtherCopies);
    // The recorder may know how it ended; what is missing is said all the same.
    if (process["census"] != "final") {
        CHECK_FALSE(find_note(report, {"process " + std::to_string(pid)}).empty());
    }
}

// Returns whether there was a report.
bool check_trace(const std::string& trace, const RunResult& reported, const Counts& counts) {
    CAPTURE(reported.err);
    if (reported.status() != 0) {
        check_refusal(reported);
        CHECK_FALSE(has_record(trace));
        // Who writes has its segment.
        CHECK(counts.all() == 0);
        return false;
    }
    const Json report = Json::parse(reported.out, nullptr, false);
    REQUIRE_FALSE(report.is_discarded());
    check_consistent(report);
    uint32_t reported_writes = 0;
    for (const Json& process : report["processes"]) {
        check_process(report, process, counts);
        if (process["role"] == "fork") {
            reported_writes += counts.written_by(process["pid"].get<int>());
        }
    }
    CHECK(reported_writes == counts.all());
    return true;
}

}  // namespace

TEST_CASE("a run that is killed at any moment leaves a trace that can be read", "[killed]") {
    const How how = GENERATE(How::recorder, How::library_alone);
    constexpr uint32_t kSeed = 20261123;
    std::mt19937 random(kSeed);
    const TemporaryFolder folder;
    CAPTURE(how == How::recorder, kSeed);
    int in_the_middle = 0;
    int reports = 0;
    // One trace is read while the next is written.
    Counts counts[2] = {Counts(folder / "counts0"), Counts(folder / "counts1")};
    const uint64_t length_ns = length_of_run(how, &counts[0]);
    CAPTURE(length_ns);
    struct Kill {
        uint64_t delay_ns;
        uint64_t victim;
        std::string trace;
        std::future<RunResult> reported;
    } kills[2];
    const auto check_last = [&](int i) {
        Kill& last = kills[i % 2];
        CAPTURE(i, last.delay_ns, last.victim);
        reports += check_trace(last.trace, last.reported.get(), counts[i % 2]) ? 1 : 0;
        fs::remove_all(last.trace);
    };
    for (int i = 0; i < kKills; ++i) {
        Kill& now = kills[i % 2];
        Counts& written = counts[i % 2];
        now.delay_ns = std::uniform_int_distribution<uint64_t>(0, length_ns)(random);
        now.victim = random() % 3;
        now.trace = folder / ("t" + std::to_string(i) + ".cow");
        written.clear();
        run_once(how, now.trace, written, [&](pid_t started) {
            wait_ns(now.delay_ns);
            kill_victim(how, now.victim, started);
        });
        if (written.all() != 0 && written.all() < kAllWrites) ++in_the_middle;
        now.reported = std::async(std::launch::async, run_cowscope,
                                  Words{"report", now.trace, "--format", "json"}, RunOptions{});
        if (i != 0) check_last(i - 1);
    }
    check_last(kKills - 1);
    CAPTURE(in_the_middle, reports);
    // Else nothing was proved.
    CHECK(in_the_middle >= kKills / 20);
    CHECK(reports >= kKills / 4);
}
