#include "attribute/attribution.h"

#include <algorithm>

#include <fmt/format.h>

namespace cowscope::attribute {
namespace {

RunFacts facts_of(const trace::Trace& trace) {
    RunFacts run;
    run.recording = read_recording(trace.folder);
    run.command =
        run.recording.command.empty() ? trace.processes.front().command : run.recording.command;
    run.start_ns = trace.processes.front().process.start_ns;
    uint64_t end_ns = run.start_ns;
    for (const auto& process : trace.processes) end_ns = std::max(end_ns, process.last_time_ns);
    run.duration_ns = run.recording.duration_ns.value_or(end_ns - run.start_ns);
    return run;
}

}  // namespace

Attribution::Attribution(const trace::Trace& trace)
    : trace_(trace), run_(facts_of(trace)), family_(trace), owners_(trace) {}

void Attribution::for_each_process(WitnessedPages witnessed,
                                   const std::function<void(const ProcessCopies&)>& sink) {
    for (size_t i = 0; i < trace_.processes.size(); ++i) {
        const trace::ProcessTrace& process = trace_.processes[i];
        AddressSpace space(process, &symbolizer_);
        SiteResolver sites(process, &space, &decoder_, frames_.get());
        const Copies copies =
            find_copies(process, i, family_, &space, &sites, frames_.get(), &owners_, witnessed);
        const std::vector<Unwitnessed> unwitnessed = unwitnessed_of(process, copies);
        sink({i, process, copies, unwitnessed, sites});
        cut_stacks_ += sites.cut_stacks();
    }
}

std::string_view Attribution::owner_name(OwnerId owner) {
    return owner == 0 ? std::string_view() : frames_->keep(owners_.owner(owner).name);
}

std::vector<std::string> Attribution::notes() const {
    std::vector<std::string> notes = symbolizer_.notes();
    if (cut_stacks_ != 0) {
        notes.push_back(
            fmt::format("{} stacks are cut to their innermost frame: all of them would take more "
                        "than {} MiB",
                        cut_stacks_, FrameTable::kMostBytes >> 20));
    }
    return notes;
}

}  // namespace cowscope::attribute
