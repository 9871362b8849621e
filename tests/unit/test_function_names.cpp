// Names of native functions.

#include "runtime/function_names.h"
#include "runtime/table.h"
#include "tests/catch.h"

using namespace cowscope;

TEST_CASE("the base name of a function is found through C++'s decorations") {
    using runtime::base_name;
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
    using runtime::names_reference_count;
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
