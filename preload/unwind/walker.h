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
// frame, never a fault; unwind tables are read as unwind/cfi.h says.
#pragma once

#include <cstddef>

#include "arch/cpu.h"
#include "unwind/cfi.h"
#include "unwind/stack_words.h"

namespace cowscope::unwind {

class Walker {
  public:
    // To find a rule takes some system calls. Two to a set: with one, a stack of some dozens of
    // frames would have a pair that push each other out at every walk.
    static constexpr size_t kSets = 256;  // a power of two
    static constexpr size_t kWays = 2;

    // After a module went away: its addresses may come to mean other code.
    void forget_rules();
    // Another number since.
    uint32_t rules_version() const { return rules_version_; }

    // Fills `ips`, innermost first, with the interrupted instruction and then return addresses.
    // Returns how many, at least 1 and at most `limit`; *complete says whether the outermost frame
    // was reached; *read, where it is given, what the result depends on besides.
    uint32_t walk(cpu::Registers registers, const StackRange& stack, uint64_t* ips, uint32_t limit,
                  bool* complete, StackWords* read = nullptr);

  private:
    const Rule& rule_for(uint64_t ip);

    Rule rules_[kSets][kWays] = {};
    uint32_t rules_version_ = 0;
};

}  // namespace cowscope::unwind
