#include "runtime/cpython/dict.h"

#include <algorithm>

namespace cowscope::cpython {

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

DictEntries::DictEntries(const DictShape& shape, Memory* memory, uint64_t most)
    : shape_(shape), memory_(*memory), count_(std::min(shape.count, most)) {
    constexpr uint64_t kEntriesARead = 2048;
    const uint64_t room = std::min(count_, kEntriesARead);
    entries_.resize(room * shape_.entry_bytes);
    if (shape_.values != 0) values_.resize(room);
}

bool DictEntries::read_more() {
    const uint64_t entry_bytes = shape_.entry_bytes;
    // Entries that could not all be read were the last.
    if (next_ == count_) return false;
    const uint64_t wanted = std::min(entries_.size() / entry_bytes, count_ - next_);
    got_ = memory_.read_table(shape_.entries + next_ * entry_bytes, entries_.data(),
                              wanted * entry_bytes) /
           entry_bytes;
    if (shape_.values != 0) {
        const size_t read = memory_.read_table(shape_.values + next_ * kWordBytes, values_.data(),
                                               wanted * kWordBytes);
        std::fill(values_.begin() + static_cast<ptrdiff_t>(read / kWordBytes), values_.end(), 0);
    }
    next_ = got_ < wanted ? count_ : next_ + wanted;
    return got_ != 0;
}

}  // namespace cowscope::cpython
