#include "python_heap/dict.h"

#include <algorithm>
#include <vector>

namespace cowscope::python_heap {

namespace {

// PyDictKeysObject: dk_size up to 3.10; from 3.11 on dk_log2_size, dk_log2_index_bytes and dk_kind,
// a byte each. Include/internal/pycore_dict.h.
constexpr uint64_t kKeysSize = 8;
constexpr uint64_t kKeysIndexBytes = 9;
constexpr uint64_t kKeysKind = 10;
constexpr uint8_t kGeneralKind = 0;  // entries hold the hash; those of str keys alone do not
constexpr uint64_t kMostEntries = uint64_t{1} << 40;

// Of an entry of dk_indices. Objects/dictobject.c, DK_IXSIZE.
uint64_t index_bytes(uint64_t slots) {
    if (slots <= 0xff) return 1;
    if (slots <= 0xffff) return 2;
    return slots <= 0xffffffff ? 4 : 8;
}

}  // namespace

DictShape shape_of_keys(const Layout& layout, Memory* memory, uint64_t keys) {
    DictShape shape;
    const std::byte* head = memory->read(keys, layout.keys_indices);
    if (head == nullptr) return shape;
    const auto word = [&](uint64_t offset) {
        uint64_t value = 0;
        std::memcpy(&value, head + offset, sizeof(value));
        return value;
    };
    uint64_t slots = 0;
    uint64_t indices = 0;
    shape.entry_bytes = 24;
    shape.key_offset = kWordBytes;
    if (layout.keys_are_compact) {
        const auto slots_log2 = static_cast<uint8_t>(head[kKeysSize]);
        const auto indices_log2 = static_cast<uint8_t>(head[kKeysIndexBytes]);
        if (slots_log2 > 40 || indices_log2 > 44) return shape;
        slots = uint64_t{1} << slots_log2;
        indices = uint64_t{1} << indices_log2;
        if (static_cast<uint8_t>(head[kKeysKind]) != kGeneralKind) {
            shape.entry_bytes = 16;
            shape.key_offset = 0;
        }
    } else {
        slots = word(kKeysSize);
        if (slots > kMostEntries) return shape;
        indices = slots * index_bytes(slots);
    }
    const uint64_t count = word(layout.keys_entries);
    if (count > slots) return shape;
    shape.count = count;
    shape.entries = keys + layout.keys_indices + indices;
    // USABLE_FRACTION: two thirds of the slots have an entry.
    shape.keys = {keys, layout.keys_indices + indices + slots * 2 / 3 * shape.entry_bytes};
    return shape;
}

DictShape shape_of_dict(const Layout& layout, Memory* memory, uint64_t dict) {
    const std::byte* head = memory->read(dict, kDictValues + kWordBytes);
    if (head == nullptr) return {};
    uint64_t keys = 0;
    uint64_t values = 0;
    std::memcpy(&keys, head + kDictKeys, sizeof(keys));
    std::memcpy(&values, head + kDictValues, sizeof(values));
    DictShape shape = shape_of_keys(layout, memory, keys);
    if (values != 0) shape.values = values + layout.values_header;
    return shape;
}

DictEntry entry_at(const DictShape& shape, Memory* memory, uint64_t index) {
    const uint64_t at = shape.entries + index * shape.entry_bytes + shape.key_offset;
    const uint64_t value = shape.values != 0 ? shape.values + index * kWordBytes : at + kWordBytes;
    return {memory->word(at), memory->word(value)};
}

void for_each_entry(const DictShape& shape, Memory* memory, uint64_t most, const TakeEntry& take) {
    const uint64_t count = std::min(shape.count, most);
    constexpr uint64_t kEntriesARead = 1024;
    std::vector<std::byte> entries(std::min(count, kEntriesARead) * shape.entry_bytes);
    std::vector<uint64_t> values(shape.values != 0 ? std::min(count, kEntriesARead) : 0);
    for (uint64_t first = 0; first < count; first += kEntriesARead) {
        const uint64_t wanted = std::min(kEntriesARead, count - first);
        const uint64_t at = shape.entries + first * shape.entry_bytes;
        const uint64_t got =
            memory->read_past_cache(at, entries.data(), wanted * shape.entry_bytes) /
            shape.entry_bytes;
        if (shape.values != 0) {
            const size_t bytes = wanted * kWordBytes;
            const size_t read =
                memory->read_past_cache(shape.values + first * kWordBytes, values.data(), bytes);
            std::fill(values.begin() + static_cast<ptrdiff_t>(read / kWordBytes), values.end(), 0);
        }
        for (uint64_t i = 0; i < got; ++i) {
            const std::byte* entry = entries.data() + i * shape.entry_bytes + shape.key_offset;
            DictEntry result;
            std::memcpy(&result.key, entry, sizeof(result.key));
            std::memcpy(&result.value, entry + kWordBytes, sizeof(result.value));
            if (shape.values != 0) result.value = values[i];
            if (result.key != 0 && !take(result)) return;
        }
        if (got < wanted) return;
    }
}

void for_each_entry(const Layout& layout, Memory* memory, uint64_t dict, uint64_t most,
                    const TakeEntry& take) {
    for_each_entry(shape_of_dict(layout, memory, dict), memory, most, take);
}

}  // namespace cowscope::python_heap
