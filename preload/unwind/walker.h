// Walks a thread's stack from the registers of an interrupted instruction.
//
// Why not libunwind: a copy of it has to be loaded either into every process at its start, which
// made each start 1.1 to 1.4 times as long as the shim alone, or inside fork, where loading may
// find malloc or the loader locked; Debian 12's has no entry that starts from given registers, and
// it takes locks, allocates, and writes to memory that a child inherits. The tests hold this walker
// against libunwind.
//
// To stand in zeroed static memory, so that forked children have the rules that their parent found.
// Async-signal-safe. Not thread-safe: callers hold the process's lock. Memory is only read within
// the stack, and there only pages that were found to be readable, so a wrong rule is a missing
// frame, never a fault.
#pragma once

#include <cstddef>

#include "unwind/cfi.h"

namespace cowscope::unwind {

struct Registers {
    uint64_t ip;
    uint64_t sp;
    uint64_t bp;
};

// The part of a stack that is in use, as far as is known: `start` is where its owner is.
struct StackRange {
    uint64_t start;
    uint64_t end;
    // There is no hole in it. Others may have had neighbours in their mapping that are gone since.
    bool is_whole = false;
};

class Walker {
  public:
    static constexpr size_t kCachedRules = 512;  // a power of two

    // After a module went away: its addresses may come to mean other code.
    void forget_rules();

    // Fills `ips`, innermost first, with the interrupted instruction and then return addresses.
    // Returns how many, at least 1 and at most `limit`; *complete says whether the outermost frame
    // was reached.
    uint32_t walk(Registers registers, const StackRange& stack, uint64_t* ips, uint32_t limit,
                  bool* complete);

  private:
    const Rule& rule_for(uint64_t ip);

    Rule rules_[kCachedRules] = {};
};

}  // namespace cowscope::unwind
