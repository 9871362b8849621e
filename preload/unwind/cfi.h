// Call frame information: how to get from one frame to its caller, read from the .eh_frame of the
// module that holds an instruction (DWARF 5 section 6.4; Linux Standard Base, "Exception Frames").
//
// Only what stack walking needs is kept: the rules for the canonical frame address (CFA), the
// return address and rbp. Async-signal-safe: the module is found with _dl_find_object (glibc 2.35,
// lock-free), and nothing is allocated.
//
// Whatever stands in the tables, and whether they are there or not: a rule, or none, in bounded
// time, and never a fault. Everything is read through a ByteReader, within the module.
#pragma once

#include <cstdint>

namespace cowscope::unwind {

enum class CfaKind : uint8_t {
    none,       // no usable rule: the walk ends here
    from_rsp,   // rsp + cfa_offset
    from_rbp,   // rbp + cfa_offset
    rbp_deref,  // *(rbp + cfa_offset): functions that realign their stack
    plt,        // rsp + 8, or + 16 from the 11th byte of a 16-byte PLT entry on
    signal,     // a kernel signal frame: rsp points to its ucontext
    outermost,  // the return address is undefined: the thread's first frame
};

enum class RbpKind : uint8_t {
    same,      // as in the called frame
    from_cfa,  // saved at CFA + rbp_offset
    from_rbp,  // saved at rbp + rbp_offset
};

struct Rule {
    uint64_t instruction_pointer;
    int32_t cfa_offset;
    int32_t rbp_offset;
    CfaKind cfa;
    RbpKind rbp;
};

// A module, as the dynamic linker tells of it.
struct Module {
    uint64_t start;
    uint64_t end;
    uint64_t eh_frame_header;  // within
};

// The rule that holds while the instruction at `ip` executes. For a return address pass it minus 1.
Rule find_rule(uint64_t ip);
Rule find_rule_in(const Module& module, uint64_t ip);

}  // namespace cowscope::unwind
