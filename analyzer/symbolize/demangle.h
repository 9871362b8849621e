#pragma once

#include <string>
#include <string_view>

namespace cowscope::symbolize {

// A C++ symbol as it was written in the source; any other name unchanged. Of a name with over 4
// KiB, the short one.
//
// A symbol of some hundred bytes can say a name that doubles with each of them: demangling takes
// any time and memory, and libstdc++'s cannot be stopped. It belongs in a process that can
// (symbol_helper.h), which is told by a guard.
std::string demangle(const std::string& symbol);

class DemangleGuard {
  public:
    virtual ~DemangleGuard() = default;
    // False: the symbol is not to be demangled.
    virtual bool begin(std::string_view symbol) = 0;
    virtual void end() = 0;
};
// nullptr: none. The guard must outlive the calls of demangle().
void guard_demangling(DemangleGuard* guard);

// A demangled name without its parameters, template arguments and return type, and without a
// compiler's note such as [clone .cold]: "std::vector<int>::push_back(int const&)" becomes
// "std::vector::push_back". Of a lambda or a local class, the enclosing function's name stays:
// "run::{lambda#1}::operator()", or without its number where debug information names it. Names of
// Python functions stay as they are: "run.<locals>.<lambda>".
std::string short_name(std::string_view function);

}  // namespace cowscope::symbolize
