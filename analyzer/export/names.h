// Names as files for other tools can hold them.
#pragma once

#include <string>

#include "export/exported_copies.h"

namespace cowscope::exports {

// "read_map (string_map.py:34)", "memcpy (libc.so.6)", short.
std::string frame_name(const attribute::Frame& frame);

// "[refcount of str]": why, for formats that have nothing but frames.
std::string cause_name(const Sample& sample);

}  // namespace cowscope::exports
