// Where CPython keeps what the shim reads: one row for each minor version, x86-64, with the GIL.
//
// Every number was taken from the debug information of the build that the row names and checked
// against that version's headers. Within a minor version these layouts did not move (frames, thread
// states and code objects are those that py-spy's bindings of the .0 releases have). From 3.13 on
// the interpreter tells its offsets itself, and what it says replaces the row (debug_offsets.h).
// A build that differs (debug, tracing of references, without the GIL) fails the checks in
// interpreter.cpp and frames.cpp, and is not looked at.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cowscope::cpython {

inline constexpr uint16_t kNone = 0xffff;

// What a frame's instruction field holds.
enum class InstructionField : uint8_t {
    byte_offset,  // f_lasti, up to 3.9
    unit_offset,  // f_lasti of 3.10, in units of two bytes
    pointer,      // prev_instr, instr_ptr
};

// Names are those of CPython's members; offsets in bytes.
struct Layout {
    uint16_t version;  // PY_VERSION_HEX >> 16

    uint16_t thread_frame;       // PyThreadState: frame, cframe or current_frame
    uint16_t cframe_frame;       // _PyCFrame.current_frame; kNone where there is no _PyCFrame
    uint16_t thread_id;          // PyThreadState.thread_id
    uint16_t thread_bytes;       // sizeof(PyThreadState)
    uint32_t interpreter_bytes;  // sizeof(PyInterpreterState)

    bool frame_is_object;  // PyFrameObject, up to 3.10; then _PyInterpreterFrame
    uint16_t frame_back;   // f_back, previous
    uint16_t frame_code;   // f_code, f_executable
    uint16_t frame_instruction;
    InstructionField instruction_field;
    uint16_t frame_is_entry;  // is_entry of 3.11
    uint16_t frame_owner;     // owner, from 3.12 on
    uint8_t first_c_owner;    // owners from here on are no Python frames: C called the next one
    uint16_t frame_bytes;     // sizeof(PyFrameObject), without locals; then as much as is read
    uint16_t thread_chunk;    // PyThreadState.datastack_chunk, from 3.11 on: where frames lie

    uint16_t code_bytes;  // sizeof(PyCodeObject), without instructions
    uint16_t code_first_line;
    uint16_t code_filename;
    uint16_t code_name;  // co_qualname where there is one
    uint16_t code_line_table;
    uint16_t code_adaptive;  // co_code_adaptive, from 3.11 on
    uint16_t code_version;   // co_version, from 3.12 on

    uint16_t ascii_bytes;    // sizeof(PyASCIIObject)
    uint16_t compact_bytes;  // sizeof(PyCompactUnicodeObject)

    uint16_t gc_head_bytes;
    uint32_t pool_bytes;  // of the small-object allocator (obmalloc.c, POOL_SIZE)
    bool tagged_int;      // PyLongObject with lv_tag, from 3.12 on
    bool compact_keys;    // dict keys with dk_log2_index_bytes and dk_kind, from 3.11 on
};

inline constexpr Layout kLayouts[] = {
    // 3.6.15, pyenv, gcc 12
    {0x0306, 24,    kNone, 152, 2272,  120,   true, 24, 32,  120, InstructionField::byte_offset,
     kNone,  kNone, 0,     384, kNone, 144,   36,   96, 104, 112, kNone,
     kNone,  48,    72,    32,  4096,  false, false},
    // 3.7.16, pyenv, gcc 12
    {0x0307, 24,    kNone, 176, 280,   2568,  true, 24, 32,  104, InstructionField::byte_offset,
     kNone,  kNone, 0,     368, kNone, 144,   36,   96, 104, 112, kNone,
     kNone,  48,    72,    32,  4096,  false, false},
    // 3.8.18, pyenv, gcc 12
    {0x0308, 24,    kNone, 176, 264,   2720,  true, 24,  32,  104, InstructionField::byte_offset,
     kNone,  kNone, 0,     368, kNone, 176,   40,   104, 112, 120, kNone,
     kNone,  48,    72,    16,  4096,  false, false},
    // 3.9.18, pyenv, gcc 12
    {0x0309, 24,    kNone, 176, 264,   5656,  true, 24,  32,  104, InstructionField::byte_offset,
     kNone,  kNone, 0,     368, kNone, 176,   40,   104, 112, 120, kNone,
     kNone,  48,    72,    16,  4096,  false, false},
    // 3.10.13, pyenv, gcc 12
    {0x030a, 24,    kNone, 176, 280,   113528, true, 24,  32,  96,  InstructionField::unit_offset,
     kNone,  kNone, 0,     360, kNone, 176,    40,   104, 112, 120, kNone,
     kNone,  48,    72,    16,  16384, false,  false},
    // 3.11.7, pyenv, gcc 12; 3.11.2, Debian 12
    {0x030b, 56,    8,  152, 360,   107752, false, 48,  32,  56,  InstructionField::pointer,
     68,     kNone, 0,  72,  296,   192,    72,    112, 128, 136, 184,
     kNone,  48,    72, 16,  16384, false,  true},
    // 3.12.1, pyenv, gcc 12
    {0x030c, 56, 0,  136, 288,   383552, false, 8,   0,   56,  InstructionField::pointer,
     kNone,  70, 3,  72,  232,   200,    68,    112, 128, 136, 192,
     92,     40, 56, 16,  16384, true,   true},
    // 3.13.0, pyenv, gcc 12
    {0x030d, 72, kNone, 152, 304,   194968, false, 8,   0,   56,  InstructionField::pointer,
     kNone,  70, 3,     72,  232,   208,    68,    112, 128, 136, 200,
     92,     40, 56,    16,  16384, true,   true},
    // 3.14.10, Debian, gcc 16
    {0x030e, 72, kNone, 152, 304,   194968, false, 8,   0,   56,  InstructionField::pointer,
     kNone,  74, 3,     80,  232,   216,    68,    112, 128, 136, 208,
     92,     40, 56,    16,  16384, true,   true},
};

// The same in all of them (object.h, unicodeobject.h, bytesobject.h, longintrepr.h, dict-common.h).
inline constexpr uint64_t kObType = 8;
inline constexpr uint64_t kObSize = 16;
inline constexpr uint64_t kTpName = 24;
inline constexpr uint64_t kTpFlags = 168;
inline constexpr uint64_t kTpDict = 264;
inline constexpr uint64_t kTpVersion = 384;   // tp_version_tag, four bytes
inline constexpr uint64_t kDictVersion = 24;  // ma_version_tag; from 3.14 on _ma_watcher_tag
inline constexpr uint64_t kHeapTypeFlag = uint64_t{1} << 9;       // Py_TPFLAGS_HEAPTYPE
inline constexpr uint64_t kGcFlag = uint64_t{1} << 14;            // Py_TPFLAGS_HAVE_GC
inline constexpr uint64_t kListSubclassFlag = uint64_t{1} << 25;  // Py_TPFLAGS_LIST_SUBCLASS
inline constexpr uint64_t kDictSubclassFlag = uint64_t{1} << 29;  // Py_TPFLAGS_DICT_SUBCLASS
inline constexpr uint64_t kTypeSubclassFlag = uint64_t{1} << 31;  // Py_TPFLAGS_TYPE_SUBCLASS
inline constexpr uint64_t kThreadInterpreter = 16;
inline constexpr uint64_t kStrLength = 16;
inline constexpr uint64_t kStrHash = 24;
inline constexpr uint64_t kStrState = 32;
inline constexpr uint64_t kBytesValue = 32;
inline constexpr uint64_t kIntDigits = 24;
inline constexpr uint64_t kMaKeys = 32;
inline constexpr uint64_t kChunkSize = 8;  // _PyStackChunk.size (pystate.h)

}  // namespace cowscope::cpython
