// The memory of another process, read from outside through a cache. Nothing is written there, no
// process is stopped, and only private memory that the maps list is read.
//
// It is read through /proc/PID/mem, never by process_vm_readv(2): that pins pages, and the kernel
// copies an anonymous page that is shared after a fork before it lets it be pinned (since Linux
// 5.19, gup_must_unshare() in mm/internal.h). Looking would cost the memory that it looks for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arch/processor.h"
#include "trace/mappings.h"

namespace cowscope::runtime {

class Memory {
  public:
    // `file`: /proc/PID/mem, open for reading; it stays the caller's.
    Memory(int file, const trace::Mappings& mappings);

    // `bytes` at `address`; nullptr where not all of them can be read. Valid until the next call.
    // At most kMostBytes.
    const std::byte* read(uint64_t address, size_t bytes);
    static constexpr size_t kMostBytes = 8192;

    template <typename Value>
    std::optional<Value> value(uint64_t address) {
        const std::byte* bytes = read(address, sizeof(Value));
        if (bytes == nullptr) return std::nullopt;
        Value result;
        std::memcpy(&result, bytes, sizeof(result));
        return result;
    }
    // 0 where it cannot be read.
    uint64_t word(uint64_t address) { return value<uint64_t>(address).value_or(0); }
    // As much as there is before a NUL, at most `most` bytes.
    std::string text(uint64_t address, size_t most);
    // While there is one, no more is read than is asked for, or little more: where objects lie far
    // from each other a page of each would be read for nothing.
    class Sparse {
      public:
        explicit Sparse(Memory* memory) : memory_(*memory) { memory_.is_sparse_ = true; }
        ~Sparse() { memory_.is_sparse_ = false; }
        Sparse(const Sparse&) = delete;
        Sparse& operator=(const Sparse&) = delete;

      private:
        Memory& memory_;
    };
    // A container's table: where it is small through the cache, which has its object. Returns how
    // many bytes were read.
    size_t read_table(uint64_t address, void* into, size_t bytes);
    // Reads past the cache, which large tables would sweep. Returns how many bytes were read.
    size_t read_past_cache(uint64_t address, void* into, size_t bytes) const;

    // What may lie there: no object; one of a file's content or the interpreter's image; one that
    // was made while the program ran.
    enum class Place : uint8_t { none, image, allocated };
    Place place_of(uint64_t address) {
        const Range* range = range_of(address);
        if (range == nullptr) return Place::none;
        const bool is_image = image_start_ <= address && address < image_end_;
        return range->is_allocated && !is_image ? Place::allocated : Place::image;
    }
    // Memory around an address that is allocated; 0 bytes where it is not.
    struct Stretch {
        uint64_t start = 0;
        uint64_t bytes = 0;
        bool holds(uint64_t address) const { return address - start < bytes; }
    };
    Stretch allocated_around(uint64_t address);
    bool is_private(uint64_t address) { return range_of(address) != nullptr; }
    bool is_allocated(uint64_t address) { return place_of(address) == Place::allocated; }
    // The interpreter's image, with its zero-initialized data, which no file holds.
    void set_image(uint64_t start, uint64_t end) {
        image_start_ = start;
        image_end_ = end;
    }

    // ESRCH where the process is gone, or the errno of a read that failed for another reason than
    // that nothing is there.
    int error() const { return error_; }

  private:
    struct Range {
        uint64_t start;
        uint64_t end;
        bool is_allocated;
        bool holds(uint64_t address) const { return start <= address && address < end; }
    };
    static constexpr size_t kPage = arch::kPageBytes;
    static constexpr size_t kPages = 8192;  // 32 MiB
    // One page at a time: to read its neighbours as well could give the process pages that it never
    // touched.
    struct Page {
        uint64_t start = ~uint64_t{0};
        bool is_there = false;
        std::array<std::byte, kPage> bytes;
    };
    // What is read of a page while reading is sparse: most objects lie in one.
    static constexpr size_t kBlock = 256;
    static constexpr size_t kBlocks = 128;
    struct Block {
        uint64_t start = ~uint64_t{0};
        bool is_there = false;
        std::array<std::byte, kBlock> bytes;
    };

    const Range* range_of(uint64_t address) {
        const bool is_last = last_range_ != nullptr && last_range_->holds(address);
        return is_last ? last_range_ : find_range(address);
    }
    const Range* find_range(uint64_t address);
    // nullptr where it cannot be read.
    const std::byte* page_at(uint64_t start);
    const std::byte* block_at(uint64_t start);

    int file_;
    std::vector<Range> ranges_;
    const Range* last_range_ = nullptr;
    std::vector<std::unique_ptr<Page>> pages_;  // each page has its place
    std::array<Block, kBlocks> blocks_{};
    bool is_sparse_ = false;
    std::array<std::byte, kMostBytes> joined_{};
    uint64_t image_start_ = 0;
    uint64_t image_end_ = 0;
    mutable int error_ = 0;
};

}  // namespace cowscope::runtime
