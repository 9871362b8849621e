// Variables of modules and classes.
#include "runtime/cpython/walker.h"

namespace cowscope::cpython {

void Walker::open_namespace(uint64_t dict, PathId path, bool is_module) {
    const LabelId variables =
        label(path, is_module ? Part::module_variables : Part::class_attributes);
    const LabelId names = is_module ? label(path, Part::names) : variables;
    const DictShape shape = shape_of_dict(layout_, &memory_, dict);
    mark_block(shape.keys, names);
    for_each_entry(shape, &memory_, kMostItems, [&](const DictEntry& entry) {
        visit(
            entry.key, names, [&] { return path; }, names);
        const TypeInfo* type = types_.type_of(entry.value);
        if (type != nullptr) open_variable(entry, *type, dict, path, is_module);
        return !is_cut();
    });
}

void Walker::open_variable(const DictEntry& entry, const TypeInfo& type, uint64_t dict, PathId path,
                           bool is_module) {
    const uint64_t value = entry.value;
    const LabelId variables =
        label(path, is_module ? Part::module_variables : Part::class_attributes);
    switch (type.kind) {
        case Kind::function: {
            const LabelId functions = label(path, is_module ? Part::functions : Part::methods);
            const bool is_own =
                !is_module || memory_.word(value + layout_.function_globals) == dict;
            visit_or_defer(is_own, value, functions, attribute(path, entry.key), functions);
            break;
        }
        case Kind::type: {
            const PathId own = attribute(path, entry.key);
            const bool is_own = !is_module || is_defined_in(value, path);
            visit_or_defer(is_own, value, label(own, Part::class_attributes), own, Labels::kNone);
            break;
        }
        case Kind::str:
        case Kind::bytes:
        case Kind::number:
        case Kind::leaf:
        case Kind::weak: {
            // Small ones are worth no name of their own.
            constexpr uint64_t kSmall = 4096;
            const bool is_small = types_.size_of(value, type) < kSmall;
            const PathId own = is_small ? path : attribute(path, entry.key);
            visit(value, is_small ? variables : label(own, Part::itself), [&] { return own; });
            break;
        }
        case Kind::opaque: {
            const PathId own = attribute(path, entry.key);
            // Descriptors of methods and the like.
            const LabelId contents = is_module ? label(own, Part::contents) : variables;
            visit(
                value, is_module ? label(own, Part::itself) : variables, [&] { return own; },
                contents);
            break;
        }
        default: {
            const PathId own = attribute(path, entry.key);
            visit(value, label(own, Part::itself), [&] { return own; });
            break;
        }
    }
}

void Walker::visit_or_defer(bool now, uint64_t object, LabelId label, PathId path, LabelId inside) {
    if (now) {
        count_edge();
        const TypeInfo* type = types_.type_of(object);
        if (type == nullptr || result_.map.at(object) != 0) return;
        take(
            object, *type, label, [&] { return path; }, inside);
    } else if (result_.map.at(object) == 0) {
        count_edge();
        deferred_.push_back({object, nullptr, path, label});
    }
}

void Walker::take_deferred(const Item& item) {
    const TypeInfo* type = types_.type_of(item.object);
    if (type == nullptr || result_.map.at(item.object) != 0) return;
    if (type->kind != Kind::type) {
        const LabelId inside = type->kind == Kind::function ? item.label : Labels::kNone;
        visit(
            item.object, item.label, [&] { return item.path; }, inside);
        return;
    }
    count_edge();
    // What is made in C, and no module has a name for, is the interpreter's (the type of None).
    const TypeInfo* own = types_.type_at(item.object);
    const bool is_static = own == nullptr || !own->has(kHeapTypeFlag);
    const PathId path = is_static ? static_path_ : item.path;
    take(
        item.object, *type, is_static ? static_label_ : item.label, [&] { return path; },
        Labels::kNone);
}

bool Walker::is_defined_in(uint64_t type, PathId module) {
    const uint64_t dict = memory_.word(type + kTpDict);
    bool is_own = true;
    constexpr uint64_t kMostEntries = 256;
    constexpr size_t kLongestModule = 100;
    for_each_entry(layout_, &memory_, dict, kMostEntries, [&](const DictEntry& entry) {
        if (types_.text(entry.key, 16) != "__module__") return true;
        is_own = types_.text(entry.value, kLongestModule) == labels().text(module);
        return false;
    });
    return is_own;
}

void Walker::open_type(const Item& item) {
    const LabelId attributes = label(item.path, Part::class_attributes);
    // From 3.12 on the dicts of static types stand elsewhere, and this word is 0.
    const uint64_t dict = memory_.word(item.object + kTpDict);
    const TypeInfo* dict_type = types_.type_of(dict);
    const bool has_dict = dict_type != nullptr && dict_type->kind == Kind::dict;
    if (has_dict && result_.map.at(dict) == 0) {
        mark(dict, *dict_type, attributes);
        open_namespace(dict, item.path, false);
    }
    Item inside = item;
    inside.label = attributes;
    visit_inside(memory_.word(item.object + kTpBases), inside);
    visit_inside(memory_.word(item.object + kTpMro), inside);
    const TypeInfo* own = types_.type_at(item.object);
    if (own == nullptr || !own->has(kHeapTypeFlag)) return;
    constexpr uint64_t kNames = 3;  // ht_name, ht_slots, ht_qualname
    for (uint64_t i = 0; i < kNames; ++i) {
        visit_inside(memory_.word(item.object + layout_.heap_type_name + i * kWordBytes), inside);
    }
    const uint64_t keys = memory_.word(item.object + layout_.cached_keys);
    if (keys != 0) mark_block(shape_of_keys(layout_, &memory_, keys).keys, attributes);
}

}  // namespace cowscope::cpython
