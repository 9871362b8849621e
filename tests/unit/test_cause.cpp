// The rules of any program, case by case.

#include "runtime/cpython/written_memory.h"
#include "write_fixture.h"

using namespace cowscope;
using cpython::MemoryKind;
using runtime::Cause;
using runtime::Region;

TEST_CASE("a step by one in a function that names a count is a reference count") {
    WriteCase each(kLockAddOne);
    each.input.functions = {"Base::fetch_add(int)", "app::Ref<T>::add_ref()", "read_by_key"};
    CHECK(each.cause() == Cause::refcount);
    CHECK(each.verdict()->evidence.find("add_ref") != std::string::npos);
}

TEST_CASE("a step by one that debug info names otherwise is the program's own") {
    WriteCase each(kLockAddOne);
    each.input.functions = {"count_requests()"};
    CHECK(each.cause() == Cause::store);
    WriteCase plain(kAddOne);
    plain.input.functions = {"count_requests()"};
    CHECK(plain.cause() == Cause::store);
}

TEST_CASE("without debug info an atomic step by one on the heap is taken for a count") {
    WriteCase each(kLockAddOne);
    each.input.functions = {};
    each.input.has_debug_info = false;
    CHECK(each.cause() == Cause::refcount);
    each.input.region = Region::program_data;
    CHECK(each.cause() == Cause::store);
    WriteCase plain(kAddOne);
    plain.input.has_debug_info = false;
    CHECK(plain.cause() == Cause::store);
}

TEST_CASE("a byte that goes up by one is no reference count") {
    WriteCase each(kByteAddOne);
    each.input.functions = {"add_ref()"};
    CHECK(each.cause() == Cause::store);
}

TEST_CASE("a read is no copy") {
    WriteCase each(kLoad);
    CHECK_FALSE(each.verdict());
}

TEST_CASE("regions decide where names do not") {
    WriteCase each(kStore);
    each.input.region = Region::stack;
    CHECK(each.cause() == Cause::stack);
    each.input.region = Region::library_data;
    each.input.region_name = "libc.so.6";
    CHECK(each.cause() == Cause::library_data);
    CHECK(each.verdict()->evidence.find("libc.so.6") != std::string::npos);
    each.input.region = Region::got;
    CHECK(each.cause() == Cause::library_data);
    each.input.in_dynamic_linker = true;
    CHECK(each.cause() == Cause::lazy_binding);
    each.input.region = Region::program_data;
    CHECK(each.cause() == Cause::store);
    each.input.region = Region::anonymous;
    CHECK(each.cause() == Cause::store);
}

TEST_CASE("finalization is said with the cause") {
    WriteCase each(kAddOne);
    each.input.target = cpython::target(MemoryKind::object_start);
    each.input.object_type = "dict";
    each.input.is_finalizing = true;
    CHECK(each.cause() == Cause::refcount);
    CHECK(each.verdict()->evidence.find("exit") != std::string::npos);
}

TEST_CASE("what cannot be decoded is unknown") {
    const runtime::Write input;
    const auto verdict = attribute::find_cause(input);
    REQUIRE(verdict);
    CHECK(verdict->cause == Cause::unknown);
}
