// What a report adds up over all processes: its rows by cause, by site and by owner, and how sure
// they are where events were sampled.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "attribute/advice.h"
#include "attribute/attribution.h"
#include "attribute/report_model.h"
#include "attribute/sampled.h"

namespace cowscope::attribute {

// What a row is about.
struct RowKey {
    enum class Kind : uint8_t { cause, type, site, owner };
    Kind kind = Kind::cause;
    uint32_t id = 0;        // of the site or owner, or the cause's number
    std::string_view type;  // of Kind::type

    static RowKey of(Cause cause) { return {Kind::cause, static_cast<uint32_t>(cause), {}}; }
    static RowKey of(Cause cause, std::string_view type) {
        return {Kind::type, static_cast<uint32_t>(cause), type};
    }
    static RowKey of_site(uint32_t id) { return {Kind::site, id, {}}; }
    static RowKey of_owner(OwnerId id) { return {Kind::owner, id, {}}; }
    auto operator<=>(const RowKey&) const = default;
};
using RowMargins = Margins<RowKey>;

class CauseSums {
  public:
    void add(Cause cause, std::string_view type, uint64_t pages);
    // The most pages first; shares are of `copied_pages`.
    std::vector<CauseShare> shares(uint64_t copied_pages, const RowMargins& margins) const;

  private:
    struct Sum {
        uint64_t pages = 0;
        std::map<std::string_view, uint64_t> types;
    };
    std::map<Cause, Sum, runtime::ByName> sums_;
};

class SiteSums {
  public:
    // Returns the site's id.
    uint32_t add(const ProcessCopies& process, const CopyClass& copies);
    // Copies without an event: one site for each cause and evidence.
    void add(const Unwitnessed& copies);
    // The most pages first.
    std::vector<SiteShare> take(const RowMargins& margins);

    // Their stacks would have taken too much memory as text: cut to their innermost frame.
    size_t cut_sites() const { return cut_sites_; }
    static constexpr size_t kMostStackBytes = size_t{96} << 20;

  private:
    // Evidence only where there is no event; then whether a runtime was being taken down.
    using Key = std::tuple<Cause, WritingCode, SourceLine, std::string, bool>;

    SiteShare& site(const Key& key);
    void set_stacks(const ProcessCopies& process, const CopyClass& copies, SiteShare* site);

    std::vector<SiteShare> sites_;    // by id
    std::vector<uint64_t> heaviest_;  // pages of the class that gave each site its stacks
    std::map<Key, uint32_t> ids_;
    size_t stack_bytes_ = 0;
    size_t cut_sites_ = 0;
};

class OwnerSums {
  public:
    void add(const CopyClass& copies);
    void add_pages_with(OwnerId owner, uint64_t pages) { sums_[owner].pages_with += pages; }
    // The most pages first, and last kUnowned, where there are any; shares are of `copied_pages`.
    std::vector<OwnerShare> shares(uint64_t copied_pages, const OwnerIndex& owners,
                                   const RowMargins& margins) const;
    // Of those whom advice can be given to.
    std::vector<OwnerPages> for_advice(const OwnerIndex& owners) const;

  private:
    std::map<OwnerId, OwnerPages> sums_;  // 0: nobody
};

}  // namespace cowscope::attribute
