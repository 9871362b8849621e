#include "symbolize/dwarf_unit.h"

#include <dwarf.h>

#include "symbolize/elf_opening.h"

namespace cowscope::symbolize {

namespace {

bool is_scope(int tag) {
    switch (tag) {
        case DW_TAG_namespace:
        case DW_TAG_class_type:
        case DW_TAG_structure_type:
        case DW_TAG_union_type:
        case DW_TAG_module:
            return true;
        default:
            return false;
    }
}

bool is_block(int tag) {
    return tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

// What a DIE adds to the names of those inside it.
std::string scope_name(Dwarf_Die scope) {
    const int tag = dwarf_tag(&scope);
    if (!is_scope(tag) && tag != DW_TAG_subprogram) return {};
    const char* name = dwarf_diename(&scope);
    if (tag == DW_TAG_subprogram) return name == nullptr ? "" : capped_text(name) + "()::";
    if (name != nullptr) return capped_text(name) + "::";
    return tag == DW_TAG_namespace ? "(anonymous namespace)::" : "(anonymous)::";
}

}  // namespace

DwarfUnit::DwarfUnit(Dwarf_Die root, const IsCode& is_code) : root_(root), is_code_(is_code) {
    walk(root_, false, 0);
    functions_.finish();
}

// Bodies of functions are most of a unit, and what is in them is seldom asked for.
void DwarfUnit::walk(Dwarf_Die parent, bool into_functions, int depth) {
    Dwarf_Die die;
    if (depth == kMaxDepth || dwarf_child(&parent, &die) != 0) return;
    do {
        const int tag = dwarf_tag(&die);
        const bool is_function = tag == DW_TAG_subprogram;
        if (!is_function && !is_scope(tag) && !(into_functions && is_block(tag))) continue;
        parents_.emplace(die.addr, parent);
        if (is_function) {
            add_ranges(&die, is_code_, die, into_functions ? nested_functions_ : functions_);
        }
        if (into_functions || !is_function) walk(die, into_functions, depth + 1);
    } while (dwarf_siblingof(&die, &die) == 0);
}

void DwarfUnit::walk_into_functions() {
    if (walked_into_functions_) return;
    walked_into_functions_ = true;
    walk(root_, true, 0);
    nested_functions_.finish();
}

const Dwarf_Die* DwarfUnit::function_at(Dwarf_Addr address) {
    if (const Dwarf_Die* function = functions_.find(address); function != nullptr) return function;
    walk_into_functions();
    return nested_functions_.find(address);
}

std::string DwarfUnit::scope_of(const Dwarf_Die& die) {
    // Local classes and their functions.
    if (!parents_.contains(die.addr)) walk_into_functions();
    std::string scope;
    // Ends also with corrupt DWARF: parents_ comes from walks downwards.
    for (auto found = parents_.find(die.addr); found != parents_.end();
         found = parents_.find(found->second.addr)) {
        scope = scope_name(found->second) + scope;
        if (scope.size() > kMostNameBytes) break;
    }
    return scope;
}

}  // namespace cowscope::symbolize
