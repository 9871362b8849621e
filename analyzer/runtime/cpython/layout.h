// Where CPython keeps what a walk over its objects reads: one row for each minor version.
//
// Offsets are those of release builds with a GIL on x86-64. They were read from the DWARF
// of 3.6.15, 3.7.16, 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1 and 3.13.0 (gdb ptype /o), and
// for 3.14 from the headers of 3.14.10; what moved within a minor version is taken from
// _Py_DebugOffsets instead.
#pragma once

#include <cstdint>

namespace cowscope::cpython {

// What all versions have in common. Include/object.h, Include/cpython/object.h.
inline constexpr uint64_t kTypeOffset = 8;   // PyObject.ob_type
inline constexpr uint64_t kSizeOffset = 16;  // PyVarObject.ob_size
inline constexpr uint64_t kObjectBytes = 16;
inline constexpr uint64_t kVarObjectBytes = 24;
inline constexpr uint64_t kWordBytes = 8;

// PyTypeObject, the same from 3.6 to 3.14.
inline constexpr uint64_t kTypeName = 24;
inline constexpr uint64_t kTypeBasicSize = 32;
inline constexpr uint64_t kTypeItemSize = 40;
inline constexpr uint64_t kTypeFlags = 168;
inline constexpr uint64_t kTypeBase = 256;
inline constexpr uint64_t kTypeDict = 264;
inline constexpr uint64_t kTypeDictOffset = 288;
inline constexpr uint64_t kTypeBases = 336;
inline constexpr uint64_t kTypeMro = 344;
inline constexpr uint64_t kTypeReadBytes = 352;  // all of the above

// tp_flags. Include/object.h.
inline constexpr uint64_t kInlineValues = uint64_t{1} << 2;  // 3.13+
inline constexpr uint64_t kManagedDict = uint64_t{1} << 4;   // 3.11+
inline constexpr uint64_t kHeapType = uint64_t{1} << 9;
inline constexpr uint64_t kHasCollector = uint64_t{1} << 14;
inline constexpr uint64_t kLongSubclass = uint64_t{1} << 24;
inline constexpr uint64_t kListSubclass = uint64_t{1} << 25;
inline constexpr uint64_t kTupleSubclass = uint64_t{1} << 26;
inline constexpr uint64_t kBytesSubclass = uint64_t{1} << 27;
inline constexpr uint64_t kUnicodeSubclass = uint64_t{1} << 28;
inline constexpr uint64_t kDictSubclass = uint64_t{1} << 29;
inline constexpr uint64_t kTypeSubclass = uint64_t{1} << 31;

// PyDictObject, PyListObject, PySetObject, PyModuleObject, dequeobject: the same everywhere.
inline constexpr uint64_t kDictUsed = 16;
inline constexpr uint64_t kDictKeys = 32;
inline constexpr uint64_t kDictValues = 40;
inline constexpr uint64_t kListItems = 24;
inline constexpr uint64_t kListAllocated = 32;
inline constexpr uint64_t kSetMask = 32;
inline constexpr uint64_t kSetTable = 40;
inline constexpr uint64_t kSetEntryBytes = 16;  // {key, hash}
inline constexpr uint64_t kModuleDict = 16;

// How the attributes of instances of Python classes are kept from 3.11 on.
enum class ManagedDict : uint8_t {
    none,    // a pointer at tp_dictoffset
    v3_11,   // values at object - 32, dict at object - 24
    v3_12,   // one of both at object - 24; values where the low bit is set
    inline_  // 3.13+: dict at object - 24, values behind the object
};

struct Layout {
    int minor;
    // _PyRuntimeState.interpreters.main; 0 before 3.7, which has no _PyRuntime.
    uint32_t main_interpreter;
    // PyInterpreterState.modules, or .imports.modules.
    uint32_t modules;
    // sizeof PyASCIIObject and PyCompactUnicodeObject: where the text starts.
    uint32_t ascii_text;
    uint32_t compact_text;
    uint32_t tuple_items;
    // PyDictKeysObject: dk_nentries, and where dk_indices begins.
    uint32_t keys_entries;
    uint32_t keys_indices;
    // dk_size is the logarithm (one byte), and dk_kind tells how large an entry is.
    bool keys_are_compact;
    // From ma_values to the first value.
    uint32_t values_header;
    // PyHeapTypeObject.ht_name, the first of three strings, and .ht_cached_keys.
    uint32_t heap_type_name;
    uint32_t heap_type_cached_keys;
    ManagedDict managed_dict;
    // PyLongObject: the number of digits is lv_tag >> 3.
    bool long_has_tag;
    // PyFunctionObject.func_globals.
    uint32_t function_globals;
    // In front of an object that the collector knows: sizeof PyGC_Head.
    uint32_t collector_head;
};

// nullptr for a version that is not known.
const Layout* layout_of(int minor);

// Where a thread keeps its frames: each function's variables.
struct FrameLayout {
    int minor;
    uint32_t threads_head;  // PyInterpreterState.tstate_head, .threads.head
    // PyThreadState.frame, .cframe or .current_frame.
    uint32_t thread_frame;
    // Where the word there is a _PyCFrame's: .current_frame in it; else kNoCFrame.
    uint32_t cframe_frame;
    // PyFrameObject up to 3.10, then _PyInterpreterFrame.
    uint32_t previous;
    uint32_t code;
    uint32_t globals;
    uint32_t variables;  // f_localsplus, localsplus
    // PyCodeObject.co_qualname, or .co_name where it has none.
    uint32_t code_name;
    // Tuples of the variables' names, in their order: co_varnames, co_cellvars, co_freevars, or
    // co_localsplusnames alone.
    uint32_t names[3];
};
inline constexpr uint32_t kNoCFrame = ~uint32_t{0};
inline constexpr uint64_t kThreadNext = 8;  // PyThreadState.next
// From 3.14 on the low bits of a frame's words are tags. Include/internal/pycore_stackref.h.
inline constexpr int kFirstWithTaggedFrames = 14;

const FrameLayout* frame_layout_of(int minor);

// _Py_DebugOffsets, at the start of _PyRuntime from 3.13 on.
// Include/internal/pycore_debug_offsets.h.
inline constexpr char kDebugCookie[] = "xdebugpy";
inline constexpr uint64_t kDebugVersion = 8;
inline constexpr uint64_t kDebugFreeThreaded = 16;
inline constexpr uint64_t kDebugInterpretersHead = 40;
// interpreter_state.imports_modules: 3.14 has one field more before it.
inline constexpr uint64_t kDebugModules3_13 = 88;
inline constexpr uint64_t kDebugModules3_14 = 96;
inline constexpr uint64_t kDebugReadBytes = 104;

}  // namespace cowscope::cpython
