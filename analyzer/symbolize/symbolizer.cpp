#include "symbolize/symbolizer.h"

#include <map>
#include <unordered_map>
#include <utility>

#include "symbolize/debug_file_search.h"
#include "symbolize/demangle.h"
#include "symbolize/dwarf_frames.h"
#include "symbolize/elf_file.h"

namespace cowscope::symbolize {

namespace {

// A file with all that was found out about it.
class Module {
  public:
    Module(const std::string& path, const DebugFileSearch& search)
        : path_(path), elf_(ElfFile::open(path, search)) {}

    // nullptr where the path names no ELF file.
    [[nodiscard]] ElfFile* elf() const { return elf_.get(); }

    const Location& at_offset(uint64_t file_offset) {
        const auto [found, is_new] = locations_.try_emplace(file_offset);
        if (is_new) found->second = locate(file_offset);
        return found->second;
    }

  private:
    Location locate(uint64_t file_offset) {
        Location location;
        location.module = path_;
        if (elf_ == nullptr) return location;
        const auto vaddr = elf_->vaddr_of_offset(file_offset);
        if (!vaddr) return location;
        if (const Symbol* symbol = elf_->code_symbol(*vaddr); symbol != nullptr) {
            location.symbol = symbol->name;
            location.symbol_offset = *vaddr - symbol->vaddr;
        }
        location.frames = frames_at(*vaddr, location.symbol);
        location.has_debug_info = !location.frames.empty();
        if (location.frames.empty() && !location.symbol.empty()) {
            location.frames.push_back({demangle(location.symbol), "", 0, false});
        }
        return location;
    }

    std::vector<Frame> frames_at(uint64_t vaddr, const std::string& symbol) {
        if (!searched_debug_info_) {
            searched_debug_info_ = true;
            const ElfFile::DebugInfo debug = elf_->debug_info();
            bias_ = debug.bias;
            const auto is_code = [this](uint64_t address) {
                return elf_->is_code(address - bias_);
            };
            if (debug.dwarf != nullptr) {
                dwarf_ = std::make_unique<DwarfFrames>(debug.dwarf, is_code);
            }
        }
        return dwarf_ == nullptr ? std::vector<Frame>{} : dwarf_->at(vaddr + bias_, symbol);
    }

    std::string path_;
    std::unique_ptr<ElfFile> elf_;
    std::unique_ptr<DwarfFrames> dwarf_;
    uint64_t bias_ = 0;  // from a vaddr to an address in the DWARF
    bool searched_debug_info_ = false;
    // References to the values stay valid when more are added.
    std::unordered_map<uint64_t, Location> locations_;
};

}  // namespace

struct Symbolizer::State {
    explicit State(const std::string& debug_path) : search(debug_path) {}

    Module& module(const std::string& path) {
        return modules.try_emplace(path, path, search).first->second;
    }

    DebugFileSearch search;
    std::map<std::string, Module> modules;
};

Symbolizer::Symbolizer(const std::string& debug_path)
    : state_(std::make_unique<State>(debug_path)) {}
Symbolizer::~Symbolizer() = default;
Symbolizer::Symbolizer(Symbolizer&&) noexcept = default;
Symbolizer& Symbolizer::operator=(Symbolizer&&) noexcept = default;

const Location& Symbolizer::resolve(const std::string& path, uint64_t file_offset) {
    return state_->module(path).at_offset(file_offset);
}

std::optional<uint64_t> Symbolizer::vaddr_of_offset(const std::string& path, uint64_t file_offset) {
    const ElfFile* elf = state_->module(path).elf();
    return elf == nullptr ? std::nullopt : elf->vaddr_of_offset(file_offset);
}

std::optional<ObjectSymbol> Symbolizer::data_symbol(const std::string& path, uint64_t vaddr) {
    ElfFile* elf = state_->module(path).elf();
    const Symbol* symbol = elf == nullptr ? nullptr : elf->data_symbol(vaddr);
    if (symbol == nullptr) return std::nullopt;
    return ObjectSymbol{demangle(symbol->name), vaddr - symbol->vaddr, symbol->size_bytes};
}

std::string Symbolizer::section_at(const std::string& path, uint64_t vaddr) {
    const ElfFile* elf = state_->module(path).elf();
    return elf == nullptr ? "" : elf->section_at(vaddr);
}

std::string Symbolizer::build_id(const std::string& path) {
    const ElfFile* elf = state_->module(path).elf();
    return elf == nullptr ? "" : elf->build_id();
}

}  // namespace cowscope::symbolize
