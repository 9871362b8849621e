#include "attribute/copies.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "attribute/page_write.h"
#include "attribute/sampled_copies.h"
#include "attribute/write_classes.h"

namespace cowscope::attribute {
namespace {

class Collector {
  public:
    Collector(const trace::ProcessTrace& process, size_t index, const Family& family,
              AddressSpace* space, SiteResolver* sites, FrameTable* frames, OwnerIndex* owners,
              WitnessedPages witnessed)
        : process_(process),
          index_(index),
          family_(family),
          owners_(owners),
          witnessed_(witnessed),
          classes_(index, space, sites, frames, owners),
          sampled_(process, index, family) {}

    Copies collect() {
        // Of millions of events growing would take twice the memory.
        writes_.reserve(process_.event_count);
        copies_.reused_in.assign(process_.epochs.size(), 0);
        trace::for_each_event(process_,
                              [&](const trace::EventRecord& event, const trace::EventPlace& place) {
                                  take(event, place);
                              });
        copies_.classes = classes_.take();
        count();
        return std::move(copies_);
    }

  private:
    void take(const trace::EventRecord& event, const trace::EventPlace& place) {
        const trace::Epoch& current = process_.epochs[place.epoch];
        sampled_.saw_event(place.weight);
        if (!is_inherited(event, place.page, current)) return;
        const uint32_t copy_class = classes_.class_of(event, place);
        if (copy_class == PageWrite::kNotACopy) return;
        PageWrite write = {
            place.page, event.time_ns, static_cast<uint32_t>(place.epoch),
            copy_class, place.weight,  (event.header.flags & trace::kMovedPage) != 0};
        sampled_.saw_write(place.weight, event.tid);
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
                             const trace::Epoch& current) {
        if (current.not_copied.contains(page)) return false;
        if ((event.header.flags & (trace::kMovedPage | trace::kBeforeList)) != 0) return true;
        if (!current.inherited.contains(page)) return current.is_list_torn;
        // Zeros where the census sees no copy: an inherited page was given up inside libc, and new
        // memory came in its place. What comes after a census from outside it cannot know.
        const bool came_empty = (event.header.flags & trace::kZeroPage) != 0;
        return !(came_empty && current.census && current.was_protected &&
                 event.time_ns < current.census_ns && !current.copied.contains(page));
    }

    void count() {
        std::sort(writes_.begin(), writes_.end(), [](const PageWrite& a, const PageWrite& b) {
            return std::tie(a.page, a.time_ns) < std::tie(b.page, b.time_ns);
        });
        const PageWrite* before = nullptr;
        for (PageWrite& write : writes_) {
            const uint64_t fork_ns = fork_behind(write.epoch);
            const bool may_be_copy =
                is_first(write, before) || (before->time_ns < fork_ns && write.time_ns >= fork_ns);
            const bool is_copy = may_be_copy && count_write(write);
            if (!is_copy) write.copy_class = PageWrite::kNotACopy;
            before = &write;
        }
        count_unwitnessed();
        list_copies();
        sampled_.spread(&copies_);
        copies_.copied_pages = copies_.witnessed_pages + copies_.represented_pages +
                               copies_.unsampled + copies_.unwitnessed_unwatched +
                               copies_.unwitnessed_while_watching;
        if (!process_.epochs.empty()) {
            const auto listed =
                std::find_if(process_.epochs.begin(), process_.epochs.end(),
                             [](const trace::Epoch& each) { return each.is_listed; });
            if (listed != process_.epochs.end()) {
                copies_.inherited_pages = listed->inherited.pages();
                copies_.inherited_more = listed->had_more;
            }
            copies_.fresh_pages = process_.epochs.back().fresh_pages;
        }
    }

    // When the fork began that ended an epoch. What other threads write from then on may be
    // copied anew before the process itself begins the next epoch.
    uint64_t fork_behind(size_t epoch) const {
        const uint32_t number = process_.epochs[epoch].number;
        const auto& forks = process_.fork_times_ns;
        return number < forks.size() ? forks[number] : ~uint64_t{0};
    }

    static bool is_again(const PageWrite& write, const PageWrite* before) {
        return before != nullptr && before->page == write.page;
    }
    // The first write of an epoch is the one that may have copied.
    static bool is_first(const PageWrite& write, const PageWrite* before) {
        return !is_again(write, before) || before->epoch != write.epoch;
    }

    void count_unwitnessed() {
        // The first write to each page of each epoch's census that was seen written: indices
        // into writes_, which take half the room of the pages themselves.
        std::vector<std::vector<uint32_t>> seen_in_census(process_.epochs.size());
        const PageWrite* before = nullptr;
        for (const PageWrite& write : writes_) {
            if (is_first(write, before) &&
                process_.epochs[write.epoch].copied.contains(write.page)) {
                seen_in_census[write.epoch].push_back(
                    static_cast<uint32_t>(&write - writes_.data()));
            }
            before = &write;
        }
        for (size_t i = 0; i < process_.epochs.size(); ++i) {
            const trace::Epoch& epoch = process_.epochs[i];
            add_unwitnessed(i, seen_in_census[i]);
            uint64_t unseen = epoch.copied.pages() - seen_in_census[i].size();
            uint64_t earlier = epoch.earlier.pages();
            for (const uint32_t at : seen_in_census[i]) {
                if (earlier != 0 && epoch.earlier.contains(writes_[at].page)) --earlier;
            }
            earlier = std::min(earlier, unseen);
            copies_.unwitnessed_unwatched += earlier;
            unseen -= earlier;
            unseen -= sampled_.represent(i, unseen, writes_);
            unseen += count_unseen(i);
            (epoch.witness == trace::Witness::off ? copies_.unwitnessed_unwatched
                                                  : copies_.unwitnessed_while_watching) += unseen;
        }
    }

    // Pages that the kernel copied while nobody saw it, of those that nobody shared at the end. Who
    // shared one with this process may have copied it before.
    uint64_t count_unseen(size_t index) {
        const trace::Epoch& epoch = process_.epochs[index];
        if (epoch.unseen.pages() == 0 || epoch.unseen.pages() > kMostUnseenPages) return 0;
        std::set<uint64_t> seen;
        for (const PageWrite& write : writes_) {
            if (write.epoch == index) seen.insert(write.page);
        }
        std::vector<uint64_t> unseen;
        for (const trace::PageRun& run : epoch.unseen.runs()) {
            for (uint64_t i = 0; i < run.pages; ++i) {
                const uint64_t page = run.start + i * trace::kPageBytes;
                const bool is_copied = !epoch.copied.contains(page) &&
                                       !epoch.not_copied.contains(page) && !seen.contains(page) &&
                                       family_.sharing().is_shared(index_, page, epoch.unseen_ns) &&
                                       !family_.parent_copied(index_, page, epoch.unseen_ns);
                if (is_copied) unseen.push_back(page);
            }
        }
        for (const uint64_t page : unseen) {
            copies_.unwitnessed.push_back({{page, 1},
                                           static_cast<uint32_t>(index),
                                           epoch.witness != trace::Witness::off,
                                           epoch.largest_weight > 1});
        }
        return unseen.size();
    }

    void list_copies() {
        copies_.copy_times.reserve(copies_.witnessed_pages);
        if (witnessed_ == WitnessedPages::list) copies_.witnessed.reserve(copies_.witnessed_pages);
        std::map<OwnerId, double> pages_with;
        for (const PageWrite& write : writes_) {
            if (write.copy_class == PageWrite::kNotACopy) continue;
            const double pages = 1 + sampled_.others_of(write);
            copies_.copy_times.push_back({write.time_ns, pages});
            if (owners_ != nullptr) {
                for (const OwnerId owner :
                     owners_->owners_on_page(index_, write.epoch, write.page)) {
                    pages_with[owner] += pages;
                }
            }
            if (witnessed_ == WitnessedPages::leave_out) continue;
            copies_.witnessed.push_back({write.page, write.time_ns, write.epoch, write.copy_class});
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
        const trace::Epoch& epoch = process_.epochs[index];
        const bool was_watched = epoch.witness != trace::Witness::off;
        const auto add = [&](uint64_t start, uint64_t end) {
            if (start >= end) return;
            copies_.unwitnessed.push_back({{start, (end - start) / trace::kPageBytes},
                                           static_cast<uint32_t>(index),
                                           was_watched,
                                           epoch.largest_weight > 1});
        };
        auto next = seen.begin();
        for (const trace::PageRun& run : epoch.copied.runs()) {
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
    bool count_write(const PageWrite& write) {
        const bool is_copy =
            write.is_moved || family_.sharing().is_shared(index_, write.page, write.time_ns);
        sampled_.count(write, is_copy);
        if (!is_copy) {
            ++copies_.reused_pages;
            ++copies_.reused_in[write.epoch];
            return false;
        }
        ++copies_.witnessed_pages;
        ++copies_.classes[write.copy_class].pages;
        return true;
    }

    const trace::ProcessTrace& process_;
    size_t index_;
    const Family& family_;
    OwnerIndex* owners_;
    WitnessedPages witnessed_;
    WriteClasses classes_;
    SampledCopies sampled_;
    Copies copies_;
    std::vector<PageWrite> writes_;
};

}  // namespace

Copies find_copies(const trace::ProcessTrace& process, size_t index, const Family& family,
                   AddressSpace* space, SiteResolver* sites, FrameTable* frames, OwnerIndex* owners,
                   WitnessedPages witnessed) {
    return Collector(process, index, family, space, sites, frames, owners, witnessed).collect();
}

}  // namespace cowscope::attribute
