#include "runtime/cpython/native_names.h"

#include <array>

#include "runtime/function_names.h"

namespace cowscope::cpython {
namespace {

// obmalloc.c, object.c, gcmodule.c, and the free lists of floats, tuples, lists, dicts, frames.
constexpr std::array<std::string_view, 38> kObjectAllocator = {
    "pymalloc_alloc",
    "pymalloc_free",
    "pymalloc_realloc",
    "_PyObject_Alloc",
    "_PyObject_Free",
    "_PyObject_Malloc",
    "_PyObject_Realloc",
    "_PyObject_Calloc",
    "PyObject_Malloc",
    "PyObject_Free",
    "PyObject_Realloc",
    "PyObject_Calloc",
    "PyMem_Malloc",
    "PyMem_Free",
    "PyMem_Realloc",
    "PyMem_Calloc",
    "new_arena",
    "allocate_from_new_pool",
    "insert_to_freepool",
    "insert_to_usedpool",
    "arena_map_set",
    "_PyObject_New",
    "_PyObject_NewVar",
    "_PyObject_GC_Alloc",
    "_PyObject_GC_Malloc",
    "_PyObject_GC_New",
    "_PyObject_GC_NewVar",
    "_PyObject_GC_Link",
    "gc_alloc",
    "PyObject_GC_Del",
    "PyType_GenericAlloc",
    "_PyType_AllocNoTrack",
    "_Py_NewReference",
    "new_reference",
    "PyObject_Init",
    "PyObject_InitVar",
    "_PyObject_Init",
    "_PyObject_InitVar",
};

// dictobject.c, listobject.c, setobject.c, _collectionsmodule.c, bytearrayobject.c.
constexpr std::array<std::string_view, 62> kContainer = {
    "insertdict",
    "insert_to_emptydict",
    "insertion_resize",
    "insert_into_dictkeys",
    "insert_split_key",
    "insert_split_value",
    "insert_combined_dict",
    "dictresize",
    "dictkeys_set_index",
    "delitem_common",
    "find_empty_slot",
    "build_indices",
    "build_indices_generic",
    "build_indices_unicode",
    "PyDict_SetItem",
    "_PyDict_SetItem_KnownHash",
    "_PyDict_SetItem_Take2",
    "_PyDict_SetItem_KnownHash_LockHeld",
    "setitem_take2_lock_held",
    "PyDict_DelItem",
    "_PyDict_DelItem_KnownHash",
    "PyDict_SetDefault",
    "PyDict_SetDefaultRef",
    "dict_setdefault_ref_lock_held",
    "PyDict_Clear",
    "PyDict_Update",
    "PyDict_Merge",
    "dict_merge",
    "dict_popitem",
    "_PyDict_Pop",
    "_PyDict_Pop_KnownHash",
    "_PyObjectDict_SetItem",
    "dict_ass_sub",
    "list_resize",
    "app1",
    "PyList_Append",
    "_PyList_AppendTakeRef",
    "_PyList_AppendTakeRefListResize",
    "_PyList_Extend",
    "list_extend",
    "list_append",
    "listappend",
    "ins1",
    "PyList_Insert",
    "list_insert",
    "list_pop",
    "list_ass_slice",
    "list_ass_item",
    "list_ass_subscript",
    "PyList_SetItem",
    "PyList_SetSlice",
    "list_sort_impl",
    "list_reverse",
    "set_add_entry",
    "set_add_key",
    "set_insert_clean",
    "set_table_resize",
    "set_discard_entry",
    "PySet_Add",
    "deque_append",
    "deque_append_internal",
    "deque_appendleft",
};

}  // namespace

bool names_object_allocator(std::string_view function) {
    return runtime::is_one_of(function, kObjectAllocator);
}

bool names_container(std::string_view function) {
    return runtime::is_one_of(function, kContainer);
}

runtime::FunctionRole role_of(std::string_view function) {
    constexpr std::array<std::string_view, 5> kEnds = {
        "Py_FinalizeEx", "Py_Finalize", "_Py_Finalize", "Py_EndInterpreter", "finalize_modules"};
    constexpr std::array<std::string_view, 1> kLoops = {"_PyEval_EvalFrameDefault"};
    if (runtime::is_one_of(function, kEnds)) return runtime::FunctionRole::takes_down;
    return runtime::is_one_of(function, kLoops) ? runtime::FunctionRole::runs_frames
                                                : runtime::FunctionRole::other;
}

}  // namespace cowscope::cpython
