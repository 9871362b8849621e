#include "runtime/heap/labels.h"

#include <algorithm>
#include <array>

namespace cowscope::runtime {

namespace {

constexpr uint32_t kDeepest = 6;
constexpr uint32_t kMostBranches = 64;
// Modules have more: each class and function is one.
constexpr uint32_t kMostBranchesOfRoot = 4096;
constexpr size_t kLongestPath = 160;
constexpr size_t kMostPaths = 200'000;
// Of one variable; twice as many with those that stand for several.
constexpr uint32_t kMostParts = 1024;
// LabelId has 16 bits. Behind these come names that variables share among their parts, then such of
// modules, and the last one is nobody's.
constexpr size_t kMostLabels = 60'000;
constexpr size_t kMostOfVariables = 64'000;
constexpr size_t kMostOfModules = 65'534;
constexpr char kNameless[] = "(variables beyond those that have names)";
// A variable of more paths is looked at for trees of data: where most entries of a path have so
// many paths each.
constexpr uint32_t kManyPaths = 128;
constexpr uint32_t kManyBelow = 8;
constexpr uint32_t kManyEntries = 4;

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
    const auto id = static_cast<PathId>(paths_.size());
    Path& made = paths_.emplace_back();
    made.text = name;
    made.parent = made.variable = id;
    return id;
}

PathId Labels::closed_root(std::string_view name) {
    const PathId id = root(name);
    paths_[id].is_closed = true;
    return id;
}

std::optional<PathId> Labels::find_or_add(PathId path, std::string_view segment, uint32_t more) {
    if (const auto known = branches_.find(BranchView{path, segment}); known != branches_.end()) {
        return known->second;
    }
    const Path& from = paths_[path];
    const uint32_t most = from.depth == 0 ? kMostBranchesOfRoot : kMostBranches;
    if (from.branches >= most + more || paths_.size() >= kMostPaths) return std::nullopt;
    // What stands in a module or a function is a variable.
    const bool is_variable = from.depth == 0 || from.text.ends_with("()");
    if (!is_variable && paths_[from.variable].parts >= kMostParts * (1 + more)) return std::nullopt;
    const auto id = static_cast<PathId>(paths_.size());
    Path made;
    made.text = from.text + std::string(segment);
    made.parent = path;
    made.variable = is_variable ? id : from.variable;
    made.depth = from.depth + 1;
    made.is_entry = segment.starts_with('[') && segment != "[...]";
    ++paths_[path].branches;
    if (!is_variable) ++paths_[made.variable].parts;
    paths_.push_back(std::move(made));
    branches_.emplace(Branch{path, std::string(segment)}, id);
    return id;
}

PathId Labels::branch(PathId path, std::string_view segment, std::string_view common) {
    const Path& from = paths_[path];
    if (from.is_closed || from.depth >= kDeepest ||
        from.text.size() + segment.size() > kLongestPath)
        return path;
    if (const auto id = find_or_add(path, segment, 0)) return *id;
    // One more than there may be.
    return find_or_add(path, common, 1).value_or(path);
}

LabelId Labels::label(PathId path, Part part) {
    if (paths_[path].is_closed) part = Part::itself;
    const uint64_t key = uint64_t{path} << 8 | static_cast<uint8_t>(part);
    if (const auto known = label_by_key_.find(key); known != label_by_key_.end()) {
        return known->second;
    }
    const LabelId id = labels_.size() < kMostLabels ? add_label(path, part) : shared_label(path);
    label_by_key_.emplace(key, id);
    return id;
}

LabelId Labels::add_label(PathId path, Part part) {
    labels_.push_back({path, part});
    return static_cast<LabelId>(labels_.size() - 1);
}

LabelId Labels::shared_label(PathId path) {
    const PathId variable = paths_[path].variable;
    PathId module = variable;
    while (paths_[module].parent != module) module = paths_[module].parent;
    // Under a part that labels of their own never have.
    const auto find = [&](PathId shared, size_t most) -> LabelId {
        const uint64_t key = uint64_t{shared} << 8 | 0xff;
        if (const auto known = label_by_key_.find(key); known != label_by_key_.end()) {
            return known->second;
        }
        if (labels_.size() >= most) return kNone;
        const LabelId made = add_label(shared, Part::itself);
        label_by_key_.emplace(key, made);
        folded_names_.emplace(made, paths_[shared].text + (shared == variable ? "[...]" : ".…"));
        return made;
    };
    if (variable != module) {
        if (const LabelId shared = find(variable, kMostOfVariables)) return shared;
    }
    if (const LabelId shared = find(module, kMostOfModules)) return shared;
    constexpr uint64_t kNamelessKey = ~uint64_t{0};
    const auto [at, is_new] = label_by_key_.try_emplace(kNamelessKey, kNone);
    if (is_new) {
        at->second = add_label(module, Part::itself);
        folded_names_.emplace(at->second, kNameless);
    }
    return at->second;
}

void Labels::fold() {
    const auto count = static_cast<PathId>(paths_.size());
    std::vector<uint32_t> below(count);
    std::vector<uint32_t> entries(count);
    std::vector<uint32_t> large_entries(count);
    // Parts stand behind what they are parts of.
    for (PathId id = count; id-- != 0;) {
        const Path& path = paths_[id];
        if (path.parent == id) continue;
        below[path.parent] += below[id] + 1;
        if (!path.is_entry) continue;
        ++entries[path.parent];
        if (below[id] >= kManyBelow) ++large_entries[path.parent];
    }
    constexpr PathId kNotFolded = ~PathId{0};
    std::vector<PathId> folded(count, kNotFolded);  // into whose entries
    for (PathId id = 0; id < count; ++id) {
        const Path& path = paths_[id];
        if (path.parent == id || path.variable == id) continue;
        const PathId from = path.parent;
        const bool is_tree = below[path.variable] >= kManyPaths &&
                             large_entries[from] >= kManyEntries &&
                             large_entries[from] * 2 > entries[from];
        if (folded[from] != kNotFolded) {
            folded[id] = folded[from];
        } else if (is_tree) {
            folded[id] = from;
        }
    }
    standing_for_.resize(labels_.size());
    std::unordered_map<PathId, LabelId> first;
    for (size_t i = 0; i < labels_.size(); ++i) {
        const auto label = static_cast<LabelId>(i);
        const PathId tree =
            i == kNone || folded_names_.contains(label) ? kNotFolded : folded[labels_[i].path];
        standing_for_[i] = label;
        if (tree == kNotFolded) continue;
        standing_for_[i] = first.try_emplace(tree, label).first->second;
        if (standing_for_[i] == label) folded_names_[label] = paths_[tree].text + "[...]";
    }
}

std::string Labels::name(LabelId label) const {
    if (const auto folded = folded_names_.find(label); folded != folded_names_.end()) {
        return folded->second;
    }
    const Label& found = labels_[label];
    return paths_[found.path].text + std::string(kParts[static_cast<size_t>(found.part)]);
}

}  // namespace cowscope::runtime
