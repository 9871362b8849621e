// Causes of writes of malloc's.
#include "tests/catch.h"
#include "write_fixture.h"

using namespace cowscope;
using runtime::Cause;
using runtime::Region;

TEST_CASE("writes of libraries that are a malloc are the allocator's") {
    WriteCase jemalloc(kStore);
    jemalloc.input.module = "libjemalloc.so.2";
    jemalloc.input.functions = {};
    CHECK(jemalloc.cause() == Cause::allocator);
    CHECK(jemalloc.verdict()->runtime == runtime::Id::malloc);
    jemalloc.input.region = Region::library_data;
    CHECK(jemalloc.cause() == Cause::library_data);
}

TEST_CASE("libc's allocator is known by its functions, in libc only") {
    WriteCase each(kStore);
    each.input.functions = {"_int_malloc"};
    each.input.callers = {"malloc"};
    each.input.module = "libc.so.6";
    CHECK(each.cause() == Cause::allocator);
    each.input.functions = {};
    CHECK(each.cause() == Cause::allocator);
    each.input.module = "libd.so.6";
    CHECK(each.cause() == Cause::store);
}
