
#include "epoch/page_of_fault.h"

#include <cstring>

#include "arch/cpu.h"
#include "support/guarded_read.h"
#include "support/readable.h"
#include "support/threads.h"

#include "support/poison.h"

namespace cowscope::epoch {
namespace {

// Whether the `kBytes` from `start` on are zeros, but for what was written for this signal.
template <size_t kBytes>
bool is_zero(bool is_safe, uint64_t start, const AddressRange& own) {
    uint64_t words[kBytes / sizeof(uint64_t)];
    if (!read_memory(is_safe, start, words, kBytes)) return false;
    if (own.overlaps(start, start + kBytes)) {
        const uint64_t first = own.start > start ? (own.start - start) / sizeof(uint64_t) : 0;
        const uint64_t behind = (own.end - start + sizeof(uint64_t) - 1) / sizeof(uint64_t);
        for (uint64_t i = first; i < behind && i < kBytes / sizeof(uint64_t); ++i) words[i] = 0;
    }
    uint64_t any = 0;
    for (const uint64_t word : words) any |= word;
    return any == 0;
}

}  // namespace

bool read_memory(bool is_safe, uint64_t from, void* to, size_t bytes) {
    const auto* memory = reinterpret_cast<const void*>(from);
    if (!is_safe) return guarded_read(memory, to, bytes);
    std::memcpy(to, memory, bytes);
    return true;
}

const Mapping* find_mapping(Epoch& epoch, uint64_t address) {
    const Mapping* mapping = epoch.mappings.find(address);
    if (mapping != nullptr) return mapping;
    // It is younger than what was read.
    if (epoch.mappings.read(epoch.arena, epoch.scratch) != 0) return nullptr;
    return epoch.mappings.find(address);
}

const Mapping* recall_mapping(Epoch& epoch, uint64_t address) {
    const Mapping* mapping = epoch.mappings.find(address);
    return mapping != nullptr ? mapping : known_mappings.find(address);
}

void read_code(uint64_t ip, uint8_t (&code)[trace::kCodeBytes]) {
    std::memset(code, 0, sizeof(code));
    if (guarded_read(reinterpret_cast<const void*>(ip), code, sizeof(code))) return;
    const size_t bytes_to_page_end = cpu::kPageBytes - ip % cpu::kPageBytes;
    if (bytes_to_page_end < sizeof(code)) {
        guarded_read(reinterpret_cast<const void*>(ip), code, bytes_to_page_end);
    }
}

bool is_zero_page(const Fault& fault, const uint64_t (&start)[2]) {
    if ((start[0] | start[1]) != 0) return false;
    // In halves: the handler's stack is small.
    const uint64_t page = cpu::page_of(fault.address);
    return is_zero<cpu::kPageBytes / 2>(fault.is_safe_to_read(), page, fault.own_frames) &&
           is_zero<cpu::kPageBytes / 2>(fault.is_safe_to_read(), page + cpu::kPageBytes / 2,
                                        fault.own_frames);
}

bool is_unshared(const Epoch& epoch, uint64_t address) {
    for (const AddressRange& range : unshared) {
        if (range.overlaps(address, address + 1)) return true;
    }
    return epoch.own.overlaps(address, address + 1);
}

bool is_moved_page(Epoch& epoch, const Fault& fault, const uint64_t (&start)[2]) {
    if (is_zero_page(fault, start) || is_unshared(epoch, fault.address)) return false;
    // A mapping that moves is not watched any more. What came with content in one that still is was
    // swapped out.
    tracker::PageFacts facts;
    if (sharing.look.ask(fault.address, &facts) && facts.is_watched) return false;
    const Mapping* mapping = find_mapping(epoch, fault.address);
    return mapping != nullptr && mapping->is_private && !mapping->is_file && !mapping->special;
}

bool is_private(uint64_t address) {
    const Mapping* mapping = known_mappings.find(address);
    if (mapping != nullptr) {
        return mapping->is_private && !mapping->special && (mapping->writable || !mapping->is_file);
    }
    tracker::PageFacts facts;
    return sharing.look.ask(address, &facts) && facts.is_private;
}

uint64_t find_safe_from(const Mapping* mapping, uint64_t address) {
    constexpr uint64_t kWord = sizeof(uint64_t);
    const bool is_safe = mapping != nullptr && !mapping->is_file && is_only_thread() &&
                         is_word_readable(address & ~(kWord - 1));
    return is_safe ? mapping->start : kNothingIsSafe;
}

uint16_t read_words(const Fault& fault, uint64_t (&words)[2]) {
    const bool in_one_page = fault.address % cpu::kPageBytes <= cpu::kPageBytes - sizeof(words);
    if (read_memory(fault.is_safe_to_read() && in_one_page, fault.address, words, sizeof(words)))
        return 0;
    if (guarded_read(fault.address, &words[0])) return trace::kNoNextWord;
    return trace::kNoNextWord | trace::kNoWord;
}

bool is_copy_by_page(Epoch& epoch, Fault& fault) {
    // What other threads write before the fork that is to come is not shared yet.
    if (epoch.is_before_fork || is_unshared(epoch, fault.address) ||
        epoch.renewed.has(fault.address) || !is_private(fault.address)) {
        return false;
    }
    const Mapping* mapping = recall_mapping(epoch, fault.address);
    fault.safe_from = find_safe_from(mapping, fault.address);
    uint64_t words[2] = {0, 0};
    read_words(fault, words);
    if (is_zero_page(fault, words)) return false;
    if (mapping != nullptr && mapping->is_hugetlb) fault.pages = kHugePages;
    // A page of a file comes with content whether the parent had it or not.
    if (sharing.forks != 0 || mapping == nullptr || !mapping->is_file || mapping->is_hugetlb) {
        return true;
    }
    tracker::ParentPages& parent = sharing.look.parent();
    return parent.has_private({mapping->start, mapping->end}) && parent.has(fault.address);
}

}  // namespace cowscope::epoch
