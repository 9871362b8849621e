#include "runtime/cpython/heap_layout.h"

#include <algorithm>
#include <array>

namespace cowscope::cpython {

const HeapLayout* layout_of(int minor) {
    static constexpr auto kHeapLayouts = [] {
        std::array<HeapLayout, kVersions> rows{};
        for (size_t i = 0; i < kVersions; ++i) {
            rows[i] = {layout_in_column(i), heap_offsets_in_column(i)};
        }
        return rows;
    }();
    const auto found = std::ranges::find_if(
        kHeapLayouts, [&](const HeapLayout& each) { return each.minor() == minor; });
    return found == kHeapLayouts.end() ? nullptr : &*found;
}

}  // namespace cowscope::cpython
