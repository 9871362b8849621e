#include "report/page_data.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "report/diff.h"
#include "report/frame_text.h"
#include "report/json_value.h"
#include "symbolize/demangle.h"

namespace cowscope::report {
namespace {

using namespace attribute;

// More would make a page that nobody can read; the heaviest are kept, and the page says how many
// there are.
constexpr size_t kMostSites = 4000;
constexpr size_t kMostStacks = 20000;

class Strings {
  public:
    size_t id(std::string_view text) {
        const auto [at, is_new] = ids_.try_emplace(std::string(text), all_.size());
        if (is_new) all_.emplace_back(text);
        return at->second;
    }
    Json all() const { return all_; }

  private:
    std::unordered_map<std::string, size_t> ids_;
    std::vector<std::string> all_;
};

// Each value as its difference from the one before it.
class Deltas {
  public:
    void add(uint64_t value) {
        values_.push_back(static_cast<int64_t>(value - last_));
        last_ = value;
    }
    Json take() { return std::move(values_); }

  private:
    uint64_t last_ = 0;
    std::vector<int64_t> values_;
};

// Without parameters, template arguments and nameless namespaces.
std::string short_function(std::string_view function) {
    constexpr std::string_view kAnonymous = "(anonymous namespace)::";
    std::string name = symbolize::short_name(function);
    for (size_t at; (at = name.find(kAnonymous)) != std::string::npos;) {
        name.erase(at, kAnonymous.size());
    }
    return name;
}

// Of native code.
std::string short_frame(const FrameText& frame) {
    if (frame.place.empty()) return frame.function;
    return short_function(frame.function) + " " + frame.place;
}

// Stacks by what their frames are called, which many frames are the same: instructions of one line.
class PageStacks {
  public:
    explicit PageStacks(Strings* strings) : strings_(*strings) {}

    void add(const Details::Stack& stack) {
        std::vector<size_t> native;
        for (size_t i = 0; i < line_count(stack.native); ++i) {
            const bool is_frame = i < stack.native.frames.size();
            native.push_back(is_frame ? frame_id(stack.native.frames[i])
                                      : text_id(text_of_line(stack.native, i), false));
        }
        std::vector<size_t> mixed;
        for (const Frame* frame : stack.mixed.frames) mixed.push_back(frame_id(frame));
        const auto [at, is_new] =
            index_.try_emplace({stack.cause, std::move(native), std::move(mixed)}, pages_.size());
        if (is_new) pages_.push_back({&at->first, 0});
        pages_[at->second].second += stack.pages;
    }

    Json frames() { return std::move(frames_); }

    Json stacks() {
        std::stable_sort(pages_.begin(), pages_.end(),
                         [](const auto& a, const auto& b) { return a.second > b.second; });
        if (pages_.size() > kMostStacks) pages_.resize(kMostStacks);
        Json stacks = Json::array();
        for (const auto& [key, pages] : pages_) {
            const auto& [cause, native, mixed] = *key;
            stacks.push_back({strings_.id(cause_name(cause)), pages, native, mixed});
        }
        return stacks;
    }

  private:
    using Key = std::tuple<Cause, std::vector<size_t>, std::vector<size_t>>;

    size_t frame_id(const Frame* frame) {
        const auto [at, is_new] = ids_.try_emplace(frame, 0);
        if (is_new) at->second = text_id(text_of(*frame), frame->is_runtime);
        return at->second;
    }

    size_t text_id(const FrameText& text, bool is_runtime) {
        const std::string whole = text.whole();
        const auto [at, is_new] = text_ids_.try_emplace({whole, is_runtime}, text_ids_.size());
        if (is_new) {
            const std::string shown = is_runtime ? whole : short_frame(text);
            frames_.push_back({strings_.id(whole), strings_.id(shown), is_runtime ? 1 : 0});
        }
        return at->second;
    }

    Strings& strings_;
    Json frames_ = Json::array();
    std::unordered_map<const Frame*, size_t> ids_;
    std::map<std::pair<std::string, bool>, size_t> text_ids_;
    std::map<Key, size_t> index_;
    std::vector<std::pair<const Key*, uint64_t>> pages_;  // of each stack
};

class PageData {
  public:
    // `diff`: where the run is one of two.
    explicit PageData(const PageRun& run, const compare::Diff* diff = nullptr)
        : report_(*run.report), details_(*run.details), diff_(diff) {
        for (const TimelinePoint& point : report_.timeline) {
            timeline_of_pid_[point.pid].push_back(point);
        }
        if (diff == nullptr) return;
        for (const auto& row : diff->sites) {
            place_of_change_.emplace(row.key, static_cast<int>(place_of_change_.size()));
        }
    }

    Json build() {
        Json data = {{"report", report_value()}, {"site_count", report_.sites.size()}};
        PageStacks stacks(&strings_);
        for (const Details::Stack& stack : details_.stacks()) stacks.add(stack);
        data["frames"] = stacks.frames();
        data["stacks"] = stacks.stacks();
        data["kinds"] = diff_ == nullptr ? kinds() : Json::array();
        Json processes = Json::array();
        for (const Details::Process& process : details_.processes()) {
            processes.push_back(pages_of(process));
        }
        data["processes"] = std::move(processes);
        data["strings"] = strings_.all();
        return data;
    }

  private:
    Json report_value() {
        Json report = to_json_value(report_);
        report.erase("timeline");
        Json& sites = report["sites"];
        if (sites.size() > kMostSites) {
            sites.erase(sites.begin() + kMostSites, sites.end());
        }
        for (size_t i = 0; i < sites.size(); ++i) {
            Json& site = sites[i];
            if (diff_ != nullptr) {
                const auto change = place_of_change_.find(compare::names_of(report_.sites[i]));
                const bool is_there = change != place_of_change_.end() &&
                                      static_cast<size_t>(change->second) < kMostSites;
                site["change"] = is_there ? change->second : -1;
            }
            site["short_function"] = short_function(report_.sites[i].code.function);
            for (const char* stack : {"stack", "mixed_stack"}) {
                for (Json& frame : site[stack]) frame = strings_.id(frame.get<std::string>());
            }
        }
        if (!report_.after_bound) return report;
        Json& counted = report["after_bound"]["sites"];
        for (size_t i = 0; i < counted.size(); ++i) {
            const AggregateSite& place = report_.after_bound->sites[i];
            counted[i]["short_function"] = short_function(place.code.function);
            for (size_t line = 0; line < line_count(place.native_stack); ++line) {
                counted[i]["stack"][line] = short_frame(text_of_line(place.native_stack, line));
            }
        }
        return report;
    }

    // Sites are named by their place in the report's list, -1 for none.
    Json kinds() {
        std::unordered_map<uint32_t, int> place_of_site;
        for (size_t i = 0; i < std::min(report_.sites.size(), kMostSites); ++i) {
            place_of_site.emplace(report_.sites[i].id, static_cast<int>(i));
        }
        Json kinds = Json::array();
        for (const Details::Kind& kind : details_.kinds()) {
            const auto place = place_of_site.find(kind.site);
            kinds.push_back({strings_.id(cause_name(kind.cause)),
                             place == place_of_site.end() ? -1 : place->second,
                             strings_.id(kind.type), strings_.id(kind.owner)});
        }
        return kinds;
    }

    Json pages_of(const Details::Process& process) {
        std::vector<uint64_t> gaps;
        std::vector<uint64_t> lengths;
        std::vector<uint32_t> kinds;
        uint64_t done = 0;
        const bool has_map = diff_ == nullptr;
        for (const Details::Run& run : has_map ? process.runs : std::vector<Details::Run>()) {
            gaps.push_back((run.start - done) / trace::kPageBytes);
            lengths.push_back((run.end - run.start) / trace::kPageBytes);
            kinds.push_back(run.kind);
            done = run.end;
        }
        Json regions = Json::array();
        for (const Details::Region& region : process.regions) {
            regions.push_back({region.start / trace::kPageBytes, region.end / trace::kPageBytes,
                               strings_.id(region.name)});
        }
        Deltas copied_times;
        Deltas copied;
        for (const TimelinePoint& point : timeline_of(report_.processes[process.index])) {
            copied_times.add(point.time_ns / 1000);
            copied.add(point.copied_pages);
        }
        Deltas fresh_times;
        Deltas fresh;
        for (const Details::FreshPoint& point : process.fresh) {
            fresh_times.add(point.time_ns / 1000);
            fresh.add(point.fresh_pages);
        }
        return {{"index", process.index},
                {"gaps", std::move(gaps)},
                {"lengths", std::move(lengths)},
                {"kinds", std::move(kinds)},
                {"regions", std::move(regions)},
                {"copied", {copied_times.take(), copied.take()}},
                {"fresh", {fresh_times.take(), fresh.take()}}};
    }

    // Of the images of one pid each has its own part of the time.
    std::vector<TimelinePoint> timeline_of(const ProcessSummary& process) {
        std::vector<TimelinePoint> points;
        const auto of_pid = timeline_of_pid_.find(process.pid);
        if (of_pid == timeline_of_pid_.end()) return points;
        for (const TimelinePoint& point : of_pid->second) {
            if (points_looked_at_ == kMostPoints) break;
            ++points_looked_at_;
            if (point.time_ns >= process.start_ns &&
                point.time_ns <= std::max(process.end_ns, process.start_ns)) {
                points.push_back(point);
            }
        }
        return points;
    }

    const Report& report_;
    const Details& details_;
    const compare::Diff* diff_;
    std::map<compare::SiteNames, int> place_of_change_;
    std::unordered_map<int, std::vector<TimelinePoint>> timeline_of_pid_;
    // Any number of images may claim one pid, and each look through all of its points.
    static constexpr size_t kMostPoints = 20'000'000;
    size_t points_looked_at_ = 0;
    Strings strings_;
};

// The heaviest sites, as of a run; all the rest as `diff --format json` has it.
Json diff_value(const compare::Diff& diff) {
    Json value = to_json_value(diff);
    Json& sites = value["sites"];
    if (sites.size() > kMostSites) sites.erase(sites.begin() + kMostSites, sites.end());
    value["site_count"] = diff.sites.size();
    const DiffSummary summary = summarize(diff);
    value["summary"] = {{"total", summary.total},
                        {"most", summary.most},
                        {"owner", summary.owner},
                        {"reason", summary.reason}};
    return value;
}

}  // namespace

std::string page_data(const PageRun& run) {
    return json_text({{"schema", "cowscope.page/1"}, {"runs", {PageData(run).build()}}});
}

std::string page_data(const PageRun& before, const PageRun& after, const compare::Diff& diff) {
    return json_text({{"schema", "cowscope.page/1"},
                      {"runs", {PageData(before, &diff).build(), PageData(after, &diff).build()}},
                      {"diff", diff_value(diff)}});
}

}  // namespace cowscope::report
