// The one pass from a trace's events to classes of copies with causes, owners, names and stacks.
// Reports, exports and the page for people are made of what it says, and of nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "attribute/copies.h"
#include "attribute/recording_file.h"
#include "attribute/site_resolver.h"
#include "attribute/unwitnessed.h"
#include "trace/trace.h"

namespace cowscope::attribute {

// Of the whole run.
struct RunFacts {
    Recording recording;
    std::vector<std::string> command;
    uint64_t start_ns = 0;  // CLOCK_MONOTONIC; a report's times count from it
    uint64_t duration_ns = 0;
};

// What one process copied. copies.classes are those that an event told of; some have no pages.
// They and `unwitnessed` together are all its copies.
struct ProcessCopies {
    size_t index;  // of the process in the trace
    const trace::ProcessTrace& process;
    const Copies& copies;
    const std::vector<Unwitnessed>& unwitnessed;
    SiteResolver& sites;

    FrameStack native_stack(const CopyClass& of) const { return sites.native_stack(of.site); }
    // With a runtime's frames in place of the interpreter's own. Empty without them.
    FrameStack mixed_stack(const CopyClass& of) const {
        return sites.mixed_stack(of.site, of.runtime_stack);
    }
    // Values of the objects that were written, as their language writes them.
    std::vector<std::string> examples(const CopyClass& of) const {
        return sites.runtimes().examples_of(of.site, of.type_address);
    }
    // The mixed stack, or where that is empty the native one.
    FrameStack stack(const CopyClass& of) const { return sites.stack(of.site, of.runtime_stack); }
};

class Attribution {
  public:
    // The trace must outlive this object. Reads the events of all processes once, for who shares a
    // page with whom.
    explicit Attribution(const trace::Trace& trace);

    // One process after the other, in the order of the trace; what `sink` is given lives as long as
    // the call. Reads the events once more. Throws cowscope::Error where a segment has changed.
    void for_each_process(WitnessedPages witnessed,
                          const std::function<void(const ProcessCopies&)>& sink);

    const RunFacts& run() const { return run_; }
    OwnerIndex& owners() { return owners_; }
    symbolize::Symbolizer& symbolizer() { return symbolizer_; }
    // Holds all names and frames that this gives.
    const std::shared_ptr<FrameTable>& frames() const { return frames_; }
    // "" for nobody.
    std::string_view owner_name(OwnerId owner);

    // What could not be read, or was left out, so far: a line each.
    std::vector<std::string> notes() const;

  private:
    const trace::Trace& trace_;
    RunFacts run_;
    Family family_;
    OwnerIndex owners_;
    symbolize::Symbolizer symbolizer_;
    decode::Decoder decoder_;
    std::shared_ptr<FrameTable> frames_ = std::make_shared<FrameTable>();
    uint64_t cut_stacks_ = 0;
};

}  // namespace cowscope::attribute
