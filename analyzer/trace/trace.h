// A whole trace: the folder with one segment for every process.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trace/later.h"
#include "trace/owners.h"
#include "trace/process_trace.h"

namespace cowscope::trace {

struct Trace {
    std::string folder;
    std::vector<ProcessTrace> processes;  // by start time
    // Looks at the objects of Python programs, by time.
    std::vector<Owners> owners;
    std::optional<Bound> bound;
    // One line for each segment, or part of one, that could not be read.
    std::vector<std::string> damage;
};

// Paths of the segments of a trace, sorted by name. Throws cowscope::Error where FOLDER is no
// trace.
std::vector<std::string> find_segments(const std::string& folder);

// The process that forked trace.processes[child], as an index: the latest image or fork of that pid
// before it. Nothing for images, and where it left no trace.
std::optional<size_t> find_parent(const Trace& trace, size_t child);

// Throws cowscope::Error where FOLDER is no trace or nothing in it can be read.
Trace load(const std::string& folder);

}  // namespace cowscope::trace
