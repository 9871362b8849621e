// All that a process ever had mapped, as it was seen at its forks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "trace/mappings.h"

namespace cowscope::trace {

// Finds an address in any number of lists as fast as in one.
class MappingIndex {
  public:
    // The lists must outlive this object.
    explicit MappingIndex(const std::vector<std::shared_ptr<const Mappings>>& lists);

    struct Found {
        const Mapping* mapping = nullptr;
        size_t list = 0;  // index
    };
    // In the first of the lists that has the address mapped.
    Found find(uint64_t address) const;

  private:
    struct Span {
        uint64_t start;
        uint64_t end;
        Found found;
    };
    std::vector<Span> spans_;  // ascending, disjoint
};

}  // namespace cowscope::trace
