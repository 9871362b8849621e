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
    return process.epochs.size() == 1 && process.epochs.back().census == trace::CensusKind::final &&
           process.end && !process.bound_ns && !forker.bound_ns && process.memory_at_fork &&
           process.memory_at_end && (!forker.end || forker.end->time_ns > process.end->time_ns);
}

}  // namespace

namespace {

const trace::Epoch* find_epoch(const trace::ProcessTrace& process, uint32_t number) {
    const auto found =
        std::find_if(process.epochs.rbegin(), process.epochs.rend(),
                     [&](const trace::Epoch& each) { return each.number == number; });
    return found == process.epochs.rend() ? nullptr : &*found;
}

uint64_t sum(uint64_t a, uint64_t b) {
    // A damaged trace may say anything.
    return std::min(std::min(a, kMostPages) + std::min(b, kMostPages), kMostPages);
}

// Pages that were written in an epoch until then without a copy, because they were the
// process's alone already.
uint64_t reused_until(const trace::Epoch& epoch, const Copies& copies, uint64_t written,
                      uint64_t time_ns) {
    double copied = static_cast<double>(copies.unwitnessed_while_watching) +
                    static_cast<double>(copies.unwitnessed_unwatched);
    for (const CopyTime& copy : copies.copy_times) {
        if (copy.time_ns >= epoch.start_ns && copy.time_ns <= time_ns) copied += copy.pages;
    }
    return written - std::min(written, static_cast<uint64_t>(copied));
}

}  // namespace

ProcessMemory memory_of(const trace::ProcessTrace& process, const Copies& copies) {
    ProcessMemory memory;
    memory.most.fresh_pages = memory.at_end.fresh_pages = copies.fresh_pages;
    uint64_t most_pages = 0;
    const auto look = [&](const trace::AccountRecord& account, uint64_t written, uint64_t reused) {
        const PrivateMemory here{std::min(account.fresh_pages, kMostPages),
                                 sum(account.held_alone_pages, reused)};
        const uint64_t pages = sum(written, here.fresh_pages) + here.held_alone_pages;
        if (pages >= most_pages) {
            most_pages = pages;
            memory.most = here;
        }
        return here;
    };
    if (process.outside && process.outside->account) {
        const trace::AccountRecord& account = *process.outside->account;
        uint64_t written = 0;
        for (const trace::OutsideSample& sample : process.outside->samples) {
            if (sample.time_ns <= account.time_ns) written = sample.copied_pages;
        }
        const trace::Epoch* epoch = find_epoch(process, account.epoch);
        if (epoch != nullptr) {
            const uint64_t reused = reused_until(*epoch, copies, written, account.time_ns);
            look(account, written - reused, reused);
        }
    }
    for (const trace::AccountRecord& account : process.accounts) {
        const trace::Epoch* epoch = find_epoch(process, account.epoch);
        if (epoch == nullptr) continue;
        const auto index = static_cast<size_t>(epoch - process.epochs.data());
        const uint64_t reused = copies.reused_in[index];
        const uint64_t written = epoch->copied.pages();
        memory.at_end = look(account, written - std::min(written, reused), reused);
    }
    return memory;
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
        const uint64_t earlier_kb = process.epochs.front().earlier.pages() * kPageKb;
        const uint64_t measured_kb = private_kb(*process.memory_at_fork);
        const uint64_t at_fork = measured_kb - std::min(measured_kb, earlier_kb);
        const uint64_t at_end = private_kb(*process.memory_at_end);
        MemoryAccount account;
        account.grown_kb = at_end - std::min(at_end, at_fork);
        account.counted_kb =
            (summary.copied_pages + summary.fresh_at_end + summary.held_alone_at_end) * kPageKb;
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
