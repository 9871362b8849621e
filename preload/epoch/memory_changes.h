// What the program does to memory that it shares: it unmaps, discards, moves it, or puts new memory
// in its place.
//
// Async-signal-safe. The lock of the session (session/session.h) is held, where nothing else is
// said.
#pragma once

#include "epoch/epoch.h"

namespace cowscope::epoch {

// The process is about to unmap, move or discard [start, end): what it copied there is recorded.
//
void record_copies(uint64_t start, uint64_t end);

// Finds which pages of [start, end) are inherited and copied: in `census`.
bool find_copies(uint64_t start, uint64_t end);

// mremap has moved [start, end), whose copies find_copies() has just found, or has left it where it
// was but unwatched: `to` is `start` then.
void follow_moved(uint64_t start, uint64_t end, uint64_t to);

// Says what `kind` says of one page: kernel or fresh.
void record_page(trace::CensusKind kind, uint64_t page);

// Another number than before where memory may have been taken away, or made unreadable, since it
// was asked last. Never 0.
uint64_t memory_version();

// The same of what only the program itself takes away, such as the main thread's stack.
inline uint64_t removals_version() {
    return sharing.removals + 1;
}

// [start, end) of a file's mapping will be writable: its pages are inherited like others.
void follow_writable(uint64_t start, uint64_t end);

// What comes to [start, end) from now on is not inherited. The lock is held.
// `is_kept`: it stays there, but nobody looks at it any more.
void forget_inherited(uint64_t start, uint64_t end, bool is_kept = false);

// The same of what has come there, or what was there has gone, by a call that was done.
void renew(uint64_t start, uint64_t end);

}  // namespace cowscope::epoch
