#include "cpython/types.h"

#include <dlfcn.h>

#include <cstring>

#include "support/guarded_read.h"

#include "support/poison.h"

namespace cowscope::cpython {
namespace {

constexpr uint64_t kObTypeOffset = 8;
constexpr uint64_t kTpNameOffset = 24;
constexpr size_t kMaxNameBytes = 128;

// PyType_Type, the type of all types that have no metaclass; 0 without an interpreter.
uint64_t type_of_types = 0;

// A type object's type is PyType_Type, or a metaclass, whose type that is (or a further one).
bool is_type(uint64_t candidate) {
    constexpr int kMetaclassDepth = 3;
    uint64_t object = candidate;
    for (int i = 0; i < kMetaclassDepth; ++i) {
        uint64_t type;
        if (!guarded_read(object + kObTypeOffset, &type)) return false;
        if (type == type_of_types) return true;
        if (type % 8 != 0 || type == object) return false;
        object = type;
    }
    return false;
}

// Copies a NUL-terminated printable name; returns its length, 0 when it is none.
size_t read_name(uint64_t type, char (&name)[kMaxNameBytes]) {
    uint64_t address;
    if (!guarded_read(type + kTpNameOffset, &address) || address == 0) return 0;
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

}  // namespace

void find_interpreter() {
    type_of_types = reinterpret_cast<uint64_t>(dlsym(RTLD_DEFAULT, "PyType_Type"));
}

bool has_interpreter() {
    return type_of_types != 0;
}

void TypeCache::record(Arena& arena, segment::Writer* writer, uint64_t candidate) {
    constexpr uint64_t kUserSpaceEnd = uint64_t{1} << 47;
    if (type_of_types == 0 || candidate % 8 != 0 || candidate >= kUserSpaceEnd) return;
    uint64_t& rejected = rejected_[(candidate >> 4) % kRejected];
    if (rejected == candidate || known_.find(candidate) != nullptr) return;
    char name[kMaxNameBytes];
    size_t length = 0;
    if (is_type(candidate)) length = read_name(candidate, name);
    if (length == 0) {
        rejected = candidate;
        return;
    }
    auto* record = writer->begin<trace::TypeRecord>(trace::RecordType::type, length);
    if (record == nullptr) return;
    record->address = candidate;
    record->name_bytes = static_cast<uint32_t>(length);
    record->padding = 0;
    std::memcpy(record + 1, name, length);
    writer->commit();
    known_.insert(arena, candidate, known_.count());
}

}  // namespace cowscope::cpython
