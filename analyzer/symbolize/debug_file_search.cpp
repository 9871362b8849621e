#include "symbolize/debug_file_search.h"

#include <cstdlib>
#include <optional>

namespace cowscope::symbolize {

namespace {

// libdwfl asks debuginfod servers when this variable names some. A report must not depend on the
// network, nor wait for it. The variable is hidden only meanwhile, because the environment is also
// what a recorded program inherits.
constexpr char kServers[] = "DEBUGINFOD_URLS";

class ServersHidden {
  public:
    ServersHidden() {
        if (const char* value = std::getenv(kServers); value != nullptr) {
            value_ = value;
            unsetenv(kServers);
        }
    }
    ~ServersHidden() {
        if (value_) setenv(kServers, value_->c_str(), 1);
    }
    ServersHidden(const ServersHidden&) = delete;
    ServersHidden& operator=(const ServersHidden&) = delete;

  private:
    std::optional<std::string> value_;
};

int find_debug_file(Dwfl_Module* module, void** user_data, const char* module_name, Dwarf_Addr base,
                    const char* file_name, const char* link_name, GElf_Word crc,
                    char** found_name) {
    const ServersHidden hidden;
    return dwfl_standard_find_debuginfo(module, user_data, module_name, base, file_name, link_name,
                                        crc, found_name);
}

int find_no_elf(Dwfl_Module* /*module*/, void** /*user_data*/, const char* /*module_name*/,
                Dwarf_Addr /*base*/, char** /*file_name*/, Elf** /*elf*/) {
    return -1;
}

}  // namespace

// libdwfl's own default is ":.debug:/usr/lib/debug": beside the file, in a folder beside it, and
// in the system's tree (libdwfl.h, dwfl_standard_find_debuginfo).
DebugFileSearch::DebugFileSearch(const std::string& debug_path)
    : path_(":.debug:" + debug_path), path_start_(path_.data()) {
    callbacks_.find_elf = find_no_elf;
    callbacks_.find_debuginfo = find_debug_file;
    callbacks_.section_address = dwfl_offline_section_address;
    callbacks_.debuginfo_path = &path_start_;
}

}  // namespace cowscope::symbolize
