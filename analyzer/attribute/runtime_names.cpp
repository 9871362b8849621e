#include "attribute/runtime_names.h"

#include <algorithm>
#include <array>
#include <span>

#include "attribute/reference_names.h"

namespace cowscope::attribute {
namespace {

// Whole names, without what a compiler appends (".cold", ".part.0", ".constprop.0").
bool is_one_of(std::string_view function, std::span<const std::string_view> names) {
    std::string_view name = base_name(function);
    name = name.substr(0, name.find('.'));
    return std::ranges::find(names, name) != names.end();
}

// glibc 2.28 to 2.42, malloc/malloc.c.
constexpr std::array<std::string_view, 26> kLibcAllocator = {
    "malloc",
    "free",
    "calloc",
    "realloc",
    "cfree",
    "memalign",
    "posix_memalign",
    "aligned_alloc",
    "__libc_malloc",
    "__libc_free",
    "__libc_calloc",
    "__libc_realloc",
    "__libc_memalign",
    "_int_malloc",
    "_int_free",
    "_int_realloc",
    "_int_memalign",
    "_int_free_chunk",
    "_int_free_merge_chunk",
    "malloc_consolidate",
    "sysmalloc",
    "systrim",
    "unlink_chunk",
    "tcache_put",
    "malloc_trim",
    "_int_free_create_chunk",
};

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

bool names_libc_allocator(std::string_view function) {
    return is_one_of(function, kLibcAllocator);
}

bool names_object_allocator(std::string_view function) {
    return is_one_of(function, kObjectAllocator);
}

bool names_container(std::string_view function) {
    return is_one_of(function, kContainer);
}

bool names_shared_string(std::string_view function) {
    // sv.c and sv_inline.h of perl, which have CowREFCNT.
    constexpr std::array<std::string_view, 6> kNames = {
        "Perl_sv_setsv_flags",        "Perl_sv_setsv_cow", "Perl_sv_clear",
        "Perl_sv_force_normal_flags", "S_sv_uncow",        "Perl_sv_free2"};
    return is_one_of(function, kNames);
}

bool names_php_allocator(std::string_view function) {
    const std::string_view name = base_name(function);
    constexpr std::array<std::string_view, 6> kParts = {"_emalloc",  "_efree",        "_ecalloc",
                                                        "_erealloc", "_safe_emalloc", "zend_mm_"};
    return std::ranges::any_of(kParts,
                               [&](std::string_view part) { return name.starts_with(part); });
}

bool names_finalization(std::string_view function) {
    constexpr std::array<std::string_view, 5> kNames = {
        "Py_FinalizeEx", "Py_Finalize", "_Py_Finalize", "Py_EndInterpreter", "finalize_modules"};
    return is_one_of(function, kNames);
}

bool names_interpreter_loop(std::string_view function) {
    constexpr std::array<std::string_view, 1> kNames = {"_PyEval_EvalFrameDefault"};
    return is_one_of(function, kNames);
}

}  // namespace cowscope::attribute
