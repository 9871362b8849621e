#include "runtime/heap/process_memory.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace cowscope::runtime {

Memory::Memory(int file, const trace::Mappings& mappings) : file_(file), pages_(kPages) {
    for (const trace::Mapping& mapping : mappings.all()) {
        // Nothing else holds objects, and reading devices may have effects. [vvar] cannot be read.
        const bool is_special = !mapping.path.empty() && mapping.path.front() == '[' &&
                                mapping.path != "[heap]" && mapping.path != "[stack]" &&
                                mapping.path.rfind("[anon", 0) != 0;
        if (!mapping.is_private || is_special || mapping.path.rfind("/dev/", 0) == 0) continue;
        const bool is_allocated =
            mapping.writable && !mapping.is_file() && mapping.path != "[stack]";
        const bool goes_on = !ranges_.empty() && ranges_.back().end == mapping.start &&
                             ranges_.back().is_allocated == is_allocated;
        if (goes_on) {
            ranges_.back().end = mapping.end;
        } else {
            ranges_.push_back({mapping.start, mapping.end, is_allocated});
        }
    }
}

const Memory::Range* Memory::find_range(uint64_t address) {
    const auto behind =
        std::upper_bound(ranges_.begin(), ranges_.end(), address,
                         [](uint64_t each, const Range& range) { return each < range.start; });
    if (behind == ranges_.begin() || !std::prev(behind)->holds(address)) return nullptr;
    last_range_ = &*std::prev(behind);
    return last_range_;
}

Memory::Stretch Memory::allocated_around(uint64_t address) {
    if (!is_allocated(address)) return {};
    const Range& range = *range_of(address);
    Stretch around = {range.start, range.end - range.start};
    if (address < image_start_) {
        around.bytes = std::min(range.end, image_start_) - around.start;
    } else if (address >= image_end_) {
        around.start = std::max(range.start, image_end_);
        around.bytes = range.end - around.start;
    }
    return around;
}

size_t Memory::read_past_cache(uint64_t address, void* into, size_t bytes) const {
    size_t done = 0;
    while (done < bytes) {
        const ssize_t got = pread(file_, static_cast<char*>(into) + done, bytes - done,
                                  static_cast<off_t>(address + done));
        if (got > 0) {
            done += static_cast<size_t>(got);
            continue;
        }
        if (got < 0 && errno == EINTR) continue;
        // A process that has no memory any more reads as an empty file; what is not mapped is EIO.
        if (got == 0) error_ = ESRCH;
        if (got < 0 && errno != EIO && errno != EFAULT) error_ = errno;
        break;
    }
    return done;
}

size_t Memory::read_table(uint64_t address, void* into, size_t bytes) {
    constexpr size_t kSmall = 2048;
    const std::byte* content = bytes <= kSmall ? read(address, bytes) : nullptr;
    if (content == nullptr) return read_past_cache(address, into, bytes);
    std::memcpy(into, content, bytes);
    return bytes;
}

const std::byte* Memory::page_at(uint64_t start) {
    // Neighbours do not push each other out.
    auto& page = pages_[(start / kPage) % kPages];
    if (!page) page = std::make_unique_for_overwrite<Page>();
    if (page->start != start) {
        page->start = start;
        page->is_there = read_past_cache(start, page->bytes.data(), kPage) == kPage;
    }
    return page->is_there ? page->bytes.data() : nullptr;
}

const std::byte* Memory::block_at(uint64_t start) {
    const auto& page = pages_[(start / kPage) % kPages];
    if (page && page->start == start - start % kPage) {
        return page->is_there ? page->bytes.data() + start % kPage : nullptr;
    }
    Block& block = blocks_[(start / kBlock) % kBlocks];
    if (block.start != start) {
        block.start = start;
        block.is_there = read_past_cache(start, block.bytes.data(), kBlock) == kBlock;
    }
    return block.is_there ? block.bytes.data() : nullptr;
}

const std::byte* Memory::read(uint64_t address, size_t bytes) {
    if (error_ != 0 || bytes > kMostBytes || address + bytes < address) return nullptr;
    const Range* range = range_of(address);
    if (range == nullptr || address + bytes > range->end) return nullptr;
    const size_t unit = is_sparse_ ? kBlock : kPage;
    const auto unit_at = [&](uint64_t start) {
        return is_sparse_ ? block_at(start) : page_at(start);
    };
    const size_t at = address % unit;
    if (at + bytes <= unit) {
        const std::byte* content = unit_at(address - at);
        return content == nullptr ? nullptr : content + at;
    }
    for (size_t done = 0; done < bytes;) {
        const uint64_t next = address + done;
        const size_t offset = next % unit;
        const size_t length = std::min(unit - offset, bytes - done);
        const std::byte* content = unit_at(next - offset);
        if (content == nullptr) return nullptr;
        std::memcpy(joined_.data() + done, content + offset, length);
        done += length;
    }
    return joined_.data();
}

std::string Memory::text(uint64_t address, size_t most) {
    std::string result;
    constexpr size_t kStep = 32;
    while (result.size() < most) {
        // Stays within a page, so that the end of a mapping cuts no text.
        const uint64_t at = address + result.size();
        const size_t length =
            std::min({kStep, most - result.size(), static_cast<size_t>(kPage - at % kPage)});
        const std::byte* bytes = read(at, length);
        if (bytes == nullptr) return result;
        const auto* start = reinterpret_cast<const char*>(bytes);
        const size_t taken = strnlen(start, length);
        result.append(start, taken);
        if (taken < length) return result;
    }
    return result;
}

}  // namespace cowscope::runtime
