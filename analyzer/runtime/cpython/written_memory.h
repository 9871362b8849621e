// What of CPython's lies at an address of one process, from what the shim recorded.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "runtime/write.h"
#include "trace/process_trace.h"

namespace cowscope::cpython {

enum class MemoryKind : uint8_t {
    none,
    object_start,  // the reference count of an object in use
    gc_header,     // the collector's, before an object in use
    object_hash,   // the hash that an object in use remembers
    object_field,  // elsewhere in an object in use
    items,         // a container's items, keys or table
    code,          // in a code object, behind its count
    type,          // in a type object, behind its count
    frame,         // a frame of the interpreter's, or a generator's
    pool_header,   // of the small-object allocator
    pool_block,    // a block of it that holds no object in use
    thread_state,
    interpreter_state,
    runtime,  // _PyRuntime
};

constexpr runtime::Target target(MemoryKind kind, uint32_t type = 0) {
    return {runtime::Id::cpython, static_cast<uint8_t>(kind), type};
}

class WrittenMemory {
  public:
    // Must outlive this object.
    explicit WrittenMemory(const trace::ProcessTrace& process);

    // `type`: of the event's place.
    runtime::Target target_of(const trace::EventRecord& event, uint32_t type) const;
    // "" for none.
    std::string name_of(uint32_t type) const {
        return type == 0 ? std::string() : process_.type_names[type - 1];
    }

    // PyType_Type, in the data of the module that holds the interpreter; 0 where there is none.
    uint64_t type_type() const;

  private:
    MemoryKind kind_in_object(const std::string& type, int32_t offset) const;
    MemoryKind kind_by_address(uint64_t address) const;

    const trace::ProcessTrace& process_;
    std::map<uint64_t, uint64_t> codes_;  // start of the part behind the count, and its end
    std::map<uint64_t, uint64_t> threads_;
    std::map<uint64_t, uint64_t> types_;
};

}  // namespace cowscope::cpython
