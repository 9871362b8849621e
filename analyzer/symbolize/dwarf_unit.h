// What is found in one compilation unit of the DWARF: its functions and the scopes they stand in.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>

#include <elfutils/libdw.h>

#include "symbolize/range_map.h"

namespace cowscope::symbolize {

// Tells whether an address of the DWARF lies in the file's code. Functions that the linker dropped
// stay in the DWARF at addresses near 0.
using IsCode = std::function<bool(uint64_t)>;

// DIEs that nest deeper than any compiler's are left out.
inline constexpr int kMaxDepth = 1000;

// Adds all ranges of addresses that a DIE covers and that are code. False if it has none.
template <typename Value>
bool add_ranges(Dwarf_Die* die, const IsCode& is_code, const Value& value,
                RangeMap<Value>& ranges) {
    bool any = false;
    Dwarf_Addr base = 0;
    Dwarf_Addr start = 0;
    Dwarf_Addr end = 0;
    ptrdiff_t next = 0;
    while ((next = dwarf_ranges(die, next, &base, &start, &end)) > 0) {
        if (!is_code(start)) continue;
        ranges.add(start, end, value);
        any = true;
    }
    return any;
}

class DwarfUnit {
  public:
    // `root` is the unit's own DIE; with split DWARF the one in the .dwo file.
    DwarfUnit(Dwarf_Die root, const IsCode& is_code);

    // The function that has code of its own at the address; nullptr if there is none.
    const Dwarf_Die* function_at(Dwarf_Addr address);

    // Namespaces, classes and functions around a DIE of this unit: "std::vector<int>::", or "".
    std::string scope_of(const Dwarf_Die& die);

  private:
    void walk(Dwarf_Die parent, bool into_functions, int depth);
    void walk_into_functions();

    Dwarf_Die root_;
    IsCode is_code_;
    RangeMap<Dwarf_Die> functions_;
    RangeMap<Dwarf_Die> nested_functions_;  // inside functions: an extension of GNU C
    bool walked_into_functions_ = false;
    // By the place of the DIE in memory, which is unique also between files.
    std::unordered_map<const void*, Dwarf_Die> parents_;
};

}  // namespace cowscope::symbolize
