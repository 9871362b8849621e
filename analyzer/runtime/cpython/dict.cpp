#include "runtime/cpython/dict.h"

#include <algorithm>

namespace cowscope::cpython {

DictShape shape_of_keys(const HeapLayout& layout, Memory* memory, uint64_t keys) {
    uint64_t words[kKeysHeadWords];
    const std::byte* head = memory->read(keys, sizeof(words));
    if (head == nullptr) return {};
    std::memcpy(words, head, sizeof(words));
    KeysShape found{};
    if (!parse_keys(layout, words, &found) || found.used > found.slots) return {};
    DictShape shape;
    shape.entries = keys + found.entries;
    shape.entry_bytes = found.entry_bytes;
    shape.key_offset = found.key;
    shape.count = found.used;
    // USABLE_FRACTION: two thirds of the slots have an entry.
    shape.keys = {keys, found.entries + found.slots * 2 / 3 * found.entry_bytes};
    return shape;
}

DictShape shape_of_dict(const HeapLayout& layout, Memory* memory, uint64_t dict) {
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
