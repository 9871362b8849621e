// From an event to its class: who wrote, to what, and why. Writes of one class a report need not
// tell apart.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "attribute/copies.h"
#include "trace/process_trace.h"

namespace cowscope::attribute {

class WriteClasses {
  public:
    // All must outlive this object. `index`: of the process in the trace that `owners` knows;
    // without owners nobody owns anything.
    WriteClasses(size_t index, AddressSpace* space, SiteResolver* sites, FrameTable* frames,
                 OwnerIndex* owners)
        : index_(index), space_(*space), sites_(*sites), frames_(*frames), owners_(owners) {}

    // An index into all(); PageWrite::kNotACopy for an instruction that only read.
    uint32_t class_of(const trace::EventRecord& event, const trace::EventPlace& place);

    // Without pages.
    std::vector<CopyClass> take() { return std::move(classes_); }

  private:
    // Site, runtime's stack, target, region, owner, and whether a runtime was being taken down.
    using Key = std::tuple<uint32_t, uint32_t, runtime::Target, uint32_t, OwnerId, bool>;

    OwnerId owner_of(const trace::EventRecord& event, const trace::EventPlace& place);
    uint32_t add(const trace::EventRecord& event, const Key& key);

    size_t index_;
    AddressSpace& space_;
    SiteResolver& sites_;
    FrameTable& frames_;
    OwnerIndex* owners_;
    std::vector<CopyClass> classes_;
    std::map<Key, uint32_t> class_by_key_;
};

}  // namespace cowscope::attribute
