#include <sys/mman.h>

#include <memory>
#include <vector>

#include "support/mappings.h"
#include "tests/catch.h"

using cowscope::AddressRange;
using cowscope::Arena;
using cowscope::KnownMappings;
using cowscope::Mapping;
using cowscope::Mappings;

namespace {

constexpr uint64_t kPage = 4096;

struct Memory {
    explicit Memory(size_t pages) : bytes(pages * kPage) {
        // With neighbours that the kernel cannot take for a part of it.
        all = mmap(nullptr, bytes + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(all != MAP_FAILED);
        start = reinterpret_cast<uint64_t>(all) + kPage;
        REQUIRE(mprotect(reinterpret_cast<void*>(start), bytes, PROT_READ | PROT_WRITE) == 0);
        REQUIRE(madvise(reinterpret_cast<void*>(start), bytes, MADV_DONTFORK) == 0);
    }
    ~Memory() { munmap(all, bytes + 2 * kPage); }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    size_t bytes;
    void* all;
    uint64_t start;
};

std::vector<AddressRange> mappings_in(const Mappings& mappings, uint64_t start, uint64_t end) {
    std::vector<AddressRange> found;
    for (const Mapping& mapping : mappings.all()) {
        if (mapping.start < end && mapping.end > start)
            found.push_back({mapping.start, mapping.end});
    }
    return found;
}

}  // namespace

TEST_CASE("the shim's own memory is no part of what the program has beside it") {
    const Memory memory(8);
    const uint64_t end = memory.start + memory.bytes;
    const auto [first, last] =
        GENERATE(std::pair(2, 5), std::pair(0, 3), std::pair(4, 8), std::pair(0, 8));
    CAPTURE(first, last);
    const AddressRange own = {memory.start + static_cast<uint64_t>(first) * kPage,
                              memory.start + static_cast<uint64_t>(last) * kPage};
    Arena arena;
    REQUIRE(arena.create());
    std::vector<char> scratch(Mappings::kScratchBytes);
    Mappings mappings;
    mappings.set_own({{0, 0}, own});
    REQUIRE(mappings.read(arena, scratch.data()) == 0);

    std::vector<AddressRange> expected;
    if (own.start != memory.start) expected.push_back({memory.start, own.start});
    expected.push_back(own);
    if (own.end != end) expected.push_back({own.end, end});
    const auto found = mappings_in(mappings, memory.start, end);
    REQUIRE(found.size() == expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
        CHECK(found[i].start == expected[i].start);
        CHECK(found[i].end == expected[i].end);
    }
    REQUIRE(mappings.find(own.start) != nullptr);
    CHECK(mappings.find(own.start)->start == own.start);
}

TEST_CASE("how much of the shim's memory is readable does not make the mappings others") {
    const Memory memory(8);
    Arena arena;
    REQUIRE(arena.create());
    std::vector<char> scratch(Mappings::kScratchBytes);
    Mappings mappings;
    mappings.set_own({{memory.start, memory.start + memory.bytes}, {0, 0}});
    // What it needs itself is there after the first time.
    REQUIRE(mappings.read(arena, scratch.data()) == 0);
    REQUIRE(mappings.read(arena, scratch.data()) == 0);
    const uint64_t kinds = mappings.kinds_hash();
    const uint64_t text = mappings.text_hash();
    REQUIRE(mprotect(reinterpret_cast<void*>(memory.start), 3 * kPage, PROT_NONE) == 0);
    REQUIRE(mappings.read(arena, scratch.data()) == 0);
    CHECK(mappings.kinds_hash() == kinds);
    CHECK(mappings.text_hash() == text);
    mappings.set_own({});
    REQUIRE(mappings.read(arena, scratch.data()) == 0);
    CHECK(mappings.kinds_hash() != kinds);
}

TEST_CASE("of a mapping that is forgotten in part the rest is known") {
    const Memory memory(8);
    const uint64_t end = memory.start + memory.bytes;
    const auto [first, last] = GENERATE(std::pair(2, 5), std::pair(0, 3), std::pair(4, 8),
                                        std::pair(0, 8), std::pair(3, 3));
    CAPTURE(first, last);
    const uint64_t from = memory.start + static_cast<uint64_t>(first) * kPage;
    const uint64_t to = memory.start + static_cast<uint64_t>(last) * kPage;
    Arena arena;
    REQUIRE(arena.create());
    std::vector<char> scratch(Mappings::kScratchBytes);
    Mappings mappings;
    REQUIRE(mappings.read(arena, scratch.data()) == 0);
    auto known = std::make_unique<KnownMappings>();
    known->take(mappings.all());
    mappings.forget(arena, from, to);
    known->forget(from, to);
    uint64_t before = 0;
    for (const Mapping& mapping : mappings.all()) {
        CHECK(mapping.start >= before);
        before = mapping.end;
    }
    for (uint64_t page = memory.start; page < end; page += kPage) {
        CAPTURE((page - memory.start) / kPage);
        const bool is_known = page < from || page >= to;
        CHECK((mappings.find(page) != nullptr) == is_known);
        CHECK((known->find(page) != nullptr) == is_known);
    }
    CHECK(mappings.find(reinterpret_cast<uint64_t>(&mappings)) != nullptr);
    CHECK(known->find(reinterpret_cast<uint64_t>(&mappings)) != nullptr);
}
