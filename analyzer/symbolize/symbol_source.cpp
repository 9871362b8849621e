#include "symbolize/symbol_source.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/printable.h"
#include "symbolize/debug_file_search.h"
#include "symbolize/demangle.h"
#include "symbolize/dwarf_frames.h"
#include "symbolize/elf_file.h"

namespace cowscope::symbolize {

namespace {

// All names of one answer, in bytes: inlined functions can nest, each with a name as long as any.
constexpr size_t kMostTextBytes = size_t{256} << 10;

using Notes = std::vector<std::string>;

// A file with all that was found out about it.
class Module {
  public:
    Module(const std::string& path, Depth depth, const DebugFileSearch& search, Notes* notes)
        : path_(path), search_(search), notes_(*notes), has_debug_info_(depth == Depth::all) {
        if (depth == Depth::nothing) return;
        std::string problem;
        elf_ = ElfFile::open(path, search, &problem);
        if (!problem.empty()) notes_.push_back(fmt::format("{}: left out: {}", path, problem));
    }

    // nullptr where the path names no ELF file.
    [[nodiscard]] ElfFile* elf() const { return elf_.get(); }

    Location locate(uint64_t file_offset) {
        Location location;
        location.module = path_;
        if (elf_ == nullptr) return location;
        const auto vaddr = elf_->layout().vaddr_of_offset(file_offset);
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
        keep_short(&location);
        return location;
    }

  private:
    std::vector<Frame> frames_at(uint64_t vaddr, const std::string& symbol) {
        if (has_debug_info_ && dwarf_ == nullptr) {
            // Once, whatever comes of it.
            has_debug_info_ = false;
            find_debug_info();
        }
        return dwarf_ == nullptr ? std::vector<Frame>{} : dwarf_->at(vaddr + bias_, symbol);
    }

    void find_debug_info() {
        try {
            const ElfFile::DebugInfo debug = elf_->debug_info();
            bias_ = debug.bias;
            if (debug.dwarf == nullptr) return;
            const auto is_code = [this](uint64_t address) {
                return elf_->is_code(address - bias_);
            };
            const auto may_open_split = [this, file = debug.file](const Dwarf_Die& unit) {
                return search_.may_open_split(unit, file);
            };
            dwarf_ = std::make_unique<DwarfFrames>(debug.dwarf, is_code, may_open_split);
        } catch (const Error& error) {
            notes_.push_back(
                fmt::format("{}: debug information left out: {}", path_, error.what()));
        }
    }

    // The outermost frame, which has code of its own, stays.
    static void keep_short(Location* location) {
        size_t left = kMostTextBytes;
        auto& frames = location->frames;
        for (size_t i = 0; i < frames.size(); ++i) {
            const size_t bytes = frames[i].function.size() + frames[i].file.size();
            if (bytes > left && i + 1 < frames.size()) {
                frames.erase(frames.begin() + static_cast<std::ptrdiff_t>(i), frames.end() - 1);
                return;
            }
            left -= std::min(left, bytes);
        }
    }

    std::string path_;
    const DebugFileSearch& search_;
    Notes& notes_;
    std::unique_ptr<ElfFile> elf_;
    std::unique_ptr<DwarfFrames> dwarf_;
    uint64_t bias_ = 0;  // from a vaddr to an address in the DWARF
    bool has_debug_info_;
};

}  // namespace

struct SymbolSource::State {
    explicit State(const std::string& debug_path) : search(debug_path) {}

    Module& module(const std::string& path) {
        const auto found = modules.find(path);
        if (found != modules.end()) return found->second;
        const auto depth = depths.find(path);
        return modules
            .try_emplace(path, path, depth == depths.end() ? Depth::all : depth->second, search,
                         &notes)
            .first->second;
    }

    DebugFileSearch search;
    Notes notes;
    std::map<std::string, Depth> depths;
    std::map<std::string, Module> modules;
};

SymbolSource::SymbolSource(const std::string& debug_path)
    : state_(std::make_unique<State>(debug_path)) {}
SymbolSource::~SymbolSource() = default;

void SymbolSource::set_depth(const std::string& path, Depth depth) {
    state_->depths[path] = depth;
}

Location SymbolSource::resolve(const std::string& path, uint64_t file_offset) {
    return state_->module(path).locate(file_offset);
}

ModuleLayout SymbolSource::layout(const std::string& path) {
    const ElfFile* elf = state_->module(path).elf();
    return elf == nullptr ? ModuleLayout{} : elf->layout();
}

std::vector<std::string> SymbolSource::take_notes() {
    Notes notes = std::exchange(state_->notes, {});
    for (std::string& each : state_->search.take_notes()) notes.push_back(std::move(each));
    return notes;
}

}  // namespace cowscope::symbolize
