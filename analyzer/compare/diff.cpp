#include "compare/diff.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "base/file_name.h"

namespace cowscope::compare {
namespace {

using attribute::Report;
using attribute::SiteShare;

uint64_t forked_processes(const Report& report) {
    return static_cast<uint64_t>(
        std::count_if(report.processes.begin(), report.processes.end(),
                      [](const auto& process) { return process.role == "fork"; }));
}

Side side_of(const Report& report) {
    return {report.trace, report.command, forked_processes(report), report.totals.copied_pages};
}

class Table {
  public:
    Table(double before_scale, double after_scale)
        : before_scale_(before_scale), after_scale_(after_scale) {}

    void add(const std::string& name, uint64_t pages, bool is_after) {
        auto& [before, after] = rows_[name];
        (is_after ? after : before) +=
            static_cast<double>(pages) * (is_after ? after_scale_ : before_scale_);
    }

    std::vector<Change> sorted() const {
        std::vector<Change> changes;
        for (const auto& [name, pages] : rows_) {
            if (pages.first != 0 || pages.second != 0) {
                changes.push_back({name, pages.first, pages.second});
            }
        }
        std::stable_sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
            return std::abs(a.gain()) > std::abs(b.gain());
        });
        return changes;
    }

  private:
    double before_scale_;
    double after_scale_;
    std::map<std::string, std::pair<double, double>> rows_;
};

// What gained most among the owners, or the causes where there are no owners, and was advised
// about.
std::string done_about(const Diff& diff, const Report& before, const Report& after) {
    const auto advises = [](const Report& report, const attribute::AdviceLine& line) {
        return std::any_of(report.advice.begin(), report.advice.end(), [&](const auto& each) {
            return each.kind == line.kind && each.owner == line.owner;
        });
    };
    for (const attribute::AdviceLine& line : before.advice) {
        const bool about_main =
            line.owner.empty() || (!diff.owners.empty() && diff.owners.front().gain() > 0 &&
                                   diff.owners.front().name == line.owner);
        if (about_main && !advises(after, line)) return line.kind;
    }
    return "";
}

}  // namespace

// Lines move when a program is changed, and addresses always do: a site is told by its names.
std::string site_name(const SiteShare& site) {
    std::string where;
    if (!site.python.empty()) {
        const auto& frame = site.python.front();
        where = fmt::format("{} ({})", frame.function, file_name(frame.file));
    } else if (!site.function.empty()) {
        where = fmt::format("{} ({})", site.function, site.module);
    } else {
        where = site.module;
    }
    const std::string type = site.type.empty() ? "" : " of " + site.type;
    return site.cause + type + (where.empty() ? "" : " in " + where);
}

const char* fate_name(Fate fate) {
    switch (fate) {
        case Fate::same:
            return "same";
        case Fate::changed:
            return "changed";
        case Fate::appeared:
            return "new";
        case Fate::gone:
            break;
    }
    return "gone";
}

Fate Change::fate() const {
    if (before == 0) return after == 0 ? Fate::same : Fate::appeared;
    if (after == 0) return Fate::gone;
    return std::abs(gain()) <= 1 + 0.01 * before ? Fate::same : Fate::changed;
}

Diff compare(const Report& before, const Report& after) {
    Diff diff;
    diff.before = side_of(before);
    diff.after = side_of(after);
    diff.page_size = before.page_size;
    diff.per_process = diff.before.forked != diff.after.forked && diff.before.forked != 0 &&
                       diff.after.forked != 0;
    const double before_scale = diff.per_process ? 1 / static_cast<double>(diff.before.forked) : 1;
    const double after_scale = diff.per_process ? 1 / static_cast<double>(diff.after.forked) : 1;
    diff.copied = {"copied", static_cast<double>(diff.before.copied_pages) * before_scale,
                   static_cast<double>(diff.after.copied_pages) * after_scale};

    Table causes(before_scale, after_scale);
    Table types(before_scale, after_scale);
    Table owners(before_scale, after_scale);
    Table sites(before_scale, after_scale);
    for (const Report* report : {&before, &after}) {
        const bool is_after = report == &after;
        for (const auto& cause : report->causes) {
            causes.add(cause.cause, cause.pages, is_after);
            for (const auto& type : cause.types) {
                types.add(cause.cause + " of " + type.type, type.pages, is_after);
            }
        }
        for (const auto& owner : report->owners) owners.add(owner.owner, owner.pages, is_after);
        for (const auto& site : report->sites) sites.add(site_name(site), site.pages, is_after);
    }
    diff.causes = causes.sorted();
    diff.types = types.sorted();
    diff.sites = sites.sorted();
    const bool both_have_owners = (!before.owners.empty() || before.totals.copied_pages == 0) &&
                                  (!after.owners.empty() || after.totals.copied_pages == 0);
    if (both_have_owners) diff.owners = owners.sorted();
    diff.done = done_about(diff, before, after);
    return diff;
}

}  // namespace cowscope::compare
