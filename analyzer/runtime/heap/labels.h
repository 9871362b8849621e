// The names of owners: paths of variables ("app.cache.STORE['users']") with what of them is meant
// ("list items"). A path is made once, and its number of branches, its length and how many there
// are of one variable are bounded: what would go beyond shares the name of where it branches off.
// Where names run out altogether, a variable has one name for all that has none yet, then its
// module has; never another's.
//
// A tree that is data (a trie, nested dicts of records) has as many paths as there may be, and they
// say nothing: once all is known, its entries share one name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.h"

namespace cowscope::runtime {

// What of a variable is meant.
enum class Part : uint8_t {
    itself,
    dict_keys,
    dict_values,
    dict_table,
    list_items,
    list_array,
    tuple_items,
    set_items,
    set_table,
    deque_items,
    instance_attributes,
    class_attributes,
    methods,
    module_variables,
    functions,
    names,
    contents,
};

using PathId = uint32_t;
using LabelId = uint16_t;

class Labels {
  public:
    Labels();

    static constexpr LabelId kNone = 0;

    PathId root(std::string_view name);
    // One that has no parts: all that is reached from it has its name.
    PathId closed_root(std::string_view name);
    // The path that goes on with `segment` (".name", "['key']", "[...]"); `common`, the one for all
    // others, where there are too many branches already. The path itself where it is too long.
    PathId branch(PathId path, std::string_view segment, std::string_view common);
    const std::string& text(PathId path) const { return paths_[path].text; }

    LabelId label(PathId path, Part part);
    size_t size() const { return labels_.size(); }

    // When no path is to come any more: finds the trees whose entries share a name.
    void fold();
    // The label that stands for this one.
    LabelId standing_for(LabelId label) const {
        return label < standing_for_.size() ? standing_for_[label] : label;
    }
    // "__main__.global_map (dict values)".
    std::string name(LabelId label) const;

  private:
    struct Path {
        std::string text;
        PathId parent = 0;
        PathId variable = 0;  // whose part it is; of a module and a function itself
        uint32_t depth = 0;
        uint32_t branches = 0;
        uint32_t parts = 0;     // of a variable: paths that are parts of it
        bool is_entry = false;  // "['key']", "[3]"
        bool is_closed = false;
    };
    struct Label {
        PathId path = 0;
        Part part = Part::itself;
    };
    struct Branch {
        PathId from;
        std::string segment;
    };
    struct BranchView {
        PathId from;
        std::string_view segment;
    };
    // Known ones are looked up without making a string.
    struct BranchHash {
        using is_transparent = void;
        size_t operator()(const BranchView& branch) const {
            return std::hash<std::string_view>()(branch.segment) + mixed(branch.from);
        }
        size_t operator()(const Branch& branch) const {
            return (*this)(BranchView{branch.from, branch.segment});
        }
    };
    struct BranchEqual {
        using is_transparent = void;
        template <typename A, typename B>
        bool operator()(const A& a, const B& b) const {
            return a.from == b.from && a.segment == b.segment;
        }
    };
    // Nothing where there are `more` branches than there may be.
    std::optional<PathId> find_or_add(PathId path, std::string_view segment, uint32_t more);
    LabelId add_label(PathId path, Part part);
    // Of a path that gets none of its own any more.
    LabelId shared_label(PathId path);

    std::vector<Path> paths_;
    std::vector<Label> labels_;
    std::unordered_map<Branch, PathId, BranchHash, BranchEqual> branches_;
    std::unordered_map<uint64_t, LabelId> label_by_key_;
    std::vector<LabelId> standing_for_;
    std::unordered_map<LabelId, std::string> folded_names_;
};

}  // namespace cowscope::runtime
