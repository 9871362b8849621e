// Causes of PHP's writes.
#include "tests/catch.h"
#include "write_fixture.h"

using namespace cowscope;
using runtime::Cause;
using runtime::Id;
using runtime::Region;

namespace {

constexpr uint64_t kString = 0x0000'0016'0000'0001;  // counted once

void set_word(WriteCase* write, const char* module, uint64_t word) {
    write->input.module = module;
    write->input.target = target_of_word(module, word);
}

}  // namespace

TEST_CASE("a step by one before the type of a PHP value is a reference count") {
    WriteCase each({0x83, 0x00, 0x01});  // add dword [rax], 1
    each.input.has_debug_info = false;
    each.input.functions = {"execute_ex"};
    set_word(&each, "php8.2", kString);
    CHECK(each.cause() == Cause::refcount);
    CHECK(each.verdict()->runtime == Id::php);
    set_word(&each, "php8.2", 0x0000'0001'0000'0001);  // no counted type
    CHECK(each.cause() == Cause::store);
    set_word(&each, "perl", kString);
    CHECK(each.cause() == Cause::store);
    WriteCase field({0x83, 0x40, 0x18, 0x01});  // add dword [rax + 0x18], 1
    set_word(&field, "php8.2", kString);
    CHECK(field.cause() == Cause::store);
}

TEST_CASE("words are headers of PHP's values by their count and type") {
    const auto is_value = [](uint64_t word) {
        return target_of_word("libphp8.2.so", word).runtime == Id::php;
    };
    CHECK(is_value(0x0000'0016'0000'0002));
    CHECK_FALSE(is_value(0));
    CHECK_FALSE(is_value(0x0000'0016'0000'0000));  // counted by nobody
    CHECK_FALSE(is_value(0x0000'0016'ffff'ffff));  // too often
    CHECK_FALSE(is_value(0x0000'4404'0000'0002));
}

TEST_CASE("writes of PHP's allocator are the allocator's") {
    WriteCase php(kStore);
    php.input.region = Region::anonymous;
    php.input.module = "php8.2";
    php.input.functions = {"_efree"};
    CHECK(php.cause() == Cause::allocator);
    CHECK(php.verdict()->runtime == Id::php);
    php.input.functions = {"zend_hash_add"};
    CHECK(php.cause() == Cause::store);
}
