// Causes of Perl's writes.
#include <string>

#include "tests/catch.h"
#include "write_fixture.h"

using namespace cowscope;
using runtime::Cause;
using runtime::Id;

namespace {

constexpr uint64_t kString = 0x1000'4404'0000'0001;  // counted once; POK, of SVt_PV's kin

// A write by code of that module over that word.
void set_word(WriteCase* write, const char* module, uint64_t word) {
    write->input.module = module;
    write->input.target = target_of_word(module, word);
}

}  // namespace

TEST_CASE("a step by one before the flags of a Perl scalar is a reference count") {
    WriteCase each({0x83, 0x46, 0x08, 0x01});  // add dword [rsi + 8], 1
    each.input.has_debug_info = false;
    each.input.functions = {"Perl_pp_iter"};
    set_word(&each, "perl", kString);
    CHECK(each.cause() == Cause::refcount);
    CHECK(each.verdict()->evidence.find("Perl") != std::string::npos);
    CHECK(each.verdict()->runtime == Id::perl);
    set_word(&each, "libperl.so.5.36", kString);
    CHECK(each.cause() == Cause::refcount);

    // Not elsewhere, not without the flags, and not of another width or program.
    set_word(&each, "perlite", kString);
    CHECK(each.cause() == Cause::store);
    set_word(&each, "perl", 0x0000'0000'0000'0001);
    CHECK(each.cause() == Cause::store);
    WriteCase at_start({0x83, 0x06, 0x01});  // add dword [rsi], 1
    set_word(&at_start, "perl", kString);
    CHECK(at_start.cause() == Cause::store);
    WriteCase by_two({0x83, 0x46, 0x08, 0x02});
    set_word(&by_two, "perl", kString);
    CHECK(by_two.cause() == Cause::store);
}

TEST_CASE("a function's name says more of a count than the look of a Perl scalar") {
    WriteCase each({0x83, 0x46, 0x08, 0x01});  // add dword [rsi + 8], 1
    each.input.functions = {"Perl_SvREFCNT_inc", "Perl_pp_iter"};
    set_word(&each, "perl", kString);
    CHECK(each.cause() == Cause::refcount);
    CHECK(each.verdict()->evidence == "Perl_SvREFCNT_inc adds 1 to a 4-byte word");
    CHECK(each.verdict()->runtime == Id::none);
}

TEST_CASE("a Perl string that several scalars share has its count in its last byte") {
    WriteCase each({0x80, 0x44, 0x10, 0xff, 0x01});  // add byte [rax + rdx - 1], 1
    each.input.module = "perl";
    each.input.functions = {"Perl_sv_setsv_flags"};
    CHECK(each.cause() == Cause::refcount);
    // Whatever the text before it looks like, but not inside of an object of somebody else's.
    each.input.target = target_of_word("perl", kString);
    CHECK(each.cause() == Cause::refcount);
    each.input.target = {Id::cpython, 1};
    CHECK(each.cause() != Cause::refcount);
    each.input.target = {};
    each.input.functions = {"Perl_pp_chop"};
    CHECK(each.cause() == Cause::store);
    each.input.functions = {"Perl_sv_setsv_flags"};
    each.input.module = "other";
    CHECK(each.cause() == Cause::store);
}

TEST_CASE("words are headers of Perl's values by their count and flags") {
    const auto is_value = [](uint64_t word) {
        return target_of_word("perl", word).runtime == Id::perl;
    };
    CHECK(is_value(0x0000'4404'0000'0002));
    CHECK_FALSE(is_value(0));
    CHECK_FALSE(is_value(0x0000'4404'0000'0000));  // counted by nobody
    CHECK_FALSE(is_value(0x0000'4404'ffff'ffff));  // too often
    CHECK_FALSE(is_value(0x0000'0016'0000'0002));  // no SVt_ that there is
}
