#include "attribute/notes.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>

#include "attribute/after_bound.h"

namespace cowscope::attribute {
namespace {

// One line for each kind of note and error, however many processes say it.
void add_shim_notes(const trace::Trace& trace, std::vector<std::string>* notes) {
    std::map<std::pair<trace::NoteCode, int>, std::set<uint32_t>> seen;
    for (const auto& process : trace.processes) {
        for (const trace::NoteRecord& note : process.notes) {
            seen[{note.code, note.value}].insert(process.pid());
        }
    }
    for (const auto& [what, pids] : seen) {
        const std::string in = pids.size() == 1 ? fmt::format("process {}", *pids.begin())
                                                : fmt::format("{} processes", pids.size());
        const char* error = std::strerror(what.second);
        switch (what.first) {
            case trace::NoteCode::tracker_unavailable:
                if (what.second == ENOENT) {
                    notes->push_back(fmt::format(
                        "{}: no tracker: there is no /proc where the program runs (behind a "
                        "chroot, say), so it cannot look at its own pages; copies that the witness "
                        "did not see (writes by the kernel) are missing",
                        in));
                    break;
                }
                notes->push_back(fmt::format(
                    "{}: no tracker ({}), so nothing says which pages were copied; see `cowscope "
                    "doctor`",
                    in, error));
                break;
            case trace::NoteCode::witness_unavailable:
                if (what.second == EBUSY) {
                    notes->push_back(fmt::format(
                        "{}: no witness beside a debugger, another tracer or valgrind, which would "
                        "stop at each of its signals; the pages are known but not who wrote them",
                        in));
                    break;
                }
                notes->push_back(fmt::format(
                    "{}: no witness ({}), so the pages are known but not who wrote them; see "
                    "`cowscope doctor`",
                    in, error));
                break;
            case trace::NoteCode::threads_not_watched:
                notes->push_back(fmt::format(
                    "{}: the witness does not watch {} of the threads, because it takes no more "
                    "than a quarter of the files that the program may open (ulimit -n), and 512; "
                    "nothing says where they wrote",
                    in, what.second));
                break;
            case trace::NoteCode::mapping_not_tracked:
                notes->push_back(
                    fmt::format("{}: some memory could not be tracked ({}); its copies are missing",
                                in, error));
                break;
            case trace::NoteCode::census_failed:
                notes->push_back(
                    what.second == EBADF
                        ? fmt::format("{}: the program closed cowscope's own files; copies that "
                                      "nobody saw being made are missing",
                                      in)
                        : fmt::format("{}: a census failed ({})", in, error));
                break;
            case trace::NoteCode::not_dumpable:
                notes->push_back(fmt::format(
                    "{}: no tracker: the program had given up rights before it forked (a change of "
                    "user or group, or PR_SET_DUMPABLE), and may not look at its own pages any "
                    "more; copies that the witness did not see (writes by the kernel) are missing",
                    in));
                break;
            case trace::NoteCode::sandboxed:
                notes->push_back(fmt::format(
                    "{}: a seccomp filter kills for system calls that cowscope needs; nothing was "
                    "recorded from then on",
                    in));
                break;
            case trace::NoteCode::zero_pages_unknown:
                notes->push_back(fmt::format(
                    "{}: on this kernel the tracker soft-dirty takes pages that were only read "
                    "before the fork, never written, for inherited ones; written later, they count "
                    "as copies (exact from Linux 6.8 on)",
                    in));
                break;
            case trace::NoteCode::memory_reads_as_new:
                notes->push_back(fmt::format(
                    "{}: some memory grew after the fork, or came anew, and the tracker soft-dirty "
                    "cannot tell what was copied in it; copies there are known only where the "
                    "witness saw them",
                    in));
                break;
            case trace::NoteCode::runtime_version_unknown:
                notes->push_back(fmt::format(
                    "{}: this cowscope does not know the memory layout of CPython {}.{}: no Python "
                    "lines, only native functions",
                    in, what.second >> 8, what.second & 0xff));
                break;
            case trace::NoteCode::runtime_free_threaded:
                notes->push_back(fmt::format(
                    "{}: CPython {}.{} without the GIL: no Python lines, only native functions", in,
                    what.second >> 8, what.second & 0xff));
                break;
            case trace::NoteCode::runtime_layout_differs:
                notes->push_back(
                    fmt::format("{}: the memory of this CPython {}.{} does not look as that "
                                "version's should (a "
                                "debug build?): no Python lines, only native functions",
                                in, what.second >> 8, what.second & 0xff));
                break;
        }
    }
}

void add_loss_notes(const trace::Trace& trace, std::vector<std::string>* notes) {
    for (const auto& process : trace.processes) {
        const trace::LossRecord& loss = process.loss;
        if (loss.blocked_events != 0) {
            notes->push_back(fmt::format(
                "process {}: {} first writes happened while SIGTRAP was blocked and have no site",
                process.pid(), loss.blocked_events));
        }
        if (loss.unwritten_events != 0 || loss.unwritten_bytes != 0) {
            notes->push_back(fmt::format(
                "process {}: {} events and {} bytes of other records found no room (disk full or "
                "read-only, or the file size limit)",
                process.pid(), loss.unwritten_events, loss.unwritten_bytes));
        }
    }
}

// That not every fault was witnessed, and what that means for the numbers.
void add_sampling_notes(const Report& report, std::vector<std::string>* notes) {
    const Totals& totals = report.totals;
    if (totals.represented_pages == 0) return;
    std::string note = report.sample == "auto"
                           ? "many copies: after the first 50,000 events of a process only some "
                             "writes were witnessed"
                           : fmt::format("one write in {} was witnessed", report.sample);
    note += fmt::format("; {} events, picked at random, stand for {} pages beside their own. ",
                        totals.sampled_events, totals.represented_pages);
    note += totals.copied_pages_margin == 0
                ? "Counts of copied pages are exact (census)"
                : fmt::format("How many pages were copied is an estimate, ±{}",
                              totals.copied_pages_margin);
    note += "; ± at shares is half a 95 % interval, in percentage points (--sample 1 for all)";
    notes->push_back(note);
}

std::string missing_child_note(uint32_t pid, size_t missing, int error) {
    const std::string what = fmt::format("process {}: {} forked {} no trace", pid, missing,
                                         missing == 1 ? "child left" : "children left");
    if (error != EACCES && error != EPERM) {
        return fmt::format("{}: no file could be made in the trace's folder ({})", what,
                           std::strerror(error));
    }
    return what +
           ": the program had given up its rights before it forked, and may not write into the "
           "trace's folder any more; record as that user, or with -o into a folder of that user's";
}

// A child that is killed before it could open its segment is known only from its parent's count.
void add_missing_child_notes(const trace::Trace& trace, std::vector<std::string>* notes) {
    std::vector<size_t> forks;
    for (const auto& process : trace.processes) forks.push_back(process.fork_times_ns.size());
    for (const auto& process : trace.processes) {
        if (process.parent && forks[*process.parent] != 0) --forks[*process.parent];
    }
    // The one whose child found the bound reached left none either.
    const size_t expected = trace.bound && trace.bound->reached_ns != 0 ? 1 : 0;
    for (size_t i = 0; i < forks.size(); ++i) {
        const size_t missing = forks[i];
        const int error = trace.processes[i].header.child_error;
        if (missing <= expected) continue;
        if (error != 0) {
            notes->push_back(missing_child_note(trace.processes[i].pid(), missing, error));
            continue;
        }
        notes->push_back(fmt::format(
            "process {}: {} forked {} no trace: killed at once, or the fork failed",
            trace.processes[i].pid(), missing, missing == 1 ? "child left" : "children left"));
    }
}

// How a process ended that said nothing itself, and what is known of it in spite of that.
std::string end_note(const trace::ProcessTrace& process) {
    const trace::Epoch& last = process.epochs.back();
    std::string note = fmt::format("process {} ", process.pid());
    if (!process.outside || !process.outside->fate) {
        note += "has no record of its end: it was killed (SIGKILL, or a crash) or still runs";
    } else if (!process.outside->knows_end()) {
        note += "has no record of its end: it was killed (SIGKILL, or a crash)";
    } else if (process.outside->fate->kind == trace::EndKind::signal) {
        note += fmt::format("was ended by signal {}", process.outside->fate->value);
    } else {
        note += fmt::format("ended with status {} and left no time for a census",
                            process.outside->fate->value);
    }
    if (last.census == trace::CensusKind::outside) {
        note += fmt::format("; its last census was taken from outside, at most {:.0f} ms before {}",
                            static_cast<double>(census_age_ns(process)) / 1e6,
                            process.outside->fate ? "its end" : "it was last seen");
        note += last.witness == trace::Witness::off
                    ? "; later copies are missing"
                    : "; later copies are here if the witness saw them, those by the kernel are "
                      "missing";
    } else if (trace::has_last_census(process)) {
        note += "; it had shared its pages with nobody any more, so no copy is missing";
    } else if (last.witness == trace::Witness::off) {
        note += "; without a witness and a final census its copies are unknown";
    } else {
        note +=
            "; every copy that the witness saw is here, those that only a final census finds "
            "(writes by the kernel) are missing";
    }
    return note;
}

void add_end_notes(const trace::Trace& trace, std::vector<std::string>* notes) {
    for (const auto& process : trace.processes) {
        if (process.end || process.bound_ns) continue;
        if (!process.epochs.empty()) {
            notes->push_back(end_note(process));
        } else if (process.process.role == trace::Role::fork) {
            notes->push_back(fmt::format(
                "process {} ended before its inherited pages were known; it is not in the totals",
                process.pid()));
        }
    }
}

// What the owners lack, in a program that has any.
void add_owner_notes(const trace::Trace& trace, const Report& report,
                     std::vector<std::string>* notes) {
    const bool is_python =
        std::any_of(trace.processes.begin(), trace.processes.end(),
                    [](const trace::ProcessTrace& process) { return !process.types.empty(); });
    const bool is_told =
        std::any_of(report.notes.begin(), report.notes.end(), [](const std::string& note) {
            return note.rfind("no owners", 0) == 0 || note.rfind("owners ", 0) == 0;
        });
    if (trace.owners.empty() && is_python && !is_told) {
        std::error_code error;
        const bool is_recorded = std::filesystem::exists(trace.folder + "/recording.json", error);
        notes->push_back(is_recorded
                             ? "no owners: the program ended before its objects could be looked at"
                             : "no owners: owners are found by `cowscope run` and `cowscope "
                               "record`, not by the preloaded library alone");
    }
    for (const trace::Owners& look : trace.owners) {
        const uint32_t cut = look.look->cut;
        if (cut == 0) continue;
        const std::string why =
            (cut & trace::kCutGone) != 0    ? "the process ended"
            : (cut & trace::kCutEdges) != 0 ? fmt::format("{} references", look.look->edges)
            : (cut & trace::kCutMemory) != 0
                ? "its memory was used up"
                : fmt::format("{:.1f} s", static_cast<double>(look.look->cpu_ns) / 1e9);
        notes->push_back(fmt::format(
            "owners: the look at the objects of process {} ended early ({}), with {} objects seen; "
            "what it did not reach is unowned",
            look.pid, why, look.look->objects));
    }
}

}  // namespace

uint64_t census_age_ns(const trace::ProcessTrace& process) {
    if (process.epochs.empty() || !process.epochs.back().census) return 0;
    uint64_t end_ns = process.last_time_ns;
    if (process.outside && process.outside->fate) {
        end_ns = std::max(end_ns, process.outside->fate->gone_ns);
    }
    return end_ns - std::min(end_ns, process.epochs.back().census_ns);
}

void add_notes(const trace::Trace& trace, Report* report) {
    for (const std::string& damage : trace.damage) {
        report->notes.push_back("damaged trace: " + damage + "; what stands before it is reported");
    }
    for (const std::string& line : trace.left_out) {
        report->notes.push_back("damaged trace: " + line + "; left out, all others are reported");
    }
    if (report->after_bound) report->notes.push_back(text_of(*report->after_bound));
    add_shim_notes(trace, &report->notes);
    add_loss_notes(trace, &report->notes);
    add_sampling_notes(*report, &report->notes);
    add_missing_child_notes(trace, &report->notes);
    add_end_notes(trace, &report->notes);
    add_owner_notes(trace, *report, &report->notes);
}

}  // namespace cowscope::attribute
