// Causes of CPython's writes.
#include <utility>
#include <vector>

#include "runtime/cpython/written_memory.h"
#include "write_fixture.h"

using namespace cowscope;
using cpython::MemoryKind;
using runtime::Cause;
using runtime::Region;

TEST_CASE("a step by one where a CPython object starts is a reference count") {
    WriteCase each(kAddOne);
    each.input.target = cpython::target(MemoryKind::object_start);
    each.input.object_type = "str";
    each.input.functions = {"dict_subscript"};
    CHECK(each.cause() == Cause::refcount);
    CHECK(each.verdict()->evidence.find("str") != std::string::npos);
}

TEST_CASE("a store of the old value plus one where a CPython object starts is a reference count") {
    WriteCase each(kStore);
    each.input.target = cpython::target(MemoryKind::object_start);
    each.input.object_type = "int";
    each.input.change = 1;
    CHECK(each.cause() == Cause::refcount);
    each.input.change = -1;
    CHECK(each.cause() == Cause::refcount);
    each.input.change = 2;
    CHECK(each.cause() == Cause::store);
    each.input.change.reset();
    CHECK(each.cause() == Cause::store);
}

TEST_CASE("a step by one elsewhere in CPython's memory is no reference count") {
    WriteCase each(kLockAddOne);
    each.input.functions = {"Py_INCREF"};
    for (const MemoryKind place : {MemoryKind::gc_header, MemoryKind::object_field,
                                   MemoryKind::pool_header, MemoryKind::code}) {
        each.input.target = cpython::target(place);
        CHECK(each.cause() != Cause::refcount);
    }
}

TEST_CASE("what lies at the address decides on writes of CPython's") {
    WriteCase each(kStore);
    each.input.object_type = "str";
    each.input.region = Region::anonymous;
    const std::vector<std::pair<MemoryKind, Cause>> rules = {
        {MemoryKind::gc_header, Cause::gc_header},
        {MemoryKind::object_hash, Cause::hash_cache},
        {MemoryKind::items, Cause::container},
        {MemoryKind::code, Cause::code_cache},
        {MemoryKind::type, Cause::runtime_state},
        {MemoryKind::frame, Cause::runtime_state},
        {MemoryKind::thread_state, Cause::runtime_state},
        {MemoryKind::interpreter_state, Cause::runtime_state},
        {MemoryKind::runtime, Cause::runtime_state},
        {MemoryKind::pool_header, Cause::allocator},
        {MemoryKind::pool_block, Cause::allocator},
        {MemoryKind::object_field, Cause::store},
    };
    for (const auto& [place, cause] : rules) {
        CAPTURE(static_cast<int>(place));
        each.input.target = cpython::target(place);
        CHECK(each.cause() == cause);
    }
    each.input.target = cpython::target(MemoryKind::gc_header);
    CHECK(each.verdict()->evidence.find("str") != std::string::npos);
    // A thread's stack is what it is, whatever its words look like.
    each.input.region = Region::stack;
    CHECK(each.cause() == Cause::stack);
}

TEST_CASE("fields of containers are a container's own bookkeeping") {
    WriteCase each(kStore);
    each.input.region = Region::anonymous;
    each.input.target = cpython::target(MemoryKind::object_field);
    for (const char* type : {"list", "dict", "set", "collections.deque"}) {
        each.input.object_type = type;
        CHECK(each.cause() == Cause::container);
        CHECK(each.verdict()->evidence.find(type) != std::string::npos);
    }
    each.input.object_type = "function";
    CHECK(each.cause() == Cause::code_cache);
    each.input.object_type = "__main__.Point";
    CHECK(each.cause() == Cause::store);
}

TEST_CASE("a block that is no object is a container's where a function of containers writes") {
    WriteCase each(kStore);
    each.input.region = Region::anonymous;
    each.input.target = cpython::target(MemoryKind::pool_block);
    each.input.functions = {"insert_to_emptydict", "insertdict.cold"};
    CHECK(each.cause() == Cause::container);
    CHECK(each.verdict()->evidence.find("insert") != std::string::npos);
    each.input.functions = {"__memmove_avx_unaligned_erms"};
    each.input.callers = {"list_ass_slice.part.0", "list_append"};
    CHECK(each.cause() == Cause::container);
    // Blocks of malloc's too.
    each.input.target = {};
    each.input.region = Region::heap;
    CHECK(each.cause() == Cause::container);
    each.input.callers = {};
    CHECK(each.cause() == Cause::store);
}

TEST_CASE("a count that is set by the allocator is a new object") {
    WriteCase each(kStore);
    each.input.region = Region::anonymous;
    each.input.target = cpython::target(MemoryKind::object_start);
    each.input.object_type = "float";
    each.input.functions = {"_Py_NewReference", "PyFloat_FromDouble"};
    CHECK(each.cause() == Cause::allocator);
    each.input.functions = {"somebody"};
    CHECK(each.cause() == Cause::store);
}

TEST_CASE("data of the interpreter's module is its state, or its allocator's tables") {
    WriteCase each(kStore);
    each.input.region = Region::library_data;
    each.input.region_name = "libpython3.11.so.1.0";
    CHECK(each.cause() == Cause::library_data);
    each.input.module_of = runtime::Id::cpython;
    CHECK(each.cause() == Cause::runtime_state);
    each.input.functions = {"pymalloc_alloc", "_PyObject_Malloc"};
    CHECK(each.cause() == Cause::allocator);
    each.input.region = Region::program_data;
    CHECK(each.cause() == Cause::allocator);
}
