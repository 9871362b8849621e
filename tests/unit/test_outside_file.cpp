// What the recorder writes of its looks from outside, and what reports make of that.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "attribute/timeline.h"
#include "base/error.h"
#include "observe/outside_file.h"
#include "tests/catch.h"
#include "tests/unit/outside_fixture.h"
#include "tests/unit/temporary_folder.h"
#include "trace/outside.h"
#include "trace/trace.h"

using namespace cowscope;
using namespace cowscope::observe;
namespace fs = std::filesystem;

namespace {

trace::OutsideSample sample_at(uint64_t time_ns, uint64_t copied = 0, uint32_t epoch = 0) {
    return {time_ns, copied, 5, epoch, 0};
}

int write_at_time(const std::string& path, uint64_t time_ns, const trace::PageSet& copied,
                  uint32_t epoch = 0) {
    Samples samples;
    const auto sample = sample_at(time_ns, copied.pages(), epoch);
    samples.add(sample);
    std::string scratch;
    return write_outside(path, 7, 77, samples, sample, copied, {}, &scratch);
}

}  // namespace

TEST_CASE("samples are thinned out evenly and keep the last one", "[outside]") {
    Samples samples;
    CHECK(samples.all().empty());
    for (uint64_t i = 1; i <= 5000; ++i) {
        samples.add(sample_at(i));
        const auto all = samples.all();
        if (all.empty() || all.size() > trace::kMaxOutsideSamples || all.front().time_ns != 1 ||
            all.back().time_ns != i) {
            FAIL("after " << i << ": " << all.size());
        }
    }
    const auto all = samples.all();
    CHECK(all.size() > trace::kMaxOutsideSamples / 3);
    const uint64_t step = all[1].time_ns - all[0].time_ns;
    bool even = true;
    for (size_t i = 1; i + 1 < all.size(); ++i) {
        even = even && all[i].time_ns - all[i - 1].time_ns == step;
    }
    CHECK(even);
}

TEST_CASE("what was seen from outside comes back as it was written", "[outside]") {
    const TemporaryFolder folder;
    const std::string path = folder / "outside-7-77.cowscan";
    CHECK(trace::outside_path_of(folder.path(), folder / "others/process-7-77.cowseg") == path);
    CHECK_FALSE(trace::read_outside(path));
    // More than fit into one record.
    std::vector<PageRun> runs;
    for (uint64_t i = 0; i < 10'000; ++i) runs.push_back({0x7f0000000000 + i * 2 * kPage, 1});
    REQUIRE(write_at_time(path, 1000, pages_of(runs), 3) == 0);
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);

    const auto before = trace::read_outside(path);
    REQUIRE(before);
    CHECK_FALSE(before->damage);
    CHECK_FALSE(before->fate);
    REQUIRE(before->samples.size() == 1);
    CHECK(before->samples[0].copied_pages == 10'000);
    REQUIRE(before->census);
    CHECK(before->census->time_ns == 1000);
    CHECK(before->census->epoch == 3);
    CHECK(before->census->fresh_pages == 5);
    CHECK(runs_of(before->census->copied) == runs_of(pages_of(runs)));

    trace::FateRecord fate{};
    fate.gone_ns = 2000;
    fate.kind = trace::EndKind::signal;
    fate.value = 9;
    REQUIRE(append_fate(path, 7, 77, fate) == 0);
    const auto after = trace::read_outside(path);
    REQUIRE(after);
    CHECK(after->census->copied.pages() == 10'000);
    REQUIRE(after->knows_end());
    CHECK(after->fate->gone_ns == 2000);
    CHECK(after->fate->value == 9);

    SECTION("a fate stands alone as well") {
        fs::remove(path);
        REQUIRE(append_fate(path, 7, 77, fate) == 0);
        const auto alone = trace::read_outside(path);
        REQUIRE(alone);
        CHECK_FALSE(alone->census);
        CHECK(alone->knows_end());
    }
    SECTION("torn at any length it gives what is whole, or an error") {
        const uint64_t whole = fs::file_size(path);
        for (uint64_t length = whole; length > 0; length -= std::min<uint64_t>(length, 1000)) {
            fs::resize_file(path, length - 1);
            try {
                const auto torn = trace::read_outside(path);
                REQUIRE(torn);
                CHECK(torn->damage);
                if (torn->census) CHECK(torn->census->copied.pages() == 10'000);
            } catch (const Error& error) {
                CHECK(std::string(error.what()).find(path) == 0);
            }
        }
    }
    SECTION("any byte may be wrong") {
        std::string good;
        {
            std::ifstream file(path, std::ios::binary);
            good.assign(std::istreambuf_iterator<char>(file), {});
        }
        for (size_t at = 0; at < 400; ++at) {
            for (const char value : {'\0', '\x7f', '\xff'}) {
                std::string bad = good;
                bad[at] = value;
                std::ofstream(path, std::ios::binary) << bad;
                try {
                    const auto read = trace::read_outside(path);
                    REQUIRE(read);
                    CHECK(read->samples.size() <= trace::kMaxOutsideSamples);
                } catch (const Error&) {
                }
            }
        }
    }
}

TEST_CASE("a census from outside stands where the process took no later one", "[outside]") {
    const TemporaryFolder folder;
    const std::string path = folder / "process-7-77.cowseg";
    const std::string outside = folder / "outside-7-77.cowscan";
    constexpr uint64_t kStart = 0x7f0000000000;
    Segment segment(path, 7);
    segment.protect(0);
    segment.inherited(0, {{kStart, 100}});
    REQUIRE(write_at_time(outside, 1000, pages_of({{kStart, 10}})) == 0);
    const auto load = [&] { return trace::load(folder.path()).processes.at(0); };
    const auto copied = [&] { return load().epochs.at(0).copied.pages(); };

    SECTION("none at all") {
        const auto process = load();
        CHECK(process.epochs[0].census == trace::CensusKind::outside);
        CHECK(process.epochs[0].was_protected);
        CHECK(process.epochs[0].fresh_pages == 5);
        CHECK(copied() == 10);
    }
    SECTION("ranges that were given up before") {
        segment.census(0, trace::CensusKind::discarded, 500, {{kStart + 50 * kPage, 5}});
        CHECK(copied() == 15);
    }
    SECTION("its own final census") {
        segment.census(0, trace::CensusKind::final, 900, {{kStart, 20}});
        segment.end(1100);
        const auto process = load();
        CHECK(process.epochs[0].census == trace::CensusKind::final);
        CHECK(copied() == 20);
        CHECK(process.outside->samples.size() == 1);
    }
    SECTION("nobody shared its pages any more, though it lived on") {
        segment.census(0, trace::CensusKind::alone, 900, {{kStart, 20}});
        CHECK(load().epochs[0].census == trace::CensusKind::alone);
        CHECK(copied() == 20);
        CHECK(trace::has_last_census(load()));
    }
    SECTION("an exec that failed, and life after it") {
        segment.census(0, trace::CensusKind::final, 500, {{kStart, 2}});
        segment.end(600, trace::EndKind::exec);
        CHECK(load().epochs[0].census == trace::CensusKind::outside);
        CHECK(copied() == 10);
    }
    SECTION("one of a generation that is not there") {
        REQUIRE(write_at_time(outside, 1000, pages_of({{kStart, 10}}), 8) == 0);
        CHECK_FALSE(load().epochs[0].census);
    }
    SECTION("rubbish is said and left out") {
        std::ofstream(outside) << "rubbish";
        const trace::Trace trace = trace::load(folder.path());
        REQUIRE(trace.damage.size() == 1);
        CHECK(trace.damage[0].find("outside-7-77.cowscan") != std::string::npos);
        CHECK_FALSE(trace.processes[0].epochs[0].census);
    }
}

TEST_CASE("a timeline never falls and ends at the copies", "[outside]") {
    trace::ProcessTrace process;
    process.last_time_ns = 10'000;
    for (const uint32_t number : {0u, 1u}) {
        trace::Epoch epoch;
        epoch.number = number;
        REQUIRE(epoch.copied.append({0x1000, 100}));
        process.epochs.push_back(epoch);
    }
    attribute::Copies copies;
    CHECK(attribute::timeline_of(process, copies, 1000).empty());
    copies.copied_pages = 200;
    process.outside.emplace();
    // The second epoch counts on from the first; what fell was given up.
    for (const auto& sample :
         {sample_at(500, 1), sample_at(2000, 40), sample_at(3000, 30), sample_at(5000, 60, 1),
          sample_at(6000, 900, 1), sample_at(7000, 5, 77)}) {
        process.outside->samples.push_back(sample);
    }
    const auto points = attribute::timeline_of(process, copies, 1000);
    std::vector<std::pair<uint64_t, uint64_t>> found;
    for (const auto& point : points) found.emplace_back(point.time_ns, point.copied_pages);
    CHECK(found ==
          decltype(found){{0, 1}, {1000, 40}, {2000, 40}, {4000, 160}, {5000, 200}, {9000, 200}});

    for (uint64_t i = 0; i < 100'000; ++i) copies.copy_times.push_back({1000 + i, 1});
    while (process.outside->samples.size() < trace::kMaxOutsideSamples) {
        process.outside->samples.push_back(sample_at(8000, 60, 1));
    }
    const auto many = attribute::timeline_of(process, copies, 1000);
    CHECK(many.size() <= attribute::kMaxTimelinePoints);
    CHECK(many.back().copied_pages == 200);
    CHECK(std::is_sorted(many.begin(), many.end(), [](const auto& a, const auto& b) {
        return a.time_ns < b.time_ns || a.copied_pages < b.copied_pages;
    }));
}
