#include "compare/limits.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"

namespace cowscope::compare {
namespace {

bool has_forked(const attribute::Report& report) {
    return std::any_of(report.processes.begin(), report.processes.end(),
                       [](const auto& process) { return process.role == "fork"; });
}

void require_knowledge(const Limits& limits, const attribute::Report& report) {
    if (!has_forked(report)) return;
    const auto& after = report.after_bound;
    if (after && after->processes != 0 && (limits.per_process || !limits.copied_cause.empty())) {
        throw Error(report.trace +
                    ": it reached its bound (--max-trace), and what was copied later is known only "
                    "for all processes together: --max-per-process and --max-cause cannot be "
                    "checked");
    }
    if (after && after->unwitnessed_processes != 0) {
        throw Error(report.trace +
                    ": it reached its bound (--max-trace), and what was copied later is not known, "
                    "because there was no witness");
    }
    if (report.tracker == "off" && report.witness == "off") {
        throw Error(report.trace +
                    ": nothing is known about copies: no process was tracked (see its report)");
    }
    if (report.witness == "off" && !limits.copied_cause.empty()) {
        throw Error(report.trace +
                    ": causes are not known, because there was no witness; --max-cause cannot be "
                    "checked (see cowscope doctor)");
    }
}

}  // namespace

std::vector<Finding> hold_against(const Limits& limits, const attribute::Report& report) {
    require_knowledge(limits, report);
    std::vector<Finding> findings;
    const auto bytes = [&](uint64_t pages) { return pages * report.page_size; };
    if (limits.copied) {
        const uint64_t later = report.after_bound ? report.after_bound->copies : 0;
        findings.push_back(
            {"copied by all processes", *limits.copied, bytes(report.totals.copied_pages + later)});
    }
    if (limits.per_process) {
        uint64_t most = 0;
        for (const auto& process : report.processes) {
            const uint64_t copied = bytes(process.copied_pages);
            most = std::max(most, copied);
            if (copied > *limits.per_process) {
                findings.push_back(
                    {fmt::format("copied by process {} ({})", process.pid, process.role),
                     *limits.per_process, copied});
            }
        }
        if (most <= *limits.per_process) {
            findings.push_back({"copied by any process", *limits.per_process, most});
        }
    }
    for (const auto& [cause, limit] : limits.copied_cause) {
        const auto found =
            std::find_if(report.causes.begin(), report.causes.end(),
                         [&of = cause](const auto& each) { return each.cause == of; });
        findings.push_back({fmt::format("copied because of {}", cause_name(cause)), limit,
                            found == report.causes.end() ? 0 : bytes(found->pages)});
    }
    return findings;
}

}  // namespace cowscope::compare
