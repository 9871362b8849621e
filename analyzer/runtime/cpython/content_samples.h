// How many of the strs of one owner are equal: the contents of a sample of them that is the same
// whatever the order in which they are seen.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/hash.h"

namespace cowscope::cpython {

class ContentSample {
  public:
    // So many objects, or more, are to come: wants few enough of them from the start.
    void expect(uint64_t objects) {
        while (objects / (mask_ + 1) > kMost) mask_ = mask_ * 2 + 1;
        thin_out();
    }
    // Whether to add() the object at this address.
    bool wants(uint64_t address) const { return (mixed(address) & mask_) == 0; }
    void add(uint64_t address, uint64_t content_hash) {
        sample_.emplace_back(mixed(address), content_hash);
        if (sample_.size() <= kMost) return;
        mask_ = mask_ * 2 + 1;
        thin_out();
    }
    size_t size() const { return sample_.size(); }
    size_t distinct() const {
        std::vector<uint64_t> contents;
        contents.reserve(sample_.size());
        for (const auto& each : sample_) contents.push_back(each.second);
        std::sort(contents.begin(), contents.end());
        return static_cast<size_t>(
            std::distance(contents.begin(), std::unique(contents.begin(), contents.end())));
    }

  private:
    static constexpr size_t kMost = 2048;
    void thin_out() {
        std::erase_if(sample_, [&](const auto& each) { return (each.first & mask_) != 0; });
    }

    std::vector<std::pair<uint64_t, uint64_t>> sample_;  // mixed address, hash of the content
    uint64_t mask_ = 0;
};

}  // namespace cowscope::cpython
