#include "symbolize/dwarf_frames.h"

#include <dwarf.h>

#include <climits>
#include <optional>
#include <string_view>

#include "symbolize/demangle.h"
#include "symbolize/elf_opening.h"

namespace cowscope::symbolize {

namespace {

// Calls that were inlined into each other at one address: more than any compiler does.
constexpr size_t kMostInlined = 100;

bool has_ranges(Dwarf_Die* die) {
    return dwarf_hasattr(die, DW_AT_low_pc) != 0 || dwarf_hasattr(die, DW_AT_ranges) != 0;
}

// The inlined calls that lead to the address, outermost first.
void add_inlined(Dwarf_Die scope, Dwarf_Addr address, int depth, std::vector<Dwarf_Die>& calls) {
    Dwarf_Die die;
    if (depth == kMaxDepth || calls.size() == kMostInlined || dwarf_child(&scope, &die) != 0) {
        return;
    }
    do {
        const int tag = dwarf_tag(&die);
        const bool is_call = tag == DW_TAG_inlined_subroutine;
        const bool is_block =
            tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
        if (!is_call && !is_block) continue;
        if (dwarf_haspc(&die, address) == 1) {
            if (is_call) calls.push_back(die);
            add_inlined(die, address, depth + 1, calls);
            return;
        }
        // A block of which nothing is left but the calls inlined into it.
        if (is_block && !has_ranges(&die)) {
            const size_t before = calls.size();
            add_inlined(die, address, depth + 1, calls);
            if (calls.size() != before) return;
        }
    } while (dwarf_siblingof(&die, &die) == 0);
}

std::optional<Dwarf_Word> number(Dwarf_Die* die, unsigned name) {
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    if (dwarf_attr(die, name, &attribute) == nullptr || dwarf_formudata(&attribute, &value) != 0) {
        return std::nullopt;
    }
    return value;
}

const char* text(Dwarf_Die* die, unsigned name) {
    Dwarf_Attribute attribute;
    return dwarf_formstring(dwarf_attr_integrate(die, name, &attribute));
}

std::string linkage_name(Dwarf_Die* die) {
    const char* name = text(die, DW_AT_linkage_name);
    if (name == nullptr) name = text(die, DW_AT_MIPS_linkage_name);
    return capped_text(name);
}

// With scopes and parameters; empty where the symbol does not tell them.
std::string full_name(const std::string& symbol) {
    std::string name = demangle(symbol);
    return name == symbol ? std::string() : name;
}

// The declaration that a function's concrete and abstract instances refer to.
Dwarf_Die declaration_of(Dwarf_Die die) {
    // More than a real chain has: concrete, abstract, specification.
    constexpr int kLongest = 16;
    for (int i = 0; i < kLongest; ++i) {
        Dwarf_Attribute attribute;
        Dwarf_Die next;
        const bool refers = dwarf_attr(&die, DW_AT_abstract_origin, &attribute) != nullptr ||
                            dwarf_attr(&die, DW_AT_specification, &attribute) != nullptr;
        if (!refers || dwarf_formref_die(&attribute, &next) == nullptr) break;
        die = next;
    }
    return die;
}

// libdw puts the folder of the compiler's run before names that are relative to it, but not before
// those in a folder that is itself relative. That folder can be relative too: reproducible builds
// write "./libio" for it.
std::string full_path(const char* path, Dwarf_Die* cu) {
    if (path == nullptr) return {};
    const std::string name = capped_text(path, PATH_MAX);
    const char* folder = text(cu, DW_AT_comp_dir);
    if (name.starts_with('/') || folder == nullptr) return name;
    const std::string prefix = capped_text(folder, PATH_MAX) + "/";
    return name.starts_with(prefix) ? name : prefix + name;
}

struct Place {
    std::string file;
    unsigned line = 0;
};

Place line_at(Dwarf_Die* cu, Dwarf_Addr address) {
    Dwarf_Line* line = dwarf_getsrc_die(cu, address);
    int number = 0;
    if (line == nullptr || dwarf_lineno(line, &number) != 0) return {};
    return {full_path(dwarf_linesrc(line, nullptr, nullptr), cu), static_cast<unsigned>(number)};
}

Place call_of(Dwarf_Die inlined, Dwarf_Die* root) {
    Place place;
    place.line = static_cast<unsigned>(number(&inlined, DW_AT_call_line).value_or(0));
    const auto file = number(&inlined, DW_AT_call_file);
    Dwarf_Files* files = nullptr;
    size_t count = 0;
    if (!file || dwarf_getsrcfiles(root, &files, &count) != 0 || *file >= count) return place;
    place.file = full_path(dwarf_filesrc(files, *file, nullptr, nullptr), root);
    return place;
}

}  // namespace

DwarfFrames::DwarfFrames(Dwarf* dwarf, IsCode is_code, const MayOpenSplit& may_open_split)
    : dwarf_(dwarf), is_code_(std::move(is_code)) {
    Dwarf_CU* cu = nullptr;
    Unit unit = {};
    uint8_t type = 0;
    while (dwarf_get_units(dwarf_, cu, &cu, nullptr, &type, &unit.cu, nullptr) == 0) {
        if (type != DW_UT_compile && type != DW_UT_skeleton) continue;
        unit.root = unit.cu;
        // libdw opens a unit's split part itself, and only when it is asked for it.
        Dwarf_Die split = {};
        const bool has_split =
            type == DW_UT_skeleton && may_open_split(unit.cu) &&
            dwarf_cu_info(cu, nullptr, nullptr, nullptr, &split, nullptr, nullptr, nullptr) == 0 &&
            split.addr != nullptr;
        if (has_split) unit.root = split;
        add_ranges(&unit.cu, is_code_, unit, units_);
    }
    units_.finish();
}

const DwarfFrames::Unit* DwarfFrames::unit_at(Dwarf_Addr address) {
    if (const Unit* unit = units_.find(address); unit != nullptr) return unit;
    // A unit need not say its ranges itself; .debug_aranges can say them.
    Dwarf_Die cu;
    if (dwarf_addrdie(dwarf_, address, &cu) == nullptr) return nullptr;
    fallback_unit_ = {cu, cu};
    return &fallback_unit_;
}

DwarfUnit& DwarfFrames::index_of(const Dwarf_Die& root) {
    auto& index = indexes_[root.addr];
    if (index == nullptr) index = std::make_unique<DwarfUnit>(root, is_code_);
    return *index;
}

std::string DwarfFrames::qualified_name(Dwarf_Die die) {
    Dwarf_Die declaration = declaration_of(die);
    const char* name = dwarf_diename(&declaration);
    if (name == nullptr) return linkage_name(&die);
    Dwarf_Die root;
    if (dwarf_diecu(&declaration, &root, nullptr, nullptr) == nullptr) return capped_text(name);
    return index_of(root).scope_of(declaration) + capped_text(name);
}

const std::string& DwarfFrames::function_name(const Dwarf_Die& die) {
    const auto [found, is_new] = names_.try_emplace(die.addr);
    if (!is_new) return found->second;
    Dwarf_Die function = die;
    const std::string full = full_name(linkage_name(&function));
    found->second = full.empty() ? qualified_name(function) : full;
    return found->second;
}

std::vector<Frame> DwarfFrames::at(Dwarf_Addr address, const std::string& symbol) {
    const Unit* unit = unit_at(address);
    if (unit == nullptr) return {};
    Dwarf_Die cu = unit->cu;
    Dwarf_Die root = unit->root;
    const Dwarf_Die* function = index_of(root).function_at(address);
    std::vector<Dwarf_Die> scopes;
    if (function != nullptr) {
        scopes.push_back(*function);
        add_inlined(*function, address, 0, scopes);
    }
    Place place = line_at(&cu, address);
    std::vector<Frame> frames;
    for (; scopes.size() > 1; scopes.pop_back()) {
        frames.push_back({function_name(scopes.back()), place.file, place.line, true});
        place = call_of(scopes.back(), &root);
    }
    Frame outermost = {demangle(symbol), place.file, place.line, false};
    if (!scopes.empty()) {
        // A part that was split off (f.cold) is still f.
        std::string name = full_name(linkage_name(&scopes.front()));
        if (name.empty()) name = full_name(symbol.substr(0, symbol.find('.')));
        outermost.function = name.empty() ? function_name(scopes.front()) : name;
    }
    frames.push_back(std::move(outermost));
    return frames;
}

}  // namespace cowscope::symbolize
