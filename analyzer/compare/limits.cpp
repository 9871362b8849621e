#include "compare/limits.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

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
    if (after && after->blind_processes != 0) {
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
                         [&name = cause](const auto& each) { return each.cause == name; });
        findings.push_back({"copied because of " + cause, limit,
                            found == report.causes.end() ? 0 : bytes(found->pages)});
    }
    return findings;
}

std::optional<uint64_t> parse_size(const std::string& text) {
    double number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, failure] =
        std::from_chars(text.data(), end, number, std::chars_format::fixed);
    if (failure != std::errc{} || !std::isfinite(number) || number < 0) return std::nullopt;
    std::string_view unit(stop, static_cast<size_t>(end - stop));
    if (unit == "B") unit = "";
    double factor = 1;
    if (!unit.empty()) {
        constexpr std::string_view kPowers = "KMGT";
        const size_t power = kPowers.find(unit[0] == 'k' ? 'K' : unit[0]);
        const std::string_view rest = unit.substr(1);
        if (power == std::string_view::npos || !(rest.empty() || rest == "iB" || rest == "B")) {
            return std::nullopt;
        }
        factor = std::pow(rest == "B" ? 1000.0 : 1024.0, static_cast<double>(power + 1));
    }
    const double bytes = std::floor(number * factor);
    if (bytes > static_cast<double>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    return static_cast<uint64_t>(bytes);
}

}  // namespace cowscope::compare
