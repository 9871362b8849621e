#include "compare/diff.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

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

template <typename Key, typename Order = std::less<Key>>
class Table {
  public:
    Table(double before_scale, double after_scale)
        : before_scale_(before_scale), after_scale_(after_scale) {}

    void add(const Key& key, uint64_t pages, bool is_after) {
        Change& change = changes_[key];
        (is_after ? change.after : change.before) +=
            static_cast<double>(pages) * (is_after ? after_scale_ : before_scale_);
    }

    Rows<Key> sorted() const {
        Rows<Key> rows;
        for (const auto& [key, change] : changes_) {
            if (change.before != 0 || change.after != 0) rows.push_back({key, change});
        }
        std::stable_sort(rows.begin(), rows.end(), [](const Row<Key>& a, const Row<Key>& b) {
            return std::abs(a.change.gain()) > std::abs(b.change.gain());
        });
        return rows;
    }

  private:
    double before_scale_;
    double after_scale_;
    std::map<Key, Change, Order> changes_;
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
            line.owner.empty() || (!diff.owners.empty() && diff.owners.front().change.gain() > 0 &&
                                   diff.owners.front().key == line.owner);
        if (about_main && !advises(after, line)) return line.kind;
    }
    return "";
}

}  // namespace

bool CauseOfType::operator<(const CauseOfType& other) const {
    return std::pair(cause_name(cause), std::string_view(type)) <
           std::pair(cause_name(other.cause), std::string_view(other.type));
}

bool SiteNames::operator<(const SiteNames& other) const {
    // Where there is no function, its place stands for it.
    const auto key = [](const SiteNames& names) {
        return std::tuple(cause_name(names.cause), std::string_view(names.type),
                          std::string_view(names.function.empty() ? names.place : names.function),
                          std::string_view(names.function), std::string_view(names.place));
    };
    return key(*this) < key(other);
}

SiteNames names_of(const SiteShare& site) {
    SiteNames names{site.cause, std::string(site.type), "", ""};
    if (const attribute::Frame* frame = innermost_runtime_frame(site.mixed_stack)) {
        names.function = frame->function;
        names.place = file_name(frame->file);
    } else {
        names.function = site.code.function;
        names.place = site.code.module;
    }
    return names;
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
    diff.copied = {static_cast<double>(diff.before.copied_pages) * before_scale,
                   static_cast<double>(diff.after.copied_pages) * after_scale};

    Table<attribute::Cause, runtime::ByName> causes(before_scale, after_scale);
    Table<CauseOfType> types(before_scale, after_scale);
    Table<std::string> owners(before_scale, after_scale);
    Table<SiteNames> sites(before_scale, after_scale);
    for (const Report* report : {&before, &after}) {
        const bool is_after = report == &after;
        for (const auto& cause : report->causes) {
            causes.add(cause.cause, cause.pages, is_after);
            for (const auto& type : cause.types) {
                types.add({cause.cause, type.type}, type.pages, is_after);
            }
        }
        for (const auto& owner : report->owners) owners.add(owner.owner, owner.pages, is_after);
        for (const auto& site : report->sites) sites.add(names_of(site), site.pages, is_after);
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
