// Names of native functions, and those that mean "this changes a reference count" in any program.
#pragma once

#include <span>
#include <string_view>

namespace cowscope::runtime {

// `function` as DWARF or a demangled symbol names it: "Py_INCREF",
// "std::_Sp_counted_base<(__gnu_cxx::_Lock_policy)2>::_M_add_ref_copy()".
bool names_any_reference_count(std::string_view function);

// The last component of a qualified name, without template arguments and parameters.
std::string_view base_name(std::string_view function);

// Whether the file name of a module begins with one of those.
bool begins_with_one_of(std::string_view module, std::span<const std::string_view> beginnings);

// Whether its base name, without what a compiler appends (".cold", ".part.0", ".constprop.0"), is
// one of those.
bool is_one_of(std::string_view function, std::span<const std::string_view> names);

}  // namespace cowscope::runtime
