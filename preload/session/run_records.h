// Records that end in page runs: split over as many records as they need.
#pragma once

#include <cstring>

#include "arch/cpu.h"
#include "session/writer.h"
#include "tracker/page_runs.h"

namespace cowscope::session {

// There is always one record, the last without kMoreParts. fill(record) fills in all but the runs.
// Whether all found room.
template <typename Record, typename Fill>
bool write_runs(Writer* writer, trace::RecordType type, const tracker::PageRuns& pages,
                Fill&& fill) {
    constexpr size_t kRunsARecord =
        (trace::kMaxRecordBytes - sizeof(Record)) / sizeof(trace::PageRun);
    const auto& runs = pages.runs();
    size_t next = 0;
    do {
        const size_t left = runs.size() - next;
        const size_t count = left < kRunsARecord ? left : kRunsARecord;
        auto* record = writer->begin<Record>(type, count * sizeof(trace::PageRun));
        if (record == nullptr) return false;
        record->header.flags = next + count < runs.size() ? trace::kMoreParts : 0;
        fill(record);
        record->run_count = static_cast<uint32_t>(count);
        if (count != 0) {
            std::memcpy(record + 1, runs.begin() + next, count * sizeof(trace::PageRun));
        }
        writer->commit();
        next += count;
    } while (next < runs.size());
    return true;
}

inline trace::PageRun page_run(const AddressRange& range) {
    return {range.start, (range.end - range.start) / cpu::kPageBytes};
}

}  // namespace cowscope::session
