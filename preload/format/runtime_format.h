// The records of a segment that tell of the language runtime in its process: a part of
// trace_format.h, whose rules hold here too.
//
// CPython is the only one so far, and what its fields hold is said by its names. With a second one
// a segment must say which it tells of: the flags of RuntimeRecord's header are free for that, and
// 0 is CPython.
#pragma once

#include "trace_format.h"

namespace cowscope::trace {

// The runtime of this process, of a version that the shim knows. At most one.
struct RuntimeRecord {
    RecordHeader header;
    uint32_t version;        // PY_VERSION_HEX
    uint32_t pool_bytes;     // of the small-object allocator
    uint64_t type_type;      // PyType_Type, which lies in the interpreter's own data
    uint64_t runtime_start;  // _PyRuntime; 0 where there is none (3.6)
    uint64_t runtime_bytes;
    uint64_t interpreter_start;  // PyInterpreterState of the thread that was seen first
    uint64_t interpreter_bytes;
};
static_assert(sizeof(RuntimeRecord) == 56);

// Where the runtime keeps the state of a thread that wrote: of CPython its PyThreadState.
struct RuntimeThreadRecord {
    RecordHeader header;
    uint64_t address;
    uint32_t bytes;
    uint32_t tid;
};
static_assert(sizeof(RuntimeThreadRecord) == 24);

// A code object. RuntimeCodeRecord, then name_bytes of co_qualname (co_name before 3.11),
// file_bytes of co_filename, both UTF-8, and line_table_bytes of co_lnotab (up to 3.9) or
// co_linetable. Ids count from 0 in each segment, without gaps. An address may come again with
// another id: the code object there was freed and another took its place.
struct RuntimeCodeRecord {
    RecordHeader header;  // flags: kLineTableTruncated
    uint32_t id;
    int32_t first_line;
    uint64_t address;
    uint32_t bytes;              // of the object
    uint32_t instruction_start;  // offset of its instructions; 0 where they are elsewhere (<= 3.10)
    uint32_t line_table_bytes;
    uint16_t name_bytes;
    uint16_t file_bytes;
};
static_assert(sizeof(RuntimeCodeRecord) == 40);
inline constexpr uint16_t kLineTableTruncated = 1;  // instructions behind it have no line

// RuntimeStackRecord, then depth RuntimeFrames, innermost first. Ids count from 0 without gaps.
struct RuntimeStackRecord {
    RecordHeader header;  // flags: kStackTruncated
    uint32_t id;
    uint32_t depth;
};
static_assert(sizeof(RuntimeStackRecord) == 16);

struct RuntimeFrame {
    uint32_t code;               // id, with kEnteredFromC
    int32_t instruction_offset;  // bytes into the instructions; negative: not begun
};
static_assert(sizeof(RuntimeFrame) == 8);
// The frame was entered from C: it and the ones further in, up to the next such one, are one native
// frame of the interpreter's loop.
inline constexpr uint32_t kEnteredFromC = uint32_t{1} << 31;

enum class ValueKind : uint8_t { str = 1, bytes = 2, integer = 3 };

// What an object held that events of that site wrote to, for a few of them. ObjectValueRecord, then
// text_bytes: of a str its first characters as UTF-8, of bytes its first bytes, of an int its
// decimal digits.
struct ObjectValueRecord {
    RecordHeader header;  // flags: kValueTruncated
    uint64_t address;     // of the object
    uint64_t type;
    uint64_t length;  // of the whole: characters or bytes; 0 for an int
    uint32_t site;
    uint32_t runtime_stack;
    uint32_t text_bytes;
    ValueKind kind;
    uint8_t padding[3];
};
static_assert(sizeof(ObjectValueRecord) == 48);
inline constexpr uint16_t kValueTruncated = 1;

}  // namespace cowscope::trace
