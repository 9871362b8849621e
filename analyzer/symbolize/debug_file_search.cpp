#include "symbolize/debug_file_search.h"

#include <dwarf.h>
#include <gelf.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>

#include <elfutils/libdwelf.h>
#include <fmt/format.h>

#include "base/error.h"
#include "symbolize/elf_opening.h"

namespace cowscope::symbolize {

namespace {

namespace fs = std::filesystem;

// Of all files of this process.
constexpr uint64_t kMostCrcBytes = uint64_t{1} << 30;
// A hostile trace may name any number of files that refer to such.
constexpr size_t kMostNotes = 16;

int find_no_elf(Dwfl_Module* /*module*/, void** /*user_data*/, const char* /*module_name*/,
                Dwarf_Addr /*base*/, char** /*file_name*/, Elf** /*elf*/) {
    return -1;
}

std::string folder_of(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string bytes_of(const void* start, ssize_t count) {
    return count <= 0 ? std::string()
                      : std::string(static_cast<const char*>(start), static_cast<size_t>(count));
}

std::string build_id_of(int fd) {
    Elf* elf = elf_begin(fd, ELF_C_READ_MMAP, nullptr);
    if (elf == nullptr) return {};
    const void* bits = nullptr;
    const ssize_t count = dwelf_elf_gnu_build_id(elf, &bits);
    std::string id = bytes_of(bits, count);
    elf_end(elf);
    return id;
}

bool is_same_file(const std::string& one, const std::string& other) {
    std::error_code error;
    return fs::equivalent(one, other, error) && !error;
}

std::string attribute_text(Dwarf_Die* die, unsigned first, unsigned second) {
    Dwarf_Attribute attribute;
    const char* text = dwarf_formstring(dwarf_attr(die, first, &attribute));
    if (text == nullptr) text = dwarf_formstring(dwarf_attr(die, second, &attribute));
    return capped_text(text, PATH_MAX);
}

}  // namespace

// As libdwfl's own default has them: beside the file, in a folder beside it, and in the system's
// tree (libdwfl.h, dwfl_standard_find_debuginfo).
DebugFileSearch::DebugFileSearch(const std::string& debug_path) : crc_bytes_left_(kMostCrcBytes) {
    std::string_view rest = debug_path;
    while (!rest.empty()) {
        const size_t end = std::min(rest.find(':'), rest.size());
        if (end != 0) folders_.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    callbacks_.find_elf = find_no_elf;
    callbacks_.find_debuginfo = find_callback;
    callbacks_.section_address = dwfl_offline_section_address;
}

void DebugFileSearch::attach(Dwfl_Module* module) const {
    void** user_data = nullptr;
    dwfl_module_info(module, &user_data, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
    if (user_data != nullptr) *user_data = const_cast<DebugFileSearch*>(this);
}

int DebugFileSearch::find_callback(Dwfl_Module* module, void** user_data,
                                   const char* /*module_name*/, Dwarf_Addr /*base*/,
                                   const char* file_name, const char* link_name, GElf_Word crc,
                                   char** found_name) {
    if (*user_data == nullptr || file_name == nullptr) return -1;
    const auto* search = static_cast<const DebugFileSearch*>(*user_data);
    GElf_Addr bias = 0;
    GElf_Word own_crc = 0;
    Elf* elf = dwfl_module_getelf(module, &bias);
    const char* own_link = elf == nullptr ? nullptr : dwelf_elf_gnu_debuglink(elf, &own_crc);
    // libdwfl asks in the same way for the file that is shared with others: open_shared().
    const bool is_own =
        link_name == nullptr || (own_link != nullptr && std::strcmp(own_link, link_name) == 0);
    if (!is_own) return -1;
    const unsigned char* bits = nullptr;
    GElf_Addr address = 0;
    const int id_bytes = dwfl_module_build_id(module, &bits, &address);
    try {
        std::string found;
        const int fd =
            search->find(file_name, bytes_of(bits, id_bytes),
                         link_name == nullptr ? "" : capped_text(link_name, PATH_MAX), crc, &found);
        if (fd >= 0) *found_name = strdup(found.c_str());
        return fd;
    } catch (const std::exception&) {
        return -1;
    }
}

int DebugFileSearch::find(const std::string& file, const std::string& build_id,
                          const std::string& link, uint32_t crc, std::string* found) const {
    const auto open_if = [&](const std::string& path, const auto& matches) {
        uint64_t bytes = 0;
        const int fd = is_same_file(path, file) ? -1 : open_checked(path, &bytes);
        if (fd < 0) return -1;
        *found = path;
        if (matches(path, fd, bytes)) return fd;
        close(fd);
        return -1;
    };
    const auto has_build_id = [&](const std::string&, int fd, uint64_t) {
        return build_id_of(fd) == build_id;
    };
    for (const std::string& path : places_of_build_id(build_id)) {
        if (const int fd = open_if(path, has_build_id); fd >= 0) return fd;
    }
    if (link.empty()) return -1;
    // Where both have a build id it decides; what the link says is for files without.
    const auto is_meant = [&](const std::string& path, int fd, uint64_t bytes) {
        return build_id.empty() ? has_crc(path, fd, bytes, crc) : build_id_of(fd) == build_id;
    };
    std::vector<std::string> places = places_of_link(file, link);
    std::error_code error;
    const fs::path real = fs::canonical(file, error);
    if (!error && real != file) {
        const auto more = places_of_link(real.string(), link);
        places.insert(places.end(), more.begin(), more.end());
    }
    for (const std::string& path : places) {
        if (const int fd = open_if(path, is_meant); fd >= 0) return fd;
    }
    return -1;
}

std::vector<std::string> DebugFileSearch::places_of_build_id(const std::string& build_id) const {
    std::vector<std::string> places;
    constexpr size_t kMostIdBytes = 64;
    if (build_id.size() < 2 || build_id.size() > kMostIdBytes) return places;
    std::string name;
    for (const char byte : build_id) {
        name += fmt::format("{:02x}", static_cast<unsigned char>(byte));
        if (name.size() == 2) name += '/';
    }
    for (const std::string& folder : folders_) {
        places.push_back(fmt::format("{}/.build-id/{}.debug", folder, name));
    }
    return places;
}

std::vector<std::string> DebugFileSearch::places_of_link(const std::string& file,
                                                         const std::string& link) const {
    if (link.starts_with('/')) return {link};
    const std::string beside = folder_of(file);
    std::vector<std::string> places = {beside + "/" + link, beside + "/.debug/" + link};
    for (const std::string& folder : folders_) {
        places.push_back(fmt::format("{}{}/{}", folder, beside, link));
    }
    for (const std::string& folder : folders_) places.push_back(folder + "/" + link);
    return places;
}

int DebugFileSearch::open_checked(const std::string& path, uint64_t* bytes) const {
    const OpenedElf opened = open_elf(path);
    if (!opened.problem.empty()) note(path, opened.problem);
    *bytes = opened.bytes;
    return opened.fd;
}

bool DebugFileSearch::has_crc(const std::string& path, int fd, uint64_t bytes, uint32_t crc) const {
    if (bytes > crc_bytes_left_) {
        note(path, fmt::format("{} bytes are too many to be told by their checksum", bytes));
        return false;
    }
    crc_bytes_left_ -= bytes;
    constexpr size_t kBufferBytes = size_t{1} << 18;
    const auto buffer = std::make_unique<unsigned char[]>(kBufferBytes);
    uLong sum = crc32(0, nullptr, 0);
    for (uint64_t at = 0; at < bytes;) {
        const ssize_t count = pread(fd, buffer.get(), kBufferBytes, static_cast<off_t>(at));
        if (count <= 0) return false;
        sum = crc32(sum, buffer.get(), static_cast<uInt>(count));
        at += static_cast<uint64_t>(count);
    }
    return sum == crc;
}

int DebugFileSearch::open_shared(Dwarf* dwarf, const std::string& file) const {
    const char* name = nullptr;
    const void* bits = nullptr;
    const ssize_t id_bytes = dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &bits);
    if (id_bytes <= 0) return -1;
    const std::string build_id = bytes_of(bits, id_bytes);
    std::vector<std::string> places = places_of_build_id(build_id);
    const std::string link = capped_text(name, PATH_MAX);
    places.push_back(link.starts_with('/') ? link : folder_of(file) + "/" + link);
    for (const std::string& path : places) {
        const OpenedElf opened = open_elf(path);
        if (!opened.problem.empty()) {
            throw Error(fmt::format("{}: {}", path, opened.problem));
        }
        if (opened.fd < 0) continue;
        if (build_id_of(opened.fd) == build_id) return opened.fd;
        close(opened.fd);
    }
    return -1;
}

bool DebugFileSearch::may_open_split(Dwarf_Die unit, const std::string& file) const {
    const std::string name = attribute_text(&unit, DW_AT_dwo_name, DW_AT_GNU_dwo_name);
    if (name.empty()) return false;
    const std::string folder = attribute_text(&unit, DW_AT_comp_dir, DW_AT_comp_dir);
    const std::string beside = folder_of(file);
    std::vector<std::string> places = {name};
    if (!name.starts_with('/')) {
        places = {beside + "/" + name, beside + "/" + folder + "/" + name, folder + "/" + name};
    }
    for (const std::string& path : places) {
        const OpenedElf opened = open_elf(path);
        if (opened.fd >= 0) close(opened.fd);
        if (opened.problem.empty()) continue;
        note(path, opened.problem);
        return false;
    }
    return true;
}

void DebugFileSearch::note(const std::string& path, const std::string& problem) const {
    if (notes_.size() < kMostNotes) {
        notes_.push_back(fmt::format("debug information left out: {}: {}", path, problem));
    }
}

std::vector<std::string> DebugFileSearch::take_notes() const {
    return std::exchange(notes_, {});
}

}  // namespace cowscope::symbolize
