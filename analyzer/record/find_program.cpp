#include "record/find_program.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace cowscope::record {

std::string find_program(const std::string& program, int mode) {
    if (program.find('/') != std::string::npos) return program;
    const char* path = std::getenv("PATH");
    // What execvp(3) takes without a PATH: confstr(_CS_PATH).
    std::string_view rest = path ? path : "/bin:/usr/bin";
    while (true) {
        const size_t colon = rest.find(':');
        const std::string folder(rest.substr(0, colon));
        const std::string candidate = folder.empty() ? "./" + program : folder + '/' + program;
        std::error_code error;
        if (access(candidate.c_str(), mode) == 0 &&
            std::filesystem::is_regular_file(candidate, error)) {
            return candidate;
        }
        if (colon == std::string_view::npos) return {};
        rest.remove_prefix(colon + 1);
    }
}

}  // namespace cowscope::record
