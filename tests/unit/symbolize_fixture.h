// Builds small programs whose addresses, lines and names are known beforehand.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace cowscope::test {

// The functions named here return the address behind an instruction of theirs, as a call would
// leave it: that address minus 1 lies in the marked line.
inline constexpr std::string_view kSource = R"(
#include <stdio.h>
#include <string.h>

#define HERE(result) asm volatile("lea 0(%%rip), %0" : "=r"(result) : : "memory")

namespace shop {

template <typename T>
struct Counter {
    T value;
    __attribute__((always_inline)) const char* bump() {
        const char* here;
        HERE(here);  // MARK bump
        return here;
    }
};

__attribute__((always_inline)) inline const char* twice(Counter<long>& counter) {
    counter.bump();
    return counter.bump();  // MARK twice
}

namespace {
__attribute__((always_inline)) inline const char* unseen(Counter<long>& counter) {
    return twice(counter);  // MARK unseen
}
}  // namespace

__attribute__((noinline, visibility("hidden"))) const char* work(Counter<long>& counter, int) {
    return unseen(counter);  // MARK work
}

}  // namespace shop

asm(".text\n.globl shop_assembly\nshop_assembly:\nnop\nnop\nret\n");

extern "C" {
long shop_data = 5;
long shop_zero[64];
const char shop_assembly();

__attribute__((noinline)) const char* shop_inlined() {
    static shop::Counter<long> counter;
    const char* address = shop::work(counter, 1);
    asm volatile("" : "+r"(address));
    return address;
}
__attribute__((noinline)) const char* shop_exported() {
    const char* here;
    HERE(here);  // MARK exported
    return here;
}
const char* shop_assembly_start() { return reinterpret_cast<const char*>(&shop_assembly); }
const char* shop_offset_table() {
    const char* table;
    asm("lea _GLOBAL_OFFSET_TABLE_(%%rip), %0" : "=r"(table));
    // Calls through the table, so that there is one for functions.
    return puts("") < 0 ? nullptr : table;
}
}

// Prints the place in the file of the address behind shop_inlined().
int main() {
    const unsigned long address = reinterpret_cast<unsigned long>(shop_inlined());
    FILE* maps = fopen("/proc/self/maps", "r");
    char line[4096];
    while (fgets(line, sizeof line, maps) != nullptr) {
        unsigned long start, end, offset;
        if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) != 3) continue;
        if (address >= start && address < end) printf("%lu\n", address - start + offset);
    }
    return 0;
}
)";

// The line of kSource that carries a mark.
inline unsigned line_of(std::string_view mark) {
    const size_t at = kSource.find("MARK " + std::string(mark) + "\n");
    if (at == kSource.npos) throw std::logic_error("no such mark");
    unsigned line = 1;
    for (const char c : kSource.substr(0, at)) line += c == '\n' ? 1 : 0;
    return line;
}

// A folder that is removed at the end, with the source in it.
class Workshop {
  public:
    Workshop() {
        std::string pattern = (std::filesystem::temp_directory_path() / "cowscope.XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
        folder_ = std::filesystem::canonical(pattern);
        std::ofstream(path("shop.cpp")) << kSource;
    }
    ~Workshop() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    Workshop(const Workshop&) = delete;
    Workshop& operator=(const Workshop&) = delete;

    [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }

    // Runs a command in the folder.
    void run(const std::string& command) const {
        const std::string line = "cd '" + folder_.string() + "' && " + command;
        if (std::system(line.c_str()) != 0) throw std::runtime_error("failed: " + command);
    }

    // Compiles the source; answers the path of what was built.
    [[nodiscard]] std::string build(const std::string& name, const std::string& flags) const {
#ifdef COWSCOPE_TEST_COMPILER
        const std::string compiler = COWSCOPE_TEST_COMPILER;
#else
        const std::string compiler = "c++";
#endif
        run(compiler + " -O2 -w " + flags + " '" + path("shop.cpp") + "' -o " + name);
        return path(name);
    }

    [[nodiscard]] std::string output_of(const std::string& command) const {
        run(command + " > output");
        std::ostringstream text;
        text << std::ifstream(path("output")).rdbuf();
        return text.str();
    }

  private:
    std::filesystem::path folder_;
};

// A mapping of this process.
struct Mapping {
    std::string path;
    uint64_t start = 0;
    uint64_t file_offset = 0;
};

// The mapping that holds the address, or, with a path, the file's first.
inline Mapping find_mapping(uint64_t address, const std::string& path = "") {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        Mapping mapping;
        unsigned long start = 0;
        unsigned long end = 0;
        unsigned long offset = 0;
        int name = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx %*s %lx %*s %*s %n", &start, &end, &offset, &name) <
            3) {
            continue;
        }
        mapping = {line.substr(static_cast<size_t>(name)), start, offset};
        if (path.empty() ? address >= start && address < end : mapping.path == path) return mapping;
    }
    throw std::runtime_error("no such mapping");
}

}  // namespace cowscope::test
