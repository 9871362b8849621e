// A module of call frames by hand, loaded from a file of its own in memory, with the places of its
// tables. Whoever changes them hurts nobody else.
#pragma once

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <cstring>
#include <string>
#include <vector>

#include "tree_cases.h"

namespace tree {

// libcall_frames.so, as it was loaded.
struct Module {
    void* handle;
    int file;  // that it was loaded from
    uint64_t base;
    unsigned char* eh_frame_header;
    unsigned char* cie;
    unsigned char* fde;
    unsigned char* tables_page;  // of these three
    uint64_t tables_offset;      // in the file
    uint64_t gap;                // a page between two segments, which nobody can read
    ElfW(Dyn) * dynamic;
    void (*store)(unsigned char* page);

    void make_writable(void* what, size_t pages = 1) const {
        const uint64_t page = reinterpret_cast<uint64_t>(what) & ~(kPageBytes - 1);
        require(mprotect(reinterpret_cast<void*>(page), pages * kPageBytes,
                         PROT_READ | PROT_WRITE) == 0,
                "mprotect of a module");
    }
    template <typename T>
    void set(void* at, T value) const {
        make_writable(at);
        std::memcpy(at, &value, sizeof(value));
    }
    void set_bytes(unsigned char* at, const std::vector<unsigned char>& bytes) const {
        make_writable(at);
        std::memcpy(at, bytes.data(), bytes.size());
    }
};

inline constexpr size_t kTableOffset = 12;         // of the one entry, in .eh_frame_hdr
inline constexpr size_t kAugmentationOffset = 15;  // of the CIE's length of augmentation data
inline constexpr size_t kInstructionsOffset = 17;  // of the FDE's
inline constexpr size_t kInstructionBytes = 119;

inline std::vector<unsigned char> file_content(const char* path) {
    std::vector<unsigned char> bytes;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    require(fd >= 0, path);
    unsigned char part[4096];
    for (ssize_t got; (got = read(fd, part, sizeof(part))) > 0;) {
        bytes.insert(bytes.end(), part, part + got);
    }
    close(fd);
    return bytes;
}

inline void write_content(int fd, const std::vector<unsigned char>& bytes) {
    require(pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
            "write of a module");
}

inline int find_parts(dl_phdr_info* info, size_t, void* argument) {
    auto& module = *static_cast<Module*>(argument);
    const auto function = reinterpret_cast<uint64_t>(module.store);
    const ElfW(Phdr)* code = nullptr;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const ElfW(Phdr)& each = info->dlpi_phdr[i];
        const uint64_t start = info->dlpi_addr + each.p_vaddr;
        if (each.p_type == PT_LOAD && function >= start && function - start < each.p_memsz) {
            code = &each;
        }
    }
    if (code == nullptr) return 0;
    module.base = info->dlpi_addr;
    module.gap =
        module.base + ((code->p_vaddr + code->p_memsz) & ~(kPageBytes - 1)) + 8 * kPageBytes;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const ElfW(Phdr)& each = info->dlpi_phdr[i];
        const uint64_t start = info->dlpi_addr + each.p_vaddr;
        if (each.p_type == PT_GNU_EH_FRAME) {
            module.eh_frame_header = reinterpret_cast<unsigned char*>(start);
            module.tables_offset = each.p_offset & ~(kPageBytes - 1);
        }
        if (each.p_type == PT_DYNAMIC) module.dynamic = reinterpret_cast<ElfW(Dyn)*>(start);
    }
    return 1;
}

inline int32_t load_int(const void* at) {
    int32_t value;
    std::memcpy(&value, at, sizeof(value));
    return value;
}

// From a file of its own in memory, which nobody else is hurt by.
inline Module load_module() {
    Module module = {};
    module.file = memfd_create("libpython_like", 0);
    require(module.file >= 0, "memfd_create");
    write_content(module.file, file_content(CALL_FRAMES_LIBRARY));
    const std::string path = "/proc/self/fd/" + std::to_string(module.file);
    module.handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    require(module.handle != nullptr, "dlopen");
    module.store =
        reinterpret_cast<void (*)(unsigned char*)>(dlsym(module.handle, "store_to_shared_by_hand"));
    require(module.store != nullptr, "dlsym");
    require(dl_iterate_phdr(find_parts, &module) == 1, "the module");
    unsigned char* header = module.eh_frame_header;
    require(header != nullptr && header[3] == 0x3b && load_int(header + 8) == 1, ".eh_frame_hdr");
    module.fde = header + load_int(header + kTableOffset + 4);
    module.cie = module.fde + 4 - load_int(module.fde + 4);
    require(module.cie[kAugmentationOffset] == 0x81, "the CIE");
    require(module.fde[kInstructionsOffset + 1] == 0x0c, "the FDE");
    const uint64_t page = reinterpret_cast<uint64_t>(header) & ~(kPageBytes - 1);
    module.tables_page = reinterpret_cast<unsigned char*>(page);
    return module;
}

inline constexpr size_t kWrites = 16;

inline void write_through(const Module& module) {
    for (size_t i = 0; i < kWrites; ++i) module.store(at(i));
    account::add_written(account::Kind::copied, region, kWrites, 1);
}

// In a process of its own: loads the module, changes it, and forks a child that writes through it.
template <typename Change, typename InChild>
void try_module(Change&& change, InChild&& in_child) {
    wait_for_child(start_child([&] {
        Module module = load_module();
        change(module);
        wait_for_child(start_child([&] {
            in_child(module);
            write_through(module);
        }));
    }));
}
template <typename Change>
void try_module(Change&& change) {
    try_module(change, [](const Module&) {});
}

}  // namespace tree
