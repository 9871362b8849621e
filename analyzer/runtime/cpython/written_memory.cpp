#include "runtime/cpython/written_memory.h"

#include <iterator>

namespace cowscope::cpython {
namespace {

constexpr uint64_t kCountBytes = 8;
// sizeof(PyTypeObject), the smallest of all versions (3.6).
constexpr uint64_t kTypeBytes = 400;
// PyASCIIObject.hash, PyBytesObject.ob_shash; from 3.14 on PyTupleObject.ob_hash.
constexpr int32_t kHashOffset = 24;
constexpr uint32_t kTupleHashSince = 0x030e;

bool holds(const std::map<uint64_t, uint64_t>& ranges, uint64_t address) {
    const auto behind = ranges.upper_bound(address);
    return behind != ranges.begin() && address < std::prev(behind)->second;
}

bool is_frame_type(const std::string& type) {
    return type == "frame" || type == "generator" || type == "coroutine" ||
           type == "async_generator";
}

}  // namespace

WrittenMemory::WrittenMemory(const trace::ProcessTrace& process) : process_(process) {
    for (const trace::RuntimeCode& code : process.runtime.codes) {
        codes_[code.address + kCountBytes] = code.address + code.bytes;
    }
    for (const trace::RuntimeThreadRecord& thread : process.runtime.threads) {
        threads_[thread.address] = thread.address + thread.bytes;
    }
    if (!process.runtime.interpreter) return;
    for (const auto& [address, name] : process.types) {
        types_[address + kCountBytes] = address + kTypeBytes;
    }
}

uint64_t WrittenMemory::type_type() const {
    return process_.runtime.interpreter ? process_.runtime.interpreter->type_type : 0;
}

MemoryKind WrittenMemory::kind_in_object(const std::string& type, int32_t offset) const {
    if (offset < 0) return MemoryKind::gc_header;
    if (offset < static_cast<int32_t>(kCountBytes)) return MemoryKind::object_start;
    if (type == "code") return MemoryKind::code;
    if (type == "type") return MemoryKind::type;
    if (is_frame_type(type)) return MemoryKind::frame;
    const bool has_hash =
        type == "str" || type == "bytes" ||
        (type == "tuple" && process_.runtime.interpreter->version >> 16 >= kTupleHashSince);
    const bool at_hash = offset >= kHashOffset && offset < kHashOffset + 8;
    return has_hash && at_hash ? MemoryKind::object_hash : MemoryKind::object_field;
}

MemoryKind WrittenMemory::kind_by_address(uint64_t address) const {
    if (holds(codes_, address)) return MemoryKind::code;
    if (holds(types_, address)) return MemoryKind::type;
    if (holds(threads_, address)) return MemoryKind::thread_state;
    const auto& python = process_.runtime;
    if (!python.interpreter) return MemoryKind::none;
    const trace::RuntimeRecord& interpreter = *python.interpreter;
    if (address - interpreter.interpreter_start < interpreter.interpreter_bytes) {
        return MemoryKind::interpreter_state;
    }
    return address - interpreter.runtime_start < interpreter.runtime_bytes ? MemoryKind::runtime
                                                                           : MemoryKind::none;
}

runtime::Target WrittenMemory::target_of(const trace::EventRecord& event, uint32_t type) const {
    if (type != 0 && !process_.runtime.interpreter) {
        // Types are known in any version; where objects lie is not.
        return event.object_offset == 0 ? target(MemoryKind::object_start, type)
                                        : runtime::Target{};
    }
    if (type != 0) {
        const bool in_items = (event.header.flags & trace::kContainerItems) != 0;
        return target(
            in_items ? MemoryKind::items : kind_in_object(name_of(type), event.object_offset),
            type);
    }
    if ((event.header.flags & trace::kRuntimeFrame) != 0) return target(MemoryKind::frame);
    if ((event.header.flags & trace::kPoolHeader) != 0) return target(MemoryKind::pool_header);
    const MemoryKind kind = kind_by_address(event.address);
    if (kind != MemoryKind::none) return target(kind);
    const bool in_block = (event.header.flags & trace::kPoolBlock) != 0;
    return in_block ? target(MemoryKind::pool_block) : runtime::Target{};
}

}  // namespace cowscope::cpython
