// Names for addresses in executables and shared libraries, from DWARF and ELF symbol tables.
//
// Addresses are given as places in files, so that they mean the same in every process of a trace.
// For an address in a mapping of /proc/PID/maps:
//
//     file offset = address - mapping.start + mapping.offset
//     vaddr       = address - first.start + *vaddr_of_offset(path, first.offset)
//
// with `first` the loader's first mapping of the file. A vaddr is an address as the file's own
// headers count; it also names what lies behind the file's end in memory (.bss).
//
// A return address points behind its call: the caller of this code subtracts 1 before it asks.
//
// Debug information is searched in the file itself, in separate files by build id and by
// .gnu_debuglink; never on the network. Files are opened once and stay open; answers are kept. A
// path that names no readable ELF file (deleted, [vdso], anonymous, a FIFO) has no answers, which
// is no error. Not for use by two threads at once.
//
// Files may wish us ill: a process of our own reads them, with limits (symbol_helper.h). What it
// cannot read within them is left out, and told in notes().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cowscope::symbolize {

struct Frame {
    // Demangled, with parameters where the name has them; empty if not known.
    std::string function;
    std::string file;   // as in DWARF, with the folder of the build; empty if not known
    unsigned line = 0;  // 0: not known
    bool inlined = false;
};

struct Location {
    std::string module;  // the path that was asked for
    // Innermost (most deeply inlined) first; the last one is the function that has code of its own.
    // The line of a frame that holds an inlined one is the line of that call. Without DWARF one
    // frame with the name of the symbol; without that none.
    std::vector<Frame> frames;
    bool has_debug_info = false;      // frames come from DWARF
    std::string symbol;               // ELF symbol that covers the address, not demangled
    std::uint64_t symbol_offset = 0;  // bytes from the start of that symbol
};

struct HelperLimits;

class Symbolizer {
  public:
    // `debug_path`: folders with separate debug files, divided by colons.
    explicit Symbolizer(const std::string& debug_path = "/usr/lib/debug");
    Symbolizer(const std::string& debug_path, const HelperLimits& limits);
    ~Symbolizer();
    Symbolizer(Symbolizer&&) noexcept;
    Symbolizer& operator=(Symbolizer&&) noexcept;

    // The reference stays valid while this object lives.
    const Location& resolve(const std::string& path, std::uint64_t file_offset);

    // Empty where no loaded part of the file has this offset.
    std::optional<std::uint64_t> vaddr_of_offset(const std::string& path,
                                                 std::uint64_t file_offset);

    // Name of the section in memory: ".got.plt", ".data", ".bss". Empty without section headers.
    std::string section_at(const std::string& path, std::uint64_t vaddr);

    // Lower-case hex; empty where the file has none.
    std::string build_id(const std::string& path);

    // What was left out so far, and why: a line each.
    const std::vector<std::string>& notes() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace cowscope::symbolize
