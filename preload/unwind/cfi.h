// Call frame information: how to get from one frame to its caller, read from the .eh_frame of the
// module that holds an instruction (DWARF 5 section 6.4; Linux Standard Base, "Exception Frames").
//
// Only what stack walking needs is kept: the rules for the canonical frame address (CFA), the
// return address and the frame pointer (FP). Async-signal-safe: the module is found with
// _dl_find_object (glibc 2.35, lock-free), and nothing is allocated.
//
// Whatever stands in the tables, and whether they are there or not: a rule, or none, in bounded
// time, and never a fault. Everything is read through a ByteReader, within the module.
#pragma once

#include <cstdint>

#include "unwind/frame_descriptions.h"

namespace cowscope::unwind {

enum class CfaKind : uint8_t {
    none,       // no usable rule: the walk ends here
    from_sp,    // SP + cfa_offset
    from_fp,    // FP + cfa_offset
    fp_deref,   // *(FP + cfa_offset): functions that realign their stack
    stub,       // an entry of the procedure linkage table: cpu::stub_cfa()
    signal,     // a kernel signal frame: SP points to its ucontext
    outermost,  // the return address is undefined: the thread's first frame
};

enum class FpKind : uint8_t {
    same,      // as in the called frame
    from_cfa,  // saved at CFA + fp_offset
    from_fp,   // saved at FP + fp_offset
};

struct Rule {
    uint64_t instruction_pointer;
    int32_t cfa_offset;
    int32_t fp_offset;
    CfaKind cfa;
    FpKind fp;
};

// The rule that holds while the instruction at `ip` executes. For a return address pass it minus 1.
Rule find_rule(uint64_t ip);
Rule find_rule_in(const Module& module, uint64_t ip);

}  // namespace cowscope::unwind
