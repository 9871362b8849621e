#include "attribute/frame.h"

#include <algorithm>
#include <functional>

namespace cowscope::attribute {

size_t text_bytes(const Frame& frame) {
    return sizeof(frame) + frame.function.size() + frame.file.size() + frame.symbol.size() +
           frame.module.size();
}

void FrameStack::cut() {
    if (frames.size() < 2) return;
    const Frame* runtime = innermost_runtime_frame(*this);
    frames.erase(frames.begin() + 1, frames.end());
    if (runtime != nullptr && runtime != frames.front()) frames.push_back(runtime);
    frames.shrink_to_fit();
}

const Frame* innermost_runtime_frame(const FrameStack& stack) {
    const auto found = std::find_if(stack.frames.begin(), stack.frames.end(),
                                    [](const Frame* frame) { return frame->is_runtime; });
    return found == stack.frames.end() ? nullptr : *found;
}

// Its names are kept, so that one that is the same lies at the same address.
size_t FrameTable::FrameHash::operator()(const Frame& frame) const {
    size_t hash = std::hash<uint64_t>{}(frame.address ^ (uint64_t{frame.line} << 40));
    const auto mix = [&hash](size_t value) {
        constexpr size_t kGolden = 0x9e3779b97f4a7c15;  // 2^64 divided by the golden ratio
        hash = (hash ^ value) * kGolden;
        hash ^= hash >> 32;
    };
    for (const std::string_view name : {frame.function, frame.file}) {
        mix(std::hash<const char*>{}(name.data()));
    }
    return hash;
}

std::string_view FrameTable::keep(std::string_view name) {
    if (name.empty()) return {};
    const auto known = names_.find(name);
    return known != names_.end() ? *known : *names_.emplace(name).first;
}

const Frame* FrameTable::keep(Frame frame) {
    for (std::string_view* name :
         {&frame.function, &frame.file, &frame.symbol, &frame.module, &frame.mapping.path}) {
        *name = keep(*name);
    }
    const auto [at, is_new] = frames_.insert(frame);
    if (is_new) bytes_ += text_bytes(frame);
    return &*at;
}

}  // namespace cowscope::attribute
