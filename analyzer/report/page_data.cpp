#include "report/page_data.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "report/diff.h"
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
    size_t id(const std::string& text) {
        const auto [at, is_new] = ids_.try_emplace(text, all_.size());
        if (is_new) all_.push_back(text);
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
std::string short_function(const std::string& function) {
    constexpr std::string_view kAnonymous = "(anonymous namespace)::";
    std::string name = symbolize::short_name(function);
    for (size_t at; (at = name.find(kAnonymous)) != std::string::npos;) {
        name.erase(at, kAnonymous.size());
    }
    return name;
}

// Of "function (place)".
std::string short_frame(const std::string& frame) {
    const size_t place = frame.rfind(" (");
    if (place == std::string::npos) return frame;
    return short_function(frame.substr(0, place)) + frame.substr(place);
}

class PageData {
  public:
    // `diff`: where the run is one of two.
    explicit PageData(const PageRun& run, const compare::Diff* diff = nullptr)
        : report_(*run.report), details_(*run.details), diff_(diff) {
        for (const TimelinePoint& point : report_.timeline) {
            timeline_of_pid_[point.pid].push_back(point);
        }
        if (diff == nullptr) return;
        for (const compare::Change& change : diff->sites) {
            place_of_change_.emplace(change.name, static_cast<int>(place_of_change_.size()));
        }
    }

    Json build() {
        Json data = {{"report", report_value()}, {"site_count", report_.sites.size()}};
        Json frames = Json::array();
        for (const Details::Frame& frame : details_.frames()) {
            const std::string shown = frame.is_python ? frame.text : short_frame(frame.text);
            frames.push_back(
                {strings_.id(frame.text), strings_.id(shown), frame.is_python ? 1 : 0});
        }
        data["frames"] = std::move(frames);
        data["stacks"] = stacks();
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
                const auto change = place_of_change_.find(compare::site_name(report_.sites[i]));
                const bool is_there = change != place_of_change_.end() &&
                                      static_cast<size_t>(change->second) < kMostSites;
                site["change"] = is_there ? change->second : -1;
            }
            site["short_function"] = short_function(site["function"].get<std::string>());
            for (const char* stack : {"stack", "mixed_stack"}) {
                for (Json& frame : site[stack]) frame = strings_.id(frame.get<std::string>());
            }
        }
        if (report_.after_bound) {
            for (Json& site : report["after_bound"]["sites"]) {
                site["short_function"] = short_function(site["function"].get<std::string>());
                for (Json& frame : site["stack"]) frame = short_frame(frame.get<std::string>());
            }
        }
        return report;
    }

    Json stacks() {
        std::vector<const Details::Stack*> order;
        for (const Details::Stack& stack : details_.stacks()) order.push_back(&stack);
        std::stable_sort(order.begin(), order.end(),
                         [](const auto* a, const auto* b) { return a->pages > b->pages; });
        if (order.size() > kMostStacks) order.resize(kMostStacks);
        Json stacks = Json::array();
        for (const Details::Stack* stack : order) {
            stacks.push_back(
                {strings_.id(stack->cause), stack->pages, stack->native, stack->mixed});
        }
        return stacks;
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
            kinds.push_back({strings_.id(kind.cause),
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
    std::unordered_map<std::string, int> place_of_change_;
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
