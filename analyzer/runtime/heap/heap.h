// The heap of a runtime in another process, read from outside while the process runs, or stands
// still in a fork: which variable each piece of memory belongs to.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/heap/labels.h"
#include "runtime/heap/owner_map.h"
#include "runtime/heap/process_memory.h"
#include "trace/mappings.h"

namespace cowscope::runtime {

struct WalkLimits {
    // About as many as are followed in that time.
    uint64_t edges = 20'000'000;
    uint64_t cpu_ns = 2'000'000'000;
    // Of the map of owners; twice as much again for what was reached and is not read yet.
    uint64_t map_bytes = OwnerMap::kUsualBytes;
    // Shows dict keys in the names of owners.
    bool show_keys = true;
    // Asked now and then; true ends the walk.
    std::function<bool()> must_stop;
};

// Why a walk ended before it was through; bits.
enum WalkCut : uint32_t {
    kCutNot = 0,
    kCutTime = 1,
    kCutEdges = 2,
    kCutMemory = 4,
    kCutGone = 8,  // the process ended, or could not be read any more
};

struct OwnerStatistics {
    uint64_t objects = 0;
    uint64_t strs = 0;
    // Of a sample of the strs: how many there are, and how many different ones.
    uint32_t sampled = 0;
    uint32_t distinct = 0;

    // Of two that share a name. What both have counts as different then.
    void add(const OwnerStatistics& other) {
        objects += other.objects;
        strs += other.strs;
        sampled += other.sampled;
        distinct += other.distinct;
    }
};

struct WalkResult {
    explicit WalkResult(size_t map_bytes = OwnerMap::kUsualBytes) : map(map_bytes) {}

    Labels labels;
    OwnerMap map;
    std::vector<OwnerStatistics> statistics;  // by LabelId
    uint64_t edges = 0;
    uint64_t objects = 0;
    uint64_t cpu_ns = 0;
    uint32_t cut = kCutNot;
};

// For a program that has run for so long, and has so much memory: what a look takes is in
// proportion to that, and no less than `least`.
WalkLimits limits_for(const WalkLimits& least, uint64_t program_cpu_ns, uint64_t resident_bytes);

// One that was found. Reads through the Memory that it was found with, which must outlive it.
class Heap {
  public:
    virtual ~Heap() = default;
    // As owners' files name it (trace::LookRecord::python_minor).
    virtual int version() const = 0;
    virtual WalkResult walk(const WalkLimits& limits) = 0;
};

struct HeapSearch {
    std::unique_ptr<Heap> found;
    // What runs there whose heap cannot be read; "" where there is no sign of the runtime.
    std::string reason;
};

// Opens the file of a mapping for reading, and nothing else that may stand at its path by now; a
// number, which is closed behind its use, or -1.
using OpenMapped = std::function<int(const trace::Mapping& mapping)>;

}  // namespace cowscope::runtime
