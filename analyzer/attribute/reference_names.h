// Function names that mean "this changes a reference count".
#pragma once

#include <string_view>

namespace cowscope::attribute {

// `function` as DWARF or a demangled symbol names it: "Py_INCREF",
// "std::_Sp_counted_base<(__gnu_cxx::_Lock_policy)2>::_M_add_ref_copy()".
bool names_reference_count(std::string_view function);

// The last component of a qualified name, without template arguments and parameters.
std::string_view base_name(std::string_view function);

}  // namespace cowscope::attribute
