// The words of a stack that a walk reads. Async-signal-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "arch/cpu.h"
#include "support/readable.h"

namespace cowscope::unwind {

// Pages of one stack that could be read a moment ago. To stand in zeroed memory.
class StackPages {
  public:
    // `version` of the process's memory, never 0: where it is the last one's, nothing was taken
    // away in between.
    void begin(uint64_t version) {
        if (version == version_) return;
        version_ = version;
        for (uint64_t& page : pages_) page = 0;
    }
    bool has(uint64_t page) {
        // They stand side by side.
        uint64_t& known = pages_[page % kMost];
        if (known == page) return true;
        if (!is_word_readable(page * cpu::kPageBytes)) return false;
        known = page;
        return true;
    }

  private:
    static constexpr uint64_t kMost = 16;

    uint64_t version_;
    uint64_t pages_[kMost];
};

// The part of a stack that is in use, as far as is known: `start` is where its owner is.
struct StackRange {
    uint64_t start;
    uint64_t end;
    bool has_start = false;  // the page of `start` can be read
    // Where it is given, pages of it that can be read are remembered there.
    StackPages* known = nullptr;
};

// Memory is only read within the stack, and there only pages that were found to be readable.
class StackReader {
  public:
    explicit StackReader(const StackRange& range)
        : range_(range), page_(range.has_start ? range.start / cpu::kPageBytes : kNone) {}
    bool is_within(uint64_t address) const {
        return address >= range_.start && address < range_.end &&
               range_.end - address >= sizeof(uint64_t);
    }
    bool read(uint64_t address, uint64_t* value) {
        if (!is_within(address)) return false;
        if (!has(address, sizeof(*value))) return false;
        std::memcpy(value, reinterpret_cast<const void*>(address), sizeof(*value));
        return true;
    }

  private:
    static constexpr uint64_t kNone = ~uint64_t{0};

    // Frames follow each other, so the page that was asked for last is mostly the one.
    bool has(uint64_t address, uint64_t bytes) {
        const uint64_t last = (address + bytes - 1) / cpu::kPageBytes;
        if (address / cpu::kPageBytes == page_ && last == page_) return true;
        if (range_.known == nullptr) {
            if (!is_readable(address, bytes)) return false;
        } else if (!range_.known->has(address / cpu::kPageBytes) || !range_.known->has(last)) {
            return false;
        }
        page_ = last;
        return true;
    }

    const StackRange& range_;
    uint64_t page_;  // known to be readable
};

// Remembers what was read. In zeroed memory it remembers nothing.
class StackWords {
  public:
    void begin() {
        count_ = 0;
        needs_fp_ = false;
    }
    // The walk has used the frame pointer as it was where it began. Most code keeps something else
    // in it.
    void note_fp() { needs_fp_ = true; }
    bool needs_fp() const { return needs_fp_; }
    void forget() { count_ = kNothing; }
    void note(uint64_t address, uint64_t value) {
        // Deeper stacks are walked each time.
        if (count_ >= kMost) {
            count_ = kNothing;
            return;
        }
        words_[count_++] = {address, value};
    }
    // False where nothing is remembered.
    bool are_unchanged(const StackRange& stack) const {
        if (count_ == 0 || count_ == kNothing) return false;
        StackReader reader(stack);
        for (uint32_t i = 0; i < count_; ++i) {
            uint64_t value;
            if (!reader.read(words_[i].address, &value) || value != words_[i].value) return false;
        }
        return true;
    }

  private:
    static constexpr uint32_t kMost = 128;
    static constexpr uint32_t kNothing = ~uint32_t{0};
    struct Word {
        uint64_t address;
        uint64_t value;
    };

    uint32_t count_;
    bool needs_fp_;
    Word words_[kMost];
};

}  // namespace cowscope::unwind
