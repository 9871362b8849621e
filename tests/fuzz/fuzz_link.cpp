// Separate debug files: what a link names, what stands there, and what it shares and splits off.
//
// An input is a byte that says what stands there, and a module. Its debug link is made to name a
// file whose checksum is right.
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cstring>
#include <filesystem>

#include "tests/fuzz/fuzzer.h"
#include "tests/fuzz/symbol_fuzzing.h"

using namespace cowscope;

namespace {

constexpr char kName[] = "module.debug";

// As objcopy --add-gnu-debuglink writes it: a name, zeros, and the checksum in the last four bytes.
void set_link(std::string* elf, const std::string& debug_file) {
    const auto links = fuzz::sections_of(*elf, ".gnu_debuglink");
    if (links.empty() || links.front().bytes < sizeof kName + 4) return;
    const fuzz::Extent& link = links.front();
    const auto sum =
        static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(debug_file.data()),
                                    static_cast<uInt>(debug_file.size())));
    std::memcpy(elf->data() + link.start, kName, sizeof kName);
    std::memcpy(elf->data() + link.start + link.bytes - 4, &sum, sizeof sum);
}

void put_something_else(const std::string& path, uint8_t kind) {
    std::filesystem::remove_all(path);
    switch (kind % 4) {
        case 0:
            mkfifo(path.c_str(), 0600);
            break;
        case 1:
            std::filesystem::create_symlink("/dev/zero", path);
            break;
        case 2:
            std::filesystem::create_directory(path);
            break;
        default:
            std::filesystem::create_symlink(path, path);
            break;
    }
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t /*most*/,
                                          unsigned seed) {
    if (size == 0) return size;
    std::string elf(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (seed % 16 == 0) data[0] = static_cast<uint8_t>(seed >> 8);
    const char* kParts[] = {"gnu_debug", "debug_", "note"};
    const auto parts = fuzz::sections_of(elf, kParts[seed % 3]);
    if (parts.empty()) return size;
    fuzz::mutate_within(&elf, parts[seed / 16 % parts.size()], seed);
    std::memcpy(data + 1, elf.data(), elf.size());
    return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const fuzz::Folder folder;
    if (size == 0) return 0;
    folder.clear();
    std::string elf(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::string debug_file = elf;
    if (data[0] % 8 != 7) set_link(&elf, debug_file);
    // Without debug information of its own, so that the link is followed.
    for (const fuzz::Extent& section : fuzz::sections_of(elf, ".debug_info")) {
        std::memset(elf.data() + section.start, 0, section.bytes);
    }
    folder.write("module.so", elf);
    folder.write(kName, debug_file);
    const std::string path = folder.path() + "/" + kName;
    if (data[0] % 4 == 1) put_something_else(path, data[0] >> 4);
    if (data[0] % 4 == 2) truncate(path.c_str(), off_t{1} << (data[0] >> 4 << 2));
    if (data[0] % 4 == 3) put_something_else(folder.path() + "/shared.debug", data[0] >> 4);
    fuzz::ask_everything(folder.path() + "/module.so", folder.path());
    return 0;
}
