// The door to what depends on the processor: nothing outside arch/ names a register, knows a page's
// size or reads machine code. A processor is a folder whose files have the same names in each:
// processor.h (constants), decoder.cpp (arch/decoder.h), code_patterns.cpp (arch/code_patterns.h).
//
// cowscope reads traces on the kind of machine that it was built for.
#pragma once

#if defined(__x86_64__)
#include "arch/x86_64/processor.h"  // IWYU pragma: export
#else
#error "cowscope has no analyzer/arch/ folder for this processor"
#endif
