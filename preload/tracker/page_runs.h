// A set of pages as ascending, disjoint runs.
#pragma once

#include "arch/cpu.h"
#include "format/trace_format.h"
#include "support/arena.h"

namespace cowscope::tracker {

class PageRuns {
  public:
    // Adds [start, end), which lies behind everything added so far. False when memory is out.
    bool append(Arena& arena, uint64_t start, uint64_t end) {
        const uint64_t pages = (end - start) / cpu::kPageBytes;
        pages_ += pages;
        if (!runs_.empty() && run_end(runs_.back()) == start) {
            runs_.back().pages += pages;
            return true;
        }
        return runs_.push(arena, {start, pages});
    }
    void clear() {
        runs_.clear();
        pages_ = 0;
    }

    // Adds [start, end), which is not in the set and may lie anywhere. False when memory is out.
    bool insert(Arena& arena, uint64_t start, uint64_t end) {
        if (!runs_.push(arena, {start, (end - start) / cpu::kPageBytes})) return false;
        size_t at = runs_.size() - 1;
        for (; at > 0 && runs_[at - 1].start > start; --at) {
            const trace::PageRun moved = runs_[at - 1];
            runs_[at - 1] = runs_[at];
            runs_[at] = moved;
        }
        pages_ += (end - start) / cpu::kPageBytes;
        return true;
    }

    // Takes [start, end) out of the set. False when memory for a split is out; then it is whole.
    bool remove(Arena& arena, uint64_t start, uint64_t end) {
        size_t i = first_ending_after(start);
        if (i == runs_.size() || runs_[i].start >= end) return true;
        if (runs_[i].start < start && run_end(runs_[i]) > end) {
            const trace::PageRun behind = {end, (run_end(runs_[i]) - end) / cpu::kPageBytes};
            if (!runs_.push(arena, behind)) return false;
            for (size_t at = runs_.size() - 1; at > i + 1; --at) runs_[at] = runs_[at - 1];
            runs_[i + 1] = behind;
            runs_[i].pages = (start - runs_[i].start) / cpu::kPageBytes;
            pages_ -= (end - start) / cpu::kPageBytes;
            return true;
        }
        size_t kept = i;
        for (; i < runs_.size(); ++i) {
            trace::PageRun run = runs_[i];
            const uint64_t from = run.start > start ? run.start : start;
            const uint64_t to = run_end(run) < end ? run_end(run) : end;
            if (from < to) {
                pages_ -= (to - from) / cpu::kPageBytes;
                if (run.start < from) {
                    run.pages = (from - run.start) / cpu::kPageBytes;
                } else {
                    run = {to, (run_end(run) - to) / cpu::kPageBytes};
                }
            }
            if (run.pages != 0) runs_[kept++] = run;
        }
        runs_.shrink(kept);
        return true;
    }

    bool overlaps(uint64_t start, uint64_t end) const {
        const size_t i = first_ending_after(start);
        return i != runs_.size() && runs_[i].start < end;
    }

    bool contains(uint64_t address) const {
        const size_t i = first_ending_after(address);
        return i != runs_.size() && runs_[i].start <= address;
    }

    // Calls sink(start, end) for the parts of [start, end) in the set; `cursor` is 0 at first and
    // is moved along by calls in ascending order.
    template <typename Sink>
    void intersect(uint64_t start, uint64_t end, size_t* cursor, Sink&& sink) const {
        while (*cursor < runs_.size() && run_end(runs_[*cursor]) <= start) ++*cursor;
        for (size_t i = *cursor; i < runs_.size() && runs_[i].start < end; ++i) {
            const uint64_t from = runs_[i].start > start ? runs_[i].start : start;
            const uint64_t to = run_end(runs_[i]) < end ? run_end(runs_[i]) : end;
            sink(from, to);
        }
    }

    uint64_t pages() const { return pages_; }
    const ArenaArray<trace::PageRun>& runs() const { return runs_; }

  private:
    size_t first_ending_after(uint64_t address) const {
        size_t low = 0;
        size_t high = runs_.size();
        while (low < high) {
            const size_t middle = low + (high - low) / 2;
            if (run_end(runs_[middle]) <= address) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    static uint64_t run_end(const trace::PageRun& run) {
        return run.start + run.pages * cpu::kPageBytes;
    }

    ArenaArray<trace::PageRun> runs_;
    uint64_t pages_ = 0;
};

}  // namespace cowscope::tracker
