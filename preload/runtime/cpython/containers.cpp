#include "runtime/cpython/containers.h"

#include "runtime/cpython/interpreter.h"
#include "runtime/cpython/memory.h"
#include "support/guarded_read.h"
#include "support/readable.h"

#include "support/poison.h"

namespace cowscope::cpython {
namespace {

// The words of an object that follow its type. The same in all versions (listobject.h,
// dictobject.h, setobject.h): of a list ob_size, ob_item, allocated; of a dict ma_used,
// ma_version_tag, ma_keys, ma_values; of a set fill, used, mask, table.
struct Fields {
    uint64_t words[4];
};

bool is_in(uint64_t address, uint64_t start, uint64_t bytes) {
    return start != 0 && address - start < bytes;
}

bool is_in_list(const Fields& list, uint64_t address) {
    constexpr uint64_t kMostItems = uint64_t{1} << 40;
    return list.words[2] < kMostItems && is_in(address, list.words[1], list.words[2] * 8);
}

bool is_in_set(const Fields& set, uint64_t address) {
    constexpr uint64_t kMostEntries = uint64_t{1} << 40;
    return set.words[2] < kMostEntries &&
           is_in(address, set.words[3], (set.words[2] + 1) * kSetEntryBytes);
}

bool is_in_dict(const Fields& dict, uint64_t address) {
    const uint64_t keys = dict.words[2];
    const uint64_t values = dict.words[3];
    KeysShape table;
    if (!may_be_object(keys) || !read_keys(*interpreter().layout, keys, &table)) return false;
    const uint64_t capacity = table.usable + table.used;
    if (is_in(address, keys, table.entries + capacity * table.entry_bytes)) return true;
    // Values of keys that objects share: an array as long, and a few words around it.
    constexpr uint64_t kExtraBytes = 32;
    return is_in(address, values, capacity * 8 + kExtraBytes);
}

}  // namespace

uint64_t find_container(Arena& arena, const RecordSink& sink, TypeCache* types, uint64_t address,
                        const uint64_t (&registers)[trace::kRegisterCount]) {
    // Registers that point into the stack hold no objects.
    constexpr uint64_t kNearStack = 1 << 20;
    for (size_t i = 0; i < trace::kRegisterCount; ++i) {
        const uint64_t object = registers[i];
        if (!may_be_object(object) || object - registers[trace::kStackPointer] < kNearStack)
            continue;
        if (!is_readable(object, kObSize + sizeof(Fields))) continue;
        uint64_t type;
        if (!guarded_read(object + kObType, &type)) continue;
        const TypeFacts* facts = types->find(arena, sink, type);
        if (facts == nullptr || facts->container == ContainerType::none) continue;
        Fields fields;
        if (!guarded_read(object + kObSize, &fields)) continue;
        const bool holds = facts->container == ContainerType::list   ? is_in_list(fields, address)
                           : facts->container == ContainerType::dict ? is_in_dict(fields, address)
                                                                     : is_in_set(fields, address);
        if (holds) return type;
    }
    return 0;
}

}  // namespace cowscope::cpython
