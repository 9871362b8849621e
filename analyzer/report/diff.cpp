#include "report/diff.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "attribute/report_model.h"
#include "base/printable.h"
#include "report/format.h"
#include "report/json_value.h"

namespace cowscope::report {
namespace {

using compare::Change;
using compare::Diff;
using compare::Fate;

// What each kind of advice comes to where it was followed.
std::string reason_of(const std::string& advice) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kReasons = {{
        {"intern", "equal values are one object now, so that their counts lie on few pages"},
        {"compact", "what was many objects with counts of their own is few now"},
        {"freeze", "the collector leaves alone what existed before the fork"},
        {"hash", "the hashes are known before the fork"},
        {"warm-up", "the interpreter has adapted the code before the fork"},
        {"bind-now", "functions are bound before the fork"},
        {"buffers", "the kernel writes no more into buffers from before the fork"},
        {"exit", "children leave without taking the interpreter down"},
    }};
    for (const auto& [kind, reason] : kReasons) {
        if (kind == advice) return std::string(reason);
    }
    return "";
}

std::string size_of(double pages, uint64_t page_size) {
    return size_text(static_cast<uint64_t>(std::llround(std::abs(pages))) * page_size);
}

std::string gain_text(const Change& change) {
    if (change.fate() == Fate::same) return "no change";
    if (change.before == 0) return "all of it new";
    if (change.after >= 2 * change.before) {
        return fmt::format("{:.1f} times as much", change.after / change.before);
    }
    return percent(std::abs(change.gain()) / change.before) +
           (change.gain() > 0 ? " less" : " more");
}

std::string name_of(attribute::Cause cause) {
    return std::string(cause_name(cause));
}

// "refcount of str".
std::string name_of(const compare::CauseOfType& of) {
    return fmt::format("{} of {}", cause_name(of.cause), of.type);
}

std::string name_of(const std::string& owner) {
    return owner;
}

// "refcount of str in read_map (string_map.py)".
std::string name_of(const compare::SiteNames& site) {
    std::string name(cause_name(site.cause));
    if (!site.type.empty()) name += " of " + site.type;
    const std::string place =
        site.function.empty() ? site.place : fmt::format("{} ({})", site.function, site.place);
    return place.empty() ? name : name + " in " + place;
}

// Name and change of the first that changed in this direction, which is the largest.
struct Largest {
    std::string name;
    Change change;
};
template <typename Key>
std::optional<Largest> largest(const compare::Rows<Key>& rows, bool less) {
    for (const auto& [key, change] : rows) {
        std::string name = name_of(key);
        const bool is_named = name != attribute::kUnowned;
        if (is_named && change.fate() != Fate::same && (change.gain() > 0) == less) {
            return Largest{std::move(name), change};
        }
    }
    return std::nullopt;
}

class DiffText {
  public:
    DiffText(const Diff& diff, const TextOptions& options)
        : diff_(diff), options_(options), width_(std::clamp(options.width, 60u, 160u)) {}

    std::string write() {
        summary();
        line();
        line(side("before", diff_.before));
        line(side("after", diff_.after));
        table("Why", diff_.causes);
        table("Type of the object", diff_.types);
        if (!diff_.owners.empty()) table("Whose (a variable that leads there)", diff_.owners);
        table("Where", diff_.sites);
        return std::move(text_);
    }

  private:
    static constexpr size_t kSizeWidth = 12;
    static constexpr size_t kFateWidth = 9;
    size_t name_width() const { return width_ - 3 * kSizeWidth - kFateWidth; }

    void line(const std::string& text = "") {
        text_ += printable_line(text, options_.color) + "\n";
    }

    void sentence(const std::string& text) {
        for (const std::string& each : wrapped(printable(text), width_)) line(each);
    }

    std::string size(double pages) const { return size_of(pages, diff_.page_size); }

    void summary() {
        const DiffSummary summary = summarize(diff_);
        sentence(summary.total);
        if (summary.most.empty()) return;
        // One line, so that the reason is the third.
        std::string what = summary.most;
        if (!summary.owner.empty() && what.size() + 20 < width_) {
            what += "; " + cut_start(summary.owner, width_ - what.size() - 3);
        }
        line(cut_end(printable(what) + ".", width_));
        if (!summary.reason.empty()) sentence(summary.reason);
    }

    std::string side(const std::string& label, const compare::Side& side) const {
        const std::string command = fmt::format("{}", fmt::join(side.command, " "));
        return cut_end(printable(fmt::format("{:<7} {}: {}", label, side.trace, command)), width_);
    }

    template <typename Key>
    void table(const std::string& title, const compare::Rows<Key>& rows) {
        if (rows.empty()) return;
        line();
        const std::string head =
            fmt::format("{:<{}}{:>{}}{:>{}}{:>{}}", title, name_width(), "before", kSizeWidth,
                        "after", kSizeWidth, "change", kSizeWidth);
        line(options_.color ? emphasized(head) : head);
        // What is next to nothing of all copies is not worth its line.
        constexpr double kLeastShare = 0.001;
        const double least = kLeastShare * std::max(diff_.copied.before, diff_.copied.after);
        size_t shown = 0;
        for (const auto& [key, change] : rows) {
            if (shown == options_.top || (shown != 0 && std::abs(change.gain()) < least)) break;
            row(name_of(key), change);
            ++shown;
        }
        if (rows.size() != shown) {
            line(fmt::format("  … and {} more (--format json)", rows.size() - shown));
        }
    }

    void row(const std::string& name, const Change& change) {
        const Fate fate = change.fate();
        const char* sign = change.gain() > 0 ? "-" : "+";
        std::string text = fmt::format(
            "{:<{}}{:>{}}{:>{}}{:>{}}", "  " + cut_start(printable(name), name_width() - 3),
            name_width(), size(change.before), kSizeWidth, size(change.after), kSizeWidth,
            fate == Fate::same ? "same" : sign + size(change.gain()), kSizeWidth);
        if (fate == Fate::gone || fate == Fate::appeared) {
            text += fmt::format("  {}", compare::fate_name(fate));
        }
        line(text);
    }

    const Diff& diff_;
    const TextOptions& options_;
    size_t width_;
    std::string text_;
};

Json to_json_value(const compare::Side& side) {
    return {{"trace", side.trace},
            {"command", side.command},
            {"forked_processes", side.forked},
            {"copied_pages", side.copied_pages}};
}

void add_change(const Change& change, Json* row) {
    (*row)["before_pages"] = change.before;
    (*row)["after_pages"] = change.after;
    (*row)["change_pages"] = change.after - change.before;
    (*row)["state"] = compare::fate_name(change.fate());
}

template <typename Key>
Json rows_value(const compare::Rows<Key>& rows, const char* name) {
    Json values = Json::array();
    for (const auto& [key, change] : rows) {
        Json& value = values.emplace_back();
        value[name] = name_of(key);
        add_change(change, &value);
    }
    return values;
}

}  // namespace

DiffSummary summarize(const Diff& diff) {
    const auto size = [&](double pages) { return size_of(pages, diff.page_size); };
    const std::string whose = diff.per_process
                                  ? fmt::format(", for each forked process ({} before, {} after)",
                                                diff.before.forked, diff.after.forked)
                                  : "";
    DiffSummary summary;
    summary.total = fmt::format("Copied after fork: {} -> {}, {}{}.", size(diff.copied.before),
                                size(diff.copied.after), gain_text(diff.copied), whose);
    if (diff.copied.fate() == Fate::same) return summary;
    const bool less = diff.copied.gain() > 0;
    auto most = largest(diff.types, less);
    if (!most) most = largest(diff.causes, less);
    if (!most) return summary;
    summary.most = fmt::format("{} most: {}, {} {}", less ? "Gained" : "Lost", most->name,
                               size(most->change.gain()), less ? "less" : "more");
    if (const auto owner = largest(diff.owners, less)) summary.owner = owner->name;
    const std::string reason = reason_of(diff.done);
    if (less && !reason.empty()) summary.reason = "Why: " + reason + ".";
    return summary;
}

std::string to_text(const Diff& diff, const TextOptions& options) {
    return DiffText(diff, options).write();
}

Json to_json_value(const Diff& diff) {
    Json json;
    json["schema"] = "cowscope.diff/1";
    json["page_size"] = diff.page_size;
    json["before"] = to_json_value(diff.before);
    json["after"] = to_json_value(diff.after);
    json["per_process"] = diff.per_process;
    add_change(diff.copied, &json["copied"]);
    json["done"] = diff.done;
    json["causes"] = rows_value(diff.causes, "cause");
    json["types"] = rows_value(diff.types, "type");
    json["owners"] = rows_value(diff.owners, "owner");
    json["sites"] = rows_value(diff.sites, "site");
    return json;
}

std::string to_json(const Diff& diff) {
    return json_text(to_json_value(diff), 2) + "\n";
}

}  // namespace cowscope::report
