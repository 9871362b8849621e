// What a map of owners holds, read in order: range by range, and many repetitions at once.
#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "runtime/heap/owner_cursor.h"
#include "runtime/heap/owner_map.h"
#include "runtime/heap/owner_pattern.h"
#include "tests/catch.h"

using namespace cowscope::runtime;

namespace {

constexpr uint64_t kStart = 0x7f1234560000;
constexpr uint64_t kGranule = OwnerMap::kGranule;
using Range = OwnerCursor::Range;
using Part = OwnerPattern::Part;

std::vector<Range> ranges_of(const OwnerMap& map) {
    std::vector<Range> ranges;
    OwnerCursor cursor(map);
    for (Range range; cursor.next(&range);) ranges.push_back(range);
    return ranges;
}

// Who owns which granules, one by one.
class Reference {
  public:
    void set(uint64_t start, uint64_t bytes, OwnerMap::Owner owner) {
        for (uint64_t at = start / kGranule; at * kGranule < start + bytes; ++at) {
            owners_.emplace(at, owner);
        }
    }
    std::vector<Range> ranges() const {
        std::vector<Range> ranges;
        for (const auto& [at, owner] : owners_) {
            const uint64_t start = at * kGranule;
            const bool goes_on =
                !ranges.empty() && ranges.back().end == start && ranges.back().owner == owner;
            if (!goes_on) ranges.push_back({start, start, owner});
            ranges.back().end = start + kGranule;
        }
        return ranges;
    }

  private:
    std::map<uint64_t, OwnerMap::Owner> owners_;
};

// Pools of an allocator, some far away, with blocks that mostly follow a pattern.
class Heap {
  public:
    Heap(unsigned seed, unsigned owners) : random_(seed), owners_(owners) {
        uint64_t at = kStart;
        for (int pool = 0; pool < 12; ++pool) {
            at = fill(at + kGranule * below(4));
            if (below(3) == 0) at = (at + 4095) & ~uint64_t{4095};
            if (below(4) == 0) at += uint64_t{1} << (12 + below(20));
        }
    }
    const OwnerMap& map() const { return map_; }
    const Reference& reference() const { return reference_; }

  private:
    uint64_t below(uint64_t limit) { return uint64_t{random_()} % limit; }
    OwnerMap::Owner any_owner() { return static_cast<OwnerMap::Owner>(1 + below(owners_)); }

    uint64_t fill(uint64_t at) {
        std::vector<Part> pattern;
        const uint64_t longest = below(4) == 0 ? 150 : 8;
        for (uint64_t i = 0, count = 1 + below(8); i < count; ++i) {
            pattern.push_back({below(2) * below(longest), 1 + below(longest), any_owner()});
        }
        const uint64_t broken = below(3) == 0 ? 5 : 200;
        for (uint64_t i = 0, count = below(1500); i < count; ++i) {
            Part part = pattern[i % pattern.size()];
            if (below(broken) == 0) part.owner = any_owner();
            if (below(broken) == 0) part.length = 1 + below(12);
            if (below(broken) == 0) part.gap = below(300);
            at += part.gap * kGranule;
            map_.set(at, part.length * kGranule, part.owner);
            reference_.set(at, part.length * kGranule, part.owner);
            at += part.length * kGranule;
        }
        return at;
    }

    std::minstd_rand random_;
    unsigned owners_;
    OwnerMap map_;
    Reference reference_;
};

}  // namespace

TEST_CASE("ranges are read in order and joined over words, pages and chunks", "[owners]") {
    const auto seed = GENERATE(range(1u, 31u));
    const Heap heap(seed, 1 + seed % 4);
    CHECK(ranges_of(heap.map()) == heap.reference().ranges());
}

TEST_CASE("repetitions that are passed over are those of the pattern", "[owners]") {
    const auto seed = GENERATE(range(1u, 61u));
    const Heap heap(seed, 1 + seed % 3);
    const auto ranges = ranges_of(heap.map());
    std::minstd_rand random(seed);
    OwnerCursor cursor(heap.map());
    uint64_t passed = 0;
    size_t next = 0;
    for (Range range; cursor.next(&range);) {
        REQUIRE(next < ranges.size());
        REQUIRE(range == ranges[next]);
        ++next;
        // Whatever came last, as a pattern.
        const size_t length = 1 + random() % 8;
        if (random() % 3 != 0 || next <= length) continue;
        std::vector<Part> parts;
        for (size_t i = next - length; i < next; ++i) {
            parts.push_back({(ranges[i].start - ranges[i - 1].end) / kGranule,
                             (ranges[i].end - ranges[i].start) / kGranule, ranges[i].owner});
        }
        OwnerPattern pattern;
        pattern.assign(parts);
        const size_t first = random() % length;
        std::rotate(parts.begin(), parts.begin() + static_cast<ptrdiff_t>(first), parts.end());
        OwnerPattern turned;
        turned.assign(parts);
        const uint64_t most = random() % 2 == 0 ? 1000 : random() % 20;
        const uint64_t skipped = cursor.skip_repeats(turned, (length - first) % length, most);
        CHECK(skipped <= most);
        for (uint64_t i = 0; i < skipped; ++i, ++next) {
            REQUIRE(next < ranges.size());
            const Part expected = pattern.parts()[i % length];
            const Part found = {(ranges[next].start - ranges[next - 1].end) / kGranule,
                                (ranges[next].end - ranges[next].start) / kGranule,
                                ranges[next].owner};
            REQUIRE(found == expected);
        }
        CHECK(cursor.position() == ranges[next - 1].end);
        passed += skipped;
    }
    CHECK(next == ranges.size());
    if (ranges.size() > 1000 && seed % 3 != 2) CHECK(passed > 0);
}

TEST_CASE("a pattern that goes on for many pages is passed over at once", "[owners]") {
    constexpr uint64_t kTimes = 100'000;
    OwnerMap map;
    for (uint64_t i = 0; i < kTimes; ++i) {
        map.set(kStart + i * 7 * kGranule, 3 * kGranule, 1);
        map.set(kStart + i * 7 * kGranule + 3 * kGranule, 2 * kGranule, 2);
    }
    OwnerCursor cursor(map);
    Range range;
    REQUIRE(cursor.next(&range));
    REQUIRE(cursor.next(&range));
    OwnerPattern pattern;
    pattern.assign({{2, 3, 1}, {0, 2, 2}});
    const uint64_t skipped = cursor.skip_repeats(pattern, 0, uint64_t{1} << 30);
    // What follows the last ones may be on a page that is not there.
    CHECK(skipped <= 2 * kTimes - 2);
    CHECK(skipped >= 2 * kTimes - 2 - 2);
    uint64_t left = 0;
    while (cursor.next(&range)) ++left;
    CHECK(skipped + left == 2 * kTimes - 2);
    CHECK(range.owner == 0);
}
