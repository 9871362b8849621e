// Who owns which memory, and the names of owners.
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "runtime/cpython/content_samples.h"
#include "runtime/heap/labels.h"
#include "runtime/heap/owner_cursor.h"
#include "runtime/heap/owner_map.h"
#include "tests/catch.h"

using namespace cowscope::cpython;
using namespace cowscope::runtime;

namespace {

constexpr uint64_t kStart = 0x7f1234560000;
constexpr uint64_t kPage = 4096;

using Range = OwnerCursor::Range;

std::vector<Range> ranges_of(const OwnerMap& map) {
    std::vector<Range> ranges;
    OwnerCursor cursor(map);
    for (Range range; cursor.next(&range);) ranges.push_back(range);
    return ranges;
}

}  // namespace

TEST_CASE("memory belongs to who was set first", "[owners]") {
    OwnerMap map;
    CHECK(ranges_of(map).empty());
    map.set(kStart, 64, 1);
    map.set(kStart + 64, 50, 2);
    map.set(kStart + 128, 64, 1);
    map.set(kStart + 130, 200, 3);
    CHECK(map.at(kStart) == 1);
    CHECK(map.at(kStart + 63) == 1);
    CHECK(map.at(kStart + 127) == 2);  // in units of 16 bytes
    CHECK(map.at(kStart - 1) == 0);
    CHECK(ranges_of(map) == std::vector<Range>{{kStart, kStart + 64, 1},
                                               {kStart + 64, kStart + 128, 2},
                                               {kStart + 128, kStart + 192, 1},
                                               {kStart + 192, kStart + 336, 3}});
    CHECK(map.owns(3));
    CHECK_FALSE(map.owns(4));
}

TEST_CASE("large blocks join with what lies around them", "[owners]") {
    OwnerMap map;
    const uint64_t bytes = 10 * kPage;
    map.set(kStart + 100 * kPage + 48, bytes, 7);
    CHECK(map.at(kStart + 100 * kPage + 48) == 7);
    CHECK(ranges_of(map) ==
          std::vector<Range>{{kStart + 100 * kPage + 48, kStart + 100 * kPage + 48 + bytes, 7}});
    // An object within it, that was read at another time.
    map.set(kStart + 105 * kPage + 32, 32, 8);
    const auto ranges = ranges_of(map);
    CHECK(std::find(ranges.begin(), ranges.end(),
                    Range{kStart + 105 * kPage + 32, kStart + 105 * kPage + 64, 8}) !=
          ranges.end());
    CHECK(std::is_sorted(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
        return a.end <= b.start && a.start < b.start;
    }));
    // One that begins with a page is seen to be there.
    map.set(kStart + 200 * kPage, 3 * kPage, 9);
    CHECK(map.at(kStart + 200 * kPage) == 9);
    CHECK(ranges_of(map).back() == Range{kStart + 200 * kPage, kStart + 203 * kPage, 9});
}

TEST_CASE("a map is full by the memory that it takes", "[owners]") {
    constexpr uint64_t kPages = 1000;
    // Enough for as many pages of two owners, and for a few of many.
    OwnerMap map(kPages * 200);
    for (uint64_t page = 0; page < kPages; ++page) {
        map.set(kStart + page * kPage, 64, 1);
        map.set(kStart + page * kPage + 256, 64, 3);
    }
    CHECK_FALSE(map.is_full());
    uint64_t mixed = 0;
    for (; mixed < kPages && !map.is_full(); ++mixed) {
        map.set(kStart + mixed * kPage + 64, 64, 2);
        CHECK(map.at(kStart + mixed * kPage) == 1);
        CHECK(map.at(kStart + mixed * kPage + 64) == 2);
        CHECK(map.at(kStart + mixed * kPage + 128) == 0);
        CHECK(map.at(kStart + mixed * kPage + 256) == 3);
    }
    CHECK(map.is_full());
    CHECK(mixed > kPages / 10);
    CHECK(mixed < kPages);
    // No page more, but those that there are.
    const uint64_t beyond = kStart + 2 * kPages * kPage;
    map.set(beyond, 16, 1);
    CHECK(map.at(beyond) == 0);
    map.set(kStart + 512, 16, 2);
    CHECK(map.at(kStart + 512) == 2);
}

TEST_CASE("pages that lie far from each other are found, and counted with what finds them",
          "[owners]") {
    constexpr uint64_t kFar = 3'000'000 * kPage;
    constexpr uint64_t kPages = 5000;
    OwnerMap map;
    OwnerMap small(kPages * 100);
    for (uint64_t i = 0; i < kPages; ++i) {
        map.set(kStart + i * kFar, 16, static_cast<OwnerMap::Owner>(1 + i % 100));
        small.set(kStart + i * kFar, 16, 1);
    }
    for (uint64_t i = 0; i < kPages; ++i) {
        if (map.at(kStart + i * kFar) != 1 + i % 100) FAIL("page " << i);
        if (map.at(kStart + i * kFar + kPage) != 0) FAIL("behind page " << i);
    }
    CHECK(ranges_of(map).size() == kPages);
    CHECK_FALSE(map.is_full());
    CHECK(small.is_full());
    CHECK(ranges_of(small).size() < kPages / 10);
}

TEST_CASE("ranges come in order whatever was set", "[owners]") {
    std::mt19937_64 random(1);
    for (int round = 0; round < 200; ++round) {
        OwnerMap map;
        for (int i = 0; i < 60; ++i) {
            const uint64_t start = kStart + random() % (40 * kPage);
            const uint64_t bytes = random() % 4 == 0 ? random() % (8 * kPage) : random() % 300;
            map.set(start, bytes, static_cast<OwnerMap::Owner>(1 + random() % 3));
        }
        uint64_t end = 0;
        bool in_order = true;
        for (const Range& range : ranges_of(map)) {
            in_order = in_order && range.start >= end && range.end > range.start;
            end = range.end;
        }
        CHECK(in_order);
    }
}

TEST_CASE("each 16 bytes belong to who was set first there", "[owners]") {
    const unsigned owners = GENERATE(1u, 2u, 3u);
    std::mt19937_64 random(owners);
    OwnerMap map;
    std::map<uint64_t, unsigned> expected;
    for (int i = 0; i < 300; ++i) {
        const uint64_t start = kStart + random() % (4 * kPage) / 16 * 16;
        const uint64_t end = start + 16 * (1 + random() % 90);
        const auto owner = static_cast<OwnerMap::Owner>(1 + random() % owners);
        map.set(start, end - start, owner);
        for (uint64_t at = start; at < end; at += 16) expected.emplace(at, owner);
    }
    std::map<uint64_t, unsigned> told;
    for (const Range& range : ranges_of(map)) {
        for (uint64_t at = range.start; at < range.end; at += 16) told.emplace(at, range.owner);
    }
    CHECK(told == expected);
    for (uint64_t at = kStart; at < kStart + 5 * kPage; at += 16) {
        const auto found = expected.find(at);
        if (map.at(at) != (found == expected.end() ? 0 : found->second)) FAIL("at " << at);
    }
}

TEST_CASE("memory that is taken where it is free is as if it had been looked at and set",
          "[owners]") {
    const bool is_near = GENERATE(false, true);
    std::mt19937_64 random(3);
    OwnerMap map;
    OwnerMap expected;
    OwnerMap::Near near;
    for (int i = 0; i < 15'000; ++i) {
        const uint64_t far = random() % 3 * (uint64_t{1} << 21);
        const uint64_t start = kStart + far + random() % (16 * kPage) / 8 * 8;
        const uint64_t bytes = random() % 20 == 0 ? random() % (3 * kPage) : random() % 100;
        const auto owner = static_cast<OwnerMap::Owner>(random() % 4);
        const uint64_t end = (start + bytes + 15) & ~uint64_t{15};
        const bool is_free = owner != 0 && end > (start & ~uint64_t{15}) && expected.at(start) == 0;
        if (is_free) expected.set(start, bytes, owner);
        const bool was_free = is_near ? map.set_if_free(start, bytes, owner, &near)
                                      : map.set_if_free(start, bytes, owner);
        if (was_free != is_free) FAIL("number " << i);
    }
    CHECK(ranges_of(map) == ranges_of(expected));
    for (OwnerMap::Owner owner = 0; owner < 5; ++owner)
        CHECK(map.owns(owner) == expected.owns(owner));
}

TEST_CASE("owners are named by their path and part", "[owners]") {
    Labels labels;
    const PathId main = labels.root("__main__");
    const PathId store = labels.branch(main, ".STORE", ".…");
    CHECK(labels.branch(main, ".STORE", ".…") == store);
    const PathId users = labels.branch(store, "['users']", "[...]");
    const LabelId items = labels.label(users, Part::list_items);
    CHECK(items != Labels::kNone);
    CHECK(labels.label(users, Part::list_items) == items);
    CHECK(labels.name(items) == "__main__.STORE['users'] (list items)");
    CHECK(labels.name(labels.label(store, Part::itself)) == "__main__.STORE");

    SECTION("branches that are too many share one") {
        std::set<PathId> paths;
        for (int i = 0; i < 1000; ++i) {
            paths.insert(labels.branch(store, "[" + std::to_string(i) + "]", "[...]"));
        }
        CHECK(paths.size() <= 65);
        const PathId other = labels.branch(store, "[777]", "[...]");
        CHECK(labels.text(other) == "__main__.STORE[...]");
        CHECK(labels.branch(store, "['users']", "[...]") == users);
    }
    SECTION("a path that is too long goes on under its name") {
        PathId path = store;
        for (int i = 0; i < 100; ++i) path = labels.branch(path, ".next", ".…");
        CHECK(labels.text(path) == "__main__.STORE.next.next.next.next.next");
        const std::string name(500, 'x');
        CHECK(labels.branch(store, "." + name, ".…") == store);
    }
    SECTION("there is a last name") {
        for (int i = 0; i < 70'000; ++i) {
            const PathId path = labels.branch(labels.root("m" + std::to_string(i)), ".x", ".…");
            CHECK(labels.label(path, Part::itself) != Labels::kNone);
        }
        CHECK(labels.size() <= 65'536);
    }
    SECTION("where names run out, a variable's parts share its own, and nobody has another's") {
        const auto name_of = [&](const std::string& module, int variable, int part) {
            PathId path = labels.branch(labels.root(module), ".v" + std::to_string(variable), ".…");
            path = labels.branch(path, "['" + std::to_string(part) + "']", "[...]");
            return labels.name(labels.label(path, Part::dict_values));
        };
        for (int i = 0; i < 70'000; ++i) {
            const std::string module = "m" + std::to_string(i / 2000);
            const std::string variable = ".v" + std::to_string(i % 2000);
            const PathId path = labels.branch(labels.root(module), variable, ".…");
            const std::string name = labels.name(labels.label(path, Part::dict_values));
            const bool is_own = name.starts_with(module + variable) || name == module + ".…" ||
                                name == "(variables beyond those that have names)";
            if (!is_own) CHECK(name == module + variable);
        }
        CHECK(name_of("late", 1, 1) == "(variables beyond those that have names)");
        CHECK(labels.name(items) == "__main__.STORE['users'] (list items)");
    }
    SECTION("a variable has so many paths, and leaves names to the others") {
        // Nested as far as there are names for it.
        std::vector<PathId> level = {store};
        std::set<PathId> all;
        for (int depth = 0; depth < 5; ++depth) {
            std::vector<PathId> next;
            for (const PathId path : level) {
                for (int i = 0; i < 9; ++i) {
                    next.push_back(labels.branch(path, "['k" + std::to_string(i) + "']", "[...]"));
                    all.insert(next.back());
                    labels.label(next.back(), Part::dict_values);
                }
            }
            level = next;
        }
        CHECK(all.size() <= 2048);
        CHECK(labels.size() < 10'000);
        const PathId rows = labels.branch(labels.branch(main, ".main()", ".…"), ".rows", ".…");
        const LabelId of_rows = labels.label(rows, Part::list_items);
        const LabelId deep = labels.label(level.back(), Part::dict_values);
        const LabelId of_store = labels.label(store, Part::dict_values);
        labels.fold();
        CHECK(labels.name(of_rows) == "__main__.main().rows (list items)");
        CHECK(labels.standing_for(of_rows) == of_rows);
        // A tree of data has one name for its entries.
        CHECK(labels.name(labels.standing_for(deep)) == "__main__.STORE[...]");
        CHECK(labels.standing_for(items) == labels.standing_for(deep));
        CHECK(labels.name(labels.standing_for(of_store)) == "__main__.STORE (dict values)");
    }
    SECTION("what is no tree of data keeps its names") {
        for (int i = 0; i < 60; ++i) {
            const PathId part = labels.branch(store, ".part" + std::to_string(i), ".…");
            for (int j = 0; j < 10; ++j) {
                labels.label(labels.branch(part, "['" + std::to_string(j) + "']", "[...]"),
                             Part::itself);
            }
        }
        const PathId cache = labels.branch(labels.branch(store, ".part7", ".…"), "['3']", "[...]");
        const LabelId label = labels.label(cache, Part::itself);
        labels.fold();
        CHECK(labels.name(labels.standing_for(label)) == "__main__.STORE.part7['3']");
    }
}

TEST_CASE("a sample of contents does not depend on the order", "[owners]") {
    std::vector<uint64_t> addresses;
    for (uint64_t i = 0; i < 100'000; ++i) addresses.push_back(kStart + i * 64);
    const auto sampled = [&] {
        ContentSample sample;
        for (const uint64_t address : addresses) {
            if (sample.wants(address)) sample.add(address, address / 64 % 300);
        }
        return std::make_pair(sample.size(), sample.distinct());
    };
    const auto in_order = sampled();
    std::mt19937_64 random(1);
    std::shuffle(addresses.begin(), addresses.end(), random);
    CHECK(sampled() == in_order);
    CHECK(in_order.first > 1000);
    CHECK(in_order.first <= 2048);
    CHECK(in_order.second > 250);
    CHECK(in_order.second <= 300);
}

TEST_CASE("a sample that expects many is one of those that it would have kept", "[owners]") {
    constexpr uint64_t kObjects = 100'000;
    ContentSample whole;
    ContentSample expecting;
    expecting.expect(kObjects);
    uint64_t asked = 0;
    for (uint64_t i = 0; i < kObjects; ++i) {
        const uint64_t address = kStart + i * 64;
        if (whole.wants(address)) whole.add(address, i % 10);
        if (!expecting.wants(address)) continue;
        ++asked;
        expecting.add(address, i % 10);
    }
    CHECK(expecting.distinct() == 10);
    // The rest of it is within what chance does.
    CHECK(expecting.size() >= 1000);
    CHECK(expecting.size() <= 2048);
    CHECK(asked <= 2 * 2048);
    CHECK(whole.size() >= expecting.size());
}
