#include "runtime/cpython/layout.h"

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

// Columns as in struct FrameLayout.
constexpr FrameLayout kFrameLayouts[] = {
    {6, 8, 24, kNoCFrame, 24, 32, 48, 376, 104, {64, 80, 72}},
    {7, 8, 24, kNoCFrame, 24, 32, 48, 360, 104, {64, 80, 72}},
    {8, 8, 24, kNoCFrame, 24, 32, 48, 360, 112, {72, 88, 80}},
    {9, 8, 24, kNoCFrame, 24, 32, 48, 360, 112, {72, 88, 80}},
    {10, 8, 24, kNoCFrame, 24, 32, 48, 352, 112, {72, 88, 80}},
    {11, 16, 56, 8, 48, 32, 8, 72, 128, {96, 0, 0}},
    {12, 72, 56, 0, 8, 0, 24, 72, 128, {96, 0, 0}},
    {13, 7344, 72, kNoCFrame, 8, 0, 24, 72, 128, {96, 0, 0}},
    {14, 7344, 72, kNoCFrame, 8, 0, 24, 80, 128, {96, 0, 0}},
};

template <typename Row, size_t kRows>
const Row* row_of(const Row (&rows)[kRows], int minor) {
    const auto found = std::find_if(std::begin(rows), std::end(rows),
                                    [&](const Row& row) { return row.minor == minor; });
    return found == std::end(rows) ? nullptr : found;
}

}  // namespace

const FrameLayout* frame_layout_of(int minor) {
    return row_of(kFrameLayouts, minor);
}

const Layout* layout_of(int minor) {
    return row_of(kLayouts, minor);
}

}  // namespace cowscope::cpython
