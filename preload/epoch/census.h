// What a process says about the pages that it copied: at its end, before a further fork, and before
// it gives memory up.
//
// Async-signal-safe. The lock of the session (session/session.h) is held, where nothing else is
// said.
#pragma once

#include "epoch/epoch.h"

namespace cowscope::epoch {

// Takes the census of the pages that were tracked so far.
void write_census(trace::CensusKind kind);
void write_census_record(trace::CensusKind kind, const tracker::Census& census);

// Says what the process has to itself beside what it copied.
void write_account(uint64_t fresh_pages, uint64_t held_alone_pages);

// The same at its end, behind the last census. Returns the pages that it has to itself in all.
uint64_t write_last_account();

}  // namespace cowscope::epoch
