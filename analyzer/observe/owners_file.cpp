#include "observe/owners_file.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <map>
#include <vector>

#include "base/write_file.h"
#include "observe/append_record.h"
#include "observe/range_packer.h"
#include "trace/heap_owners.h"
#include "trace/page_set.h"

namespace cowscope::observe {

static_assert(runtime::OwnerMap::kGranule == trace::kRangeUnit);
static_assert(uint32_t{runtime::kCutTime} == trace::kCutTime);
static_assert(uint32_t{runtime::kCutEdges} == trace::kCutEdges);
static_assert(uint32_t{runtime::kCutMemory} == trace::kCutMemory);
static_assert(uint32_t{runtime::kCutGone} == trace::kCutGone);

std::string pack_owners(const OwnersLook& look, const runtime::WalkResult& walk,
                        size_t most_ranges) {
    trace::SegmentHeader header{};
    std::memcpy(header.magic, trace::kMagic, sizeof(header.magic));
    header.version = trace::kVersion;
    header.header_bytes = sizeof(header);
    header.page_size = trace::kPageBytes;
    header.machine = trace::kMachine;
    header.pid = look.pid;
    header.created_ns = look.created_ns;
    std::string content(reinterpret_cast<const char*>(&header), sizeof(header));

    trace::LookRecord record{};
    record.start_ns = look.start_ns;
    record.end_ns = look.end_ns;
    record.cpu_ns = walk.cpu_ns;
    record.edges = walk.edges;
    record.objects = walk.objects;
    record.python_minor = static_cast<uint32_t>(look.python_minor);
    record.cut = walk.cut;
    const size_t cut_at = content.size() + offsetof(trace::LookRecord, cut);
    append_record(&content, trace::kLookRecord, record, {});

    // Only those that own something have a place in the file.
    std::vector<uint32_t> ids(walk.labels.size(), 0);
    std::map<runtime::LabelId, runtime::OwnerStatistics> owners;
    for (size_t i = 1; i < ids.size(); ++i) {
        const auto label = static_cast<runtime::LabelId>(i);
        if (walk.map.owns(label)) owners[walk.labels.standing_for(label)].add(walk.statistics[i]);
    }
    uint32_t next = 1;
    for (const auto& [label, counts] : owners) {
        ids[label] = next++;
        const std::string name = walk.labels.name(label);
        append_record(&content, trace::kOwnerRecord,
                      trace::OwnerRecord{{},
                                         counts.objects,
                                         counts.strs,
                                         counts.sampled,
                                         counts.distinct,
                                         ids[label],
                                         static_cast<uint32_t>(name.size())},
                      name);
    }
    for (size_t i = 1; i < ids.size(); ++i) {
        const auto label = static_cast<runtime::LabelId>(i);
        if (walk.map.owns(label)) ids[i] = ids[walk.labels.standing_for(label)];
    }
    RangePacker packer(&content, ids, most_ranges);
    packer.add_all(walk.map);
    if (packer.is_full()) {
        record.cut |= trace::kCutMemory;
        std::memcpy(content.data() + cut_at, &record.cut, sizeof(record.cut));
    }

    const uint64_t bytes = content.size();
    std::memcpy(content.data() + offsetof(trace::SegmentHeader, committed_bytes), &bytes,
                sizeof(bytes));
    return content;
}

int write_owners(const std::string& path, const OwnersLook& look, const runtime::WalkResult& walk,
                 ShareOfBound* share) {
    const std::string content = pack_owners(look, walk);
    return share == nullptr ? replace_file(path, content) : share->replace(path, content);
}

}  // namespace cowscope::observe
