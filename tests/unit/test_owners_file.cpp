// What the recorder writes of a look at a program's objects, and what reports read of it.
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "attribute/owner_index.h"
#include "base/error.h"
#include "observe/owners_file.h"
#include "runtime/heap/owner_cursor.h"
#include "tests/catch.h"
#include "tests/unit/outside_fixture.h"
#include "tests/unit/temporary_folder.h"
#include "trace/heap_owners.h"

using namespace cowscope;
using namespace cowscope::observe;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kStart = 0x7f1234560000;

// Sizes of values: all the same, or without a pattern.
enum class Sizes { equal, irregular };

// A dict whose keys and values alternate, and a list far away.
runtime::WalkResult walk_of_dict(unsigned entries, Sizes sizes = Sizes::equal) {
    std::minstd_rand random(1);
    runtime::WalkResult walk;
    const runtime::PathId main = walk.labels.root("__main__");
    const runtime::PathId map = walk.labels.branch(main, ".map", ".…");
    const runtime::LabelId keys = walk.labels.label(map, runtime::Part::dict_keys);
    const runtime::LabelId values = walk.labels.label(map, runtime::Part::dict_values);
    const runtime::LabelId unused = walk.labels.label(main, runtime::Part::functions);
    const runtime::LabelId table = walk.labels.label(map, runtime::Part::dict_table);
    for (uint64_t i = 0; i < entries; ++i) {
        walk.map.set(kStart + i * 128, 64, keys);
        const uint64_t bytes = sizes == Sizes::equal ? 48 : 16 * (1 + random() % 4);
        walk.map.set(kStart + i * 128 + 64, bytes, values);
    }
    walk.map.set(kStart + (uint64_t{1} << 40), uint64_t{1} << 36, table);
    walk.statistics.resize(walk.labels.size());
    walk.statistics[values] = {entries, entries, 100, 30};
    walk.objects = 2 * entries;
    walk.cut = runtime::kCutEdges;
    (void)unused;
    return walk;
}

std::string name_at(const trace::Owners& owners, uint64_t address) {
    const uint32_t id = owners.find(address);
    return id == 0 ? "" : owners.owners.at(id - 1).name;
}

void check_dict_start(const trace::Owners& owners) {
    CHECK(name_at(owners, kStart) == "__main__.map (dict keys)");
    CHECK(name_at(owners, kStart + 63) == "__main__.map (dict keys)");
    CHECK(name_at(owners, kStart + 64) == "__main__.map (dict values)");
}

void check_dict(const trace::Owners& owners) {
    check_dict_start(owners);
    CHECK(name_at(owners, kStart + 128 * 9999 + 111) == "__main__.map (dict values)");
    CHECK(name_at(owners, kStart + 128 * 9999 + 112).empty());
    CHECK(name_at(owners, kStart - 1).empty());
    CHECK(name_at(owners, 0).empty());
    CHECK(name_at(owners, ~uint64_t{0}).empty());
    CHECK(name_at(owners, kStart + (uint64_t{1} << 40) + (uint64_t{1} << 35)) ==
          "__main__.map (dict table)");
}

const OwnersLook kLook = {7, 77, 1000, 2000, 11};

}  // namespace

TEST_CASE("owners come back as they were written", "[owners]") {
    const TemporaryFolder folder;
    const std::string path = folder / "owners-7-77-1000.cowown";
    REQUIRE(write_owners(path, kLook, walk_of_dict(10'000)) == 0);
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    // One dict's keys and values are one pattern.
    CHECK(status.st_size < 1000);

    const trace::Owners owners = trace::read_owners(path);
    CHECK_FALSE(owners.damage);
    CHECK(owners.pid == 7);
    CHECK(owners.created_ns == 77);
    REQUIRE(owners.look);
    CHECK(owners.look->start_ns == 1000);
    CHECK(owners.look->end_ns == 2000);
    CHECK(owners.look->objects == 20'000);
    CHECK(owners.look->python_minor == 11);
    CHECK(owners.look->cut == trace::kCutEdges);
    // Who owns nothing is not there.
    REQUIRE(owners.owners.size() == 3);
    check_dict(owners);
    const trace::Owner& values = owners.owners.at(owners.find(kStart + 64) - 1);
    CHECK(values.objects == 10'000);
    CHECK(values.strs == 10'000);
    CHECK(values.sampled == 100);
    CHECK(values.distinct == 30);
}

TEST_CASE("owners of memory with and without patterns are found at every address", "[owners]") {
    const auto seed = GENERATE(range(1u, 41u));
    std::minstd_rand random(seed);
    const auto below = [&](uint64_t limit) { return uint64_t{random()} % limit; };
    runtime::WalkResult walk;
    std::vector<runtime::LabelId> labels;
    const runtime::PathId main = walk.labels.root("__main__");
    for (const std::string name : {".a", ".b", ".c"}) {
        const runtime::PathId path = walk.labels.branch(main, name, ".…");
        labels.push_back(walk.labels.label(path, runtime::Part::dict_values));
    }
    walk.statistics.resize(walk.labels.size());
    uint64_t at = kStart;
    for (int piece = 0; piece < 30; ++piece) {
        // One to nine ranges, with gaps or without, once or again and again, maybe cut short.
        struct Range {
            uint64_t gap;
            uint64_t bytes;
            runtime::LabelId owner;
        };
        std::vector<Range> pattern;
        for (uint64_t i = 0, count = 1 + below(9); i < count; ++i) {
            pattern.push_back({16 * below(3), 16 * (1 + below(5)), labels[below(3)]});
        }
        const uint64_t ranges = below(2) == 0 ? pattern.size() : below(60);
        for (uint64_t i = 0; i < ranges; ++i) {
            const Range& range = pattern[i % pattern.size()];
            at += range.gap;
            walk.map.set(at, range.bytes, range.owner);
            at += range.bytes;
        }
        if (below(4) == 0) at += uint64_t{1} << (12 + below(30));
    }
    const TemporaryFolder folder;
    const std::string path = folder / "owners-7-77-1000.cowown";
    REQUIRE(write_owners(path, kLook, walk) == 0);
    const trace::Owners owners = trace::read_owners(path);
    CHECK_FALSE(owners.damage);
    const auto told = [&](uint64_t address) {
        const runtime::LabelId owner = walk.map.at(address);
        return owner == 0 ? std::string() : walk.labels.name(owner);
    };
    uint64_t ranges = 0;
    uint64_t end = 0;  // of the range before
    runtime::OwnerCursor cursor(walk.map);
    for (runtime::OwnerCursor::Range range; cursor.next(&range);) {
        const uint64_t start = range.start;
        const uint64_t stop = range.end;
        ++ranges;
        for (uint64_t each = start; each < stop; each += 16) {
            if (name_at(owners, each) != told(each)) FAIL("at " << each - kStart);
        }
        if (end != start && !name_at(owners, start - 16).empty()) FAIL("before " << start - kStart);
        if (end != start && !name_at(owners, end).empty()) FAIL("behind " << end - kStart);
        // The page of the range has the same owners as its addresses.
        const uint64_t page = start & ~(trace::kPageBytes - 1);
        std::set<std::string> on_page;
        std::set<std::string> expected;
        owners.for_each_on_page(page,
                                [&](uint32_t id) { on_page.insert(owners.owners[id - 1].name); });
        for (uint64_t each = page; each < page + trace::kPageBytes; each += 16) {
            if (!told(each).empty()) expected.insert(told(each));
        }
        if (on_page != expected) FAIL("on the page at " << page - kStart);
        end = stop;
    }
    CHECK(owners.ranges.size() == ranges);
}

TEST_CASE("more objects than any reader could hold one by one are found by their pattern",
          "[owners]") {
    // Two objects, 40 million times.
    constexpr uint64_t kTimes = 40'000'000;
    constexpr uint64_t kFar = kStart + (uint64_t{1} << 50);
    std::string packed = {0, 4 << 2 | 2, 1, 0, 3 << 2 | 2, 2, 2};
    for (uint64_t number = (kTimes - 1) << 2 | 3; number != 0; number >>= 7) {
        packed.push_back(static_cast<char>((number & 0x7f) | (number > 0x7f ? 0x80 : 0)));
    }
    trace::RangesRecord record{};
    record.start = kFar;
    record.count = 2 * kTimes;
    record.packed_bytes = static_cast<uint32_t>(packed.size());
    packed.resize((packed.size() + 7) / 8 * 8);
    record.header = {static_cast<uint32_t>(sizeof(record) + packed.size()), trace::kRangesRecord,
                     0};
    std::string content = pack_owners(kLook, walk_of_dict(2));
    content.append(reinterpret_cast<const char*>(&record), sizeof(record));
    content.append(packed);
    const uint64_t bytes = content.size();
    std::memcpy(content.data() + offsetof(trace::SegmentHeader, committed_bytes), &bytes,
                sizeof(bytes));
    const TemporaryFolder folder;
    const std::string path = folder / "owners-7-77-1000.cowown";
    std::ofstream(path, std::ios::binary) << content;
    const trace::Owners owners = trace::read_owners(path);
    CHECK(owners.damage.value_or("") == "");
    CHECK(owners.find(kFar) == 1);
    CHECK(owners.find(kFar + 7 * 16 * (kTimes - 1) + 64) == 2);
    CHECK(owners.find(kFar + 7 * 16 * kTimes) == 0);
}

TEST_CASE("of more ranges than readers take some are kept, and the look says so", "[owners]") {
    const TemporaryFolder folder;
    const std::string path = folder / "owners-7-77-1000.cowown";
    const runtime::WalkResult walk = walk_of_dict(60'000, Sizes::irregular);
    std::ofstream(path, std::ios::binary) << pack_owners(kLook, walk, 50'000);
    const trace::Owners owners = trace::read_owners(path);
    CHECK_FALSE(owners.damage);
    REQUIRE(owners.look);
    CHECK((owners.look->cut & trace::kCutMemory) != 0);
    CHECK(owners.ranges.kept() == 50'000);
    check_dict_start(owners);
    std::ofstream(path, std::ios::binary) << pack_owners(kLook, walk);
    CHECK((trace::read_owners(path).look->cut & trace::kCutMemory) == 0);
}

TEST_CASE("owners torn at any length give what is whole, or an error", "[owners]") {
    const TemporaryFolder folder;
    const std::string path = folder / "owners-7-77-1000.cowown";
    REQUIRE(write_owners(path, kLook, walk_of_dict(60'000, Sizes::irregular)) == 0);
    const uint64_t whole = fs::file_size(path);
    REQUIRE(whole > 2 * trace::kMaxRecordBytes);
    for (uint64_t length = whole; length > 0; length -= std::min<uint64_t>(length, 5000)) {
        fs::resize_file(path, length - 1);
        try {
            const trace::Owners torn = trace::read_owners(path);
            CHECK(torn.damage);
            if (torn.find(kStart) != 0) {
                CHECK(name_at(torn, kStart) == "__main__.map (dict keys)");
            }
        } catch (const Error& error) {
            CHECK(std::string(error.what()).find(path) == 0);
        }
    }
}

TEST_CASE("any byte of the owners may be wrong", "[owners]") {
    const TemporaryFolder folder;
    const std::string path = folder / "owners-7-77-1000.cowown";
    const auto sizes = GENERATE(Sizes::equal, Sizes::irregular);
    const std::string good = pack_owners(kLook, walk_of_dict(100, sizes));
    for (size_t at = 0; at < good.size(); ++at) {
        for (const char value : {'\0', '\x01', '\x7f', '\x80', '\xff'}) {
            std::string bad = good;
            bad[at] = value;
            std::ofstream(path, std::ios::binary) << bad;
            try {
                const trace::Owners owners = trace::read_owners(path);
                // Repetitions are counted, not kept: a wrong number may claim thousands of
                // millions.
                if (owners.ranges.size() > 1'000'000) continue;
                bool is_sound = true;
                uint64_t end = 0;
                owners.ranges.for_each_in(
                    0, ~uint64_t{0}, [&](uint64_t start, uint64_t length, uint32_t owner) {
                        is_sound = is_sound && owner != 0 && owner <= owners.owners.size() &&
                                   start >= end && owners.ranges.find(start) == owner;
                        end = start + length;
                    });
                if (!is_sound) FAIL("byte " << at << " = " << int{value});
            } catch (const Error&) {
            }
        }
    }
}

TEST_CASE("a child's objects are those that its parent had", "[owners]") {
    const TemporaryFolder folder;
    trace::Trace trace;
    const auto add_process = [&](uint32_t pid, uint32_t parent, uint64_t start_ns) {
        trace::ProcessTrace process;
        process.header.pid = pid;
        process.header.created_ns = start_ns;
        process.process.parent_pid = parent;
        for (const trace::ProcessTrace& each : trace.processes) {
            if (each.pid() == parent) process.process.parent_created_ns = each.header.created_ns;
        }
        process.process.start_ns = start_ns;
        process.process.role = parent == 0 ? trace::Role::image : trace::Role::fork;
        trace::Epoch epoch;
        epoch.number = parent == 0 ? 1 : 0;
        epoch.start_ns = start_ns + 10;
        process.epochs.push_back(epoch);
        trace.processes.push_back(process);
        trace::find_parents(&trace);
    };
    const auto add_look = [&](uint32_t pid, uint64_t created_ns, uint64_t start_ns,
                              const std::string& name) {
        trace::Owners look;
        look.pid = pid;
        look.created_ns = created_ns;
        look.look.emplace();
        look.look->start_ns = start_ns;
        look.owners.push_back({name, 1, 0, 0, 0});
        REQUIRE(look.ranges.append(kStart / trace::kRangeUnit, 4, 1));
        trace.owners.push_back(std::move(look));
    };
    add_process(1, 0, 100);
    add_process(2, 1, 1000);  // forked by 1
    add_process(3, 2, 5000);  // forked by 2, which nobody looked at
    add_process(4, 1, 9000);  // forked by 1 later
    add_look(1, 100, 1010, "early");
    add_look(1, 100, 8990, "late");
    add_look(1, 99, 1000, "another process of that id");
    attribute::OwnerIndex index(trace);
    const auto owner = [&](size_t process, uint64_t address = kStart) {
        const attribute::OwnerId id = index.find(process, 0, address);
        return id == 0 ? std::string() : index.owner(id).name;
    };
    CHECK(owner(0) == "early");
    CHECK(owner(1) == "early");
    CHECK(owner(2) == "early");
    CHECK(owner(3) == "late");
    CHECK(owner(3, kStart + 64).empty());
    CHECK(attribute::OwnerIndex(trace::Trace{}).is_empty());
}
