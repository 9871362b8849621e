// Holds what a process copied and had new against the kernel's own account of its private memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "attribute/copies.h"
#include "attribute/report_model.h"
#include "trace/trace.h"

namespace cowscope::attribute {

// What a process had to itself beside its copies.
struct PrivateMemory {
    uint64_t fresh_pages = 0;
    uint64_t held_alone_pages = 0;
};

struct ProcessMemory {
    PrivateMemory most;  // of the moments when the process or the recorder counted it
    PrivateMemory at_end;
};
ProcessMemory memory_of(const trace::ProcessTrace& process, const Copies& copies);

struct MemoryAccount {
    uint64_t grown_kb = 0;          // private memory, from the fork to the end
    uint64_t counted_kb = 0;        // copied and fresh pages, and those that it holds alone
    uint64_t shared_memory_kb = 0;  // more than at the fork, mapped shared, but maybe its alone
};

// What to say of an account that does not come out, within 2 % and 1 MiB; else nothing.
std::optional<std::string> difference_note(const MemoryAccount& account);

// `report` has its processes in the order of the trace.
void add_memory_notes(const trace::Trace& trace, const Report& report,
                      std::vector<std::string>* notes);

}  // namespace cowscope::attribute
