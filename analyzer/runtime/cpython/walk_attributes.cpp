// Attributes of instances: in a dict, in values of their own, or in slots.
#include "runtime/cpython/walker.h"

namespace cowscope::cpython {

void Walker::open_attributes(const Item& item) {
    const TypeInfo& type = *item.type;
    if (!type.has(kHeapTypeFlag)) return;
    const LabelId attributes =
        item.label != Labels::kNone ? item.label : label(item.path, Part::instance_attributes);
    if (type.has(kManagedDictFlag) && layout_.managed_dict != ManagedDict::none) {
        open_managed_dict(item, attributes);
    } else if (type.dict_offset != 0) {
        open_attribute_dict(memory_.word(dict_address(item)), item.path, attributes);
    }
    // What a class adds to those it is made from. Of a type made in C every field.
    for (uint64_t at = type.slots_start; at + kWordBytes <= type.basic_size && !is_cut();
         at += kWordBytes) {
        if (static_cast<int64_t>(at) == type.dict_offset) continue;
        visit(memory_.word(item.object + at), attributes,
              [&] { return labels().branch(item.path, kAnyAttribute, kAnyAttribute); });
    }
}

uint64_t Walker::dict_address(const Item& item) {
    const TypeInfo& type = *item.type;
    if (type.dict_offset > 0) return item.object + static_cast<uint64_t>(type.dict_offset);
    const uint64_t end = (types_.size_of(item.object, type) + kWordBytes - 1) & ~(kWordBytes - 1);
    return item.object + end + static_cast<uint64_t>(type.dict_offset);
}

void Walker::open_managed_dict(const Item& item, LabelId attributes) {
    constexpr uint64_t kDictBefore = 24;
    constexpr uint64_t kValuesBefore = 32;
    constexpr uint64_t kValid = 3;  // struct _dictvalues: capacity, size, embedded, valid
    uint64_t dict = memory_.word(item.object - kDictBefore);
    uint64_t values = 0;
    switch (layout_.managed_dict) {
        case ManagedDict::v3_11:
            values = memory_.word(item.object - kValuesBefore);
            break;
        case ManagedDict::v3_12:
            if ((dict & 1) != 0) {
                values = dict + 1;
                dict = 0;
            }
            break;
        case ManagedDict::v3_13: {
            const uint64_t header = item.object + item.type->basic_size;
            const bool is_used = item.type->has(kInlineValuesFlag) && dict == 0 &&
                                 memory_.value<uint8_t>(header + kValid).value_or(0) == 1;
            if (is_used) values = header + layout_.values_header;
            break;
        }
        case ManagedDict::none:
            break;
    }
    if (values == 0) {
        open_attribute_dict(dict, item.path, attributes);
        return;
    }
    const uint64_t keys = memory_.word(item.type->address + layout_.cached_keys);
    DictShape shape = shape_of_keys(layout_, &memory_, keys);
    shape.values = values;
    if (layout_.managed_dict != ManagedDict::v3_13) {
        mark_block({values, shape.count * kWordBytes}, attributes);
    }
    open_attribute_entries(shape, item.path, attributes);
}

void Walker::open_attribute_dict(uint64_t dict, PathId path, LabelId attributes) {
    const TypeInfo* type = types_.type_of(dict);
    if (type == nullptr || type->kind != Kind::dict || result_.map.at(dict) != 0) return;
    mark(dict, *type, attributes);
    const DictShape shape = shape_of_dict(layout_, &memory_, dict);
    // Keys that instances share belong to the class.
    if (shape.values == 0) mark_block(shape.keys, attributes);
    open_attribute_entries(shape, path, attributes);
}

void Walker::open_attribute_entries(const DictShape& shape, PathId path, LabelId attributes) {
    for_each_entry(shape, &memory_, kMostItems, [&](const DictEntry& entry) {
        visit(
            entry.key, attributes, [&] { return path; }, attributes);
        if (entry.value != 0) {
            visit(entry.value, attributes, [&] { return attribute(path, entry.key); });
        }
        return !is_cut();
    });
}

}  // namespace cowscope::cpython
