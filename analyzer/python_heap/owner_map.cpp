#include "python_heap/owner_map.h"

#include <algorithm>
#include <bit>

namespace cowscope::python_heap {

namespace {

constexpr size_t kMostRuns = size_t{1} << 20;

// Joins what touches and has the same owner.
class Joiner {
  public:
    explicit Joiner(const OwnerMap::TakeRange& take) : take_(take) {}
    ~Joiner() { flush(); }
    Joiner(const Joiner&) = delete;
    Joiner& operator=(const Joiner&) = delete;

    void add(uint64_t start, uint64_t end, OwnerMap::Owner owner) {
        if (owner == 0 || start >= end) return;
        if (start == end_ && owner == owner_) {
            end_ = end;
            return;
        }
        flush();
        start_ = start;
        end_ = end;
        owner_ = owner;
    }

  private:
    void flush() {
        if (owner_ != 0) take_(start_, end_, owner_);
        owner_ = 0;
    }

    const OwnerMap::TakeRange& take_;
    uint64_t start_ = 0;
    uint64_t end_ = 0;
    OwnerMap::Owner owner_ = 0;
};

}  // namespace

size_t OwnerMap::Page::set(size_t first, size_t behind, Owner owner) {
    if (!many_) {
        const bool is_second = few_[0] != 0 && few_[0] != owner;
        Owner& few = few_[is_second ? 1 : 0];
        if (few == 0 || few == owner) {
            few = owner;
            Bits& own = owned_[is_second ? 1 : 0];
            const Bits& others = owned_[is_second ? 0 : 1];
            for (size_t word = first / kWordBits; word * kWordBits < behind; ++word) {
                const size_t start = word * kWordBits;
                uint64_t bits = ~uint64_t{0};
                if (first > start) bits &= ~uint64_t{0} << (first - start);
                if (behind < start + kWordBits) bits &= ~(~uint64_t{0} << (behind - start));
                own[word] |= bits & ~others[word];
            }
            return 0;
        }
    }
    size_t taken = 0;
    if (!many_) {
        auto many = std::make_unique<Many>();
        for (size_t i = 0; i < kGranules; ++i) (*many)[i] = at(i);
        many_ = std::move(many);
        taken = sizeof(Many);
    }
    for (size_t i = first; i < behind; ++i) {
        if ((*many_)[i] == 0) (*many_)[i] = owner;
    }
    return taken;
}

template <typename Take>
void OwnerMap::Page::for_each_run(const Take& take) const {
    for (size_t i = 0; i < kGranules;) {
        const size_t first = i;
        if (many_) {
            const Owner owner = (*many_)[i];
            while (i < kGranules && (*many_)[i] == owner) ++i;
            if (owner != 0) take(first, i, owner);
            continue;
        }
        // Up to the end of the word.
        const size_t word = i / kWordBits;
        const size_t bit = i % kWordBits;
        const uint64_t any = (owned_[0][word] | owned_[1][word]) >> bit;
        if (any == 0) {
            i = (word + 1) * kWordBits;
            continue;
        }
        const auto gap = static_cast<size_t>(std::countr_zero(any));
        const size_t of = (owned_[0][word] >> bit >> gap & 1) != 0 ? 0 : 1;
        const auto length = static_cast<size_t>(std::countr_one(owned_[of][word] >> bit >> gap));
        take(first + gap, first + gap + length, few_[of]);
        i = first + gap + length;
    }
}

OwnerMap::Page* OwnerMap::page_at(uint64_t start, bool make) {
    Recent& recent = recent_[start / kPage % recent_.size()];
    if (recent.start == start && (recent.page != nullptr || !make)) return recent.page;
    const auto found = pages_.find(start);
    Page* page = found == pages_.end() ? nullptr : &found->second;
    if (page == nullptr && make) {
        if (bytes_ + kBytesAPage > most_bytes_) {
            is_full_ = true;
            return nullptr;
        }
        page = &pages_[start];
        bytes_ += kBytesAPage;
    }
    recent = {start, page};
    return page;
}

OwnerMap::Owner OwnerMap::at(uint64_t address) {
    const Page* page = page_at(address & ~(kPage - 1), false);
    return page == nullptr ? Owner{0} : page->at(address % kPage / kGranule);
}

void OwnerMap::set_in_page(uint64_t start, uint64_t end, Owner owner) {
    Page* page = page_at(start & ~(kPage - 1), true);
    if (page == nullptr) return;
    const uint64_t first = start % kPage / kGranule;
    const uint64_t behind = first + (end - start + kGranule - 1) / kGranule;
    add_bytes(page->set(first, std::min<uint64_t>(behind, Page::kGranules), owner));
}

void OwnerMap::set(uint64_t start, uint64_t bytes, Owner owner) {
    const uint64_t end = (start + bytes + kGranule - 1) & ~(kGranule - 1);
    start &= ~(kGranule - 1);
    if (end <= start || owner == 0) return;
    if (owns_.size() <= owner) owns_.resize(owner + size_t{1});
    owns_[owner] = true;
    const uint64_t first_whole = (start + kPage - 1) & ~(kPage - 1);
    const uint64_t last_whole = end & ~(kPage - 1);
    if (first_whole >= last_whole) {
        const uint64_t middle = std::min(end, first_whole == start ? end : first_whole);
        set_in_page(start, middle, owner);
        if (middle < end) set_in_page(middle, end, owner);
        return;
    }
    // The page where an object starts tells that the object was seen.
    uint64_t whole = first_whole;
    if (start < first_whole) {
        set_in_page(start, first_whole, owner);
    } else {
        set_in_page(start, start + kPage, owner);
        whole += kPage;
    }
    if (whole < last_whole) {
        if (runs_.size() < kMostRuns) {
            runs_.push_back({whole, last_whole, owner});
        } else {
            is_full_ = true;
        }
    }
    if (last_whole < end) set_in_page(last_whole, end, owner);
}

bool OwnerMap::set_if_free(uint64_t start, uint64_t bytes, Owner owner) {
    const uint64_t end = (start + bytes + kGranule - 1) & ~(kGranule - 1);
    const uint64_t first = start & ~(kGranule - 1);
    const uint64_t page_start = start & ~(kPage - 1);
    if (end <= first || owner == 0) return false;
    if (end > page_start + kPage || owns_.size() <= owner || !owns_[owner]) {
        if (at(start) != 0) return false;
        set(start, bytes, owner);
        return true;
    }
    // Most objects lie within a page, which is then looked up once.
    Page* page = page_at(page_start, true);
    const uint64_t granule = (first - page_start) / kGranule;
    if (page == nullptr || page->at(granule) != 0) return false;
    add_bytes(page->set(granule, (end - page_start) / kGranule, owner));
    return true;
}

void OwnerMap::for_each_range(const TakeRange& take) const {
    std::vector<std::pair<uint64_t, const Page*>> pages;
    pages.reserve(pages_.size());
    for (const auto& [start, page] : pages_) pages.emplace_back(start, &page);
    std::sort(pages.begin(), pages.end());
    std::vector<Run> runs = runs_;
    std::sort(runs.begin(), runs.end(),
              [](const Run& a, const Run& b) { return a.start < b.start; });

    Joiner joiner(take);
    uint64_t done = 0;  // everything before it was told
    auto page = pages.begin();
    const auto tell_pages_before = [&](uint64_t end) {
        for (; page != pages.end() && page->first < end; ++page) {
            page->second->for_each_run([&](size_t first, size_t behind, Owner owner) {
                joiner.add(page->first + first * kGranule, page->first + behind * kGranule, owner);
            });
            done = page->first + kPage;
        }
    };
    for (const Run& run : runs) {
        uint64_t at = std::max(run.start, done);
        // Pages within a run are those of objects that lie where the block was read to be: both
        // are told, each where it is.
        while (at < run.end) {
            tell_pages_before(at);
            at = std::max(at, done);
            const uint64_t stop = page == pages.end() ? run.end : std::min(run.end, page->first);
            if (at < stop) {
                joiner.add(at, stop, run.owner);
                done = at = stop;
            }
            if (at < run.end) tell_pages_before(at + kPage);
            at = std::max(at, done);
        }
    }
    tell_pages_before(~uint64_t{0});
}

}  // namespace cowscope::python_heap
