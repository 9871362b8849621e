// Tracking: the inherited pages are listed and protected.
//
// Async-signal-safe. The lock of the session (session/session.h) is held, where nothing else is
// said.
#pragma once

#include "epoch/epoch.h"

namespace cowscope::epoch {

// Lists the inherited pages and protects them: from now on a census tells which were written.
// Leaves out `used`, where the shim itself has written.
void start_tracking(const AddressRange& used);

// Writes which pages are inherited, with which the epoch begins if it has not. The lock is
// held.
void write_inherited(trace::Tracker tracker);

// Opens the tracker, or finds that there is none.
bool start_tracker();

// smaps_rollup walks all pages, at up to 100 ns each. Beyond 8 MiB that shows.
inline constexpr uint64_t kWorthMeasuringPages = 2 * 1024;

// The part of the stack that the shim's code around a fork may have written.
AddressRange stack_in_use();

// libcowscope.so as it is mapped.
AddressRange own_image();

// Reads and records the mappings as they are now. 0, or -errno: they are what they were before, for
// all that is known (a process may have no /proc, behind chroot).
int read_mappings();

// Lists the inherited pages of a process that ends while witnessing.
void list_at_end();

}  // namespace cowscope::epoch
