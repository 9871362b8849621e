#include "symbolize/demangle.h"
#include "symbolize/range_map.h"
#include "tests/catch.h"

using namespace cowscope::symbolize;

TEST_CASE("symbols are demangled", "[symbolize]") {
    CHECK(demangle("_ZNSt6vectorIiSaIiEE9push_backERKi") ==
          "std::vector<int, std::allocator<int> >::push_back(int const&)");
    CHECK(demangle("_Z3foov.cold") == "foo() [clone .cold]");
    CHECK(demangle("malloc") == "malloc");
    CHECK(demangle("i") == "i");
    CHECK(demangle("_Znot_a_name") == "_Znot_a_name");
    CHECK(demangle("").empty());
}

TEST_CASE("short names", "[symbolize]") {
    const std::pair<const char*, const char*> names[] = {
        {"Py_INCREF", "Py_INCREF"},
        {"std::vector<int, std::allocator<int> >::push_back(int const&)", "std::vector::push_back"},
        {"std::_Sp_counted_base<(__gnu_cxx::_Lock_policy)2>::_M_release()",
         "std::_Sp_counted_base::_M_release"},
        {"void ns::copy<int>(int, ns::Box<int> const&)", "ns::copy"},
        {"std::vector<int> const& ns::get<int>(int) const", "ns::get"},
        {"ns::Box::size() const", "ns::Box::size"},
        {"ns::Box::take() &&", "ns::Box::take"},
        {"foo() [clone .cold]", "foo"},
        {"foo(int) [clone .isra.0] [clone .cold]", "foo"},
        {"ns::(anonymous namespace)::hidden(int)", "ns::(anonymous namespace)::hidden"},
        {"void (anonymous namespace)::hidden<int>()", "(anonymous namespace)::hidden"},
        {"ns::Box::operator()(int) const", "ns::Box::operator()"},
        {"void ns::Box::operator()<int>(int)", "ns::Box::operator()"},
        {"std::ostream& std::operator<< <std::char_traits<char> >(std::ostream&, char const*)",
         "std::operator<<"},
        {"bool ns::operator< <int>(ns::Box<int>, int)", "ns::operator<"},
        {"ns::Box::operator->() const", "ns::Box::operator->"},
        {"ns::Box::operator[](unsigned long)", "ns::Box::operator[]"},
        {"ns::Box::operator bool() const", "ns::Box::operator bool"},
        {"operator new(unsigned long)", "operator new"},
        {"ns::cooperator(int)", "ns::cooperator"},
        {"foo(int)::{lambda(int)#1}::operator()(int) const", "foo::{lambda#1}::operator()"},
        {"auto run(int)::{lambda(auto:1)#2}::operator()<int>(int) const",
         "run::{lambda#2}::operator()"},
        {"run(int)::{unnamed type#1}::go()", "run::{unnamed type#1}::go"},
        // As debug information has them.
        {"run()::<lambda()>::operator()", "run::{lambda}::operator()"},
        {"ns::run()::<lambda(ns::Box<int>)>::operator()(ns::Box<int>) const",
         "ns::run::{lambda}::operator()"},
        {"<lambda>::operator()", "{lambda}::operator()"},
        {"run()::(anonymous)::operator()", "run::(anonymous)::operator()"},
        {"call<run(int)::<lambda(int)> >", "call"},
        {"ns::Box<lambda_t>::take()", "ns::Box::take"},
        {"name[abi:cxx11](int)", "name"},
        // Python's.
        {"<module>", "<module>"},
        {"<lambda>", "<lambda>"},
        {"Box.<lambda>", "Box.<lambda>"},
        {"run.<locals>.read.<locals>.<listcomp>", "run.<locals>.read.<locals>.<listcomp>"},
        {"", ""},
    };
    for (const auto& [full, brief] : names) {
        CAPTURE(full);
        CHECK(short_name(full) == brief);
    }
    // Nonsense has no right answer, but it has one.
    CHECK_NOTHROW(short_name(")>)(<"));
    CHECK_NOTHROW(short_name("operator"));
}

TEST_CASE("the shortest range that covers an address is found", "[symbolize]") {
    RangeMap<char> ranges;
    ranges.add(100, 200, 'a');
    ranges.add(120, 140, 'b');
    ranges.add(120, 130, 'c');
    ranges.add(120, 130, 'd');
    ranges.add(300, 300, 'e');
    ranges.add(400, UINT64_MAX, 'f');
    ranges.add(410, 420, 'g');
    ranges.finish();
    const auto at = [&](uint64_t address) {
        const char* found = ranges.find(address);
        return found == nullptr ? '-' : *found;
    };
    CHECK(at(99) == '-');
    CHECK(at(100) == 'a');
    CHECK(at(119) == 'a');
    CHECK(at(120) == 'c');
    CHECK(at(129) == 'c');
    CHECK(at(130) == 'b');
    CHECK(at(140) == 'a');
    CHECK(at(199) == 'a');
    CHECK(at(200) == '-');
    CHECK(at(300) == '-');
    CHECK(at(405) == 'f');
    CHECK(at(415) == 'g');
    CHECK(at(420) == 'f');
    CHECK(RangeMap<int>().find(0) == nullptr);
}
