#include "attribute/copies.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace cowscope::attribute {
namespace {

constexpr uint32_t kNotACopy = ~uint32_t{0};
constexpr uint64_t kHugePageBytes = uint64_t{2} << 20;

struct PageWrite {
    uint64_t page;
    uint64_t time_ns;
    uint32_t generation;
    uint32_t write_class;  // kNotACopy once it is found to be none
};

class Collector {
  public:
    Collector(const trace::ProcessTrace& process, size_t index, const Sharing& sharing,
              AddressSpace* space, SiteResolver* sites, OwnerIndex* owners,
              WitnessedPages witnessed)
        : process_(process),
          index_(index),
          sharing_(sharing),
          space_(*space),
          sites_(*sites),
          owners_(owners),
          witnessed_(witnessed) {}

    Copies collect() {
        // Of millions of events growing would take twice the memory.
        writes_.reserve(process_.event_count);
        trace::for_each_event(process_,
                              [&](const trace::EventRecord& event, const trace::EventPlace& place) {
                                  take(event, place);
                              });
        count();
        return std::move(copies_);
    }

  private:
    void take(const trace::EventRecord& event, const trace::EventPlace& place) {
        const trace::Generation& current = process_.generations[place.generation];
        if (!is_inherited(event, place.page, current)) return;
        const uint32_t write_class = class_of(event, place);
        if (write_class == kNotACopy) return;
        PageWrite write = {place.page, event.time_ns, static_cast<uint32_t>(place.generation),
                           write_class};
        if ((event.header.flags & trace::kHugePage) == 0) {
            writes_.push_back(write);
            return;
        }
        write.page &= ~(kHugePageBytes - 1);
        for (uint64_t i = 0; i < kHugePageBytes / trace::kPageBytes; ++i) {
            writes_.push_back(write);
            write.page += trace::kPageBytes;
        }
    }

    static bool is_inherited(const trace::EventRecord& event, uint64_t page,
                             const trace::Generation& current) {
        if (current.not_copied.contains(page)) return false;
        if ((event.header.flags & (trace::kMovedPage | trace::kUnlisted)) != 0) return true;
        if (!current.inherited.contains(page)) return false;
        // Zeros where the census sees no copy: an inherited page was given up inside libc, and new
        // memory came in its place. What comes after a census from outside it cannot know.
        const bool came_empty = (event.header.flags & trace::kZeroPage) != 0;
        return !(came_empty && current.census && current.was_protected &&
                 event.time_ns < current.census_ns && !current.copied.contains(page));
    }

    OwnerId owner_of(const trace::EventRecord& event, const trace::EventPlace& place) {
        if (owners_ == nullptr) return 0;
        // Where the page lay when the owners were looked for.
        const uint64_t address = place.page + event.address % trace::kPageBytes;
        return owners_->find(index_, place.generation, address);
    }

    // kNotACopy for reads.
    uint32_t class_of(const trace::EventRecord& event, const trace::EventPlace& place) {
        const uint32_t region = space_.region_of(event.address);
        const PythonMemory::Place python = sites_.python_memory().place_of(event);
        const OwnerId owner = owner_of(event, place);
        const bool is_finalizing = (event.header.flags & trace::kPythonFinalizing) != 0;
        CountedHeader header;
        if ((event.header.flags & trace::kNoWord) == 0 &&
            has_counted_headers(sites_.resolve(event.site).module)) {
            header = counted_header(event.word);
        }
        const auto [known, is_new] =
            class_by_key_.try_emplace({event.site, event.python_stack, python.place, python.type,
                                       region, owner, is_finalizing, header},
                                      kNotACopy);
        if (is_new) {
            const std::string name =
                python.type == 0 ? std::string() : process_.types.at(python.type);
            const WrittenPlace written{python.place, name, &space_.region(region), is_finalizing,
                                       header};
            if (auto verdict = sites_.verdict(event.site, written)) {
                known->second = static_cast<uint32_t>(copies_.classes.size());
                const bool of_object = is_of_object(verdict->cause);
                WriteClass& found = copies_.classes.emplace_back();
                found.site = event.site;
                found.python_stack = event.python_stack;
                if (of_object) {
                    found.type = name;
                    found.type_address = python.type;
                }
                found.verdict = std::move(*verdict);
                found.owner = owner;
                found.is_finalizing = is_finalizing || sites_.resolve(event.site).is_finalizing;
            }
        }
        return known->second;
    }

    void count() {
        std::sort(writes_.begin(), writes_.end(), [](const PageWrite& a, const PageWrite& b) {
            return std::tie(a.page, a.time_ns) < std::tie(b.page, b.time_ns);
        });
        count_unwitnessed();
        const PageWrite* before = nullptr;
        for (PageWrite& write : writes_) {
            const uint64_t fork_ns = fork_behind(write.generation);
            const bool may_be_copy =
                is_first(write, before) || (before->time_ns < fork_ns && write.time_ns >= fork_ns);
            const bool is_copy =
                may_be_copy && count_write(write, is_again(write, before) ? before->time_ns : 0);
            if (!is_copy) write.write_class = kNotACopy;
            before = &write;
        }
        list_copies();
        copies_.copied_pages = copies_.witnessed_pages + copies_.unwitnessed_unwatched +
                               copies_.unwitnessed_while_watching;
        if (!process_.generations.empty()) {
            const auto listed =
                std::find_if(process_.generations.begin(), process_.generations.end(),
                             [](const trace::Generation& each) { return each.is_listed; });
            if (listed != process_.generations.end()) {
                copies_.inherited_pages = listed->inherited.pages();
            }
            copies_.fresh_pages = process_.generations.back().fresh_pages;
        }
    }

    // When the fork began that ended a generation. What other threads write from then on may be
    // copied anew before the process itself begins the next generation.
    uint64_t fork_behind(size_t generation) const {
        const uint32_t number = process_.generations[generation].number;
        const auto& forks = process_.fork_times_ns;
        return number < forks.size() ? forks[number] : ~uint64_t{0};
    }

    static bool is_again(const PageWrite& write, const PageWrite* before) {
        return before != nullptr && before->page == write.page;
    }
    // The first write of a generation is the one that may have copied.
    static bool is_first(const PageWrite& write, const PageWrite* before) {
        return !is_again(write, before) || before->generation != write.generation;
    }

    void count_unwitnessed() {
        // The first write to each page of each generation's census that was seen written: indices
        // into writes_, which take half the room of the pages themselves.
        std::vector<std::vector<uint32_t>> seen_in_census(process_.generations.size());
        const PageWrite* before = nullptr;
        for (const PageWrite& write : writes_) {
            if (is_first(write, before) &&
                process_.generations[write.generation].copied.contains(write.page)) {
                seen_in_census[write.generation].push_back(
                    static_cast<uint32_t>(&write - writes_.data()));
            }
            before = &write;
        }
        for (size_t i = 0; i < process_.generations.size(); ++i) {
            const trace::Generation& generation = process_.generations[i];
            add_unwitnessed(i, seen_in_census[i]);
            const uint64_t unseen = generation.copied.pages() - seen_in_census[i].size();
            (generation.witness == trace::Witness::off ? copies_.unwitnessed_unwatched
                                                       : copies_.unwitnessed_while_watching) +=
                unseen;
        }
    }

    void list_copies() {
        copies_.copy_times_ns.reserve(copies_.witnessed_pages);
        if (witnessed_ == WitnessedPages::list) copies_.witnessed.reserve(copies_.witnessed_pages);
        for (const PageWrite& write : writes_) {
            if (write.write_class == kNotACopy) continue;
            copies_.copy_times_ns.push_back(write.time_ns);
            if (witnessed_ == WitnessedPages::leave_out) continue;
            copies_.witnessed.push_back(
                {write.page, write.time_ns, write.generation, write.write_class});
        }
        std::sort(copies_.copy_times_ns.begin(), copies_.copy_times_ns.end());
    }

    // Adds the pages of a census that are not among `seen`. A damaged trace may name any number of
    // them: they are never gone through one by one.
    void add_unwitnessed(size_t index, const std::vector<uint32_t>& seen) {
        const trace::Generation& generation = process_.generations[index];
        const bool was_watched = generation.witness != trace::Witness::off;
        const auto add = [&](uint64_t start, uint64_t end) {
            if (start >= end) return;
            copies_.unwitnessed.push_back({{start, (end - start) / trace::kPageBytes},
                                           static_cast<uint32_t>(index),
                                           was_watched});
        };
        auto next = seen.begin();
        for (const trace::PageRun& run : generation.copied.runs()) {
            uint64_t start = run.start;
            const uint64_t end = run.start + run.pages * trace::kPageBytes;
            next = std::partition_point(next, seen.end(),
                                        [&](uint32_t at) { return writes_[at].page < start; });
            for (; next != seen.end() && writes_[*next].page < end; ++next) {
                add(start, writes_[*next].page);
                start = writes_[*next].page + trace::kPageBytes;
            }
            add(start, end);
        }
    }

    // Whether it copied.
    bool count_write(const PageWrite& write, uint64_t write_before_ns) {
        if (!sharing_.is_shared(index_, write.page, write.time_ns, write_before_ns)) {
            ++copies_.reused_pages;
            return false;
        }
        ++copies_.witnessed_pages;
        ++copies_.classes[write.write_class].pages;
        if (owners_ == nullptr) return true;
        for (const OwnerId owner : owners_->owners_on_page(index_, write.generation, write.page)) {
            ++copies_.pages_with[owner];
        }
        return true;
    }

    const trace::ProcessTrace& process_;
    size_t index_;
    const Sharing& sharing_;
    AddressSpace& space_;
    SiteResolver& sites_;
    OwnerIndex* owners_;
    WitnessedPages witnessed_;
    Copies copies_;
    std::vector<PageWrite> writes_;
    // Site, Python stack, place, type, region, owner, and whether CPython was being taken down.
    std::map<std::tuple<uint32_t, uint32_t, PythonPlace, uint64_t, uint32_t, OwnerId, bool,
                        CountedHeader>,
             uint32_t>
        class_by_key_;
};

}  // namespace

Copies find_copies(const trace::ProcessTrace& process, size_t index, const Sharing& sharing,
                   AddressSpace* space, SiteResolver* sites, OwnerIndex* owners,
                   WitnessedPages witnessed) {
    return Collector(process, index, sharing, space, sites, owners, witnessed).collect();
}

}  // namespace cowscope::attribute
