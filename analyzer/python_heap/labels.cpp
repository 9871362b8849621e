#include "python_heap/labels.h"

#include <array>

namespace cowscope::python_heap {

namespace {

constexpr uint32_t kDeepest = 6;
constexpr uint32_t kMostBranches = 64;
// Modules have more: each class and function is one.
constexpr uint32_t kMostBranchesOfRoot = 4096;
constexpr size_t kLongestPath = 160;
constexpr size_t kMostPaths = 200'000;
constexpr size_t kMostLabels = 60'000;  // LabelId

constexpr std::array<std::string_view, 17> kParts = {
    "",
    " (dict keys)",
    " (dict values)",
    " (dict table)",
    " (list items)",
    " (list array)",
    " (tuple items)",
    " (set items)",
    " (set table)",
    " (deque items)",
    " (instance attributes)",
    " (class attributes)",
    " (methods)",
    " (module variables)",
    " (functions)",
    " (names)",
    " (contents)",
};
static_assert(kParts.size() == static_cast<size_t>(Part::contents) + 1);

}  // namespace

// The first label is none.
Labels::Labels() : labels_(1) {}

PathId Labels::root(std::string_view name) {
    paths_.push_back({std::string(name), 0, 0});
    return static_cast<PathId>(paths_.size() - 1);
}

std::optional<PathId> Labels::find_or_add(PathId path, std::string_view segment, uint32_t more) {
    if (const auto known = branches_.find(BranchView{path, segment}); known != branches_.end()) {
        return known->second;
    }
    const Path& from = paths_[path];
    const uint32_t most = from.depth == 0 ? kMostBranchesOfRoot : kMostBranches;
    if (from.branches >= most + more || paths_.size() >= kMostPaths) return std::nullopt;
    Path made{from.text + std::string(segment), from.depth + 1, 0};
    ++paths_[path].branches;
    paths_.push_back(std::move(made));
    const auto id = static_cast<PathId>(paths_.size() - 1);
    branches_.emplace(Branch{path, std::string(segment)}, id);
    return id;
}

PathId Labels::branch(PathId path, std::string_view segment, std::string_view common) {
    const Path& from = paths_[path];
    if (from.depth >= kDeepest || from.text.size() + segment.size() > kLongestPath) return path;
    if (const auto id = find_or_add(path, segment, 0)) return *id;
    // One more than there may be.
    return find_or_add(path, common, 1).value_or(path);
}

LabelId Labels::label(PathId path, Part part) {
    const uint64_t key = uint64_t{path} << 8 | static_cast<uint8_t>(part);
    if (const auto known = label_by_key_.find(key); known != label_by_key_.end()) {
        return known->second;
    }
    // The names run out only in programs with more variables than anyone reads.
    if (labels_.size() >= kMostLabels) return static_cast<LabelId>(labels_.size() - 1);
    labels_.push_back({path, part});
    const auto id = static_cast<LabelId>(labels_.size() - 1);
    label_by_key_.emplace(key, id);
    return id;
}

std::string Labels::name(LabelId label) const {
    const Label& found = labels_[label];
    return paths_[found.path].text + std::string(kParts[static_cast<size_t>(found.part)]);
}

}  // namespace cowscope::python_heap
