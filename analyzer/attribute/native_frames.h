// The frames of one place in native code: the inlined functions there and the one that has them.
#pragma once

#include "attribute/address_space.h"
#include "attribute/frame.h"

namespace cowscope::attribute {

// Innermost first, at least one; without a symbol a frame that has nothing but its address.
// `is_return_address`: the call before it is meant.
std::vector<const Frame*> native_frames(const AddressSpace::Code& code, uint64_t ip,
                                        bool is_return_address, FrameTable* table);

}  // namespace cowscope::attribute
