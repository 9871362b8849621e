#include "attribute/reconcile.h"

#include <algorithm>

#include <fmt/format.h>

namespace cowscope::attribute {
namespace {

constexpr uint64_t kPageKb = trace::kPageBytes / 1024;
// Of the widest address space: far below where sums of them overflow.
constexpr uint64_t kMostPages = uint64_t{1} << 44;

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

PrivateMemory most_private_memory(const trace::ProcessTrace& process, const Copies& copies) {
    PrivateMemory most{copies.fresh_pages, 0};
    uint64_t most_pages = 0;
    const auto look = [&](const trace::AccountRecord& account, uint64_t written) {
        uint64_t held_alone = account.held_alone_pages;
        // Written when they were its own already, without a copy.
        for (size_t i = 0; i < process.generations.size(); ++i) {
            if (process.generations[i].number != account.generation) continue;
            held_alone +=
                std::min(copies.reused_in[i], kMostPages - std::min(held_alone, kMostPages));
        }
        // A damaged trace may say anything.
        const uint64_t fresh = std::min(account.fresh_pages, kMostPages);
        held_alone = std::min(held_alone, kMostPages);
        const uint64_t pages = std::min(written, kMostPages) + fresh + held_alone;
        if (pages < most_pages) return;
        most_pages = pages;
        most = {fresh, held_alone};
    };
    const auto written_in = [&](uint32_t number) -> uint64_t {
        uint64_t pages = 0;
        for (const trace::Generation& each : process.generations) {
            if (each.number == number) pages = each.copied.pages();
        }
        return pages;
    };
    if (process.outside && process.outside->account) {
        const trace::AccountRecord& account = *process.outside->account;
        uint64_t written = 0;
        for (const trace::OutsideSample& sample : process.outside->samples) {
            if (sample.time_ns <= account.time_ns) written = sample.copied_pages;
        }
        look(account, written);
    }
    for (const trace::AccountRecord& account : process.accounts) {
        look(account, written_in(account.generation));
    }
    return most;
}

std::optional<std::string> difference_note(const MemoryAccount& account) {
    const uint64_t tolerance_kb = 1024 + std::max(account.grown_kb, account.counted_kb) / 50;
    const std::string figures = fmt::format(
        "its private memory grew by {}, its copied and fresh pages and those that it "
        "holds alone are {}",
        mib(account.grown_kb), mib(account.counted_kb));
    if (account.grown_kb > account.counted_kb + account.shared_memory_kb + tolerance_kb) {
        return figures + ": pages were missed";
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
        const auto parent = process.parent;
        if (!parent || !can_be_held_against(trace, i, *parent)) continue;
        const ProcessSummary& summary = report.processes[i];
        // Measured behind what was copied before the shim's first call.
        const uint64_t earlier_kb = process.generations.front().earlier.pages() * kPageKb;
        const uint64_t measured_kb = private_kb(*process.memory_at_fork);
        const uint64_t at_fork = measured_kb - std::min(measured_kb, earlier_kb);
        const uint64_t at_end = private_kb(*process.memory_at_end);
        MemoryAccount account;
        account.grown_kb = at_end - std::min(at_end, at_fork);
        account.counted_kb =
            (summary.copied_pages + summary.fresh_pages + summary.held_alone_pages) * kPageKb;
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
