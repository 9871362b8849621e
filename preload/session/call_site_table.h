// The places that copied most after the bound of a recording: a table of few slots in a file
// (aggregate_format.h) for any number of places, written by all processes of a program at once.
//
// While there is a free slot, a place gets one. Later a new place takes over the slot of the one
// that copied least (Space-Saving; Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent
// and Top-k Elements in Data Streams", 2005): what copies more than one in so many as there are
// slots is there in the end, however many others came before it. Not each event of a new place does
// so, only one in kTakeOverPeriod: most places of many copy too little to be worth writing down.
//
// Thread and signal safety: async-signal-safe, for several threads and processes at once. A process
// that is killed in the midst of it leaves at most one slot unusable, with the counts it had. What
// the slots hold is not trusted.
#pragma once

#include <cstdint>

#include "format/aggregate_format.h"

namespace cowscope::session {

class CallSiteTable {
  public:
    static constexpr uint32_t kMostProbes = 64;
    static constexpr uint64_t kTakeOverPeriod = 16;

    // `slots` were zero when their file was made. `displaced_copies` takes those of the places that
    // lost their slot.
    CallSiteTable(trace::AggregateSlot* slots, uint64_t slot_count, uint64_t* displaced_copies)
        : slots_(slots), slot_count_(slot_count), displaced_copies_(displaced_copies) {}

    struct Found {
        trace::AggregateSlot* slot;  // nullptr: none for this event
        bool is_new;                 // the caller describes it, and then calls set_complete()
    };
    // The slot of the place that `key` stands for, at an event of that number.
    Found find(uint64_t key, uint64_t event);
    // The caller has described a new one.
    static void set_complete(trace::AggregateSlot* slot);

    // Keeps the place of `key` in its slot, which find() gave, until release(). False where it has
    // lost it, or somebody else keeps it.
    static bool hold(trace::AggregateSlot* slot, uint64_t key);
    static void release(trace::AggregateSlot* slot);

  private:
    trace::AggregateSlot* take_over(trace::AggregateSlot* slot, uint64_t key);

    trace::AggregateSlot* slots_;
    uint64_t slot_count_;
    uint64_t* displaced_copies_;
};

}  // namespace cowscope::session
