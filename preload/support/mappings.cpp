#include "support/mappings.h"

#include <cstring>

#include "format/trace_format.h"
#include "support/hash.h"
#include "support/text.h"

#include "support/poison.h"

namespace cowscope {

void Mappings::hash(uint64_t all_of_it, uint64_t kind) {
    const uint64_t all[] = {text_hash_, all_of_it};
    text_hash_ = hash_words(all, 2);
    const uint64_t kinds[] = {kinds_hash_, kind};
    kinds_hash_ = hash_words(kinds, 2);
}

void Mappings::hash_anonymous() {
    if (anonymous_.end == 0) return;
    const uint64_t words[] = {anonymous_.start, anonymous_.end, anonymous_kind_};
    const uint64_t hashed = hash_words(words, 3);
    anonymous_ = {};
    hash(hashed, hashed);
}

// `kind`: what stands behind the addresses.
void Mappings::hash_line(const char* line, const Mapping& mapping, const char* kind) {
    const size_t bytes = std::strlen(line);
    if (std::strstr(line, trace::kSegmentSuffix) != nullptr) return;
    // Anonymous memory has no more than these: " rw-p 00000000 00:00 0", and maybe a blank. A
    // tracker that watches a part of a mapping makes two of it, and whoever looks later would take
    // them for new.
    constexpr size_t kNamelessBytes = 23;
    const size_t kind_bytes = std::strlen(kind);
    if (kind_bytes <= kNamelessBytes && std::strstr(kind, " 00:00 0") != nullptr) {
        const uint64_t kind_hash = hash_text(kind, kind_bytes);
        if (anonymous_.end != mapping.start || anonymous_kind_ != kind_hash) {
            hash_anonymous();
            anonymous_.start = mapping.start;
            anonymous_kind_ = kind_hash;
        }
        anonymous_.end = mapping.end;
        return;
    }
    hash_anonymous();
    const bool grows =
        std::strstr(line, "[heap]") != nullptr || std::strstr(line, "[stack]") != nullptr;
    const uint64_t hashed = hash_text(line, bytes);
    hash(hashed, grows ? bytes : hashed);
}

bool Mappings::add_line(Arena& arena, const char* line) {
    // start-end perms offset device inode path (proc(5), /proc/pid/maps)
    const char* cursor = line;
    Mapping mapping = {};
    mapping.start = take_hex(&cursor);
    if (*cursor++ != '-') return true;
    mapping.end = take_hex(&cursor);
    // Parts of the arena become readable one after the other.
    if (mapping.start < own_.arena.start || mapping.end > own_.arena.end) {
        hash_line(line, mapping, cursor);
    }
    if (*cursor++ != ' ' || std::strlen(cursor) < 4) return true;
    mapping.readable = cursor[0] == 'r';
    mapping.writable = cursor[1] == 'w';
    mapping.is_private = cursor[3] == 'p';
    mapping.is_file = std::strchr(cursor, '/') != nullptr;
    // The kernel's name for the file behind it (fs/hugetlbfs/inode.c).
    mapping.is_hugetlb = std::strstr(cursor, " /anon_hugepage") != nullptr;
    // Linux 5.1, io_uring/io_uring.c.
    if (!mapping.is_private && std::strstr(cursor, " anon_inode:[io_uring]") != nullptr) {
        has_ring_ = true;
    }
    mapping.special = std::strstr(cursor, "[vdso]") != nullptr ||
                      std::strstr(cursor, "[vvar") != nullptr ||
                      std::strstr(cursor, "[vsyscall]") != nullptr;
    return add(arena, mapping);
}

bool Mappings::add(Arena& arena, const Mapping& mapping) {
    const AddressRange& image = own_.image;
    if (!image.overlaps(mapping.start, mapping.end)) return mappings_.push(arena, mapping);
    Mapping before = mapping;
    Mapping own = mapping;
    Mapping behind = mapping;
    if (own.start < image.start) before.end = own.start = image.start;
    if (own.end > image.end) behind.start = own.end = image.end;
    return (own.start == mapping.start || mappings_.push(arena, before)) &&
           mappings_.push(arena, own) && (own.end == mapping.end || mappings_.push(arena, behind));
}

namespace {

// The first of `count` mappings, sorted by address, that ends behind `address`: its index, or
// `count`.
size_t first_ending_after(const Mapping* mappings, size_t count, uint64_t address) {
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (mappings[middle].end <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

}  // namespace

Mapping forget_mappings(Mapping* mappings, size_t count, uint64_t start, uint64_t end, size_t* at) {
    Mapping behind = {};
    // An empty one stays where it is in the order.
    for (size_t i = first_ending_after(mappings, count, start);
         i < count && mappings[i].start < end; ++i) {
        Mapping& each = mappings[i];
        const Mapping whole = each;
        if (whole.start < start) {
            each.end = start;
        } else if (whole.end > end) {
            each.start = end;
        } else {
            each.end = each.start;
        }
        if (whole.start < start && whole.end > end) {
            behind = whole;
            behind.start = end;
            *at = i + 1;
        }
    }
    return behind;
}

const Mapping* find_mapping(const Mapping* mappings, size_t count, uint64_t address) {
    const size_t found = first_ending_after(mappings, count, address);
    return found != count && mappings[found].start <= address ? mappings + found : nullptr;
}

}  // namespace cowscope
