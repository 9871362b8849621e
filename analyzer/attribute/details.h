// What a page for people shows beyond the report: every page and why it was copied, every stack,
// fresh memory over time.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "attribute/attribution.h"

namespace cowscope::attribute {

class Details {
  public:
    // Copies with the same cause and stacks.
    struct Stack {
        Cause cause = Cause::unknown;
        FrameStack native;
        FrameStack mixed;  // see SiteShare::mixed_stack
        uint64_t pages = 0;
    };
    static constexpr uint32_t kNoSite = ~uint32_t{0};
    // What copied pages may have in common.
    struct Kind {
        Cause cause = Cause::unknown;
        uint32_t site = kNoSite;  // SiteShare::id
        std::string_view type;    // of the object, or ""
        std::string_view owner;   // or ""
        auto operator<=>(const Kind&) const = default;
    };
    // The kind of pages that were inherited and not copied; the others count from 1.
    static constexpr uint32_t kNotCopied = 0;
    struct Run {
        uint64_t start = 0;
        uint64_t end = 0;
        uint32_t kind = kNotCopied;
    };
    struct Region {
        uint64_t start = 0;
        uint64_t end = 0;
        std::string name;
    };
    struct FreshPoint {
        uint64_t time_ns = 0;  // since the trace began
        uint64_t fresh_pages = 0;
    };
    struct Process {
        size_t index = 0;             // into Report::processes
        std::vector<Run> runs;        // ascending, disjoint
        std::vector<Region> regions;  // the same
        std::vector<FreshPoint> fresh;
    };

    // `index`: into Report::processes. `site_ids`: SiteShare::id for each of copies.classes.
    // Frames and names are the attribution's.
    void add_process(const ProcessCopies& process, size_t index, uint64_t trace_start_ns,
                     const std::vector<uint32_t>& site_ids, Attribution* attribution);

    const std::vector<Stack>& stacks() const { return stacks_; }
    // Kind k is kinds()[k - 1].
    const std::vector<Kind>& kinds() const { return kinds_; }
    const std::vector<Process>& processes() const { return processes_; }

  private:
    using Frames = std::vector<const Frame*>;

    uint32_t kind_id(const Kind& kind);
    void add_stacks(const ProcessCopies& process);
    std::vector<Run> copied_runs(const trace::ProcessTrace& process, const Copies& copies,
                                 const std::vector<uint32_t>& kind_of_class);

    std::vector<Stack> stacks_;
    // With the cause, whether the native one goes on, and the frames of both.
    std::map<std::tuple<Cause, bool, Frames, Frames>, size_t> stack_index_;
    std::vector<Kind> kinds_;
    std::map<Kind, uint32_t> kind_ids_;
    std::vector<Process> processes_;
};

}  // namespace cowscope::attribute
