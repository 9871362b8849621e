// Where CPython keeps what cowscope reads, one column for each minor version: for the library in
// the process and for the reader outside of it. x86-64, release builds with the GIL.
//
// Sources: the debug information (gdb ptype /o) of 3.6.15, 3.7.16, 3.8.18, 3.9.18, 3.10.13, 3.11.7,
// 3.12.1 and 3.13.0, each built with gcc 12, and the headers of Debian's 3.14.10; all checked
// against that version's headers (Include/, Include/cpython/, Include/internal/). Within a minor
// version these layouts did not move. From 3.13 on the interpreter tells offsets itself
// (_Py_DebugOffsets), and what it says replaces the column. A build that differs (debug, tracing of
// references, without the GIL) fails the readers' checks, and is not looked at.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cowscope::cpython {

inline constexpr uint16_t kNone = 0xffff;  // the version has no such member

// What a frame's instruction field holds.
enum class InstructionField : uint8_t {
    bytes,  // f_lasti, up to 3.9: an offset
    units,  // f_lasti of 3.10: an offset in units of two bytes
    ptr,    // prev_instr, instr_ptr: an address
};

// How the attributes of instances of Python classes are kept from 3.11 on.
enum class ManagedDict : uint8_t {
    none,   // a pointer at tp_dictoffset
    v3_11,  // values at object - 32, dict at object - 24
    v3_12,  // one of both at object - 24; values where the low bit is set
    v3_13,  // and later: dict at object - 24, values behind the object
};

// Offsets and sizes in bytes. Comments stand above the members that they are of, in their order.
// clang-format off

// What both read.                3.6    3.7    3.8    3.9   3.10   3.11   3.12   3.13   3.14
#define COWSCOPE_CPYTHON_LAYOUT(field)                                                            \
    /* PY_VERSION_HEX >> 16 */                                                                    \
    field(u16, version,           0x306, 0x307, 0x308, 0x309, 0x30a, 0x30b, 0x30c, 0x30d, 0x30e)  \
    /* PyThreadState: frame, cframe or current_frame; in a _PyCFrame current_frame; */            \
    /* thread_id; the size; datastack_chunk, where frames lie */                                  \
    field(u16, thread_frame,         24,    24,    24,    24,    24,    56,    56,    72,    72)  \
    field(u16, cframe_frame,      kNone, kNone, kNone, kNone, kNone,     8,     0, kNone, kNone)  \
    field(u16, thread_id,           152,   176,   176,   176,   176,   152,   136,   152,   152)  \
    field(u16, thread_bytes,       2272,   280,   264,   264,   280,   360,   288,   304,   304)  \
    field(u16, thread_chunk,      kNone, kNone, kNone, kNone, kNone,   296,   232,   232,   232)  \
    /* sizeof PyInterpreterState */                                                               \
    field(u32, interpreter_bytes, 120, 2568, 2720, 5656, 113528, 107752, 383552, 194968, 194968)  \
    /* PyFrameObject up to 3.10, then _PyInterpreterFrame: f_back or previous; f_code or */       \
    /* f_executable; f_lasti, prev_instr or instr_ptr, and what that is; is_entry; owner, and */  \
    /* the least one that is no frame of Python but says that C called the next; how much is */   \
    /* read (sizeof PyFrameObject without locals) */                                              \
    field(bool, frame_is_object,    true,  true,  true,  true,  true, false, false, false, false) \
    field(u16, frame_back,           24,    24,    24,    24,    24,    48,     8,     8,     8)  \
    field(u16, frame_code,           32,    32,    32,    32,    32,    32,     0,     0,     0)  \
    field(u16, frame_instruction,   120,   104,   104,   104,    96,    56,    56,    56,    56)  \
    field(InstructionField, instruction_field,                                                    \
                                  bytes, bytes, bytes, bytes, units,   ptr,   ptr,   ptr,   ptr)  \
    field(u16, frame_is_entry,    kNone, kNone, kNone, kNone, kNone,    68, kNone, kNone, kNone)  \
    field(u16, frame_owner,       kNone, kNone, kNone, kNone, kNone, kNone,    70,    70,    74)  \
    field(u8,  first_c_owner,         0,     0,     0,     0,     0,     0,     3,     3,     3)  \
    field(u16, frame_bytes,         384,   368,   368,   368,   360,    72,    72,    72,    80)  \
    /* PyCodeObject: the size without instructions; co_firstlineno; co_filename; */               \
    /* co_qualname, or co_name where there is no other; co_lnotab or co_linetable; */             \
    /* co_code_adaptive; co_version */                                                            \
    field(u16, code_bytes,          144,   144,   176,   176,   176,   192,   200,   208,   216)  \
    field(u16, code_first_line,      36,    36,    40,    40,    40,    72,    68,    68,    68)  \
    field(u16, code_filename,        96,    96,   104,   104,   104,   112,   112,   112,   112)  \
    field(u16, code_name,           104,   104,   112,   112,   112,   128,   128,   128,   128)  \
    field(u16, code_line_table,     112,   112,   120,   120,   120,   136,   136,   136,   136)  \
    field(u16, code_adaptive,     kNone, kNone, kNone, kNone, kNone,   184,   192,   200,   208)  \
    field(u16, code_version,      kNone, kNone, kNone, kNone, kNone, kNone,    92,    92,    92)  \
    /* sizeof PyASCIIObject and PyCompactUnicodeObject: where the text of a str starts */         \
    field(u16, ascii_bytes,          48,    48,    48,    48,    48,    48,    40,    40,    40)  \
    field(u16, compact_bytes,        72,    72,    72,    72,    72,    72,    56,    56,    56)  \
    /* sizeof PyGC_Head, before an object that the collector knows; POOL_SIZE of obmalloc.c */    \
    field(u16, gc_head_bytes,        32,    32,    16,    16,    16,    16,    16,    16,    16)  \
    field(u32, pool_bytes,         4096,  4096,  4096,  4096, 16384, 16384, 16384, 16384, 16384)  \
    /* PyLongObject has an lv_tag; PyDictKeysObject has dk_log2_index_bytes and dk_kind */        \
    field(bool, tagged_int,        false, false, false, false, false, false,  true,  true,  true) \
    field(bool, compact_keys,      false, false, false, false, false,  true,  true,  true,  true)

// What only the reader from outside reads.
#define COWSCOPE_CPYTHON_HEAP(field)                                                             \
    /* _PyRuntimeState.interpreters.main; 3.6 has no _PyRuntime */                               \
    field(u16, main_interpreter,  kNone,    32,    40,    40,    40,    48,    48,   640,   816) \
    /* PyInterpreterState: modules or imports.modules; tstate_head or threads.head */            \
    field(u16, modules,              16,    40,    56,   856,   856,   888,   944,  7656,  7688) \
    field(u16, threads_head,          8,     8,     8,     8,     8,    16,    72,  7344,  7344) \
    /* f_globals of a frame; f_localsplus or localsplus */                                       \
    field(u16, frame_globals,        48,    48,    48,    48,    48,     8,    24,    24,    24) \
    field(u16, frame_variables,     376,   360,   360,   360,   352,    72,    72,    72,    80) \
    /* PyCodeObject: tuples of the names of these variables, in their order: co_varnames, */     \
    /* co_cellvars, co_freevars, or co_localsplusnames alone */                                  \
    field(u16, code_names,           64,    64,    72,    72,    72,    96,    96,    96,    96) \
    field(u16, code_cell_names,      80,    80,    88,    88,    88, kNone, kNone, kNone, kNone) \
    field(u16, code_free_names,      72,    72,    80,    80,    80, kNone, kNone, kNone, kNone) \
    /* PyTupleObject.ob_item; PyFunctionObject.func_globals */                                   \
    field(u16, tuple_items,          24,    24,    24,    24,    24,    24,    24,    24,    32) \
    field(u16, function_globals,     24,    24,    24,    24,    16,    16,    16,    16,    16) \
    /* from ma_values of a dict to the first value */                                            \
    field(u16, values_header,         0,     0,     0,     0,     0,     0,     0,     8,     8) \
    /* PyHeapTypeObject.ht_name, the first of three strings; ht_cached_keys */                   \
    field(u16, heap_type_name,      832,   832,   848,   840,   848,   848,   856,   856,   856) \
    field(u16, cached_keys,         856,   856,   872,   864,   872,   872,   880,   880,   880) \
    /* how instances of Python classes keep their attributes */                                  \
    field(ManagedDict, managed_dict,                                                             \
                                   none,  none,  none,  none,  none, v3_11, v3_12, v3_13, v3_13)

// clang-format on

inline constexpr size_t kVersions = 9;

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;

#define COWSCOPE_CPYTHON_MEMBER(type, name, ...) type name;
struct Layout {
    COWSCOPE_CPYTHON_LAYOUT(COWSCOPE_CPYTHON_MEMBER)
};
struct HeapOffsets {
    COWSCOPE_CPYTHON_HEAP(COWSCOPE_CPYTHON_MEMBER)
};
#undef COWSCOPE_CPYTHON_MEMBER

#define COWSCOPE_CPYTHON_SET(type, name, ...)                      \
    {                                                              \
        constexpr type values[] = {__VA_ARGS__};                   \
        static_assert(sizeof(values) / sizeof(type) == kVersions); \
        row.name = values[column];                                 \
    }
constexpr Layout layout_in_column(size_t column) {
    using enum InstructionField;
    Layout row = {};
    COWSCOPE_CPYTHON_LAYOUT(COWSCOPE_CPYTHON_SET)
    return row;
}
constexpr HeapOffsets heap_offsets_in_column(size_t column) {
    using enum ManagedDict;
    HeapOffsets row = {};
    COWSCOPE_CPYTHON_HEAP(COWSCOPE_CPYTHON_SET)
    return row;
}
#undef COWSCOPE_CPYTHON_SET

inline constexpr Layout kLayouts[] = {
    layout_in_column(0), layout_in_column(1), layout_in_column(2),
    layout_in_column(3), layout_in_column(4), layout_in_column(5),
    layout_in_column(6), layout_in_column(7), layout_in_column(8),
};
static_assert(sizeof(kLayouts) / sizeof(Layout) == kVersions);

// The same in all of them. Include/object.h, Include/cpython/object.h: PyObject, PyVarObject,
// PyTypeObject.
inline constexpr uint64_t kObType = 8;
inline constexpr uint64_t kObSize = 16;
inline constexpr uint64_t kTpName = 24;
inline constexpr uint64_t kTpBasicSize = 32;
inline constexpr uint64_t kTpItemSize = 40;
inline constexpr uint64_t kTpFlags = 168;
inline constexpr uint64_t kTpBase = 256;
inline constexpr uint64_t kTpDict = 264;
inline constexpr uint64_t kTpDictOffset = 288;
inline constexpr uint64_t kTpBases = 336;
inline constexpr uint64_t kTpMro = 344;
inline constexpr uint64_t kTpVersion = 384;  // tp_version_tag, four bytes

// Py_TPFLAGS_… of tp_flags. Include/object.h.
inline constexpr uint64_t kInlineValuesFlag = uint64_t{1} << 2;  // 3.13 on
inline constexpr uint64_t kManagedDictFlag = uint64_t{1} << 4;   // 3.11 on
inline constexpr uint64_t kHeapTypeFlag = uint64_t{1} << 9;
inline constexpr uint64_t kGcFlag = uint64_t{1} << 14;
inline constexpr uint64_t kLongSubclassFlag = uint64_t{1} << 24;
inline constexpr uint64_t kListSubclassFlag = uint64_t{1} << 25;
inline constexpr uint64_t kTupleSubclassFlag = uint64_t{1} << 26;
inline constexpr uint64_t kBytesSubclassFlag = uint64_t{1} << 27;
inline constexpr uint64_t kUnicodeSubclassFlag = uint64_t{1} << 28;
inline constexpr uint64_t kDictSubclassFlag = uint64_t{1} << 29;
inline constexpr uint64_t kTypeSubclassFlag = uint64_t{1} << 31;

// PyThreadState; _PyStackChunk.size (pystate.h).
inline constexpr uint64_t kThreadNext = 8;
inline constexpr uint64_t kThreadInterpreter = 16;
inline constexpr uint64_t kChunkSize = 8;
// From 3.14 on the low bits of a frame's words are tags. Include/internal/pycore_stackref.h.
inline constexpr uint16_t kFirstWithTaggedFrames = 0x030e;

// unicodeobject.h, bytesobject.h, longintrepr.h.
inline constexpr uint64_t kStrLength = 16;
inline constexpr uint64_t kStrHash = 24;
inline constexpr uint64_t kStrState = 32;
inline constexpr uint64_t kBytesValue = 32;
inline constexpr uint64_t kIntDigits = 24;
// dictobject.h, listobject.h, setobject.h, moduleobject.c.
inline constexpr uint64_t kDictUsed = 16;
inline constexpr uint64_t kDictVersion = 24;  // ma_version_tag; from 3.14 on _ma_watcher_tag
inline constexpr uint64_t kDictKeys = 32;
inline constexpr uint64_t kDictValues = 40;
inline constexpr uint64_t kListItems = 24;
inline constexpr uint64_t kListAllocated = 32;
inline constexpr uint64_t kSetMask = 32;
inline constexpr uint64_t kSetTable = 40;
inline constexpr uint64_t kSetEntryBytes = 16;  // {key, hash}
inline constexpr uint64_t kModuleDict = 16;

// _Py_DebugOffsets, at the start of _PyRuntime from 3.13 on (pycore_runtime.h of 3.13,
// pycore_debug_offsets.h of 3.14): where a version states its own offsets. Indices of words of
// eight bytes, each of the first word of a group, from which its other members are counted.
inline constexpr char kDebugCookie[] = "xdebugpy";
inline constexpr uint64_t kDebugFreeThreadedWord = 2;
inline constexpr uint64_t kDebugFinalizingWord = 4;        // runtime_state.finalizing
inline constexpr uint64_t kDebugInterpretersHeadWord = 5;  // runtime_state.interpreters_head
struct DebugOffsets {
    uint16_t version;
    uint8_t interpreter;  // interpreter_state.size
    uint8_t modules;      // interpreter_state.imports_modules
    // thread_state.size, …, current_frame (4), thread_id (5), …, datastack_chunk (7)
    uint8_t thread;
    uint8_t frame;  // interpreter_frame.size, previous, executable, instr_ptr, …, owner
    uint8_t code;   // code_object.size, filename, name, qualname, linetable, firstlineno, …
};
inline constexpr DebugOffsets kDebugOffsets[] = {
    {0x030d, 6, 11, 19, 28, 34},
    {0x030e, 6, 12, 22, 31, 39},
};

}  // namespace cowscope::cpython
