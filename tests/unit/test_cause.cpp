// The cause rules, case by case.
#include <vector>

#include "attribute/cause.h"
#include "attribute/counted_header.h"
#include "attribute/reference_names.h"
#include "decode/instruction.h"
#include "tests/catch.h"

using namespace cowscope;
using attribute::Cause;
using attribute::CauseInput;
using attribute::PythonPlace;
using attribute::Region;

namespace {

decode::Instruction decoded(const std::vector<uint8_t>& code) {
    decode::Decoder decoder;
    auto instruction = decoder.decode(code, 0x1000);
    REQUIRE(instruction);
    return *instruction;
}

const std::vector<uint8_t> kAddOne = {0x48, 0x83, 0x00, 0x01};      // add qword [rax], 1
const std::vector<uint8_t> kLockAddOne = {0xf0, 0x83, 0x00, 0x01};  // lock add dword [rax], 1
const std::vector<uint8_t> kStore = {0x48, 0x89, 0x03};             // mov [rbx], rax
const std::vector<uint8_t> kLoad = {0x48, 0x8b, 0x03};              // mov rax, [rbx]
const std::vector<uint8_t> kByteAddOne = {0x80, 0x00, 0x01};        // add byte [rax], 1

// The verdict's cause; the input is on the heap of a program with debug info unless changed.
struct Case {
    decode::Instruction instruction;
    CauseInput input;

    explicit Case(const std::vector<uint8_t>& code) : instruction(decoded(code)) {
        input.change = decode::change_of(instruction, nullptr, 0);
        input.region = Region::heap;
        input.has_debug_info = true;
        input.functions = {"main"};
    }
    std::optional<attribute::Verdict> verdict() {
        input.instruction = &instruction;
        return attribute::find_cause(input);
    }
    Cause cause() {
        const auto found = verdict();
        REQUIRE(found);
        CHECK_FALSE(found->evidence.empty());
        return found->cause;
    }
};

}  // namespace

TEST_CASE("a step by one where a CPython object starts is a reference count") {
    Case each(kAddOne);
    each.input.place = PythonPlace::object_start;
    each.input.object_type = "str";
    each.input.functions = {"dict_subscript"};
    CHECK(each.cause() == Cause::refcount);
    CHECK(each.verdict()->evidence.find("str") != std::string::npos);
}

TEST_CASE("a store of the old value plus one where a CPython object starts is a reference count") {
    Case each(kStore);
    each.input.place = PythonPlace::object_start;
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

TEST_CASE("a step by one in a function that names a count is a reference count") {
    Case each(kLockAddOne);
    each.input.functions = {"Base::fetch_add(int)", "app::Ref<T>::add_ref()", "read_by_key"};
    CHECK(each.cause() == Cause::refcount);
    CHECK(each.verdict()->evidence.find("add_ref") != std::string::npos);
}

TEST_CASE("a step by one that debug info names otherwise is the program's own") {
    Case each(kLockAddOne);
    each.input.functions = {"count_requests()"};
    CHECK(each.cause() == Cause::store);
    Case plain(kAddOne);
    plain.input.functions = {"count_requests()"};
    CHECK(plain.cause() == Cause::store);
}

TEST_CASE("without debug info an atomic step by one on the heap is taken for a count") {
    Case each(kLockAddOne);
    each.input.functions = {};
    each.input.has_debug_info = false;
    CHECK(each.cause() == Cause::refcount);
    each.input.region = Region::program_data;
    CHECK(each.cause() == Cause::store);
    Case plain(kAddOne);
    plain.input.has_debug_info = false;
    CHECK(plain.cause() == Cause::store);
}

TEST_CASE("a step by one before the flags of a Perl scalar is a reference count") {
    Case each({0x83, 0x46, 0x08, 0x01});  // add dword [rsi + 8], 1
    each.input.has_debug_info = false;
    each.input.module = "perl";
    each.input.functions = {"Perl_pp_iter"};
    each.input.header = attribute::counted_header(0x1000'4404'0000'0001);  // POK, of SVt_PV's kin
    CHECK(each.cause() == Cause::refcount);
    CHECK(each.verdict()->evidence.find("Perl") != std::string::npos);
    each.input.module = "libperl.so.5.36";
    CHECK(each.cause() == Cause::refcount);

    // Not elsewhere, not without the flags, and not of another width or program.
    each.input.module = "perlite";
    CHECK(each.cause() == Cause::store);
    each.input.module = "perl";
    each.input.header = attribute::counted_header(0x0000'0000'0000'0001);
    CHECK(each.cause() == Cause::store);
    Case at_start({0x83, 0x06, 0x01});  // add dword [rsi], 1
    at_start.input.module = "perl";
    at_start.input.header = attribute::counted_header(0x1000'4404'0000'0001);
    CHECK(at_start.cause() == Cause::store);
    Case by_two({0x83, 0x46, 0x08, 0x02});
    by_two.input.module = "perl";
    by_two.input.header = at_start.input.header;
    CHECK(by_two.cause() == Cause::store);
}

TEST_CASE("a Perl string that several scalars share has its count in its last byte") {
    Case each({0x80, 0x44, 0x10, 0xff, 0x01});  // add byte [rax + rdx - 1], 1
    each.input.module = "perl";
    each.input.functions = {"Perl_sv_setsv_flags"};
    CHECK(each.cause() == Cause::refcount);
    each.input.functions = {"Perl_pp_chop"};
    CHECK(each.cause() == Cause::store);
    each.input.functions = {"Perl_sv_setsv_flags"};
    each.input.module = "other";
    CHECK(each.cause() == Cause::store);
}

TEST_CASE("a step by one before the type of a PHP value is a reference count") {
    Case each({0x83, 0x00, 0x01});  // add dword [rax], 1
    each.input.has_debug_info = false;
    each.input.module = "php8.2";
    each.input.functions = {"execute_ex"};
    each.input.header = attribute::counted_header(0x0000'0016'0000'0001);  // a string
    CHECK(each.cause() == Cause::refcount);
    each.input.header = attribute::counted_header(0x0000'0001'0000'0001);  // no counted type
    CHECK(each.cause() == Cause::store);
    each.input.header = attribute::counted_header(0x0000'0016'0000'0001);
    each.input.module = "perl";
    CHECK(each.cause() == Cause::store);
    Case field({0x83, 0x40, 0x18, 0x01});  // add dword [rax + 0x18], 1
    field.input.module = "php8.2";
    field.input.header = each.input.header;
    CHECK(field.cause() == Cause::store);
}

TEST_CASE("words are headers of counted objects by their count and kind") {
    using attribute::counted_header;
    using attribute::CountedHeader;
    CHECK(counted_header(0) == CountedHeader{});
    CHECK(counted_header(0x0000'0016'0000'0000) == CountedHeader{});  // counted by nobody
    CHECK(counted_header(0x0000'0016'ffff'ffff) == CountedHeader{});  // too often
    CHECK(counted_header(0x0000'0016'0000'0002).php_value);
    CHECK_FALSE(counted_header(0x0000'0016'0000'0002).perl_scalar);
    CHECK(counted_header(0x0000'4404'0000'0002).perl_scalar);
    CHECK_FALSE(counted_header(0x0000'4404'0000'0002).php_value);
}

TEST_CASE("writes of PHP's allocator and of libraries that are a malloc are the allocator's") {
    Case php(kStore);
    php.input.region = Region::anonymous;
    php.input.module = "php8.2";
    php.input.functions = {"_efree"};
    CHECK(php.cause() == Cause::allocator);
    php.input.functions = {"zend_hash_add"};
    CHECK(php.cause() == Cause::store);
    Case jemalloc(kStore);
    jemalloc.input.module = "libjemalloc.so.2";
    jemalloc.input.functions = {};
    CHECK(jemalloc.cause() == Cause::allocator);
    jemalloc.input.region = Region::library_data;
    CHECK(jemalloc.cause() == Cause::library_data);
}

TEST_CASE("a byte that goes up by one is no reference count") {
    Case each(kByteAddOne);
    each.input.functions = {"add_ref()"};
    CHECK(each.cause() == Cause::store);
}

TEST_CASE("a read is no copy") {
    Case each(kLoad);
    CHECK_FALSE(each.verdict());
}

TEST_CASE("regions decide where names do not") {
    Case each(kStore);
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

TEST_CASE("a step by one elsewhere in CPython's memory is no reference count") {
    Case each(kLockAddOne);
    each.input.functions = {"Py_INCREF"};
    for (const PythonPlace place : {PythonPlace::gc_header, PythonPlace::object_field,
                                    PythonPlace::pool_header, PythonPlace::code}) {
        each.input.place = place;
        CHECK(each.cause() != Cause::refcount);
    }
}

TEST_CASE("what lies at the address decides on writes of CPython's") {
    Case each(kStore);
    each.input.object_type = "str";
    each.input.region = Region::anonymous;
    const std::vector<std::pair<PythonPlace, Cause>> rules = {
        {PythonPlace::gc_header, Cause::gc_header},
        {PythonPlace::object_hash, Cause::hash_cache},
        {PythonPlace::items, Cause::container},
        {PythonPlace::code, Cause::code_cache},
        {PythonPlace::type, Cause::runtime_state},
        {PythonPlace::frame, Cause::runtime_state},
        {PythonPlace::thread_state, Cause::runtime_state},
        {PythonPlace::interpreter_state, Cause::runtime_state},
        {PythonPlace::runtime, Cause::runtime_state},
        {PythonPlace::pool_header, Cause::allocator},
        {PythonPlace::pool_block, Cause::allocator},
        {PythonPlace::object_field, Cause::store},
    };
    for (const auto& [place, cause] : rules) {
        CAPTURE(static_cast<int>(place));
        each.input.place = place;
        CHECK(each.cause() == cause);
    }
    each.input.place = PythonPlace::gc_header;
    CHECK(each.verdict()->evidence.find("str") != std::string::npos);
    // A thread's stack is what it is, whatever its words look like.
    each.input.region = Region::stack;
    CHECK(each.cause() == Cause::stack);
}

TEST_CASE("fields of containers are a container's own bookkeeping") {
    Case each(kStore);
    each.input.region = Region::anonymous;
    each.input.place = PythonPlace::object_field;
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
    Case each(kStore);
    each.input.region = Region::anonymous;
    each.input.place = PythonPlace::pool_block;
    each.input.functions = {"insert_to_emptydict", "insertdict.cold"};
    CHECK(each.cause() == Cause::container);
    CHECK(each.verdict()->evidence.find("insert") != std::string::npos);
    each.input.functions = {"__memmove_avx_unaligned_erms"};
    each.input.callers = {"list_ass_slice.part.0", "list_append"};
    CHECK(each.cause() == Cause::container);
    // Blocks of malloc's too.
    each.input.place = PythonPlace::none;
    each.input.region = Region::heap;
    CHECK(each.cause() == Cause::container);
    each.input.callers = {};
    CHECK(each.cause() == Cause::store);
}

TEST_CASE("a count that is set by the allocator is a new object") {
    Case each(kStore);
    each.input.region = Region::anonymous;
    each.input.place = PythonPlace::object_start;
    each.input.object_type = "float";
    each.input.functions = {"_Py_NewReference", "PyFloat_FromDouble"};
    CHECK(each.cause() == Cause::allocator);
    each.input.functions = {"somebody"};
    CHECK(each.cause() == Cause::store);
}

TEST_CASE("libc's allocator is known by its functions, in libc only") {
    Case each(kStore);
    each.input.functions = {"_int_malloc"};
    each.input.callers = {"malloc"};
    each.input.in_libc = true;
    CHECK(each.cause() == Cause::allocator);
    each.input.functions = {};
    CHECK(each.cause() == Cause::allocator);
    each.input.in_libc = false;
    CHECK(each.cause() == Cause::store);
}

TEST_CASE("data of the interpreter's module is its state, or its allocator's tables") {
    Case each(kStore);
    each.input.region = Region::library_data;
    each.input.region_name = "libpython3.11.so.1.0";
    CHECK(each.cause() == Cause::library_data);
    each.input.in_interpreter_data = true;
    CHECK(each.cause() == Cause::runtime_state);
    each.input.functions = {"pymalloc_alloc", "_PyObject_Malloc"};
    CHECK(each.cause() == Cause::allocator);
    each.input.region = Region::program_data;
    CHECK(each.cause() == Cause::allocator);
}

TEST_CASE("finalization is said with the cause") {
    Case each(kAddOne);
    each.input.place = PythonPlace::object_start;
    each.input.object_type = "dict";
    each.input.is_finalizing = true;
    CHECK(each.cause() == Cause::refcount);
    CHECK(each.verdict()->evidence.find("exit") != std::string::npos);
}

TEST_CASE("what cannot be decoded is unknown") {
    const CauseInput input;
    const auto verdict = attribute::find_cause(input);
    REQUIRE(verdict);
    CHECK(verdict->cause == Cause::unknown);
}

TEST_CASE("the base name of a function is found through C++'s decorations") {
    using attribute::base_name;
    CHECK(base_name("Py_INCREF") == "Py_INCREF");
    CHECK(base_name("std::_Sp_counted_base<(__gnu_cxx::_Lock_policy)2>::_M_add_ref_copy()") ==
          "_M_add_ref_copy");
    CHECK(
        base_name("app::(anonymous namespace)::Thing<int, std::less<int> >::release(int) const") ==
        "release");
    CHECK(base_name("void app::intrusive_ptr_add_ref<Foo>(Foo*)") == "intrusive_ptr_add_ref");
    CHECK(base_name("__gnu_cxx::__exchange_and_add(int volatile*, int)") == "__exchange_and_add");
}

TEST_CASE("names that speak of reference counts, and names that do not") {
    using attribute::names_reference_count;
    for (const char* name :
         {"Py_INCREF", "_Py_DECREF", "Py_XDECREF", "_Py_NewRef", "incrRefCount", "decrRefCount",
          "g_object_unref", "zend_gc_addref", "destroy_zend_class", "Perl_SvREFCNT_inc",
          "IUnknown::AddRef()", "Foo::retain()", "Foo::release()",
          "std::__shared_count<>::_M_release()", "std::string::_Rep::_M_refcopy()",
          "boost::sp_adl_block::intrusive_ptr_release(X*)"}) {
        INFO(name);
        CHECK(names_reference_count(name));
    }
    for (const char* name : {"main", "refresh", "prefer(int)", "Cache::release_all()", "increment",
                             "reflect", "dereference_all", "buffer_release_pages"}) {
        INFO(name);
        CHECK_FALSE(names_reference_count(name));
    }
}
