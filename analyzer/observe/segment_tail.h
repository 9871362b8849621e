// Follows a segment while its process writes it, as far as one needs to know to take a census of
// the process from outside. The segment is not trusted: what this holds and reads at a time is
// bounded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "preload/format/trace_format.h"
#include "trace/page_set.h"
#include "trace/segment_reader.h"

namespace cowscope::observe {

// The pages of a process that count as inherited, since its last fork.
struct FollowedEpoch {
    uint32_t number = 0;
    trace::Tracker tracker = trace::Tracker::off;
    uint64_t offset = 0;       // in the segment, of the first InheritedRecord
    bool is_complete = false;  // its last part is there
    bool is_over = false;      // the process looks no longer what it writes
    trace::PageSet discarded;  // ranges that are inherited no more
};

class SegmentTail {
  public:
    explicit SegmentTail(std::string path) : path_(std::move(path)) {}

    // Takes in what was appended since the last call. Throws cowscope::Error where the file is no
    // segment (or not yet) or is damaged.
    void read_on();

    const std::string& path() const { return path_; }
    // Nothing until its record was read.
    const std::optional<trace::ProcessRecord>& process() const { return process_; }
    // The newest one; nothing before the process shared any page.
    const std::optional<FollowedEpoch>& epoch() const { return generation_; }
    // The shim's own memory.
    const trace::PageSet& own() const { return own_; }
    // The end is the last that the process said: if it goes on after all (an exec that failed), it
    // says more. Not where it is the end of the recording alone (EndKind::bound).
    bool says_ended() const { return ended_ && !is_bound_; }
    // Whether written pages of the newest epoch can be told apart.
    bool can_be_scanned() const;
    // Grows with every record after which an earlier look at the process's pages means nothing:
    // forks, the process's own censuses, its end.
    uint64_t turns() const { return turns_; }

    // Reads the inherited pages of the newest epoch, which is complete, without those that
    // were given up. Throws cowscope::Error, also where there are more runs than anyone needs.
    void read_inherited(trace::PageSet* pages) const;

  private:
    void take(const trace::RecordView& record, uint64_t offset);
    void take_inherited(const trace::RecordView& record, uint64_t offset);
    void take_census(trace::CensusKind kind);
    void take_protect(const trace::RecordView& record);
    void take_given_up(const trace::RecordView& record);

    std::string path_;
    uint64_t read_ = 0;    // offset behind the last record taken in
    bool behind_ = false;  // there is more than one call takes in
    std::optional<trace::ProcessRecord> process_;
    std::optional<FollowedEpoch> generation_;
    std::vector<trace::PageRun> new_given_up_;
    trace::PageSet own_;
    std::optional<uint32_t> protected_generation_;
    uint32_t forks_ = 0;
    uint64_t turns_ = 0;
    bool ended_ = false;
    bool is_bound_ = false;
    bool lost_records_ = false;  // what is missing may be what matters here
};

}  // namespace cowscope::observe
