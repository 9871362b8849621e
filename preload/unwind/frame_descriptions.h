// Where a module describes its frames: the sorted table of .eh_frame_hdr, the frame description
// entries (FDE) that it leads to, and the common information entries (CIE) behind these (Linux
// Standard Base, "Exception Frames").
//
// Async-signal-safe. Whatever stands in the module: an answer or none, in bounded time, never a
// fault.
#pragma once

#include <cstdint>

namespace cowscope::unwind {

// A module, as the dynamic linker tells of it.
struct Module {
    uint64_t start;
    uint64_t end;
    uint64_t eh_frame_header;  // within
};

inline constexpr uint32_t kExtendedLength = 0xffffffff;  // a length of 64 bits follows

struct Cie {
    uint64_t code_alignment;
    int64_t data_alignment;
    uint8_t pointer_encoding = 0;  // DW_EH_PE_absptr
    bool has_augmentation = false;
    bool signal_frame = false;
    uint64_t instructions;
    uint64_t end;
};

// The address of the entry that may cover `ip`, from the module's sorted table, or 0.
uint64_t find_fde(const Module& module, uint64_t ip);

// False for what is none, or of a kind that no compiler writes.
bool read_cie(uint64_t address, const Module& module, Cie* cie);

}  // namespace cowscope::unwind
