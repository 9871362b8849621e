// A module of the fuzzed bytes, in memory as a loader would have put it, with pages around it and
// one in it that nobody can read. What reads past what is there ends the process.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstring>

#include "tests/fuzz/fuzzer.h"

namespace cowscope::fuzz {

class Pages {
  public:
    static constexpr uint64_t kPage = 4096;

    explicit Pages(uint64_t count) : count_(count) {
        void* memory = mmap(nullptr, (count + 2 * kAround) * kPage, PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) fail("mmap");
        start_ = reinterpret_cast<uint64_t>(memory) + kAround * kPage;
    }
    uint64_t start() const { return start_; }
    uint64_t end() const { return start_ + count_ * kPage; }
    bool holds(uint64_t address) const { return address >= start() && address < end(); }

    // `hole`: the page of it that cannot be read; none where there are less.
    void fill(const uint8_t* data, size_t size, uint64_t hole) {
        protect(0, count_, PROT_READ | PROT_WRITE);
        const size_t room = count_ * kPage;
        const size_t taken = size < room ? size : room;
        // An input may be empty.
        if (taken != 0) std::memcpy(reinterpret_cast<void*>(start_), data, taken);
        std::memset(reinterpret_cast<void*>(start_ + taken), 0, room - taken);
        if (hole < count_) protect(hole, 1, PROT_NONE);
    }

  private:
    static constexpr uint64_t kAround = 16;

    void protect(uint64_t page, uint64_t pages, int protection) const {
        if (mprotect(reinterpret_cast<void*>(start_ + page * kPage), pages * kPage, protection) !=
            0) {
            fail("mprotect");
        }
    }

    uint64_t count_;
    uint64_t start_;
};

}  // namespace cowscope::fuzz
