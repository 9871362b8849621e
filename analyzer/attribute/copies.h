// Which pages one process copied, and by which class of write: the events of a process held
// against its censuses.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "attribute/family.h"
#include "attribute/frame.h"
#include "attribute/owner_index.h"
#include "attribute/sampled.h"
#include "attribute/site_resolver.h"
#include "trace/process_trace.h"

namespace cowscope::attribute {

// Copies that a report need not tell apart.
struct CopyClass {
    Verdict verdict;
    std::string_view type;       // of the runtime's object that was written, or ""
    WritingCode code;            // where it was seen
    SourceLine line;             // of the runtime's innermost function
    OwnerId owner = 0;           // of the address that was written
    bool is_finalizing = false;  // a runtime was being taken down
    // Of its stacks and examples; `site` only where an event told of them.
    uint32_t site = 0;
    uint32_t runtime_stack = trace::kNoRuntimeStack;
    uint64_t type_address = 0;       // of `type`
    uint64_t pages = 0;              // witnessed and represented
    uint64_t represented_pages = 0;  // by events on others (sampled.h)
};

struct PageCopy {
    uint64_t page = 0;  // its address, where it was inherited
    uint64_t time_ns = 0;
    uint32_t epoch = 0;       // an index
    uint32_t copy_class = 0;  // an index into Copies::classes
};

struct CopyTime {
    uint64_t time_ns;
    double pages;
};

struct UnwitnessedRun {
    trace::PageRun run;
    uint32_t epoch = 0;        // an index
    bool was_watched = false;  // there was a witness
    bool was_sampled = false;  // of some faults only: other pages' events may stand for these
};

struct Copies {
    uint64_t inherited_pages = 0;
    bool inherited_more = false;  // there were more than these
    uint64_t copied_pages = 0;
    uint64_t fresh_pages = 0;
    uint64_t witnessed_pages = 0;    // copies with an event
    uint64_t represented_pages = 0;  // copies without one, of which the sampled events tell
    double copied_variance = 0;      // of copied_pages; 0 where all were counted
    uint64_t reused_pages = 0;
    std::vector<uint64_t> reused_in;  // the same by index of the epoch, as far as it is known
    std::vector<CopyClass> classes;
    // Witnessed and represented copies that hold something of an owner.
    std::map<OwnerId, uint64_t> pages_with;
    // Copies without an event, by what the witness was doing then.
    uint64_t unwitnessed_while_watching = 0;
    uint64_t unwitnessed_unwatched = 0;
    // So few that no event happened to fall on one.
    uint64_t unsampled = 0;
    std::vector<SampleGroup> groups;
    // Where the caller wants them. A page may be copied again after the next fork of the process.
    std::vector<PageCopy> witnessed;
    std::vector<UnwitnessedRun> unwitnessed;  // copies without an event
    std::vector<CopyTime> copy_times;  // of the witnessed ones, with what they stand for; ascending
};

// Whether Copies::witnessed is filled: 24 bytes for each page, which a report can do without.
enum class WitnessedPages { leave_out, list };

// `index`: of the process in the trace that `sharing` and `owners` know. Without `owners` nobody
// owns anything. Names are kept in `frames`. Takes some 40 bytes of memory for each event of the
// process.
Copies find_copies(const trace::ProcessTrace& process, size_t index, const Family& family,
                   AddressSpace* space, SiteResolver* sites, FrameTable* frames, OwnerIndex* owners,
                   WitnessedPages witnessed);

}  // namespace cowscope::attribute
