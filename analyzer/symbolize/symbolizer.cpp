#include "symbolize/symbolizer.h"

#include <map>
#include <unordered_map>
#include <utility>

#include "symbolize/symbol_helper.h"

namespace cowscope::symbolize {

namespace {

// All names that are kept. A hostile trace has any number of places, each with names as long as
// any.
constexpr size_t kMostKeptBytes = size_t{128} << 20;

size_t bytes_of(const Location& location) {
    size_t bytes = sizeof(location) + location.module.size() + location.symbol.size();
    for (const Frame& frame : location.frames) {
        bytes += sizeof(frame) + frame.function.size() + frame.file.size();
    }
    return bytes;
}

// What is known of a file.
struct Known {
    std::optional<ModuleLayout> layout;
    // References to the values stay valid when more are added.
    std::unordered_map<uint64_t, Location> locations;
};

}  // namespace

struct Symbolizer::State {
    State(const std::string& debug_path, const HelperLimits& limits) : helper(debug_path, limits) {}

    const ModuleLayout& layout(const std::string& path) {
        std::optional<ModuleLayout>& known = modules[path].layout;
        if (!known) {
            // Only what has an absolute path is a file ([heap] is none).
            const bool is_file = path.starts_with('/');
            known = is_file ? helper.layout(path).value_or(ModuleLayout{}) : ModuleLayout{};
        }
        return *known;
    }

    Location locate(const std::string& path, uint64_t file_offset) {
        // Nothing is asked for that the file has no part for, as where there is none.
        const bool is_there =
            kept_bytes < kMostKeptBytes && layout(path).vaddr_of_offset(file_offset).has_value();
        Location location =
            is_there ? helper.locate(path, file_offset).value_or(Location{}) : Location{};
        location.module = path;
        kept_bytes += bytes_of(location);
        return location;
    }

    SymbolHelper helper;
    size_t kept_bytes = 0;
    std::map<std::string, Known> modules;
};

Symbolizer::Symbolizer(const std::string& debug_path) : Symbolizer(debug_path, HelperLimits{}) {}
Symbolizer::Symbolizer(const std::string& debug_path, const HelperLimits& limits)
    : state_(std::make_unique<State>(debug_path, limits)) {}
Symbolizer::~Symbolizer() = default;
Symbolizer::Symbolizer(Symbolizer&&) noexcept = default;
Symbolizer& Symbolizer::operator=(Symbolizer&&) noexcept = default;

const Location& Symbolizer::resolve(const std::string& path, uint64_t file_offset) {
    const auto [found, is_new] = state_->modules[path].locations.try_emplace(file_offset);
    if (is_new) found->second = state_->locate(path, file_offset);
    return found->second;
}

std::optional<uint64_t> Symbolizer::vaddr_of_offset(const std::string& path, uint64_t file_offset) {
    return state_->layout(path).vaddr_of_offset(file_offset);
}

std::string Symbolizer::section_at(const std::string& path, uint64_t vaddr) {
    return state_->layout(path).section_at(vaddr);
}

std::string Symbolizer::build_id(const std::string& path) {
    return state_->layout(path).build_id;
}

const std::vector<std::string>& Symbolizer::notes() const {
    return state_->helper.notes();
}

}  // namespace cowscope::symbolize
