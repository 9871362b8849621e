// The second pass over a segment: its events, which are too many to keep.
#include <unordered_map>

#include "base/error.h"
#include "trace/epoch_counter.h"
#include "trace/fork_addresses.h"
#include "trace/process_trace.h"

namespace cowscope::trace {
namespace {

[[noreturn]] void fail_changed(const ProcessTrace& process, const RecordView& record) {
    throw Error(process.path, record.offset, record_kind(record.type),
                "has changed since it was read first");
}

}  // namespace

void for_each_event(const ProcessTrace& process, const EventSink& sink) {
    SegmentReader reader(process.path);
    EpochCounter epochs;
    ForkAddresses fork_addresses;
    uint32_t weight = first_weight(process);
    std::unordered_map<uint64_t, uint32_t> types;  // the newest at an address
    uint32_t types_seen = 0;
    auto left_out = process.left_out_events.begin();
    // A process that still runs may have written more since it was loaded.
    for (uint64_t left = process.event_count; left != 0;) {
        const auto record = reader.next();
        if (!record) return;
        if (record->type == RecordType::epoch || record->type == RecordType::inherited) {
            epochs.take(*record);
            fork_addresses.clear();
        } else if (record->type == RecordType::weight) {
            weight = record->as<WeightRecord>().weight;
            if (weight == 0) fail_changed(process, *record);
        } else if (record->type == RecordType::moved) {
            const auto moved = record->as<MovedRecord>();
            if (!is_possible_move(moved)) fail_changed(process, *record);
            fork_addresses.move(moved.from, moved.to);
        } else if (record->type == RecordType::type) {
            if (types_seen == process.type_names.size()) fail_changed(process, *record);
            types[record->as<TypeRecord>().address] = ++types_seen;
        } else if (record->type == RecordType::event) {
            if (left_out != process.left_out_events.end() && *left_out == record->offset) {
                ++left_out;
                continue;
            }
            const auto event = event_of(*record);
            // The file is read a second time, and need not be what it was.
            const bool is_as_before = event.site < process.sites.size() &&
                                      epochs.index() < process.epochs.size() &&
                                      (event.runtime_stack == kNoRuntimeStack ||
                                       event.runtime_stack < process.runtime.stacks.size());
            if (!is_as_before) fail_changed(process, *record);
            const uint64_t page = event.address & ~(kPageBytes - 1);
            const auto type = event.type == 0 ? types.end() : types.find(event.type);
            sink(event, {epochs.index(), fork_addresses.at_fork(page), weight,
                         type == types.end() ? 0 : type->second});
            --left;
        }
    }
}

}  // namespace cowscope::trace
