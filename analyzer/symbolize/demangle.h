#pragma once

#include <string>
#include <string_view>

namespace cowscope::symbolize {

// A C++ symbol as it was written in the source; any other name unchanged.
std::string demangle(const std::string& symbol);

// A demangled name without its parameters, template arguments and return type, and without a
// compiler's note such as [clone .cold]: "std::vector<int>::push_back(int const&)" becomes
// "std::vector::push_back". Of a lambda or a local class, the enclosing function's name stays:
// "run::{lambda#1}::operator()", or without its number where debug information names it. Names of
// Python functions stay as they are: "run.<locals>.<lambda>".
std::string short_name(std::string_view function);

}  // namespace cowscope::symbolize
