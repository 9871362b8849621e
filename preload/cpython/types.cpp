#include "cpython/types.h"

#include <cstring>

#include "cpython/interpreter.h"
#include "cpython/keys.h"
#include "cpython/memory.h"
#include "cpython/text.h"
#include "support/guarded_read.h"

#include "support/poison.h"

namespace cowscope::cpython {
namespace {

constexpr size_t kMaxNameBytes = 128;
constexpr size_t kMaxModuleBytes = 96;

// A type object's type is PyType_Type, or a metaclass: a type that says it derives from that.
bool is_type(uint64_t candidate) {
    constexpr int kMetaclassDepth = 3;
    const uint64_t type_of_types = interpreter().type_type;
    uint64_t object = candidate;
    for (int i = 0; i < kMetaclassDepth; ++i) {
        uint64_t type;
        uint64_t flags;
        if (!guarded_read(object + kObType, &type)) return false;
        if (type == type_of_types) return true;
        if (!may_be_object(type) || type == object) return false;
        if (!guarded_read(type + kTpFlags, &flags) || (flags & kTypeSubclassFlag) == 0) {
            return false;
        }
        object = type;
    }
    return false;
}

// Copies a NUL-terminated printable name; returns its length, 0 when it is none.
size_t read_name(uint64_t type, char (&name)[kMaxNameBytes]) {
    uint64_t address;
    if (!guarded_read(type + kTpName, &address) || address == 0) return 0;
    size_t length = 0;
    while (length < sizeof(name)) {
        // In steps that do not cross into a page that may not be there.
        constexpr uint64_t kPage = 4096;
        const uint64_t at = address + length;
        size_t step = kPage - at % kPage;
        if (step > sizeof(name) - length) step = sizeof(name) - length;
        if (!guarded_read(reinterpret_cast<const void*>(at), name + length, step)) return 0;
        for (const size_t end = length + step; length < end; ++length) {
            const auto byte = static_cast<unsigned char>(name[length]);
            if (byte == 0) return length;
            if (byte < 0x20 || byte == 0x7f) return 0;
        }
    }
    return length;
}

bool is_text(const Layout& layout, uint64_t object, const char* wanted) {
    char text[16];
    StrText read;
    return read_str(layout, object, text, sizeof(text), &read) &&
           read.bytes == std::strlen(wanted) && std::memcmp(text, wanted, read.bytes) == 0;
}

// The __module__ of a class of the program's: a class statement stores it before anything else.
size_t read_module(uint64_t type, char (&module)[kMaxModuleBytes]) {
    constexpr uint64_t kFirstEntries = 4;
    const Layout* layout = interpreter().layout;
    uint64_t dict;
    uint64_t keys;
    KeyTable table;
    if (layout == nullptr || !guarded_read(type + kTpDict, &dict) || !may_be_object(dict) ||
        !guarded_read(dict + kMaKeys, &keys) || !may_be_object(keys) ||
        !read_keys(*layout, keys, &table)) {
        return 0;
    }
    const uint64_t count = table.count < kFirstEntries ? table.count : kFirstEntries;
    for (uint64_t i = 0; i < count; ++i) {
        const uint64_t entry = table.entries + i * table.entry_bytes;
        uint64_t key;
        uint64_t value;
        StrText text;
        if (!guarded_read(entry + table.key, &key) || !may_be_object(key) ||
            !guarded_read(entry + table.value, &value) || !may_be_object(value)) {
            continue;
        }
        if (is_text(*layout, key, "__module__") &&
            read_str(*layout, value, module, sizeof(module), &text) && !text.truncated) {
            return text.bytes;
        }
    }
    return 0;
}

ValueType value_type(uint64_t type) {
    const Interpreter& python = interpreter();
    if (type == python.str_type) return ValueType::str;
    if (type == python.bytes_type) return ValueType::bytes;
    return type == python.int_type ? ValueType::integer : ValueType::none;
}

ContainerType container_type(uint64_t type, uint64_t flags) {
    if ((flags & kListSubclassFlag) != 0) return ContainerType::list;
    if ((flags & kDictSubclassFlag) != 0) return ContainerType::dict;
    return type == interpreter().set_type ? ContainerType::set : ContainerType::none;
}

}  // namespace

const TypeFacts* TypeCache::find(Arena& arena, segment::Writer* writer, uint64_t candidate) {
    if (interpreter().type_type == 0 || !may_be_object(candidate)) return nullptr;
    uint64_t& rejected = rejected_[(candidate >> 4) % kRejected];
    if (rejected == candidate) return nullptr;
    if (const auto* entry = known_.find(candidate)) return &facts_[entry->value];
    char name[kMaxNameBytes];
    char module[kMaxModuleBytes];
    size_t length = 0;
    uint64_t flags = 0;
    if (is_type(candidate) && guarded_read(candidate + kTpFlags, &flags)) {
        length = read_name(candidate, name);
    }
    if (length == 0) {
        rejected = candidate;
        return nullptr;
    }
    // Types of C extensions name their module themselves.
    const bool is_class = (flags & kHeapTypeFlag) != 0 && std::memchr(name, '.', length) == nullptr;
    const size_t module_length = is_class ? read_module(candidate, module) : 0;
    const auto index = static_cast<uint32_t>(facts_.size());
    const TypeFacts facts = {(flags & kGcFlag) != 0, value_type(candidate),
                             container_type(candidate, flags)};
    if (!facts_.push(arena, facts)) return nullptr;
    const size_t prefix = module_length == 0 ? 0 : module_length + 1;
    auto* record = writer->begin<trace::TypeRecord>(trace::RecordType::type, prefix + length);
    if (record == nullptr || known_.insert(arena, candidate, index) == nullptr) {
        facts_.shrink(index);
        return nullptr;
    }
    record->address = candidate;
    record->name_bytes = static_cast<uint32_t>(prefix + length);
    record->padding = 0;
    char* to = reinterpret_cast<char*>(record + 1);
    if (prefix != 0) {
        std::memcpy(to, module, module_length);
        to[module_length] = '.';
    }
    std::memcpy(to + prefix, name, length);
    writer->commit();
    return &facts_[index];
}

}  // namespace cowscope::cpython
