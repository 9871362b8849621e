#include "record/shim.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include <fmt/format.h>

#include "arch/processor.h"
#include "base/elf_reader.h"
#include "base/error.h"
#include "base/file_descriptor.h"
#include "record/find_program.h"

namespace cowscope::record {

namespace {

namespace fs = std::filesystem;

constexpr const char* kShimName = "libcowscope.so";
// A script's interpreter may be a script; execve(2) follows four of them (BINPRM_MAX_RECURSION).
constexpr int kMaxScriptDepth = 4;

// Path of the interpreter in "#!PATH ARGUMENT"; empty if the file is no script.
std::string script_interpreter(const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    std::string line;
    if (!std::getline(stream, line) || line.rfind("#!", 0) != 0) return {};
    const size_t start = line.find_first_not_of(" \t", 2);
    if (start == std::string::npos) return {};
    return line.substr(start, line.find_first_of(" \t\r", start) - start);
}

std::string why_elf_not_preloaded(const ElfReader& file) {
    if (file.file_class() == ELFCLASS32) return "it is a 32-bit program";
    const auto header = file.header();
    if (!header) return {};
    if (header->e_machine != arch::kElfMachine) return "it is built for another processor";
    const auto segments = file.segments(*header);
    const auto loader = std::find_if(segments.begin(), segments.end(),
                                     [](const auto& each) { return each.p_type == PT_INTERP; });
    if (loader == segments.end()) {
        // One whose segments cannot all be read has perhaps a loader.
        return segments.size() == header->e_phnum ? "it is statically linked" : std::string();
    }
    if (loader->p_filesz >= PATH_MAX) return {};
    const auto text = file.read<char>(loader->p_offset, loader->p_filesz);
    if (text.size() != loader->p_filesz) return {};
    const std::string_view path(text.data(), strnlen(text.data(), text.size()));
    if (path.substr(path.rfind('/') + 1) == arch::kGlibcLoader) return {};
    return fmt::format("it is not linked with glibc (its loader is {})", path);
}

}  // namespace

ShimSearch search_shim() {
    std::vector<fs::path> places;
    if (const char* named = std::getenv("COWSCOPE_SHIM"); named && *named) {
        places.push_back(fs::absolute(named));
    } else {
        std::error_code error;
        const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
        if (!error) {
            const fs::path libraries = folder.parent_path() / "lib";
            places = {folder / kShimName, libraries / "cowscope" / kShimName,
                      libraries / arch::kLibraryFolder / "cowscope" / kShimName};
        }
    }

    ShimSearch search;
    for (const fs::path& place : places) {
        search.searched.push_back(place.string());
        std::error_code error;
        if (search.path.empty() && access(place.c_str(), R_OK) == 0 &&
            fs::is_regular_file(place, error)) {
            search.path = place.string();
        }
    }
    return search;
}

std::string require_shim() {
    const ShimSearch search = search_shim();
    if (!search.path.empty()) return search.path;
    std::string places;
    for (const std::string& place : search.searched) {
        if (!places.empty()) places += ", ";
        places += place;
    }
    throw Error(
        fmt::format("{} not found (or not readable); searched: {}; COWSCOPE_SHIM can name it",
                    kShimName, places));
}

std::string why_not_preloaded(const std::string& program) {
    std::string file = find_program(program, X_OK);
    for (int depth = 0; depth < kMaxScriptDepth; ++depth) {
        const std::string interpreter = script_interpreter(file);
        if (interpreter.empty()) break;
        file = interpreter;
    }

    struct stat status {};
    if (file.empty() || stat(file.c_str(), &status) != 0) return {};
    if ((status.st_mode & S_ISUID) != 0) return "it is setuid";
    if ((status.st_mode & S_ISGID) != 0) return "it is setgid";
    if (getxattr(file.c_str(), "security.capability", nullptr, 0) > 0) {
        return "it has file capabilities";
    }
    const FileDescriptor opened(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened.is_open()) return "its file cannot be read";
    return why_elf_not_preloaded(ElfReader(opened.get()));
}

}  // namespace cowscope::record
