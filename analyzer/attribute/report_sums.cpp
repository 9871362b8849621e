#include "attribute/report_sums.h"

#include <algorithm>
#include <string>

namespace cowscope::attribute {
namespace {

// Rows with as many pages stay in the order of their names.
template <typename Rows>
void sort_by_pages(Rows* rows) {
    std::stable_sort(rows->begin(), rows->end(),
                     [](const auto& a, const auto& b) { return a.pages > b.pages; });
}

double share_of(uint64_t pages, uint64_t all) {
    return static_cast<double>(pages) / static_cast<double>(all);
}

size_t text_bytes_of(const SiteShare& site) {
    size_t bytes = 0;
    for (const FrameStack* stack : {&site.native_stack, &site.mixed_stack}) {
        for (const Frame* frame : stack->frames) bytes += text_bytes(*frame);
    }
    return bytes;
}

}  // namespace

void CauseSums::add(Cause cause, std::string_view type, uint64_t pages) {
    Sum& sum = sums_[cause];
    sum.pages += pages;
    if (!type.empty()) sum.types[type] += pages;
}

std::vector<CauseShare> CauseSums::shares(uint64_t copied_pages, const RowMargins& margins) const {
    std::vector<CauseShare> shares;
    for (const auto& [cause, sum] : sums_) {
        CauseShare& share = shares.emplace_back();
        share.cause = cause;
        share.pages = sum.pages;
        share.share = share_of(sum.pages, copied_pages);
        share.margin = margins.pages_margin(RowKey::of(cause));
        for (const auto& [type, pages] : sum.types) {
            share.types.push_back(
                {std::string(type), pages, margins.pages_margin(RowKey::of(cause, type))});
        }
        sort_by_pages(&share.types);
    }
    sort_by_pages(&shares);
    return shares;
}

SiteShare& SiteSums::site(const Key& key) {
    const auto [at, is_new] = ids_.try_emplace(key, static_cast<uint32_t>(sites_.size()));
    if (!is_new) return sites_[at->second];
    heaviest_.push_back(0);
    SiteShare& site = sites_.emplace_back();
    site.id = at->second;
    site.cause = std::get<Cause>(key);
    site.code = std::get<WritingCode>(key);
    site.runtime_line = std::get<SourceLine>(key);
    site.evidence = std::get<std::string>(key);
    site.finalizing = std::get<bool>(key);
    return site;
}

uint32_t SiteSums::add(const ProcessCopies& process, const CopyClass& copies) {
    SiteShare& total =
        site({copies.verdict.cause, copies.code, copies.line, {}, copies.is_finalizing});
    total.pages += copies.pages;
    if (copies.pages > heaviest_[total.id]) {
        heaviest_[total.id] = copies.pages;
        total.evidence = copies.verdict.evidence;
        set_stacks(process, copies, &total);
        total.type = copies.type;
        total.examples = process.examples(copies);
    }
    return total.id;
}

void SiteSums::add(const Unwitnessed& copies) {
    site({copies.cause, {}, {}, copies.evidence, false}).pages += copies.pages;
}

// Any number of sites can have stacks of many and long names, each of which an output writes out.
void SiteSums::set_stacks(const ProcessCopies& process, const CopyClass& copies, SiteShare* site) {
    stack_bytes_ -= text_bytes_of(*site);
    site->native_stack = process.native_stack(copies);
    site->mixed_stack = process.mixed_stack(copies);
    if (stack_bytes_ + text_bytes_of(*site) > kMostStackBytes) {
        ++cut_sites_;
        site->native_stack.cut();
        site->mixed_stack.cut();
    }
    stack_bytes_ += text_bytes_of(*site);
}

std::vector<SiteShare> SiteSums::take(const RowMargins& margins) {
    for (SiteShare& site : sites_) site.margin = margins.pages_margin(RowKey::of_site(site.id));
    sort_by_pages(&sites_);
    return std::move(sites_);
}

void OwnerSums::add(const CopyClass& copies) {
    OwnerPages& sum = sums_[copies.owner];
    sum.causes[copies.verdict.cause] += copies.pages;
    if (copies.verdict.cause != Cause::refcount || copies.type.empty()) return;
    const std::string type(copies.type);
    sum.counted_types[type] += copies.pages;
    if (copies.is_finalizing) sum.ended_types[type] += copies.pages;
}

std::vector<OwnerShare> OwnerSums::shares(uint64_t copied_pages, const OwnerIndex& owners,
                                          const RowMargins& margins) const {
    std::vector<OwnerShare> shares;
    uint64_t owned = 0;
    OwnerShare unowned;
    unowned.owner = kUnowned;
    for (const auto& [id, sum] : sums_) {
        OwnerShare share;
        for (const auto& [cause, pages] : sum.causes) {
            share.pages += pages;
            share.causes.push_back({cause, pages});
        }
        for (const auto& [type, pages] : sum.counted_types) {
            share.types.push_back({type, pages, 0});
        }
        share.margin = margins.pages_margin(RowKey::of_owner(id));
        sort_by_pages(&share.causes);
        sort_by_pages(&share.types);
        if (id == 0) {
            unowned.margin = share.margin;
            unowned.causes = std::move(share.causes);
            unowned.types = std::move(share.types);
            continue;
        }
        owned += share.pages;
        share.pages_with = sum.pages_with;
        share.owner = owners.owner(id).name;
        share.share = share_of(share.pages, copied_pages);
        shares.push_back(std::move(share));
    }
    std::stable_sort(shares.begin(), shares.end(), [](const OwnerShare& a, const OwnerShare& b) {
        return std::tie(a.pages, a.pages_with) > std::tie(b.pages, b.pages_with);
    });
    unowned.pages = copied_pages - owned;
    unowned.share = share_of(unowned.pages, copied_pages);
    if (unowned.pages != 0) shares.push_back(std::move(unowned));
    return shares;
}

std::vector<OwnerPages> OwnerSums::for_advice(const OwnerIndex& owners) const {
    std::vector<OwnerPages> found;
    for (const auto& [id, sum] : sums_) {
        // Nobody can change the interpreter's own.
        if (id == 0 || owners.owner(id).name == trace::kStaticObjects) continue;
        found.push_back(sum);
        found.back().owner = owners.owner(id);
    }
    return found;
}

}  // namespace cowscope::attribute
