// Real traces, damaged: torn, of another version, with wrong bytes. A report with a notice or one
// clear line, and never a crash.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "preload/format/trace_format.h"
#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/truth.h"

using namespace cowscope::e2e;
namespace fs = std::filesystem;
namespace format = cowscope::trace;

namespace {

struct Segment {
    std::string name;
    std::string bytes;

    format::SegmentHeader header() const {
        format::SegmentHeader header;
        std::memcpy(&header, bytes.data(), sizeof(header));
        return header;
    }
};

void write_file(const std::string& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    REQUIRE(file.good());
}

// The system's libraries get paths of the same length that do not exist: reading their symbols
// would take most of the time of a report.
std::string without_libraries(std::string bytes) {
    const std::string folder = "/usr/lib/";
    const std::string nowhere = "/nowhere/";
    for (size_t at = bytes.find(folder); at != std::string::npos; at = bytes.find(folder, at)) {
        bytes.replace(at, folder.size(), nowhere);
    }
    return bytes;
}

// A trace of one parent and one child that can be restored after every damage.
class Sample {
  public:
    explicit Sample(const Words& program) {
        const RunResult run = record_successfully(path(), program);
        for (const auto& entry : fs::directory_iterator(path())) {
            if (entry.path().extension() != format::kSegmentSuffix) continue;
            segments_.push_back(
                {entry.path().filename().string(), without_libraries(read_file(entry.path()))});
        }
        restore();
        std::sort(segments_.begin(), segments_.end(), [](const Segment& a, const Segment& b) {
            return a.header().created_ns < b.header().created_ns;
        });
        REQUIRE(segments_.size() == 2);
    }

    std::string path() const { return folder_ / "t.cow"; }
    const Segment& root() const { return segments_[0]; }
    const Segment& child() const { return segments_[1]; }
    const std::vector<Segment>& segments() const { return segments_; }

    void set(const Segment& segment, const std::string& bytes) const {
        write_file(path() + "/" + segment.name, bytes);
    }
    void restore() const {
        for (const Segment& segment : segments_) set(segment, segment.bytes);
    }

  private:
    TemporaryFolder folder_;
    std::vector<Segment> segments_;
};

// The file offset of each record of a kind, from `cowscope dump`; "" for every kind.
std::vector<uint64_t> offsets_of(const std::string& dump, uint32_t pid, const std::string& kind) {
    std::vector<uint64_t> offsets;
    std::istringstream lines(dump);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string first;
        std::string offset;
        std::string name;
        words >> first >> offset >> name;
        if (first != std::to_string(pid) || (!kind.empty() && name != kind)) continue;
        offsets.push_back(std::stoull(offset));
    }
    return offsets;
}

std::string dump_of(const Sample& sample) {
    const RunResult result = run_cowscope({"dump", sample.path()});
    CAPTURE(result.err);
    REQUIRE(result.status() == 0);
    return result.out;
}

constexpr long kMostRssKb = 512 * 1024;

// The page goes through each page of each process.
void check_page_bears_damage(const Sample& sample, int report_status) {
    const RunResult page = run_cowscope({"html", sample.path(), "-o", "-"});
    CAPTURE(page.err);
    CHECK_FALSE(page.timed_out);
    CHECK(page.max_rss_kb < kMostRssKb);
    REQUIRE(page.status() == report_status);
    if (report_status == 2) {
        check_refusal(page);
    } else {
        CHECK(page.err.empty());
        CHECK(contains(page.out, "</html>"));
    }
}

// Whatever the damage: a report, or one line with the name of a segment.
void check_bears_damage(const Sample& sample, bool as_json) {
    const RunResult result = as_json ? run_cowscope({"report", sample.path(), "--format", "json"})
                                     : run_cowscope({"report", sample.path(), "--by", "process"});
    CAPTURE(result.err);
    CHECK_FALSE(result.timed_out);
    CHECK(result.max_rss_kb < kMostRssKb);
    if (!as_json) check_page_bears_damage(sample, result.status());
    if (result.status() == 2) {
        check_refusal(result);
        CHECK(contains(result.err, format::kSegmentSuffix));
        return;
    }
    REQUIRE(result.status() == 0);
    CHECK(result.err.empty());
    CHECK_FALSE(result.out.empty());
    if (!as_json) return;
    const Json report = Json::parse(result.out, nullptr, false);
    REQUIRE_FALSE(report.is_discarded());
    REQUIRE(report["totals"]["explained"].is_number());
    CHECK(report["totals"]["explained"] >= 0.0);
    CHECK(report["totals"]["explained"] <= 1.0);
    for (const Json& cause : report["causes"]) CHECK(cause["share"].is_number());
}

void check_dump_bears_damage(const Sample& sample) {
    const RunResult dump = run_cowscope({"dump", sample.path()});
    CHECK_FALSE(dump.timed_out);
    CHECK(dump.max_rss_kb < kMostRssKb);
    CHECK((dump.status() == 0 || dump.status() == 2));
}

template <typename Number>
void put(std::string* bytes, size_t offset, Number value) {
    if (offset + sizeof(value) > bytes->size()) return;
    std::memcpy(bytes->data() + offset, &value, sizeof(value));
}

}  // namespace

TEST_CASE("a torn segment is reported up to where it is torn", "[damage]") {
    const Sample sample({kStringMap, "--entries", "20000", "--children", "1"});
    const format::SegmentHeader header = sample.child().header();
    const Json whole = report_json(sample.path());
    const auto whole_witnessed =
        find_process(whole, static_cast<int>(header.pid))["witnessed_pages"].get<uint64_t>();
    REQUIRE(whole_witnessed > 500);
    const std::vector<uint64_t> events = offsets_of(dump_of(sample), header.pid, "event");
    REQUIRE(events.size() >= whole_witnessed);

    // The end stands behind the last census.
    const std::vector<uint64_t> ends = offsets_of(dump_of(sample), header.pid, "end");
    REQUIRE_FALSE(ends.empty());

    std::mt19937_64 random(5);
    uint64_t reported = 0;
    for (int round = 0; round < 40; ++round) {
        const uint64_t cut = random() % header.committed_bytes;
        CAPTURE(round, cut, header.committed_bytes);
        sample.restore();
        sample.set(sample.child(), sample.child().bytes.substr(0, cut));

        const Json report = report_json(sample.path());
        CHECK_FALSE(find_note(report, {"damaged", sample.child().name}).empty());
        check_consistent(report);
        CHECK(processes_of(report, "root").size() == 1);
        const Json child = find_process(report, static_cast<int>(header.pid));
        if (child.is_null()) continue;
        ++reported;
        uint64_t left = 0;
        for (const uint64_t offset : events) {
            left += offset + sizeof(format::EventRecord) <= cut ? 1 : 0;
        }
        CHECK(offsets_of(dump_of(sample), header.pid, "event").size() == left);
        CHECK(child["witnessed_pages"] <= left);
        // Some events fall on pages that were not inherited, or are reads.
        CHECK(child["witnessed_pages"].get<uint64_t>() + events.size() - whole_witnessed >= left);
        const bool ended = ends.front() + sizeof(format::EndRecord) <= cut;
        CHECK((child["census"] == "final") == ended);
        CHECK((child["exit"]["kind"] == "exit") == ended);
    }
    CHECK(reported >= 30);
}

TEST_CASE("room that was reserved and never written is no damage", "[damage]") {
    const Sample sample({kStringMap, "--entries", "2000", "--children", "1"});
    const Json whole = report_json(sample.path());
    sample.set(sample.child(),
               sample.child().bytes.substr(0, sample.child().header().committed_bytes));
    CHECK(report_json(sample.path()) == whole);
    sample.set(sample.child(), sample.child().bytes + std::string(5000, '\xff'));
    CHECK(report_json(sample.path()) == whole);
}

TEST_CASE("a trace of which every segment is torn in its header is one line", "[damage]") {
    const Sample sample({kStringMap, "--entries", "300", "--children", "1"});
    for (const size_t bytes : {size_t{0}, size_t{1}, size_t{8}, size_t{63}, size_t{64}}) {
        CAPTURE(bytes);
        for (const Segment& segment : sample.segments()) {
            sample.set(segment, segment.bytes.substr(0, bytes));
        }
        const RunResult result = run_cowscope({"report", sample.path()});
        check_refusal(result);
        CHECK(contains(result.err, format::kSegmentSuffix));
        check_dump_bears_damage(sample);
    }
}

TEST_CASE("a segment of another version says which one", "[damage]") {
    const Sample sample({kStringMap, "--entries", "300", "--children", "1"});
    const auto bumped = [](const Segment& segment) {
        std::string bytes = segment.bytes;
        put(&bytes, offsetof(format::SegmentHeader, version), format::kVersion + 1);
        return bytes;
    };
    const std::string theirs = "version " + std::to_string(format::kVersion + 1);
    const std::string ours = "version " + std::to_string(format::kVersion);

    sample.set(sample.child(), bumped(sample.child()));
    const Json report = report_json(sample.path());
    CHECK_FALSE(find_note(report, {sample.child().name, theirs, ours}).empty());
    CHECK(report["processes"].size() == 1);

    sample.set(sample.root(), bumped(sample.root()));
    const RunResult result = run_cowscope({"report", sample.path()});
    check_refusal(result);
    CHECK(contains(result.err, theirs));
    CHECK(contains(result.err, ours));
    CHECK(contains(result.err, ".cowseg: offset 8"));
}

TEST_CASE("a damaged recording.json costs only what it says", "[damage]") {
    const Sample sample({kStringMap, "--entries", "300", "--children", "1"});
    const Json whole = report_json(sample.path());
    const std::string text =
        GENERATE(std::string(""), "{", "[]", "null", "{\"command\": 7}", "\xff");
    CAPTURE(text);
    write_file(sample.path() + "/recording.json", text);
    const Json report = report_json(sample.path());
    CHECK(report["processes"].size() == whole["processes"].size());
    CHECK(report["totals"] == whole["totals"]);
    CHECK_FALSE(find_note(report, {"recording.json"}).empty());
}

TEST_CASE("impossible values in a record name file, offset and kind", "[damage]") {
    const Sample sample({kStringMap, "--entries", "300", "--children", "1"});
    const uint32_t pid = sample.child().header().pid;
    const std::string dump = dump_of(sample);
    const std::string kind = GENERATE(std::string("inherited"), "site", "event", "census", "stack");
    CAPTURE(kind);
    const std::vector<uint64_t> offsets = offsets_of(dump, pid, kind);
    REQUIRE_FALSE(offsets.empty());
    std::string bytes = sample.child().bytes;
    SECTION("a length that is no multiple of 8") {
        put(&bytes, offsets[0], uint32_t{17});
    }
    SECTION("a length of nothing") {
        put(&bytes, offsets[0], uint32_t{0});
    }
    SECTION("a length beyond every record's") {
        put(&bytes, offsets[0], ~uint32_t{7});
    }
    sample.set(sample.child(), bytes);
    const Json report = report_json(sample.path());
    CHECK_FALSE(find_note(report, {"damaged", sample.child().name,
                                   "offset " + std::to_string(offsets[0]), kind + " record"})
                    .empty());
    CHECK(contains(dump_of(sample), "offset " + std::to_string(offsets[0])));
}

TEST_CASE("wrong bytes anywhere are borne", "[damage]") {
    const Sample sample({kPageWriter, "--pages", "64", "--end", "_exit"});
    std::mt19937_64 random(7);
    constexpr uint32_t kTelling[] = {0, 1, 7, 8, 16, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
    const std::string dump = dump_of(sample);
    constexpr int kRounds = 300;
    for (int round = 0; round < kRounds; ++round) {
        const Segment& segment = sample.segments()[random() % 2];
        const uint64_t committed = segment.header().committed_bytes;
        std::string bytes = segment.bytes;
        if (round % 3 == 0) {
            const uint64_t count = 1 + random() % 8;
            for (uint64_t i = 0; i < count; ++i) {
                bytes[random() % committed] = static_cast<char>(random() & 0xff);
            }
        } else if (round % 3 == 1) {
            // A field of a record, where it hurts.
            const std::vector<uint64_t> offsets = offsets_of(dump, segment.header().pid, "");
            const uint64_t offset = offsets[random() % offsets.size()] + random() % 12 * 4;
            put(&bytes, offset, kTelling[random() % std::size(kTelling)]);
        } else if (random() % 2 == 0) {
            // Records that are missing or there twice.
            const uint64_t from = random() % committed & ~uint64_t{7};
            const uint64_t length = 8 + random() % 256 * 8;
            bytes.erase(from, length);
        } else {
            const uint64_t from = random() % committed & ~uint64_t{7};
            bytes.insert(from, bytes.substr(random() % committed & ~uint64_t{7}, 128));
        }
        CAPTURE(round, segment.name);
        sample.restore();
        sample.set(segment, bytes);
        check_bears_damage(sample, round % 2 == 0);
        check_dump_bears_damage(sample);
    }
}
