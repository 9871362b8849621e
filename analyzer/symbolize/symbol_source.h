// Where the names come from: everything that Symbolizer answers, found in this process. What reads
// files of others runs in a process of its own (symbol_helper.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "symbolize/module_layout.h"
#include "symbolize/symbolizer.h"

namespace cowscope::symbolize {

// How much of a file is read: after what went wrong with it.
enum class Depth : uint8_t {
    all,
    without_debug_info,
    nothing,
};

class SymbolSource {
  public:
    explicit SymbolSource(const std::string& debug_path);
    ~SymbolSource();
    SymbolSource(const SymbolSource&) = delete;
    SymbolSource& operator=(const SymbolSource&) = delete;

    // Before the file is asked for.
    void set_depth(const std::string& path, Depth depth);

    // As Symbolizer's.
    Location resolve(const std::string& path, uint64_t file_offset);
    // Empty where the path names no ELF file.
    ModuleLayout layout(const std::string& path);

    // What was left out since the last call, and why: a line each.
    std::vector<std::string> take_notes();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace cowscope::symbolize
