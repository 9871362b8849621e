// From an address to the functions and lines there, inlined ones included.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <elfutils/libdw.h>

#include "symbolize/dwarf_unit.h"
#include "symbolize/symbolizer.h"

namespace cowscope::symbolize {

class DwarfFrames {
  public:
    // Whether the file that a unit names for its split debug information may be opened.
    using MayOpenSplit = std::function<bool(const Dwarf_Die& unit)>;

    // `dwarf` must outlive this. Addresses here and in `is_code` are those of the DWARF.
    DwarfFrames(Dwarf* dwarf, IsCode is_code, const MayOpenSplit& may_open_split);

    // As Location::frames; empty where the DWARF does not cover the address. `symbol` is the symbol
    // table's name there: it names code without a function in the DWARF (assembly), and C++
    // functions of which the DWARF has no full name. Where it is empty too, the outermost frame
    // can lack a name.
    std::vector<Frame> at(Dwarf_Addr address, const std::string& symbol);

  private:
    struct Unit {
        Dwarf_Die cu;    // has the line table
        Dwarf_Die root;  // has the functions; differs from cu with split DWARF
    };

    const Unit* unit_at(Dwarf_Addr address);
    DwarfUnit& index_of(const Dwarf_Die& root);
    const std::string& function_name(const Dwarf_Die& die);
    std::string qualified_name(Dwarf_Die die);

    Dwarf* dwarf_;
    IsCode is_code_;
    RangeMap<Unit> units_;
    std::unordered_map<const void*, std::unique_ptr<DwarfUnit>> indexes_;  // by the root's place
    std::unordered_map<const void*, std::string> names_;                   // by the DIE's place
    Unit fallback_unit_ = {};
};

}  // namespace cowscope::symbolize
