// Through which variables a program reaches its objects: a breadth-first walk over the objects of a
// CPython process, from the dicts of its modules, read from outside while the process runs.
//
// The first way to an object, which is a shortest one, gives it its owner; the way from `__main__`
// comes first. A class or function belongs to the module that defines it.
//
// The process may change what is being read: every address is checked before it is believed, and a
// wrong one costs an owner, nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/cpython/heap_interpreter.h"
#include "runtime/cpython/heap_memory.h"
#include "runtime/cpython/labels.h"
#include "runtime/cpython/owner_map.h"

namespace cowscope::cpython {

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

WalkResult walk_owners(const Interpreter& interpreter, Memory* memory, const WalkLimits& limits);

}  // namespace cowscope::cpython
