#include "attribute/notes.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include <fmt/format.h>

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
                notes->push_back(fmt::format(
                    "{}: no tracker ({}), so nothing says which pages were copied; see `cowscope "
                    "doctor`",
                    in, error));
                break;
            case trace::NoteCode::witness_unavailable:
                notes->push_back(fmt::format(
                    "{}: no witness ({}), so the pages are known but not who wrote them; see "
                    "`cowscope doctor`",
                    in, error));
                break;
            case trace::NoteCode::mapping_not_tracked:
                notes->push_back(
                    fmt::format("{}: some memory could not be tracked ({}); its copies are missing",
                                in, error));
                break;
            case trace::NoteCode::census_failed:
                notes->push_back(fmt::format("{}: a census failed ({})", in, error));
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
                "process {}: {} events and {} bytes of other records found no room (disk full, or "
                "the file size limit)",
                process.pid(), loss.unwritten_events, loss.unwritten_bytes));
        }
    }
}

void add_end_notes(const trace::Trace& trace, std::vector<std::string>* notes) {
    for (const auto& process : trace.processes) {
        if (process.end || process.generations.empty()) continue;
        const trace::Generation& last = process.generations.back();
        const std::string how = fmt::format(
            "process {} has no record of its end: it was killed (SIGKILL, or a crash) or still "
            "runs",
            process.pid());
        if (last.witness == trace::Witness::off) {
            notes->push_back(how + "; without a witness and a final census its copies are unknown");
        } else {
            notes->push_back(how +
                             "; every copy that the witness saw is here, those that only a final "
                             "census finds (writes by the kernel) are missing");
        }
    }
}

}  // namespace

void add_notes(const trace::Trace& trace, Report* report) {
    for (const std::string& damage : trace.damage) {
        report->notes.push_back("damaged trace: " + damage + "; what stands before it is reported");
    }
    add_shim_notes(trace, &report->notes);
    add_loss_notes(trace, &report->notes);
    add_end_notes(trace, &report->notes);
}

}  // namespace cowscope::attribute
