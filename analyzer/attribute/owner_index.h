// Which variable an address belonged to when its process began to share it: the recorder's looks at
// the objects (trace/heap_owners.h) held against a trace's processes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "trace/trace.h"

namespace cowscope::attribute {

// One of all owners of a trace; ids count from 1, and 0 is nobody.
using OwnerId = uint32_t;

class OwnerIndex {
  public:
    // Keeps the trace.
    explicit OwnerIndex(const trace::Trace& trace);

    // `process` and `epoch` are indices into the trace's.
    OwnerId find(size_t process, size_t epoch, uint64_t address);
    // Everyone who had anything on the page; each once.
    std::vector<OwnerId> owners_on_page(size_t process, size_t epoch, uint64_t page);

    // As the look saw it that saw most of its objects.
    const trace::Owner& owner(OwnerId id) const { return owners_[id - 1]; }
    bool is_empty() const { return owners_.empty(); }

  private:
    static constexpr size_t kNone = ~size_t{0};
    // The look that saw the objects that the process got (or shared) then: of the process itself or
    // of the nearest ancestor that was looked at, as close to that moment as there is one.
    size_t find_look(size_t process, size_t epoch) const;
    size_t look_of(size_t process, size_t epoch);  // the same, kept
    size_t nearest_look(const trace::ProcessTrace& process, uint64_t time_ns) const;

    const trace::Trace& trace_;
    std::vector<trace::Owner> owners_;
    std::vector<std::vector<OwnerId>> ids_;  // by look, by its own id - 1
    // By pid and creation, in order of time.
    std::map<std::pair<uint32_t, uint64_t>, std::vector<size_t>> looks_of_;
    std::map<std::pair<size_t, size_t>, size_t> look_by_generation_;
};

}  // namespace cowscope::attribute
