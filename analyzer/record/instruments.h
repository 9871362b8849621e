// The trackers and witnesses that a recording can use. Each is a file in record/instruments/, which
// defines it, and one line here: options, their help and errors, doctor and notes follow this list.
#pragma once

#include <span>

#include "record/instrument.h"

namespace cowscope::record {

// Best first: `auto` takes the first one that can be used.
#define COWSCOPE_TRACKERS(EACH) \
    EACH(kUserfaultfd)          \
    EACH(kSoftDirty)
#define COWSCOPE_WITNESSES(EACH) EACH(kTrap)

#define COWSCOPE_DECLARE(instrument) extern const Instrument instrument;
COWSCOPE_TRACKERS(COWSCOPE_DECLARE)
COWSCOPE_WITNESSES(COWSCOPE_DECLARE)
#undef COWSCOPE_DECLARE

// A kind of instrument and its members.
using Instruments = std::span<const Instrument* const>;
Instruments trackers();
Instruments witnesses();

}  // namespace cowscope::record
