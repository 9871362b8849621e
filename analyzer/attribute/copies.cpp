#include "attribute/copies.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace cowscope::attribute {
namespace {

constexpr uint32_t kNotACopy = ~uint32_t{0};

// The first write to a page in a generation.
struct FirstWrite {
    uint64_t page;
    uint32_t generation;
    uint32_t write_class;  // kNotACopy: the page was shared with nobody any more
};

class Collector {
  public:
    Collector(const trace::ProcessTrace& process, AddressSpace* space, SiteResolver* sites,
              const SharedAt& is_shared)
        : process_(process), space_(*space), sites_(*sites), is_shared_(is_shared) {}

    Copies collect() {
        trace::for_each_event(process_, [&](const trace::EventRecord& event, size_t generation) {
            take(event, generation);
        });
        count();
        return std::move(copies_);
    }

  private:
    void take(const trace::EventRecord& event, size_t generation) {
        const trace::Generation& current = process_.generations[generation];
        if (!is_inherited(event, current)) return;
        const uint32_t write_class = class_of(event);
        if (write_class == kNotACopy) return;
        const bool shared = is_shared_(generation, event.time_ns);
        writes_.push_back({event.address & ~(trace::kPageBytes - 1),
                           static_cast<uint32_t>(generation), shared ? write_class : kNotACopy});
        if (shared) copies_.copy_times_ns.push_back(event.time_ns);
    }

    static bool is_inherited(const trace::EventRecord& event, const trace::Generation& current) {
        if ((event.header.flags & trace::kMovedPage) != 0) return true;
        if (!current.inherited.contains(event.address)) return false;
        // Zeros where the census sees no copy: an inherited page was given up inside libc, and new
        // memory came in its place. What comes after a census from outside it cannot know.
        const bool came_empty = (event.header.flags & trace::kZeroPage) != 0;
        return !(came_empty && current.census && current.was_protected &&
                 event.time_ns < current.census_ns && !current.copied.contains(event.address));
    }

    // kNotACopy for reads.
    uint32_t class_of(const trace::EventRecord& event) {
        const uint32_t region = space_.region_of(event.address);
        const bool has_neighbour = (event.header.flags & trace::kNoNeighbour) == 0;
        const auto type =
            has_neighbour ? process_.types.find(event.neighbour) : process_.types.end();
        const uint64_t type_address = type == process_.types.end() ? 0 : type->first;
        const auto [known, is_new] =
            class_by_key_.try_emplace({event.site, type_address, region}, kNotACopy);
        if (is_new) {
            const std::string name = type_address == 0 ? "" : type->second;
            if (auto verdict = sites_.verdict(event.site, name, space_.region(region))) {
                known->second = static_cast<uint32_t>(copies_.classes.size());
                const bool counted = verdict->cause == Cause::refcount;
                copies_.classes.push_back(
                    {event.site, counted ? name : "", std::move(*verdict), 0});
            }
        }
        return known->second;
    }

    void count() {
        std::stable_sort(writes_.begin(), writes_.end(),
                         [](const FirstWrite& a, const FirstWrite& b) {
                             return std::tie(a.generation, a.page) < std::tie(b.generation, b.page);
                         });
        const auto last = std::unique(writes_.begin(), writes_.end(),
                                      [](const FirstWrite& a, const FirstWrite& b) {
                                          return a.generation == b.generation && a.page == b.page;
                                      });
        writes_.erase(last, writes_.end());
        std::sort(copies_.copy_times_ns.begin(), copies_.copy_times_ns.end());

        std::vector<uint64_t> seen_in_census(process_.generations.size(), 0);
        for (const FirstWrite& write : writes_) {
            const trace::Generation& generation = process_.generations[write.generation];
            if (generation.copied.contains(write.page)) ++seen_in_census[write.generation];
            if (write.write_class == kNotACopy) {
                ++copies_.reused_pages;
            } else {
                ++copies_.witnessed_pages;
                ++copies_.classes[write.write_class].pages;
            }
        }
        for (size_t i = 0; i < process_.generations.size(); ++i) {
            const trace::Generation& generation = process_.generations[i];
            const uint64_t unseen = generation.copied.pages() - seen_in_census[i];
            (generation.witness == trace::Witness::off ? copies_.unwitnessed_unwatched
                                                       : copies_.unwitnessed_while_watching) +=
                unseen;
        }
        copies_.copied_pages = copies_.witnessed_pages + copies_.unwitnessed_unwatched +
                               copies_.unwitnessed_while_watching;
        if (!process_.generations.empty()) {
            copies_.inherited_pages = process_.generations.front().inherited.pages();
            copies_.fresh_pages = process_.generations.back().fresh_pages;
        }
    }

    const trace::ProcessTrace& process_;
    AddressSpace& space_;
    SiteResolver& sites_;
    const SharedAt& is_shared_;
    Copies copies_;
    std::vector<FirstWrite> writes_;
    std::map<std::tuple<uint32_t, uint64_t, uint32_t>, uint32_t> class_by_key_;
};

}  // namespace

Copies find_copies(const trace::ProcessTrace& process, AddressSpace* space, SiteResolver* sites,
                   const SharedAt& is_shared) {
    return Collector(process, space, sites, is_shared).collect();
}

}  // namespace cowscope::attribute
