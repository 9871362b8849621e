// The last walk over a stack, so that the next one from the same place is told to come to the same:
// a loop that writes page after page has one stack, and looking its words over costs a fifth of
// walking it anew. A walk is what its registers, the words that it reads of the stack and the rules
// make of it: where none of these is another, neither is the result.
//
// To stand in zeroed memory of the process's own. Async-signal-safe. Not thread-safe: callers hold
// the process's lock. Reads what the walk has read, with the same care.
#pragma once

#include "arch/cpu.h"
#include "support/hash.h"
#include "unwind/walker.h"

namespace cowscope::unwind {

template <uint32_t kMostFrames>
class LastWalk {
  public:
    // As Walker::walk(), into ips().
    void walk(Walker* walker, const cpu::Registers& registers, const StackRange& stack,
              uint32_t limit) {
        if (is_same(*walker, registers, stack, limit)) return;
        registers_ = registers;
        end_ = stack.end;
        limit_ = limit;
        rules_version_ = walker->rules_version();
        words_.begin();
        depth_ = walker->walk(registers, stack, ips_, limit < kMostFrames ? limit : kMostFrames,
                              &is_complete_, &words_);
        key_ = hash_words(ips_, depth_);
    }
    // A stack of which nothing can be read.
    void set_innermost(uint64_t ip) {
        words_.forget();
        ips_[0] = ip;
        depth_ = 1;
        is_complete_ = false;
        key_ = hash_words(ips_, depth_);
    }

    // Innermost first: the interrupted instruction, then return addresses.
    const uint64_t* ips() const { return ips_; }
    uint32_t depth() const { return depth_; }
    // Whether the outermost frame was reached.
    bool is_complete() const { return is_complete_; }
    // Hash of the frames.
    uint64_t key() const { return key_; }

  private:
    bool is_same(const Walker& walker, const cpu::Registers& registers, const StackRange& stack,
                 uint32_t limit) const {
        return registers.ip == registers_.ip && registers.sp == registers_.sp &&
               (registers.fp == registers_.fp || !words_.needs_fp()) && stack.end == end_ &&
               limit == limit_ && walker.rules_version() == rules_version_ &&
               words_.are_unchanged(stack);
    }

    cpu::Registers registers_;
    uint64_t end_;  // of the stack
    uint64_t key_;
    uint32_t limit_;
    uint32_t depth_;
    uint32_t rules_version_;
    bool is_complete_;
    StackWords words_;
    uint64_t ips_[kMostFrames];
};

}  // namespace cowscope::unwind
