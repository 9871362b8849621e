#include "runtime/cpython/keys.h"

#include "support/guarded_read.h"

#include "support/poison.h"

namespace cowscope::cpython {
namespace {

constexpr uint64_t kPlainEntry = 24;    // me_hash, me_key, me_value
constexpr uint64_t kUnicodeEntry = 16;  // me_key, me_value
constexpr uint64_t kMostEntries = uint64_t{1} << 40;

// dk_refcnt, dk_size, dk_lookup, dk_usable, dk_nentries, then the indices.
bool read_sized(const uint64_t (&head)[5], uint64_t keys, KeyTable* table) {
    constexpr uint64_t kHeadBytes = 40;
    const uint64_t size = head[1];
    const uint64_t usable = head[3];
    const uint64_t used = head[4];
    if (size == 0 || (size & (size - 1)) != 0 || size >= kMostEntries) return false;
    if (usable > size || used > size) return false;
    const uint64_t width = size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffffffff ? 4 : 8;
    *table = {keys + kHeadBytes + size * width, used, usable + used, kPlainEntry, 8, 16};
    return true;
}

// dk_refcnt; dk_log2_size, dk_log2_index_bytes, dk_kind, dk_version; dk_usable, dk_nentries, then
// the indices.
bool read_compact(const uint64_t (&head)[5], uint64_t keys, KeyTable* table) {
    constexpr uint64_t kHeadBytes = 32;
    const uint64_t log2_size = head[1] & 0xff;
    const uint64_t log2_index_bytes = head[1] >> 8 & 0xff;
    const uint64_t kind = head[1] >> 16 & 0xff;
    const uint64_t usable = head[2];
    const uint64_t used = head[3];
    if (log2_size > 40 || log2_index_bytes > 43 || kind > 2) return false;
    if (usable >> log2_size > 1 || used >> log2_size > 1) return false;
    const uint64_t entries = keys + kHeadBytes + (uint64_t{1} << log2_index_bytes);
    *table = kind == 0 ? KeyTable{entries, used, usable + used, kPlainEntry, 8, 16}
                       : KeyTable{entries, used, usable + used, kUnicodeEntry, 0, 8};
    return true;
}

}  // namespace

bool read_keys(const Layout& layout, uint64_t keys, KeyTable* table) {
    uint64_t head[5];
    if (!guarded_read(keys, &head)) return false;
    return layout.compact_keys ? read_compact(head, keys, table) : read_sized(head, keys, table);
}

}  // namespace cowscope::cpython
