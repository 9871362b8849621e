#include "runtime/cpython/objects.h"

#include <cstring>

#include "arch/cpu.h"
#include "runtime/cpython/interpreter.h"
#include "runtime/cpython/memory.h"
#include "support/guarded_read.h"
#include "support/readable.h"

#include "support/poison.h"

namespace cowscope::cpython {
namespace {

// struct pool_header (obmalloc.c, pycore_obmalloc.h), the same in all versions: it ends with
// nextoffset and maxnextoffset.
struct PoolHeader {
    uint64_t used_blocks;  // a 4-byte count
    uint64_t free_block;
    uint64_t next;
    uint64_t previous;
    uint32_t arena_index;
    uint32_t size_index;
    uint32_t next_offset;  // of the first block that was never used
    uint32_t last_offset;  // of the last block
};
static_assert(sizeof(PoolHeader) == 48);

struct Block {
    uint64_t start;
    uint64_t bytes;
};

bool read_header(uint64_t pool, uint64_t address, uint64_t safe_from, PoolHeader* header) {
    const bool is_there = pool / cpu::kPageBytes == address / cpu::kPageBytes ||
                          (pool >= safe_from && is_readable(pool, sizeof(*header)));
    if (!is_there) return guarded_read(pool, header);
    *header = load<PoolHeader>(pool);
    return true;
}

// Whether `address` lies in a pool. A header is told by what its fields must be to each other.
bool find_pool(uint64_t address, uint64_t pool_bytes, uint64_t safe_from, PoolHeader* header,
               uint64_t* pool) {
    *pool = address & ~(pool_bytes - 1);
    if (!read_header(*pool, address, safe_from, header)) return false;
    const uint64_t bytes = pool_bytes - header->last_offset;
    if (header->last_offset >= pool_bytes || bytes < 8 || bytes > 512) return false;
    // Classes are 16 bytes apart; in early releases of 3.6 and 3.7, 8 (obmalloc.c, ALIGNMENT).
    const uint64_t classes = header->size_index + uint64_t{1};
    if (bytes != classes * 16 && bytes != classes * 8) return false;
    const uint64_t used = header->used_blocks & 0xffffffff;
    return used <= (pool_bytes - sizeof(PoolHeader)) / bytes &&
           header->next_offset <= header->last_offset + bytes;
}

// Behind these and the collector's header starts an instance with a managed dict, from 3.11 on
// (pycore_object.h, MANAGED_DICT_OFFSET).
constexpr uint64_t kManagedWords = 16;

// A block that holds no object but is going to, or did, still shows one: its count is 0, or the
// link to the next free block lies over it.
bool is_alive(uint64_t count, const Block& block) {
    const uint64_t pool_bytes = interpreter().layout->pool_bytes;
    return count != 0 && (count & ~(pool_bytes - 1)) != (block.start & ~(pool_bytes - 1));
}

// The first words of a block. What looks like a pool may be none: but for the page that is written
// to, it may have holes.
bool read_start(const Block& block, uint64_t address, uint64_t (&words)[8]) {
    const uint64_t bytes = block.bytes < sizeof(words) ? block.bytes : sizeof(words);
    const uint64_t page = address / cpu::kPageBytes;
    const auto* from = reinterpret_cast<const void*>(block.start);
    if (block.start / cpu::kPageBytes != page ||
        (block.start + bytes - 1) / cpu::kPageBytes != page) {
        return guarded_read(from, words, bytes);
    }
    std::memcpy(words, from, bytes);
    return true;
}

// An object starts a block, behind the collector's header if it has one.
Located object_in(const Block& block, uint64_t address, Arena& arena, const RecordSink& sink,
                  TypeCache* types) {
    const uint64_t head = interpreter().layout->gc_head_bytes;
    const uint64_t starts[] = {0, head, head + kManagedWords};
    uint64_t words[8] = {};
    if (!read_start(block, address, words)) return {};
    for (const uint64_t start : starts) {
        if (start + kObSize > block.bytes || start + kObSize > sizeof(words)) break;
        const uint64_t* object = &words[start / sizeof(words[0])];
        const uint64_t type = object[kObType / sizeof(words[0])];
        const TypeFacts* facts = types->find(arena, sink, type);
        if (facts != nullptr && facts->has_gc == (start != 0)) {
            if (!is_alive(object[0], block)) return {};
            return {type, static_cast<int32_t>(start), 0, facts};
        }
    }
    return {};
}

}  // namespace

Located locate(Arena& arena, const RecordSink& sink, TypeCache* types, uint64_t address,
               const uint64_t (&words)[2], uint64_t safe_from) {
    Located located;
    const Layout* layout = interpreter().layout;
    PoolHeader header;
    uint64_t pool = 0;
    Block block = {0, 0};
    if (layout != nullptr && find_pool(address, layout->pool_bytes, safe_from, &header, &pool)) {
        if (address - pool < sizeof(PoolHeader)) {
            located.flags = trace::kPoolHeader;
            return located;
        }
        const uint64_t bytes = layout->pool_bytes - header.last_offset;
        const uint64_t index = (address - pool - sizeof(PoolHeader)) / bytes;
        block = {pool + sizeof(PoolHeader) + index * bytes, bytes};
        located.flags = trace::kPoolBlock;
        if (address - block.start < sizeof(uint64_t)) located.flags |= trace::kPoolBlockStart;
    }
    // The common case: a count, where an object starts.
    const uint64_t into_block = address - block.start;
    const uint64_t head = layout == nullptr ? 0 : layout->gc_head_bytes;
    const bool may_start = block.bytes == 0 || into_block == 0 || into_block == head ||
                           into_block == head + kManagedWords;
    if (address % 8 == 0 && may_start) {
        const TypeFacts* facts = types->find(arena, sink, words[1]);
        if (facts != nullptr) {
            if (block.bytes == 0 ? words[0] == 0 : !is_alive(words[0], block)) return located;
            located.facts = facts;
            located.type = words[1];
            return located;
        }
    }
    if (layout == nullptr) return located;
    const uint16_t flags = located.flags;
    if (block.bytes != 0) {
        located = object_in(block, address, arena, sink, types);
        if (located.facts != nullptr) {
            located.offset = static_cast<int32_t>(address - block.start) - located.offset;
        }
    }
    located.flags = flags;
    return located;
}

Located locate_around(Arena& arena, const RecordSink& sink, TypeCache* types, uint64_t address) {
    constexpr uint64_t kWord = 8;
    const uint64_t at = address & ~(kWord - 1);
    // Offsets from an object's start: the collector's header (object.h, pycore_gc.h), then what is
    // written most: ob_size or length, hash or ob_item, allocated or state.
    constexpr int32_t kOffsets[] = {-8, -16, -24, -32, 16, 24, 32};
    constexpr int32_t kLowest = -32;
    uint64_t words[10];
    if (!guarded_read(reinterpret_cast<const void*>(at + static_cast<uint64_t>(kLowest)), words,
                      sizeof(words))) {
        return {};
    }
    const auto head = static_cast<int32_t>(interpreter().layout->gc_head_bytes);
    for (const int32_t offset : kOffsets) {
        if (offset < -head) continue;
        const int32_t type_at = static_cast<int32_t>(kObType) - offset - kLowest;
        const uint64_t type = words[type_at / static_cast<int32_t>(kWord)];
        const TypeFacts* facts = types->find(arena, sink, type);
        if (facts == nullptr || (offset < 0 && !facts->has_gc)) continue;
        // The count before it: a freed object's or a mere pair of words is none.
        const uint64_t count = words[type_at / static_cast<int32_t>(kWord) - 1];
        constexpr uint64_t kMostReferences = uint64_t{1} << 40;
        const bool immortal = (count & 0xffffffff) >= 0xc0000000;
        if (count == 0 || (count >= kMostReferences && !immortal)) continue;
        return {type, offset + static_cast<int32_t>(address - at), 0, facts};
    }
    return {};
}

}  // namespace cowscope::cpython
