#include "observe/segment_tail.h"

#include <algorithm>

#include "base/error.h"
#include "observe/page_census.h"

namespace cowscope::observe {

namespace {

// A process that writes events as fast as it can fills less in a quarter of a second.
constexpr uint64_t kMostBytesACall = uint64_t{16} << 20;
// 128 MiB of them: a 64 GiB heap of which every second page is missing.
constexpr size_t kMostInheritedRuns = size_t{8} << 20;
constexpr size_t kMostDiscardedRuns = size_t{1} << 16;

bool is_possible(const trace::PageRun& run) {
    return trace::PageSet().append(run);
}

}  // namespace

void SegmentTail::read_on() {
    trace::SegmentReader reader(path_);
    // Always the first record, and updated in place.
    if (const auto first = reader.next(); first && first->type == trace::RecordType::loss) {
        lost_records_ = first->as<trace::LossRecord>().unwritten_bytes != 0;
    }
    if (read_ != 0) {
        reader.seek(read_);
    } else {
        reader.rewind();
        read_ = reader.offset();
    }
    behind_ = false;
    const uint64_t stop = read_ + kMostBytesACall;
    for (;;) {
        const uint64_t offset = reader.offset();
        const auto record = reader.next();
        if (!record) break;
        take(*record, offset);
        read_ = reader.offset();
        if (read_ >= stop) {
            behind_ = true;
            break;
        }
    }
    if (generation_ && !new_given_up_.empty()) {
        // With too many it is never scanned: they need not be held.
        if (generation_->discarded.runs().size() <= kMostDiscardedRuns) {
            generation_->discarded.merge(trace::union_of(std::move(new_given_up_)));
        }
    }
    new_given_up_.clear();
}

void SegmentTail::take(const trace::RecordView& record, uint64_t offset) {
    ended_ = false;
    switch (record.type) {
        case trace::RecordType::process:
            process_ = record.as<trace::ProcessRecord>();
            break;
        case trace::RecordType::inherited:
            take_inherited(record, offset);
            break;
        case trace::RecordType::protect:
            take_protect(record);
            break;
        case trace::RecordType::discarded:
            take_given_up(record);
            break;
        case trace::RecordType::fork:
            forks_ = record.as<trace::ForkRecord>().ordinal;
            ++turns_;
            break;
        case trace::RecordType::census:
            take_census(record.as<trace::CensusRecord>().kind);
            break;
        case trace::RecordType::end:
            ended_ = true;
            is_bound_ = record.as<trace::EndRecord>().kind == trace::EndKind::bound;
            ++turns_;
            break;
        default:
            break;
    }
}

void SegmentTail::take_inherited(const trace::RecordView& record, uint64_t offset) {
    const auto fixed = record.as<trace::InheritedRecord>();
    const bool goes_on = generation_ && !generation_->is_complete;
    if (!goes_on) {
        generation_ = FollowedEpoch{fixed.epoch, fixed.tracker, offset, false, false, {}};
        new_given_up_.clear();
        ++turns_;
    }
    generation_->is_complete = (record.flags & trace::kMoreParts) == 0;
}

void SegmentTail::take_census(trace::CensusKind kind) {
    // The others say nothing about the whole.
    const bool is_over = kind == trace::CensusKind::alone;
    if (is_over && generation_) generation_->is_over = true;
    if (is_over || kind == trace::CensusKind::final || kind == trace::CensusKind::epoch) {
        ++turns_;
    }
}

void SegmentTail::take_protect(const trace::RecordView& record) {
    const auto fixed = record.as<trace::ProtectRecord>();
    protected_generation_ = fixed.epoch;
    std::vector<trace::PageRun> own;
    std::copy_if(std::begin(fixed.own), std::end(fixed.own), std::back_inserter(own), is_possible);
    own_ = trace::union_of(std::move(own));
    ++turns_;
}

void SegmentTail::take_given_up(const trace::RecordView& record) {
    const auto range = record.as<trace::DiscardedRecord>().range;
    if (is_possible(range)) new_given_up_.push_back(range);
}

bool SegmentTail::can_be_scanned() const {
    // Between a fork and the pages that it shares, the pages are being protected anew.
    return process_ && generation_ && generation_->is_complete && !generation_->is_over &&
           generation_->number == forks_ && generation_->tracker != trace::Tracker::off &&
           protected_generation_ == generation_->number &&
           generation_->discarded.runs().size() <= kMostDiscardedRuns && !ended_ && !behind_ &&
           !lost_records_;
}

void SegmentTail::read_inherited(trace::PageSet* pages) const {
    trace::SegmentReader reader(path_);
    reader.seek(generation_->offset);
    pages->clear();
    bool goes_on = true;
    while (goes_on) {
        const auto record = reader.next();
        if (!record || record->type != trace::RecordType::inherited) {
            throw Error(path_, reader.offset(), "inherited", "is not where it was");
        }
        const auto count = record->as<trace::InheritedRecord>().run_count;
        const auto bytes = record->behind<trace::InheritedRecord>();
        if (pages->runs().size() + count > kMostInheritedRuns) {
            throw Error(path_, record->offset, "inherited", "makes too many runs");
        }
        for (uint32_t i = 0; i < count; ++i) {
            trace::PageRun run;
            std::memcpy(&run, bytes.data() + i * sizeof(run), sizeof(run));
            if (!pages->append(run)) {
                throw Error(path_, record->offset, "inherited", "has an impossible run");
            }
        }
        goes_on = (record->flags & trace::kMoreParts) != 0;
    }
    if (!generation_->discarded.runs().empty()) *pages = without(*pages, generation_->discarded);
}

}  // namespace cowscope::observe
