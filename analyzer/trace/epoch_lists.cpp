#include "trace/epoch_lists.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace cowscope::trace {
namespace {

// A program may move any number of ranges, but not so many pieces with each: the same million
// pieces a million times would take for ever.
constexpr uint64_t kMostPiecesMoved = uint64_t{1} << 22;
constexpr uint64_t kMostPiecesAMove = 4;

// The recorder's stand in files of its own (outside.h).
bool is_taken_by_process(CensusKind kind) {
    return kind >= CensusKind::final && kind <= CensusKind::unseen && kind != CensusKind::outside;
}

}  // namespace

void lose_list(const SegmentReader& reader, const char* kind, LeftOut* left_out) {
    add_to(left_out, fmt::format("{}: {} record: a list without its end", reader.path(), kind));
}

void EpochLists::fail(const RecordView& record, const std::string& message) const {
    refuse(reader_, record, message);
}

void EpochLists::end_lists() {
    if (inherited_parts_.goes_on()) lose_inherited();
    if (census_parts_.goes_on()) lose_list(reader_, "census", &process_.left_out);
}

void EpochLists::lose_inherited() {
    lose_list(reader_, "inherited", &process_.left_out);
    if (!process_.epochs.empty()) process_.epochs.back().is_list_torn = true;
}

Epoch& EpochLists::add_epoch(uint32_t number, uint64_t start_ns) {
    Epoch& epoch = process_.epochs.emplace_back();
    epoch.number = number;
    epoch.start_ns = start_ns;
    epoch.largest_weight = weight_;
    newest_[number] = process_.epochs.size() - 1;
    // Censuses of ranges that came before it are not its own.
    const size_t ranges = of_ranges_[number].size();
    pending_.push_back({{}, {}, {}, ranges, ranges});
    process_.see_time(start_ns);
    return epoch;
}

void EpochLists::add_pages() {
    for (size_t i = 0; i < pending_.size(); ++i) {
        Epoch& epoch = process_.epochs[i];
        Pending& pending = pending_[i];
        epoch.inherited.merge(union_of(std::move(pending.inherited)));
        epoch.not_copied.merge(union_of(std::move(pending.not_copied)));
        epoch.unseen = union_of(std::move(pending.unseen));
        const auto ranges = of_ranges_[epoch.number].begin();
        epoch.copied.merge(union_of({ranges + static_cast<std::ptrdiff_t>(pending.first_range),
                                     ranges + static_cast<std::ptrdiff_t>(pending.range_end)}));
    }
}

template <typename Record>
void EpochLists::take_runs(const RecordView& record, uint32_t count, PageSet* pages) {
    const auto bytes = record.behind<Record>();
    for (uint32_t i = 0; i < count; ++i) {
        PageRun run;
        std::memcpy(&run, bytes.data() + i * sizeof(run), sizeof(run));
        if (!pages->append(run)) {
            fail(record, fmt::format("run {} ({:#x}, {} pages) is impossible there", i, run.start,
                                     run.pages));
        }
    }
}

void EpochLists::take_epoch(const RecordView& record) {
    const auto fixed = record.as<EpochRecord>();
    if (inherited_parts_.goes_on()) lose_inherited();
    inherited_parts_ = {};
    epoch_counter_.take(record);
    add_epoch(fixed.epoch, fixed.time_ns).witness = fixed.witness;
}

void EpochLists::take_inherited(const RecordView& record) {
    const auto fixed = record.as<InheritedRecord>();
    const ListPart part = inherited_parts_.take(record.flags, fixed.time_ns);
    if (part.is_other_torn) lose_inherited();
    if (epoch_counter_.take(record)) add_epoch(fixed.epoch, fixed.time_ns);
    Epoch& epoch = process_.epochs.back();
    // A process whose end did not come after all lists them once more.
    if (part.is_first) {
        epoch.is_list_torn = false;
        epoch.inherited.clear();
        pending_.back().inherited.clear();
        epoch.fork_addresses.clear();
    }
    epoch.tracker = fixed.tracker;
    epoch.witness = fixed.witness;
    epoch.is_listed = true;
    epoch.had_more = (fixed.header.flags & kInheritedMore) != 0;
    epoch.listed_ns = fixed.time_ns;
    take_runs<InheritedRecord>(record, fixed.run_count, &epoch.inherited);
}

void EpochLists::take_census(const RecordView& record) {
    const auto fixed = record.as<CensusRecord>();
    const auto newest = newest_.find(fixed.epoch);
    if (newest == newest_.end()) {
        fail(record, fmt::format("is of generation {}, which never began", fixed.epoch));
    }
    if (!is_taken_by_process(fixed.kind)) fail(record, "is of a kind that no process takes");
    const ListPart part = census_parts_.take(record.flags, fixed.time_ns);
    if (part.is_other_torn) lose_list(reader_, "census", &process_.left_out);
    if (part.is_first) census_runs_.clear();
    take_runs<CensusRecord>(record, fixed.run_count, &census_runs_);
    if (!part.is_last) return;
    process_.see_time(fixed.time_ns);
    Epoch* const epoch = &process_.epochs[newest->second];
    Pending& pending = pending_[newest->second];
    std::vector<PageRun>& of_ranges = of_ranges_[epoch->number];
    census_runs_ = epoch->fork_addresses.pages_at_fork(census_runs_);
    const auto add_to = [&](std::vector<PageRun>* runs) {
        runs->insert(runs->end(), census_runs_.runs().begin(), census_runs_.runs().end());
    };
    if (fixed.kind == CensusKind::inherited) return add_to(&pending.inherited);
    if (fixed.kind == CensusKind::fresh) return add_to(&pending.not_copied);
    if (fixed.kind == CensusKind::unseen) {
        epoch->unseen_ns = fixed.time_ns;
        return add_to(&pending.unseen);
    }
    if (fixed.kind == CensusKind::earlier) epoch->earlier.merge(census_runs_);
    if (fixed.kind == CensusKind::earlier || fixed.kind == CensusKind::discarded ||
        fixed.kind == CensusKind::kernel) {
        add_to(&of_ranges);
        pending.range_end = of_ranges.size();
        return;
    }
    epoch->census = fixed.kind;
    epoch->census_ns = fixed.time_ns;
    epoch->fresh_pages = fixed.fresh_pages;
    epoch->was_protected = (record.flags & kNotProtected) == 0;
    epoch->copied = census_runs_;
    pending.first_range = 0;
    pending.range_end = of_ranges.size();
}

void EpochLists::take_weight(const RecordView& record) {
    weight_ = record.as<WeightRecord>().weight;
    weight_is_told_ = true;
    if (weight_ == 0) fail(record, "is 0");
    if (process_.epochs.empty()) return;
    uint32_t& largest = process_.epochs.back().largest_weight;
    largest = std::max(largest, weight_);
}

void EpochLists::take_moved(const RecordView& record) {
    const auto fixed = record.as<MovedRecord>();
    if (!is_possible_move(fixed)) fail(record, "is impossible");
    if (process_.epochs.empty()) fail(record, "stands before any inherited pages");
    if (pieces_moved_ > kMostPiecesMoved + ++moves_ * kMostPiecesAMove) {
        fail(record, "moves too many pieces once more");
    }
    pieces_moved_ += process_.epochs.back().fork_addresses.move(fixed.from, fixed.to);
}

void EpochLists::take_given_up(const RecordView& record) {
    const auto fixed = record.as<DiscardedRecord>();
    PageSet range;
    if (!range.append(fixed.range)) fail(record, "is impossible");
    if (process_.epochs.empty()) return;
    process_.see_time(fixed.time_ns);
    if ((fixed.header.flags & kIsKept) != 0) return;
    Epoch& epoch = process_.epochs.back();
    const PageSet at_fork = epoch.fork_addresses.pages_at_fork(range);
    for (const PageRun& run : at_fork.runs()) {
        epoch.discarded.push_back({run, fixed.time_ns});
    }
}

}  // namespace cowscope::trace
