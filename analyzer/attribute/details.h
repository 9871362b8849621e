// What a page for people shows beyond the report: every page and why it was copied, every stack,
// fresh memory over time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "attribute/copies.h"

namespace cowscope::attribute {

class Details {
  public:
    struct Frame {
        std::string text;  // "function (place)"
        bool is_python = false;
    };
    // Copies with the same cause and stack. Frames are indices, innermost first.
    struct Stack {
        std::string cause;
        std::vector<uint32_t> native;
        std::vector<uint32_t> mixed;  // see SiteResolver::stack; empty without Python
        uint64_t pages = 0;
    };
    static constexpr uint32_t kNoSite = ~uint32_t{0};
    // What copied pages may have in common.
    struct Kind {
        std::string cause;
        uint32_t site = kNoSite;  // SiteShare::id
        std::string type;         // of the object, or ""
        std::string owner;        // or ""
        bool operator<(const Kind& other) const {
            return std::tie(cause, site, type, owner) <
                   std::tie(other.cause, other.site, other.type, other.owner);
        }
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
    void add_process(const trace::ProcessTrace& process, size_t index, uint64_t trace_start_ns,
                     const Copies& copies, const std::vector<uint32_t>& site_ids,
                     const OwnerIndex& owners, SiteResolver* sites);

    const std::vector<Frame>& frames() const { return frames_; }
    const std::vector<Stack>& stacks() const { return stacks_; }
    // Kind k is kinds()[k - 1].
    const std::vector<Kind>& kinds() const { return kinds_; }
    const std::vector<Process>& processes() const { return processes_; }

  private:
    uint32_t frame_id(const std::string& text, bool is_python);
    uint32_t kind_id(const Kind& kind);
    void add_stacks(const Copies& copies, SiteResolver* sites);
    std::vector<Run> copied_runs(const trace::ProcessTrace& process, const Copies& copies,
                                 const std::vector<uint32_t>& kind_of_class);

    std::vector<Frame> frames_;
    std::unordered_map<std::string, uint32_t> frame_ids_[2];  // native, Python
    std::vector<Stack> stacks_;
    std::map<std::tuple<std::string, std::vector<uint32_t>, std::vector<uint32_t>>, size_t>
        stack_index_;
    std::vector<Kind> kinds_;
    std::map<Kind, uint32_t> kind_ids_;
    std::vector<Process> processes_;
};

}  // namespace cowscope::attribute
