// What a report says, before it is put into a form: the model of schema cowscope.report/1.
// Counts are pages of page_size bytes unless a name says otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/processor.h"
#include "attribute/frame.h"
#include "runtime/verdict.h"

namespace cowscope::attribute {

using runtime::Cause;
using runtime::cause_name;

struct ProcessSummary {
    int pid = 0;
    int parent = 0;
    std::string role;  // root, fork, exec
    std::string command;
    uint64_t start_ns = 0;  // since the trace began
    uint64_t end_ns = 0;
    // exit, signal, exec, unknown; bound: only its recording has ended before it
    std::string exit_kind;
    int exit_value = 0;
    std::string census;  // final, last, none
    // Since the trace began: when its recording ended before it did (AfterBound); 0: it did not.
    uint64_t bound_ns = 0;
    // Of the last census, when the process was last seen or first missed: at most so much it did
    // afterwards. 0 for a final one.
    uint64_t census_age_ns = 0;
    uint64_t inherited_pages = 0;
    bool inherited_at_least = false;  // some were given up before they were listed
    bool copied_at_least = false;     // nothing but the witness tells of its copies
    uint64_t copied_pages = 0;
    // Of the moment when the process had most to itself, as far as that was looked at.
    uint64_t fresh_pages = 0;
    // Inherited and not copied, but nobody else's any more: the others ended or gave them up.
    uint64_t held_alone_pages = 0;
    uint64_t fresh_at_end = 0;  // the same at the process's end
    uint64_t held_alone_at_end = 0;
    uint64_t witnessed_pages = 0;
    uint64_t represented_pages = 0;  // copies without an event, of which sampled events tell
    uint64_t copied_pages_margin = 0;
    // First writes to pages that no other process shared any more: no copy was made.
    uint64_t reused_pages = 0;
    // Since the trace began: when it was found to share its pages with nobody any more, for the
    // rest of its life. The witness looks no longer then.
    std::optional<uint64_t> alone_ns;
    uint64_t lost_events = 0;
    uint64_t private_dirty_kb_at_fork = 0;
    uint64_t private_dirty_kb_at_end = 0;
    uint64_t pss_kb_at_fork = 0;
    uint64_t pss_kb_at_end = 0;
};

// Where events were sampled: half of a 95 % interval around `pages`, in pages; else 0.
using PagesMargin = uint64_t;

struct TypeShare {
    std::string type;
    uint64_t pages = 0;
    PagesMargin margin = 0;
};

struct CauseShare {
    Cause cause = Cause::unknown;
    uint64_t pages = 0;
    double share = 0;  // of all copies
    PagesMargin margin = 0;
    std::vector<TypeShare> types;
};

// Copies by one piece of code, for one cause, from one line of a runtime's function.
struct SiteShare {
    uint32_t id = 0;  // by which Details names it
    Cause cause = Cause::unknown;
    uint64_t pages = 0;
    PagesMargin margin = 0;
    WritingCode code;
    SourceLine runtime_line;
    std::string evidence;
    // Of the heaviest of the stacks summed here.
    FrameStack native_stack;
    // A runtime's frames in place of the interpreter's own, the other native ones between them.
    // Empty without a runtime.
    FrameStack mixed_stack;
    std::string_view type;              // of the objects of the heaviest class of writes, or ""
    std::vector<std::string> examples;  // values of such objects, as Python would write them
    bool finalizing = false;            // while the interpreter was taken down
};

struct CausePages {
    Cause cause = Cause::unknown;
    uint64_t pages = 0;
};

// kUnowned for what belongs to nobody that was found.
inline constexpr char kUnowned[] = "(unowned)";
struct OwnerShare {
    std::string owner;
    uint64_t pages = 0;  // copied by a write to something of this owner
    // Copied, whoever's write it was, with something of this owner on them.
    uint64_t pages_with = 0;
    double share = 0;
    PagesMargin margin = 0;
    std::vector<CausePages> causes;
    std::vector<TypeShare> types;  // of the objects whose counts were written
};

// What would help, and the pages that it is about.
struct AdviceLine {
    std::string kind;
    std::string owner;  // "" where it is about all
    uint64_t pages = 0;
    double share = 0;
    std::string text;
};

struct TimelinePoint {
    int pid = 0;
    uint64_t time_ns = 0;  // since the trace began
    uint64_t copied_pages = 0;
};

struct Totals {
    uint64_t processes = 0;
    uint64_t inherited_pages = 0;
    bool inherited_at_least = false;
    bool copied_at_least = false;
    uint64_t copied_pages = 0;
    uint64_t fresh_pages = 0;
    uint64_t held_alone_pages = 0;
    uint64_t witnessed_pages = 0;
    // Copies without an event of their own, of which sampled events tell (docs/sampling.md), those
    // events, and how far copied_pages may be off: 0 where a census counted them.
    uint64_t represented_pages = 0;
    uint64_t sampled_events = 0;
    uint64_t copied_pages_margin = 0;
    double explained = 0;
    uint64_t lost_events = 0;
    // Copies that were made while a CPython interpreter was taken down.
    uint64_t finalization_pages = 0;
};

// Where copies came from that were only counted, and how many.
struct AggregateSite {
    uint64_t copies = 0;  // pages
    double share = 0;     // of all that were only counted
    WritingCode code;     // without the instruction
    // Of the heaviest of the stacks summed here.
    FrameStack runtime_stack;  // as far as it is known
    FrameStack native_stack;
};

// What came after a recording had reached its bound (--max-trace). Nothing else in a report counts
// it.
struct AfterBound {
    uint64_t limit_bytes = 0;
    uint64_t reached_ns = 0;             // since the trace began
    uint64_t processes = 0;              // that went on, or came later
    uint64_t unwitnessed_processes = 0;  // of these, without a witness
    uint64_t programs_not_recorded = 0;
    uint64_t copies = 0;           // pages, in all
    uint64_t witnessed = 0;        // events that told of them; fewer where they were sampled
    uint64_t unplaced_copies = 0;  // for whose place there was no room
    uint64_t kernel_copies = 0;    // by the kernel, into the program's buffers
    uint64_t late_copies = 0;      // while SIGTRAP was blocked
    std::vector<AggregateSite> sites;
};

struct Report {
    std::string trace;
    std::vector<std::string> command;
    uint64_t duration_ns = 0;
    uint64_t page_size = arch::kPageBytes;
    std::string tracker;
    std::string witness;
    std::string sample;
    std::vector<std::string> notes;
    Totals totals;
    std::vector<ProcessSummary> processes;
    std::vector<CauseShare> causes;
    std::vector<SiteShare> sites;
    // With kUnowned they sum up to all copies; empty where no owners were looked for.
    std::vector<OwnerShare> owners;
    std::vector<AdviceLine> advice;
    std::vector<TimelinePoint> timeline;
    std::optional<AfterBound> after_bound;  // only where the bound was reached
    // Holds the frames and names above that are not the report's own; nullptr where it has none.
    std::shared_ptr<const FrameTable> frames;
};

}  // namespace cowscope::attribute
