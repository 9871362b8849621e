// A whole trace: the folder with one segment for every process.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trace/aggregates.h"
#include "trace/heap_owners.h"
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
    // One line for each segment of which records were left out, and what comes behind them was not.
    std::vector<std::string> left_out;
};

// Paths of the segments of a trace, sorted by name. Throws cowscope::Error where FOLDER is no
// trace.
std::vector<std::string> find_segments(const std::string& folder);

// The same, of a folder that may have none yet, as paths from FOLDER on: those of its own first,
// then those of other users (kOthersFolder).
std::vector<std::string> list_segments(const std::string& folder);

// Fills in each process's `parent`, which stands before it: who called fork, by what the child says
// of it, and never by a number alone, which may be another's by now, or in another namespace.
void find_parents(Trace* trace);

// Throws cowscope::Error where FOLDER is no trace or nothing in it can be read.
Trace load(const std::string& folder);

}  // namespace cowscope::trace
