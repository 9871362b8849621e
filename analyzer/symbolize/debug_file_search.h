// Finds separate debug files for libdwfl, whose own search opens whatever has the right name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <elfutils/libdwfl.h>

namespace cowscope::symbolize {

class DebugFileSearch {
  public:
    // `debug_path`: folders divided by colons.
    explicit DebugFileSearch(const std::string& debug_path);
    DebugFileSearch(const DebugFileSearch&) = delete;
    DebugFileSearch& operator=(const DebugFileSearch&) = delete;

    [[nodiscard]] const Dwfl_Callbacks* callbacks() const { return &callbacks_; }
    // Lets the module's debug file be searched here. Before the module is asked for anything.
    void attach(Dwfl_Module* module) const;

    // The file that debug information shares with that of others (dwz, .gnu_debugaltlink), or -1
    // where it has none. `file` is where `dwarf` was found. Throws cowscope::Error where a file is
    // there and libdw, which would look for it by itself, must not open it.
    int open_shared(Dwarf* dwarf, const std::string& file) const;

    // Whether libdw may look for a unit's split debug information (.dwo).
    bool may_open_split(Dwarf_Die unit, const std::string& file) const;

    // What was left out, and why: a line each. Those since the last call.
    std::vector<std::string> take_notes() const;

  private:
    static int find_callback(Dwfl_Module* module, void** user_data, const char* module_name,
                             Dwarf_Addr base, const char* file_name, const char* link_name,
                             GElf_Word crc, char** found_name);
    int find(const std::string& file, const std::string& build_id, const std::string& link,
             uint32_t crc, std::string* found) const;
    int open_checked(const std::string& path, uint64_t* bytes) const;
    bool has_crc(const std::string& path, int fd, uint64_t bytes, uint32_t crc) const;
    std::vector<std::string> places_of_build_id(const std::string& build_id) const;
    std::vector<std::string> places_of_link(const std::string& file, const std::string& link) const;
    void note(const std::string& path, const std::string& problem) const;

    std::vector<std::string> folders_;
    Dwfl_Callbacks callbacks_ = {};
    // libdwfl and its callback know this object as one that stays as it is.
    mutable std::vector<std::string> notes_;
    mutable uint64_t crc_bytes_left_;
};

}  // namespace cowscope::symbolize
