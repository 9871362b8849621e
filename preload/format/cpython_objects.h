// What the heads of CPython's objects say, from words that were read: pure, for the library in the
// process and for the reader outside of it.
#pragma once

#include <cstdint>

#include "cpython_layouts.h"

namespace cowscope::cpython {

// Bits of PyASCIIObject.state (unicodeobject.h).
struct StrState {
    unsigned character_bytes;  // PyUnicode_Kind: 1, 2 or 4
    bool is_compact;           // the text follows the head; else a pointer to it does
    bool is_ascii;

    constexpr bool is_plausible() const {
        return character_bytes == 1 || character_bytes == 2 || character_bytes == 4;
    }
};
constexpr StrState parse_str_state(uint32_t word) {
    return {word >> 2 & 7, (word >> 5 & 1) != 0, (word >> 6 & 1) != 0};
}
// From the start of a str to its text, or to the pointer to that.
constexpr uint64_t str_text_offset(const Layout& layout, StrState state) {
    return state.is_ascii ? layout.ascii_bytes : layout.compact_bytes;
}

// PyDictKeysObject (dict-common.h up to 3.10, then pycore_dict.h): a head, the table of indices,
// the entries.
struct KeysShape {
    uint64_t slots;        // of the table of indices
    uint64_t entries;      // offset of the first entry
    uint64_t entry_bytes;  // {me_hash, me_key, me_value}, or {me_key, me_value} where all are strs
    uint64_t key;          // offset in an entry; the value follows
    uint64_t used;         // entries in use, with those that were deleted
    uint64_t usable;       // that there is room for yet
};
constexpr uint64_t kKeysHeadWords = 5;

// dk_refcnt, dk_size, dk_lookup, dk_usable, dk_nentries, then the indices.
constexpr bool parse_sized_keys(const uint64_t (&head)[kKeysHeadWords], KeysShape* shape) {
    constexpr uint64_t kHeadBytes = 40;
    constexpr uint64_t kMostSlots = uint64_t{1} << 40;
    const uint64_t size = head[1];
    const uint64_t usable = head[3];
    const uint64_t used = head[4];
    if (size == 0 || (size & (size - 1)) != 0 || size >= kMostSlots) return false;
    if (usable > size || used > size) return false;
    // DK_IXSIZE.
    const uint64_t width = size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffffffff ? 4 : 8;
    *shape = {size, kHeadBytes + size * width, 24, 8, used, usable};
    return true;
}

// dk_refcnt; dk_log2_size, dk_log2_index_bytes, dk_kind, dk_version; dk_usable, dk_nentries, then
// the indices.
constexpr bool parse_compact_keys(const uint64_t (&head)[kKeysHeadWords], KeysShape* shape) {
    constexpr uint64_t kHeadBytes = 32;
    constexpr uint64_t kGeneralKind = 0;  // DICT_KEYS_GENERAL: keys are not strs alone
    constexpr uint64_t kLastKind = 2;
    const uint64_t log2_size = head[1] & 0xff;
    const uint64_t log2_index_bytes = head[1] >> 8 & 0xff;
    const uint64_t kind = head[1] >> 16 & 0xff;
    const uint64_t usable = head[2];
    const uint64_t used = head[3];
    if (log2_size > 40 || log2_index_bytes > 43 || kind > kLastKind) return false;
    if (usable >> log2_size > 1 || used >> log2_size > 1) return false;
    const bool has_hashes = kind == kGeneralKind;
    const uint64_t slots = uint64_t{1} << log2_size;
    *shape = {slots,
              kHeadBytes + (uint64_t{1} << log2_index_bytes),
              has_hashes ? uint64_t{24} : uint64_t{16},
              has_hashes ? uint64_t{8} : uint64_t{0},
              used,
              usable};
    return true;
}

// `head`: the first words of a table of keys. False where it cannot be one.
constexpr bool parse_keys(const Layout& layout, const uint64_t (&head)[kKeysHeadWords],
                          KeysShape* shape) {
    return layout.compact_keys ? parse_compact_keys(head, shape) : parse_sized_keys(head, shape);
}

}  // namespace cowscope::cpython
