#include "cpython/layout.h"

#include <algorithm>
#include <iterator>

namespace cowscope::cpython {

namespace {

using enum ManagedDict;

// Columns as in struct Layout.
constexpr Layout kLayouts[] = {
    {6, 0, 16, 48, 72, 24, 32, 40, false, 0, 832, 856, none, false, 24, 32},
    {7, 32, 40, 48, 72, 24, 32, 40, false, 0, 832, 856, none, false, 24, 32},
    {8, 40, 56, 48, 72, 24, 32, 40, false, 0, 848, 872, none, false, 24, 16},
    {9, 40, 856, 48, 72, 24, 32, 40, false, 0, 840, 864, none, false, 24, 16},
    {10, 40, 856, 48, 72, 24, 32, 40, false, 0, 848, 872, none, false, 16, 16},
    {11, 48, 888, 48, 72, 24, 24, 32, true, 0, 848, 872, v3_11, false, 16, 16},
    {12, 48, 944, 40, 56, 24, 24, 32, true, 0, 856, 880, v3_12, true, 16, 16},
    {13, 640, 7656, 40, 56, 24, 24, 32, true, 8, 856, 880, inline_, true, 16, 16},
    {14, 816, 7688, 40, 56, 32, 24, 32, true, 8, 856, 880, inline_, true, 16, 16},
};

}  // namespace

const Layout* layout_of(int minor) {
    const auto found = std::find_if(std::begin(kLayouts), std::end(kLayouts),
                                    [&](const Layout& layout) { return layout.minor == minor; });
    return found == std::end(kLayouts) ? nullptr : found;
}

}  // namespace cowscope::cpython
