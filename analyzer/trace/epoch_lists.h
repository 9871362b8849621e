// The epochs of a process and their lists of pages, from the records of its segment. Lists may come
// in parts, in any number, and parts of them may be missing.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "trace/epoch_counter.h"
#include "trace/list_parts.h"
#include "trace/process_trace.h"

namespace cowscope::trace {

// Notes a list whose last part has not come.
void lose_list(const SegmentReader& reader, const char* kind, LeftOut* left_out);

// Fills ProcessTrace::epochs. Both arguments outlive it. What a record says that cannot be is
// thrown as cowscope::Error; what it lacks goes to ProcessTrace::left_out.
class EpochLists {
  public:
    EpochLists(const SegmentReader& reader, ProcessTrace* process)
        : reader_(reader), process_(*process) {}

    // Each is shown every record of its type, in the order of the segment.
    void take_epoch(const RecordView& record);
    void take_inherited(const RecordView& record);
    void take_census(const RecordView& record);
    void take_weight(const RecordView& record);
    void take_moved(const RecordView& record);
    void take_given_up(const RecordView& record);
    // What holds before the first weight record.
    void set_first_weight(uint32_t weight) {
        if (!weight_is_told_) weight_ = weight;
    }

    // Behind the last record of a segment that was read to its end: lists that still go on are
    // torn.
    void end_lists();
    // At the very end. The censuses of ranges and the lists of single pages, each of them all at
    // once: there may be as many as records.
    void add_pages();

  private:
    // What an epoch is given by add_pages().
    struct Pending {
        std::vector<PageRun> inherited;
        std::vector<PageRun> not_copied;
        std::vector<PageRun> unseen;
        // Of of_ranges_.
        size_t first_range;
        size_t range_end;
    };

    [[noreturn]] void fail(const RecordView& record, const std::string& message) const;
    void lose_inherited();
    Epoch& add_epoch(uint32_t number, uint64_t start_ns);
    // Appends the runs behind a record's fixed part.
    template <typename Record>
    void take_runs(const RecordView& record, uint32_t count, PageSet* pages);

    const SegmentReader& reader_;
    ProcessTrace& process_;
    EpochCounter epoch_counter_;
    uint32_t weight_ = 1;
    bool weight_is_told_ = false;
    ListParts inherited_parts_;
    ListParts census_parts_;
    PageSet census_runs_;
    std::vector<Pending> pending_;                        // as process_.epochs
    std::unordered_map<uint32_t, size_t> newest_;         // epoch of a number
    std::map<uint32_t, std::vector<PageRun>> of_ranges_;  // copies by epoch's number
    uint64_t moves_ = 0;
    uint64_t pieces_moved_ = 0;
};

}  // namespace cowscope::trace
