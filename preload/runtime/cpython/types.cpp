#include "runtime/cpython/types.h"

#include <cstring>

#include "arch/cpu.h"
#include "runtime/cpython/interpreter.h"
#include "runtime/cpython/keys.h"
#include "runtime/cpython/memory.h"
#include "runtime/cpython/str_text.h"
#include "support/guarded_read.h"
#include "support/hash.h"
#include "support/readable.h"
#include "support/threads.h"

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
        const uint64_t at = address + length;
        size_t step = cpu::kPageBytes - at % cpu::kPageBytes;
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
    KeysShape table;
    if (layout == nullptr || !guarded_read(type + kTpDict, &dict) || !may_be_object(dict) ||
        !guarded_read(dict + kDictKeys, &keys) || !may_be_object(keys) ||
        !read_keys(*layout, keys, &table)) {
        return 0;
    }
    const uint64_t count = table.used < kFirstEntries ? table.used : kFirstEntries;
    for (uint64_t i = 0; i < count; ++i) {
        const uint64_t entry = keys + table.entries + i * table.entry_bytes;
        uint64_t key;
        uint64_t value;
        StrText text;
        if (!guarded_read(entry + table.key, &key) || !may_be_object(key) ||
            !guarded_read(entry + table.key + sizeof(uint64_t), &value) || !may_be_object(value)) {
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

// What a record says of a type.
struct Description {
    char name[kMaxNameBytes];
    char module[kMaxModuleBytes];
    size_t name_bytes;
    size_t module_bytes;  // 0: it is not told
    uint64_t flags;

    uint64_t hash() const {
        const uint64_t words[] = {hash_text(name, name_bytes), hash_text(module, module_bytes),
                                  flags & (kGcFlag | kHeapTypeFlag)};
        return hash_words(words, 3);
    }
};

bool describe(uint64_t type, Description* found) {
    if (!guarded_read(type + kTpFlags, &found->flags)) return false;
    found->name_bytes = read_name(type, found->name);
    if (found->name_bytes == 0) return false;
    // Types of C extensions name their module themselves.
    const bool is_class = (found->flags & kHeapTypeFlag) != 0 &&
                          std::memchr(found->name, '.', found->name_bytes) == nullptr;
    found->module_bytes = is_class ? read_module(type, found->module) : 0;
    return true;
}

// Of memory that may not be there. Costs a fifth where there is only this thread.
template <typename T>
bool peek(uint64_t address, T* to) {
    if (!is_only_thread()) return guarded_read(address, to);
    if (!is_readable(address, sizeof(T))) return false;
    std::memcpy(to, reinterpret_cast<const void*>(address), sizeof(T));
    return true;
}

bool identify(uint64_t type, TypeIdentity* found) {
    constexpr uint64_t kFirst = kObType;
    uint64_t words[(kTpVersion - kFirst) / sizeof(uint64_t) + 1];
    if (!peek(type + kFirst, &words)) return false;
    const auto word = [&](uint64_t offset) { return words[(offset - kFirst) / sizeof(uint64_t)]; };
    *found = {
        word(kObType), word(kTpName), word(kTpDict), static_cast<uint32_t>(word(kTpVersion)), 0, 0};
    if (found->version != 0) return true;
    // A name ends within a page as a rule; one that does not is told by the rest.
    peek(found->name, &found->name_start);
    if (may_be_object(found->dict)) peek(found->dict + kDictVersion, &found->dict_version);
    return true;
}

}  // namespace

bool TypeCache::is_still(const Known& known, uint64_t candidate) const {
    if (known.static_version != 0) return known.static_version == static_version_;
    TypeIdentity now;
    return identify(candidate, &now) && now == known.identity;
}

const TypeFacts* TypeCache::find(Arena& arena, const RecordSink& sink, uint64_t candidate) {
    if (interpreter().type_type == 0 || !may_be_object(candidate)) return nullptr;
    auto* entry = known_.find(candidate);
    if (entry != nullptr && is_still(types_[entry->value], candidate)) {
        return &types_[entry->value].facts;
    }
    Rejected& rejected = rejected_[(candidate >> 4) % kRejected];
    uint64_t type = 0;
    if (!peek(candidate + kObType, &type)) return nullptr;
    if (rejected.candidate == candidate && rejected.type == type) return nullptr;
    if (!is_type(candidate)) {
        rejected = {candidate, type};
        return nullptr;
    }
    Description seen;
    Known known = {};
    if (!identify(candidate, &known.identity) || !describe(candidate, &seen)) return nullptr;
    known.text_hash = seen.hash();
    known.facts = {(seen.flags & kGcFlag) != 0, value_type(candidate),
                   container_type(candidate, seen.flags)};
    if ((seen.flags & kHeapTypeFlag) == 0) known.static_version = static_version_;
    if (entry != nullptr && types_[entry->value].text_hash == known.text_hash) {
        // It was changed, or is one like it.
        types_[entry->value] = known;
        return &types_[entry->value].facts;
    }
    const size_t prefix = seen.module_bytes == 0 ? 0 : seen.module_bytes + 1;
    auto* record = sink.begin<trace::TypeRecord>(trace::RecordType::type, prefix + seen.name_bytes);
    if (record == nullptr) return nullptr;
    // Before it is committed: what is not remembered would be written at every event.
    const auto index = static_cast<uint32_t>(types_.size());
    if (!types_.push(arena, known)) return nullptr;
    if (entry == nullptr) entry = known_.insert(arena, candidate, index);
    if (entry == nullptr) {
        types_.shrink(index);
        return nullptr;
    }
    entry->value = index;
    record->address = candidate;
    record->name_bytes = static_cast<uint32_t>(prefix + seen.name_bytes);
    record->padding = 0;
    char* to = reinterpret_cast<char*>(record + 1);
    if (prefix != 0) {
        std::memcpy(to, seen.module, seen.module_bytes);
        to[seen.module_bytes] = '.';
    }
    std::memcpy(to + prefix, seen.name, seen.name_bytes);
    sink.commit();
    return &types_[index].facts;
}

}  // namespace cowscope::cpython
