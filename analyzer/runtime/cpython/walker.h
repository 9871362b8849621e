// The walk of walk.h at work. A queue holds the objects that were reached and not opened yet;
// opening one visits those that it refers to.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtime/cpython/content_samples.h"
#include "runtime/cpython/dict.h"
#include "runtime/cpython/heap_frames.h"
#include "runtime/cpython/heap_types.h"
#include "runtime/cpython/walk.h"

namespace cowscope::cpython {

using runtime::LabelId;
using runtime::Labels;
using runtime::OwnerMap;
using runtime::OwnerStatistics;
using runtime::Part;
using runtime::PathId;
using runtime::WalkLimits;
using runtime::WalkResult;

// More than this is no number of items of anything, but garbage.
inline constexpr uint64_t kMostItems = uint64_t{1} << 36;
// Segments of paths that stand for more than one.
inline constexpr std::string_view kAnyEntry = "[...]";
inline constexpr std::string_view kAnyAttribute = ".…";

class Walker {
  public:
    Walker(const Interpreter& interpreter, Memory* memory, const WalkLimits& limits)
        : layout_(*interpreter.layout),
          memory_(*memory),
          limits_(limits),
          types_(layout_, memory),
          interpreter_(interpreter),
          result_(limits.map_bytes) {}

    WalkResult run();

  private:
    struct Item {
        uint64_t object = 0;
        const TypeInfo* type = nullptr;
        PathId path = 0;
        // Of everything that it refers to, where it is part of something (a function); else 0.
        LabelId label = Labels::kNone;
    };

    Labels& labels() { return result_.labels; }
    LabelId label(PathId path, Part part) { return labels().label(path, part); }
    bool is_cut() const { return result_.cut != runtime::kCutNot; }

    // Limits, and what was seen.
    void count_edge();
    void check_limits();
    OwnerStatistics& statistics(LabelId label);
    void mark(uint64_t object, const TypeInfo& type, LabelId label);
    void sample_text(uint64_t object, LabelId label);
    ContentSample& sample_of(LabelId label);
    void mark_block(const Block& block, LabelId label);

    // Edges.

    // Takes in an object that is reached now. `path` is asked for where it may lead on.
    template <typename MakePath>
    void visit(uint64_t object, LabelId label, const MakePath& path,
               LabelId inside = Labels::kNone) {
        count_edge();
        if (object == 0 || object % kWordBytes != 0 || result_.map.at(object) != 0) return;
        const TypeInfo* type = types_.type_of(object);
        if (type == nullptr) return;
        if (type->kind == Kind::type) {
            // The module that defines it names it first.
            if (deferred_types_.insert(object).second) {
                deferred_.push_back({object, nullptr, path(), label});
            }
            return;
        }
        take(object, *type, label, path, inside);
    }
    template <typename MakePath>
    void take(uint64_t object, const TypeInfo& found, LabelId label, const MakePath& path,
              LabelId inside) {
        const TypeInfo* type = &found;
        mark(object, *type, label);
        switch (type->kind) {
            case Kind::leaf:
            case Kind::weak:
                return;
            case Kind::str:
            case Kind::bytes:
            case Kind::number:
                if (!type->has(kHeapTypeFlag)) return;
                break;
            default:
                break;
        }
        queue_.push_back({object, type, path(), inside});
    }

    // Objects of one type that refers to nothing (walk_uniform.cpp).
    struct Alike {
        const TypeInfo* type = nullptr;
        uint64_t bytes = ~uint64_t{0};
        bool may_be = true;
        explicit operator bool() const { return may_be && type != nullptr; }

        LabelId label = Labels::kNone;
        ContentSample* sample = nullptr;  // of strs
        uint64_t objects = 0;             // that were taken
        Memory::Stretch allocated;        // where the last one was
        OwnerMap::Near near;
    };
    // A container of more is sampled first.
    static constexpr uint64_t kMany = uint64_t{1} << 16;
    // Of more than kMany, ascending.
    static std::vector<uint64_t> sampled_indices(uint64_t count);
    // Shown each of a sample.
    void add_to(Alike* alike, uint64_t object);
    // Before the first of so many is taken, if all are alike.
    void begin_alike(Alike* alike, LabelId label, uint64_t count);
    // Takes in an object that is reached now.
    void take_alike(uint64_t object, Alike* alike) {
        if (!alike->allocated.holds(object)) {
            find_place_of_alike(object, alike);
            return;
        }
        if (object % kWordBytes != 0) return;
        OwnerMap& map = result_.map;
        if (!map.set_if_free(object, alike->bytes, alike->label, &alike->near)) return;
        ++alike->objects;
        if (alike->sample != nullptr && alike->sample->wants(object)) sample_alike(object, alike);
    }
    // The same, of one that lies elsewhere than the last.
    void find_place_of_alike(uint64_t object, Alike* alike);
    void sample_alike(uint64_t object, Alike* alike);
    // Behind so many references.
    void count_unread(uint64_t references);
    // Behind the last one.
    void end_alike(const Alike& alike);

    // What stands inside of a function or of an object made in C has its name, but for containers.
    void visit_inside(uint64_t object, const Item& from);
    std::string key_segment(uint64_t key);
    std::string attribute_segment(uint64_t name);
    PathId attribute(PathId path, uint64_t name);

    // Where the walk starts (walk_roots.cpp).
    void add_modules();
    // A variable that inner functions use as well stands in a cell. Include/cpython/cellobject.h.
    uint64_t content_of(uint64_t value);
    // Those of functions come behind the program's modules: a module's name says more.
    void add_variables();
    // Whether it came with Python, or was installed as a package.
    bool is_library(uint64_t module, const TypeInfo& type);
    // The dict of a module is its own, whoever refers to it (every function does).
    void mark_namespace(uint64_t module, PathId path);

    // What objects refer to (walk_containers.cpp, walk_classes.cpp, walk_attributes.cpp).
    void open(const Item& item);
    void open_dict(const Item& item);
    void open_words(uint64_t start, uint64_t count, const Item& item, Part part);
    void open_list(const Item& item);
    void open_tuple(const Item& item);
    void open_set(const Item& item);
    // Modules/_collectionsmodule.c: the same from 3.6 to 3.14.
    void open_deque(const Item& item);
    // The dict of a module or class.
    void open_namespace(uint64_t dict, PathId path, bool is_module);
    void open_variable(const DictEntry& entry, const TypeInfo& type, uint64_t dict, PathId path,
                       bool is_module);
    void visit_or_defer(bool now, uint64_t object, LabelId label, PathId path, LabelId inside);
    // A class or function that nothing but `item` has named.
    void take_deferred(const Item& item);
    // Whether the class says that this module defines it.
    bool is_defined_in(uint64_t type, PathId module);
    void open_type(const Item& item);
    // Fields of an object that was made in C: whatever word in it is an object.
    void open_fields(const Item& item);
    void open_attributes(const Item& item);
    // _PyObject_GetDictPtr, Objects/object.c: a negative offset counts from the object's end.
    uint64_t dict_address(const Item& item);
    void open_managed_dict(const Item& item, LabelId attributes);
    void open_attribute_dict(uint64_t dict, PathId path, LabelId attributes);
    void open_attribute_entries(const DictShape& shape, PathId path, LabelId attributes);
    void finish();

    const HeapLayout& layout_;
    Memory& memory_;
    const WalkLimits& limits_;
    Types types_;
    const Interpreter& interpreter_;
    uint64_t start_ns_ = 0;
    PathId static_path_ = 0;
    LabelId static_label_ = Labels::kNone;
    std::unordered_map<uint64_t, PathId> module_by_dict_;
    std::vector<Variable> variables_;
    std::deque<Item> queue_;
    // Modules that are not the program's own: after it.
    std::deque<Item> libraries_;
    // Classes and functions that other modules define: their own modules name them first.
    std::deque<Item> deferred_;
    std::unordered_set<uint64_t> deferred_types_;
    std::vector<std::unique_ptr<ContentSample>> samples_;  // by LabelId
    uint64_t unread_ = 0;  // references not counted yet, of take_alike()
    WalkResult result_;
};

}  // namespace cowscope::cpython
