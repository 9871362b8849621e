#include "attribute/reconcile.h"

#include <algorithm>

#include <fmt/format.h>

namespace cowscope::attribute {
namespace {

constexpr uint64_t kPageKb = trace::kPageBytes / 1024;

std::string mib(uint64_t kb) {
    return fmt::format("{:.1f} MiB", static_cast<double>(kb) / 1024);
}

uint64_t private_kb(const trace::MemoryRecord& memory) {
    return memory.private_dirty_kb + memory.swap_kb;
}

// Only of a forked child that never shared its memory anew, and whose parent lived on: where all
// others are gone, what was inherited is private too.
bool can_be_held_against(const trace::Trace& trace, size_t index, size_t parent) {
    const trace::ProcessTrace& process = trace.processes[index];
    const trace::ProcessTrace& forker = trace.processes[parent];
    return process.generations.size() == 1 &&
           process.generations.back().census == trace::CensusKind::final && process.end &&
           !process.bound_ns && !forker.bound_ns && process.memory_at_fork &&
           process.memory_at_end && (!forker.end || forker.end->time_ns > process.end->time_ns);
}

}  // namespace

std::optional<std::string> difference_note(const MemoryAccount& account) {
    const uint64_t tolerance_kb = 1024 + std::max(account.grown_kb, account.counted_kb) / 50;
    const std::string figures =
        fmt::format("its private memory grew by {}, its copied and fresh pages are {}",
                    mib(account.grown_kb), mib(account.counted_kb));
    const uint64_t others_kb = account.parents_copies_kb + account.shared_memory_kb;
    if (account.grown_kb > account.counted_kb + others_kb + tolerance_kb) {
        return figures + ": what others gave up became its own, or pages were missed";
    }
    if (account.counted_kb > account.grown_kb + tolerance_kb) {
        return figures + ": it gave some of them up again, or they are of huge pages";
    }
    return std::nullopt;
}

void add_memory_notes(const trace::Trace& trace, const Report& report,
                      std::vector<std::string>* notes) {
    constexpr size_t kMostNotes = 3;
    size_t found = 0;
    for (size_t i = 0; i < trace.processes.size(); ++i) {
        const trace::ProcessTrace& process = trace.processes[i];
        const auto parent = trace::find_parent(trace, i);
        if (!parent || !can_be_held_against(trace, i, *parent)) continue;
        const ProcessSummary& summary = report.processes[i];
        const uint64_t at_fork = private_kb(*process.memory_at_fork);
        const uint64_t at_end = private_kb(*process.memory_at_end);
        MemoryAccount account;
        account.grown_kb = at_end - std::min(at_end, at_fork);
        account.counted_kb = (summary.copied_pages + summary.fresh_pages) * kPageKb;
        account.parents_copies_kb = report.processes[*parent].copied_pages * kPageKb;
        const uint64_t shared_at_end = process.memory_at_end->shared_memory_kb;
        account.shared_memory_kb =
            shared_at_end -
            std::min<uint64_t>(shared_at_end, process.memory_at_fork->shared_memory_kb);
        const auto note = difference_note(account);
        if (note && ++found <= kMostNotes) {
            notes->push_back(fmt::format("process {}: {}", summary.pid, *note));
        }
    }
    if (found > kMostNotes) {
        notes->push_back(fmt::format("{} more processes: likewise", found - kMostNotes));
    }
}

}  // namespace cowscope::attribute
