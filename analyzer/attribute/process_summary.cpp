#include "attribute/process_summary.h"

#include <algorithm>
#include <cmath>

#include "attribute/notes.h"
#include "attribute/process_end.h"
#include "attribute/process_names.h"
#include "attribute/reconcile.h"

namespace cowscope::attribute {
namespace {

// Whether a process that shares pages had a tracker once it was needed.
bool lacks_tracker(const trace::ProcessTrace& process) {
    return std::any_of(process.notes.begin(), process.notes.end(),
                       [](const trace::NoteRecord& note) {
                           return note.code == trace::NoteCode::tracker_unavailable ||
                                  note.code == trace::NoteCode::not_dumpable;
                       });
}

}  // namespace

ProcessSummary summary_of(const trace::Trace& trace, const RunFacts& run, size_t index,
                          const Copies& copies) {
    const trace::ProcessTrace& process = trace.processes[index];
    ProcessSummary summary;
    summary.pid = static_cast<int>(process.pid());
    summary.parent = static_cast<int>(process.process.parent_pid);
    summary.role = role_name(trace, index);
    summary.command = joined(process.command);
    summary.start_ns = process.process.start_ns - run.start_ns;
    summary.end_ns = process.last_time_ns - run.start_ns;
    if (process.bound_ns) {
        summary.bound_ns = *process.bound_ns - std::min(run.start_ns, *process.bound_ns);
    }
    set_end(process, index == 0, run.recording, &summary);
    summary.census = "none";
    if (!process.epochs.empty() && process.epochs.back().census) {
        const bool final = trace::has_last_census(process);
        summary.census = final ? "final" : "last";
        const trace::Epoch& last = process.epochs.back();
        if (last.census == trace::CensusKind::alone)
            summary.alone_ns = last.census_ns - run.start_ns;
        if (!final) summary.census_age_ns = census_age_ns(process);
    }
    summary.inherited_pages = copies.inherited_pages;
    summary.inherited_at_least = copies.inherited_more;
    summary.copied_at_least = lacks_tracker(process);
    summary.copied_pages = copies.copied_pages;
    const ProcessMemory memory = memory_of(process, copies);
    summary.fresh_pages = memory.most.fresh_pages;
    summary.held_alone_pages = memory.most.held_alone_pages;
    summary.fresh_at_end = memory.at_end.fresh_pages;
    summary.held_alone_at_end = memory.at_end.held_alone_pages;
    summary.witnessed_pages = copies.witnessed_pages;
    summary.represented_pages = copies.represented_pages;
    summary.copied_pages_margin =
        static_cast<uint64_t>(std::ceil(margin_of(copies.copied_variance)));
    summary.reused_pages = copies.reused_pages;
    summary.lost_events = process.loss.blocked_events + process.loss.unwritten_events;
    if (process.memory_at_fork) {
        summary.private_dirty_kb_at_fork = process.memory_at_fork->private_dirty_kb;
        summary.pss_kb_at_fork = process.memory_at_fork->pss_kb;
    }
    if (process.memory_at_end) {
        summary.private_dirty_kb_at_end = process.memory_at_end->private_dirty_kb;
        summary.pss_kb_at_end = process.memory_at_end->pss_kb;
    }
    return summary;
}

}  // namespace cowscope::attribute
