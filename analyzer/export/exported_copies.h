// What every export is made of: the copies of a trace, process by process, with their stacks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/processor.h"
#include "attribute/frame.h"
#include "runtime/verdict.h"

namespace cowscope::exports {

// Copies of one process that an export need not tell apart.
struct Sample {
    runtime::Cause cause = runtime::Cause::unknown;
    std::string_view type;        // of the object that was written, or ""
    std::string_view owner;       // "" for nobody
    attribute::FrameStack stack;  // with a runtime's frames; empty for copies without an event
    attribute::WritingCode code;  // where it was seen
    attribute::SourceLine line;   // of the runtime's innermost function
    uint64_t pages = 0;
};

struct SampledPage {
    // Where the page was inherited. Not known where the kernel may have written, an event may have
    // been lost, or only some faults were witnessed, and nothing tells which.
    std::optional<uint64_t> address;
    std::optional<uint64_t> time_ns;  // of the write, since the trace began; none without an event
    std::optional<uint32_t> epoch;    // its number; known where the address is
    size_t sample = 0;                // index
};

struct ProcessSamples {
    int pid = 0;
    int parent = 0;
    std::string role;
    std::string command;
    attribute::CodeMapping program;  // the executable's code, where it was found
    std::vector<Sample> samples;
    std::vector<SampledPage> pages;  // as many as the samples' in all; only where asked for
};

struct TraceFacts {
    std::string trace;  // name of the folder
    std::string host;   // "" where it is not known
    std::vector<std::string> command;
    std::optional<uint64_t> start_unix_ns;
    uint64_t duration_ns = 0;
    uint64_t page_bytes = arch::kPageBytes;
    std::vector<std::string> notes;
    std::vector<std::string> damage;  // what could not be read of the trace
    std::vector<std::string> torn;    // what records in the midst of it were left out
    // Known at the end alone: what could not be read of the program's files.
    std::vector<std::string> left_out;
};

// One format.
class Writer {
  public:
    virtual ~Writer() = default;
    virtual bool needs_pages() const { return false; }
    virtual void begin(const TraceFacts& facts) = 0;
    // Of a process that copied something. What the samples point to lives as long as the call.
    virtual void add(const ProcessSamples& process) = 0;
    // `build_id`: of a file by its path, "" where it has none.
    using BuildId = std::function<std::string(const std::string& path)>;
    virtual void finish(const BuildId& build_id) = 0;
};

// The pages of all samples are the report's copied pages. Throws cowscope::Error where FOLDER is no
// trace; the writer has then not been called.
TraceFacts export_trace(const std::string& folder, Writer* writer);

}  // namespace cowscope::exports
