// CPython type objects, found through the word that stands where an object keeps its ob_type.
//
// Offsets are the same from CPython 3.6 to 3.14 without free threading (format/cpython_layouts.h).
#pragma once

#include "support/arena.h"
#include "support/intern_table.h"
#include "support/record_sink.h"

namespace cowscope::cpython {

enum class ValueType : uint8_t { none, str, bytes, integer };

// With the layout of these in all their subclasses.
enum class ContainerType : uint8_t { none, list, dict, set };

struct TypeFacts {
    bool has_gc = false;  // its objects have a header of the collector's before them
    ValueType value = ValueType::none;
    ContainerType container = ContainerType::none;
};

// What tells a type object from another that comes to its address later. From where one is read
// whole it is only told by the text of its record: its name, with the module's.
struct TypeIdentity {
    uint64_t type;          // its own: `type`, or a metaclass
    uint64_t name;          // where tp_name points to
    uint64_t dict;          // tp_dict
    uint32_t version;       // tp_version_tag, which no other type gets; 0: it has none yet
    uint64_t name_start;    // the first characters, where there is no version
    uint64_t dict_version;  // of tp_dict, which changes with it up to 3.13; likewise

    bool operator==(const TypeIdentity&) const = default;
};

// Writes a TypeRecord for every type object it is shown for the first time, and for another one
// that comes to the address of one that was freed.
// Async-signal-safe; callers hold the process's lock. Memory behind a wrong guess is only read
// through guarded reads, or, where no other thread is there to take it away, once it was found to
// be readable.
class TypeCache {
  public:
    // `candidate`: a word that may be the address of a type object. nullptr where it is none.
    const TypeFacts* find(Arena& arena, const RecordSink& sink, uint64_t candidate);

    // Modules have gone, and the static types in them.
    void forget_static() { ++static_version_; }

  private:
    // Words that turned out to be no types, most recent first served.
    static constexpr size_t kRejected = 1024;

    struct Known {
        TypeFacts facts;
        uint32_t static_version;  // not 0: it was static then, which is freed with its module alone
        TypeIdentity identity;
        uint64_t text_hash;
    };
    struct Rejected {
        uint64_t candidate;
        uint64_t type;  // the word that is no type of a type's
    };

    bool is_still(const Known& known, uint64_t candidate) const;

    InternTable known_;  // indices into types_
    ArenaArray<Known> types_;
    uint32_t static_version_ = 1;
    Rejected rejected_[kRejected] = {};
};

}  // namespace cowscope::cpython
