#include "attribute/copies.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
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
    uint32_t weight;
    bool is_moved;  // the kernel's or libc's doing, unseen: nobody knows where it was inherited
};

class Collector {
  public:
    Collector(const trace::ProcessTrace& process, size_t index, const Family& family,
              AddressSpace* space, SiteResolver* sites, OwnerIndex* owners,
              WitnessedPages witnessed)
        : process_(process),
          index_(index),
          family_(family),
          space_(*space),
          sites_(*sites),
          owners_(owners),
          witnessed_(witnessed) {}

    Copies collect() {
        // Of millions of events growing would take twice the memory.
        writes_.reserve(process_.event_count);
        copies_.reused_in.assign(process_.generations.size(), 0);
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
        event_weights_ += place.weight;
        if (!is_inherited(event, place.page, current)) return;
        const uint32_t write_class = class_of(event, place);
        if (write_class == kNotACopy) return;
        PageWrite write = {
            place.page,  event.time_ns, static_cast<uint32_t>(place.generation),
            write_class, place.weight,  (event.header.flags & trace::kMovedPage) != 0};
        copying_weights_ += place.weight;
        if (place.weight > 1) tids_.insert(event.tid);
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
        if (!current.inherited.contains(page)) return current.is_list_torn;
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
        const runtime::ProcessRuntimes& runtimes = sites_.runtimes();
        const runtime::Target target =
            runtimes.target_of(event, place.type, sites_.resolve(event.site).module);
        const OwnerId owner = owner_of(event, place);
        const bool is_finalizing = runtimes.is_ending(event);
        const auto [known, is_new] = class_by_key_.try_emplace(
            {event.site, event.python_stack, target, region, owner, is_finalizing}, kNotACopy);
        if (is_new) {
            const std::string name = runtimes.type_name(target);
            const WrittenPlace written{target, name, &space_.region(region), is_finalizing};
            if (auto verdict = sites_.verdict(event.site, written)) {
                known->second = static_cast<uint32_t>(copies_.classes.size());
                const bool of_object = runtime::is_of_object(verdict->cause);
                WriteClass& found = copies_.classes.emplace_back();
                found.site = event.site;
                found.python_stack = event.python_stack;
                if (of_object) {
                    found.type = name;
                    found.type_address = target.type == 0 ? 0 : event.type;
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
        const PageWrite* before = nullptr;
        for (PageWrite& write : writes_) {
            const uint64_t fork_ns = fork_behind(write.generation);
            const bool may_be_copy =
                is_first(write, before) || (before->time_ns < fork_ns && write.time_ns >= fork_ns);
            const bool is_copy = may_be_copy && count_write(write);
            if (!is_copy) write.write_class = kNotACopy;
            before = &write;
        }
        count_unwitnessed();
        list_copies();
        spread_represented();
        copies_.copied_pages = copies_.witnessed_pages + copies_.represented_pages +
                               copies_.unsampled + copies_.unwitnessed_unwatched +
                               copies_.unwitnessed_while_watching;
        if (!process_.generations.empty()) {
            const auto listed =
                std::find_if(process_.generations.begin(), process_.generations.end(),
                             [](const trace::Generation& each) { return each.is_listed; });
            if (listed != process_.generations.end()) {
                copies_.inherited_pages = listed->inherited.pages();
                copies_.inherited_more = listed->had_more;
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
            uint64_t unseen = generation.copied.pages() - seen_in_census[i].size();
            uint64_t earlier = generation.earlier.pages();
            for (const uint32_t at : seen_in_census[i]) {
                if (earlier != 0 && generation.earlier.contains(writes_[at].page)) --earlier;
            }
            earlier = std::min(earlier, unseen);
            copies_.unwitnessed_unwatched += earlier;
            unseen -= earlier;
            unseen -= represent(i, unseen);
            unseen += count_unseen(i);
            (generation.witness == trace::Witness::off ? copies_.unwitnessed_unwatched
                                                       : copies_.unwitnessed_while_watching) +=
                unseen;
        }
    }

    // Pages that the kernel copied while nobody saw it, of those that nobody shared at the end. Who
    // shared one with this process may have copied it before.
    uint64_t count_unseen(size_t index) {
        const trace::Generation& generation = process_.generations[index];
        if (generation.unseen.pages() == 0 || generation.unseen.pages() > kMostUnseenPages)
            return 0;
        std::set<uint64_t> seen;
        for (const PageWrite& write : writes_) {
            if (write.generation == index) seen.insert(write.page);
        }
        std::vector<uint64_t> unseen;
        for (const trace::PageRun& run : generation.unseen.runs()) {
            for (uint64_t i = 0; i < run.pages; ++i) {
                const uint64_t page = run.start + i * trace::kPageBytes;
                const bool is_copied =
                    !generation.copied.contains(page) && !generation.not_copied.contains(page) &&
                    !seen.contains(page) &&
                    family_.sharing().is_shared(index_, page, generation.unseen_ns) &&
                    !family_.parent_copied(index_, page, generation.unseen_ns);
                if (is_copied) unseen.push_back(page);
            }
        }
        for (const uint64_t page : unseen) {
            copies_.unwitnessed.push_back({{page, 1},
                                           static_cast<uint32_t>(index),
                                           generation.witness != trace::Witness::off,
                                           generation.largest_weight > 1});
        }
        return unseen.size();
    }

    void list_copies() {
        copies_.copy_times.reserve(copies_.witnessed_pages);
        if (witnessed_ == WitnessedPages::list) copies_.witnessed.reserve(copies_.witnessed_pages);
        std::map<OwnerId, double> pages_with;
        for (const PageWrite& write : writes_) {
            if (write.write_class == kNotACopy) continue;
            const double pages = 1 + others_of(write);
            copies_.copy_times.push_back({write.time_ns, pages});
            if (owners_ != nullptr) {
                for (const OwnerId owner :
                     owners_->owners_on_page(index_, write.generation, write.page)) {
                    pages_with[owner] += pages;
                }
            }
            if (witnessed_ == WitnessedPages::leave_out) continue;
            copies_.witnessed.push_back(
                {write.page, write.time_ns, write.generation, write.write_class});
        }
        for (const auto& [owner, pages] : pages_with) {
            copies_.pages_with[owner] = static_cast<uint64_t>(std::llround(pages));
        }
        std::sort(copies_.copy_times.begin(), copies_.copy_times.end(),
                  [](const CopyTime& a, const CopyTime& b) { return a.time_ns < b.time_ns; });
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
                                           was_watched,
                                           generation.largest_weight > 1});
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

    // Of the generation's events on pages of its census, or on others.
    size_t group_index(const PageWrite& write) {
        const uint32_t generation = write.generation;
        const bool is_counted = process_.generations[generation].copied.contains(write.page);
        const auto [at, is_new] =
            group_index_.try_emplace({generation, is_counted}, copies_.groups.size());
        if (is_new) copies_.groups.emplace_back().is_counted = is_counted;
        return at->second;
    }

    // Pages that its event stands for, beside its own.
    double others_of(const PageWrite& write) {
        if (write.weight <= 1) return 0;
        return (static_cast<double>(write.weight) - 1) * copies_.groups[group_index(write)].scale();
    }

    // Whether it copied.
    bool count_write(const PageWrite& write) {
        const bool is_copy =
            write.is_moved || family_.sharing().is_shared(index_, write.page, write.time_ns);
        if (write.weight > 1) {
            const size_t group = group_index(write);
            copies_.groups[group].add(write.weight, is_copy, write.write_class);
            squared_weights_[group] += static_cast<double>(write.weight) * write.weight;
            if (!is_copy) reused_[write.generation].push_back(write.page);
        }
        if (!is_copy) {
            ++copies_.reused_pages;
            ++copies_.reused_in[write.generation];
            return false;
        }
        ++copies_.witnessed_pages;
        ++copies_.classes[write.write_class].pages;
        return true;
    }

    // The share of faults with an event that is a copy, of all that the witness was told of.
    double copying() const {
        const auto fresh = static_cast<double>(process_.loss.fresh_faults);
        const double all = event_weights_ + fresh;
        return all == 0 ? 1 : std::min(copying_weights_ / all, 1.0);
    }

    // Gives the generation's groups the pages that they speak for. Returns how many of `unseen`,
    // the pages of its census without an event, are accounted for by that.
    uint64_t represent(size_t generation, uint64_t unseen) {
        const auto index = static_cast<uint32_t>(generation);
        if (const auto at = group_index_.find({index, false}); at != group_index_.end()) {
            SampleGroup& group = copies_.groups[at->second];
            group.pages = group.others;
            const double missed = kMissedShare * group.others;
            group.pages_variance =
                chance_variance(squared_weights_[at->second], copying()) + missed * missed;
        }
        const uint32_t largest = process_.generations[generation].largest_weight;
        if (largest <= 1 || unseen == 0) return 0;
        // By chance a sum of weights is no more than this below what it stands for. What is missing
        // beyond that no event can have spoken for: the kernel wrote it. Each thread's last faults
        // may have been too few to be told of.
        constexpr double kDeviations = 3;
        double chance =
            kDeviations * largest * static_cast<double>(std::max<size_t>(tids_.size(), 1));
        const auto at = group_index_.find({index, true});
        if (at == group_index_.end()) {
            const uint64_t represented = std::min(unseen, static_cast<uint64_t>(chance));
            copies_.unsampled += represented;
            return represented;
        }
        SampleGroup& group = copies_.groups[at->second];
        chance += kDeviations * std::sqrt(chance_variance(squared_weights_[at->second], copying()));
        const auto spoken_for = static_cast<uint64_t>(group.others);
        chance += kMissedShare * group.others;
        const bool is_beyond_chance = static_cast<double>(unseen) > group.others + chance;
        const uint64_t represented = is_beyond_chance ? spoken_for : unseen;
        group.pages = static_cast<double>(represented);
        if (group.reused_others > 0) limit_reused(index, &group);
        return represented;
    }

    // A page that parent or children wrote may be nobody else's any more, but no other is because
    // of that: where all that were found reused are such pages, the rest are too.
    void limit_reused(uint32_t generation, SampleGroup* group) {
        if (!kin_pages_) kin_pages_ = family_.written_by_kin(index_);
        const auto& kin = *kin_pages_;
        if (!kin) return;
        for (const uint64_t page : reused_[generation]) {
            if (!std::binary_search(kin->begin(), kin->end(), page)) return;
        }
        const trace::PageSet& copied = process_.generations[generation].copied;
        const auto most = std::count_if(kin->begin(), kin->end(), [&](uint64_t page) {
            const auto own =
                std::partition_point(writes_.begin(), writes_.end(),
                                     [&](const PageWrite& write) { return write.page < page; });
            const bool has_event = own != writes_.end() && own->page == page;
            return !has_event && copied.contains(page);
        });
        group->reused_most = static_cast<double>(most);
    }

    // A generation that is shorter than the gaps between two events has one by chance, and that
    // speaks for more pages than its generation has: for those of others like it, which have none.
    void speak_for_each_other() {
        double surplus = 0;
        double squares = 0;
        for (const SampleGroup& group : copies_.groups) {
            if (!group.is_counted) continue;
            surplus += std::max(group.others - group.pages, 0.0);
            squares += group.squares;
        }
        if (surplus <= 0) return;
        constexpr double kDeviations = 3;
        const double most = surplus + kDeviations * std::sqrt(squares);
        const auto spoken_for =
            std::min(copies_.unsampled, static_cast<uint64_t>(std::llround(most)));
        for (SampleGroup& group : copies_.groups) {
            if (!group.is_counted) continue;
            const double share = std::max(group.others - group.pages, 0.0) / surplus;
            group.pages += share * static_cast<double>(spoken_for);
        }
        copies_.unsampled -= spoken_for;
    }

    // Shares what each group speaks for out among its classes.
    void spread_represented() {
        speak_for_each_other();
        std::vector<double> of_class(copies_.classes.size(), 0);
        for (const SampleGroup& group : copies_.groups) {
            const auto reused = static_cast<uint64_t>(std::llround(group.reused_pages()));
            const auto pages = static_cast<uint64_t>(std::llround(group.pages));
            copies_.reused_pages += reused;
            // Without a copy among its events nobody knows by whom.
            const bool has_copies = group.others > group.reused_others;
            (has_copies ? copies_.represented_pages : copies_.unsampled) +=
                pages - std::min(reused, pages);
            const double copied = group.others > 0 ? 1 - group.reused_others / group.others : 0;
            if (reused != 0 || !group.is_counted) {
                copies_.copied_variance +=
                    std::min(group.variance_of(copied), variance_within(group.reused_most));
            }
            for (const auto& [write_class, others] : group.others_of_class) {
                of_class[write_class] += others * group.scale();
            }
        }
        const auto whole = whole_parts(of_class, copies_.represented_pages);
        for (size_t i = 0; i < whole.size(); ++i) {
            copies_.classes[i].represented_pages = whole[i];
            copies_.classes[i].pages += whole[i];
        }
    }

    const trace::ProcessTrace& process_;
    size_t index_;
    const Family& family_;
    AddressSpace& space_;
    SiteResolver& sites_;
    OwnerIndex* owners_;
    WitnessedPages witnessed_;
    Copies copies_;
    std::vector<PageWrite> writes_;
    std::set<uint32_t> tids_;     // of events that stand for more than themselves
    double event_weights_ = 0;    // of all events
    double copying_weights_ = 0;  // of those that may be copies
    std::map<std::pair<uint32_t, bool>, size_t> group_index_;  // by generation and is_counted
    std::map<size_t, double> squared_weights_;                 // sum, by group
    // By generation: of events that stand for more than themselves and were no copies.
    std::map<uint32_t, std::vector<uint64_t>> reused_;
    // Once they were needed: see Family.
    std::optional<std::optional<std::vector<uint64_t>>> kin_pages_;
    // Site, Python stack, target, region, owner, and whether a runtime was being taken down.
    std::map<std::tuple<uint32_t, uint32_t, runtime::Target, uint32_t, OwnerId, bool>, uint32_t>
        class_by_key_;
};

}  // namespace

Copies find_copies(const trace::ProcessTrace& process, size_t index, const Family& family,
                   AddressSpace* space, SiteResolver* sites, OwnerIndex* owners,
                   WitnessedPages witnessed) {
    return Collector(process, index, family, space, sites, owners, witnessed).collect();
}

}  // namespace cowscope::attribute
