// Programs' files that wish us ill: what they name, what they claim, and how much work they make.
// Without the bounds that are tested here, most of these cases never end.
#include <dlfcn.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "symbolize/symbol_helper.h"
#include "symbolize/symbolizer.h"
#include "tests/catch.h"
#include "tests/unit/elf_fixture.h"
#include "tests/unit/symbolize_fixture.h"
#include "tests/unit/trace_errors.h"

using namespace cowscope::symbolize;
using namespace cowscope::test;
using cowscope::contains;
namespace fs = std::filesystem;

namespace {

bool has_note(const Symbolizer& symbolizer, const std::string& about, const std::string& reason) {
    for (const std::string& note : symbolizer.notes()) {
        if (contains(note, about) && contains(note, reason)) return true;
    }
    return false;
}

// An ELF file of holes.
void write_sparse_elf(const std::string& path, off_t bytes) {
    write_file(path, std::string(elf_with_symbols(1, "f"), 0, 64));
    REQUIRE(truncate(path.c_str(), bytes) == 0);
}

// Of a function in the library that Workshop builds.
uint64_t offset_of(const std::string& path, const char* function) {
    void* handle = dlopen(path.c_str(), RTLD_LAZY);
    REQUIRE(handle != nullptr);
    const auto address = reinterpret_cast<uint64_t>(dlsym(handle, function));
    const Mapping mapping = find_mapping(address);
    dlclose(handle);
    return address - mapping.start + mapping.file_offset;
}

constexpr char kLibrary[] = "-shared -fPIC -g -Wl,--build-id=none ";

// A name of some hundred bytes that doubles with each of its 26 parts.
std::string bomb_name() {
    std::string name = "_Z1fPFvvEPFvS0_S0_E";
    const std::string_view digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (unsigned i = 2; i < 56; i += 2) {
        const std::string id =
            i < 36 ? std::string(1, digits[i]) : std::string("1") + digits[i - 36];
        name += "PFvS" + id + "_S" + id + "_E";
    }
    return name;
}

}  // namespace

TEST_CASE("a debug link leads to nothing but a sound file", "[hostile][symbols]") {
    const Workshop shop;
    const std::string path = shop.build("shop.so", kLibrary);
    const uint64_t offset = offset_of(path, "shop_exported");
    const std::string debug = shop.path("shop.so.debug");
    shop.run("objcopy --only-keep-debug shop.so shop.so.debug");
    shop.run("strip --strip-debug shop.so && objcopy --add-gnu-debuglink=shop.so.debug shop.so");
    {
        Symbolizer symbolizer;
        REQUIRE(symbolizer.resolve(path, offset).has_debug_info);
        CHECK(symbolizer.notes().empty());
    }
    fs::remove(debug);
    std::string reason;
    SECTION("a FIFO") {
        REQUIRE(mkfifo(debug.c_str(), 0600) == 0);
        reason = "not a regular file";
    }
    SECTION("a device") {
        fs::create_symlink("/dev/zero", debug);
        reason = "not a regular file";
    }
    SECTION("a folder") {
        fs::create_directory(debug);
        reason = "not a regular file";
    }
    SECTION("a terabyte of holes") {
        write_sparse_elf(debug, off_t{1} << 40);
        reason = "are more than the";
    }
    SECTION("more bytes than a checksum is made of") {
        write_sparse_elf(debug, off_t{3} << 30);
        reason = "too many to be told by their checksum";
    }
    SECTION("a link to a FIFO in the folder beside it") {
        fs::create_directory(shop.path(".debug"));
        REQUIRE(mkfifo(shop.path("fifo").c_str(), 0600) == 0);
        fs::create_symlink("../fifo", shop.path(".debug/shop.so.debug"));
        reason = "not a regular file";
    }
    Symbolizer symbolizer;
    const Location& location = symbolizer.resolve(path, offset);
    CHECK_FALSE(location.has_debug_info);
    CHECK(location.symbol == "shop_exported");
    CHECK(has_note(symbolizer, "shop.so.debug", reason));
}

TEST_CASE("what is no ELF file is no debug file, and needs no word", "[hostile][symbols]") {
    const Workshop shop;
    const std::string path = shop.build("shop.so", kLibrary);
    const uint64_t offset = offset_of(path, "shop_exported");
    shop.run("objcopy --only-keep-debug shop.so shop.so.debug");
    shop.run("strip --strip-debug shop.so && objcopy --add-gnu-debuglink=shop.so.debug shop.so");
    SECTION("an archive, compressed as a whole, which libdwfl would take apart") {
        shop.run("gzip shop.so.debug && mv shop.so.debug.gz shop.so.debug");
    }
    SECTION("text") {
        write_file(shop.path("shop.so.debug"), "text");
    }
    SECTION("another library's") {
        shop.run("objcopy --remove-section=.comment shop.so.debug");
        write_file(shop.path("shop.so.debug"), read_file(shop.path("shop.so.debug")) + "x");
    }
    Symbolizer symbolizer;
    CHECK_FALSE(symbolizer.resolve(path, offset).has_debug_info);
    CHECK(symbolizer.notes().empty());
}

TEST_CASE("a debug file by build id is sound, too", "[hostile][symbols]") {
    const Workshop shop;
    const std::string path =
        shop.build("shop.so", "-shared -fPIC -Wl,--build-id=0xabcdef0123456789 -s");
    const uint64_t offset = offset_of(path, "shop_exported");
    shop.run("mkdir -p debug/.build-id/ab");
    const std::string debug = shop.path("debug/.build-id/ab/cdef0123456789.debug");
    REQUIRE(mkfifo(debug.c_str(), 0600) == 0);
    Symbolizer symbolizer(shop.path("debug"));
    CHECK(symbolizer.resolve(path, offset).symbol == "shop_exported");
    CHECK(has_note(symbolizer, debug, "not a regular file"));
}

TEST_CASE("what debug information shares or splits off is sound, too", "[hostile][symbols]") {
    const Workshop shop;
    SECTION("a FIFO that it shares with others") {
        const std::string path = shop.build("shop.so", kLibrary);
        REQUIRE(mkfifo(shop.path("shared").c_str(), 0600) == 0);
        write_file(shop.path("link"), std::string("shared\0", 7) + "01234567890123456789");
        shop.run("objcopy --add-section .gnu_debugaltlink=link shop.so");
        Symbolizer symbolizer;
        const Location& location = symbolizer.resolve(path, offset_of(path, "shop_exported"));
        CHECK_FALSE(location.has_debug_info);
        CHECK(location.symbol == "shop_exported");
        CHECK(has_note(symbolizer, path, shop.path("shared") + ": not a regular file"));
    }
    SECTION("a FIFO in place of a unit's split part") {
        const std::string path = shop.build("shop.so", std::string(kLibrary) + "-gsplit-dwarf");
        std::string dwo;
        for (const auto& entry : fs::directory_iterator(shop.path(""))) {
            if (entry.path().extension() == ".dwo") dwo = entry.path();
        }
        REQUIRE_FALSE(dwo.empty());
        fs::remove(dwo);
        REQUIRE(mkfifo(dwo.c_str(), 0600) == 0);
        Symbolizer symbolizer;
        const Location& location = symbolizer.resolve(path, offset_of(path, "shop_exported"));
        CHECK(location.symbol == "shop_exported");
        CHECK(has_note(symbolizer, dwo, "not a regular file"));
    }
}

TEST_CASE("a section that claims gigabytes is not taken apart", "[hostile][symbols]") {
    const Workshop shop;
    const std::string path = shop.build("shop.so", kLibrary);
    const uint64_t offset = offset_of(path, "shop_exported");
    constexpr uint64_t kClaimed = uint64_t{2} << 30;
    // Enough for libdw to be at it for a while; the rest is a claim.
    const std::string zeros = compressed_zeros(size_t{64} << 20);
    bool is_cut_by_file = false;
    SECTION("by its header") {
        Elf64_Chdr header{};
        header.ch_type = ELFCOMPRESS_ZLIB;
        header.ch_size = kClaimed;
        header.ch_addralign = 1;
        write_file(shop.path("bomb"),
                   std::string(reinterpret_cast<const char*>(&header), sizeof header) + zeros);
        shop.run("objcopy --add-section .debug_types=bomb shop.so");
        std::string bytes = read_file(path);
        change_section(&bytes, ".debug_types",
                       [](Elf64_Shdr* section) { section->sh_flags |= SHF_COMPRESSED; });
        write_file(path, bytes);
    }
    SECTION("in the old form") {
        std::string header = "ZLIB";
        for (int shift = 56; shift >= 0; shift -= 8) {
            header += static_cast<char>(kClaimed >> shift);
        }
        write_file(shop.path("bomb"), header + zeros);
        shop.run("objcopy --add-section .zdebug_types=bomb shop.so");
    }
    SECTION("a table of names") {
        std::string bytes = read_file(path);
        change_section(&bytes, ".strtab",
                       [](Elf64_Shdr* section) { section->sh_flags |= SHF_COMPRESSED; });
        write_file(path, bytes);
        is_cut_by_file = true;
    }
    Symbolizer symbolizer;
    const Location& location = symbolizer.resolve(path, offset);
    CHECK_FALSE(location.has_debug_info);
    CHECK(has_note(symbolizer, path, is_cut_by_file ? "is compressed" : "claims"));
}

TEST_CASE("debug information that is compressed as compilers do is read", "[hostile][symbols]") {
    const Workshop shop;
    const std::string path = shop.build("shop.so", std::string(kLibrary) + "-gz");
    Symbolizer symbolizer;
    CHECK(symbolizer.resolve(path, offset_of(path, "shop_exported")).has_debug_info);
    CHECK(symbolizer.notes().empty());
}

TEST_CASE("a name that doubles with each of its parts stays as it is", "[hostile][symbols]") {
    const Workshop shop;
    const std::string name = bomb_name();
    REQUIRE(name.size() < 400);
    std::ofstream(shop.path("bomb.s"))
        << "\t.text\n\t.globl \"" << name << "\"\n\t.type \"" << name << "\",@function\n\"" << name
        << "\":\n\tmovb $1,(%rdi)\n\tret\n\t.size \"" << name << "\",.-\"" << name
        << "\"\n\t.globl _Z4goodi\n\t.type _Z4goodi,@function\n_Z4goodi:\n\tret\n"
        << "\t.size _Z4goodi,.-_Z4goodi\n\t.section .note.GNU-stack,\"\",@progbits\n";
    shop.run("cc -shared -nostdlib -o bomb.so bomb.s");
    const std::string path = shop.path("bomb.so");
    const uint64_t bad = offset_of(path, name.c_str());
    const uint64_t good = offset_of(path, "_Z4goodi");
    {
        Symbolizer symbolizer;
        const Location& location = symbolizer.resolve(path, bad);
        CHECK(location.symbol == name);
        REQUIRE(location.frames.size() == 1);
        CHECK(location.frames[0].function == name);
        CHECK(has_note(symbolizer, path, "name is shown as it is"));
        // Others are still told as they were written.
        REQUIRE(symbolizer.resolve(path, good).frames.size() == 1);
        CHECK(symbolizer.resolve(path, good).frames[0].function == "good(int)");
    }
}

TEST_CASE("many symbols that share one long name take its memory once", "[hostile][symbols]") {
    const Workshop shop;
    const std::string path = shop.path("long.so");
    write_file(path, elf_with_symbols(6000, std::string(1'000'000, 'A')));
    {
        // Not enough for a second copy of them all, nor for a hundredth.
        HelperLimits limits;
        limits.memory_bytes = uint64_t{64} << 20;
        Symbolizer symbolizer("/nonexistent", limits);
        const Location& location = symbolizer.resolve(path, 0x1000);
        CHECK(location.symbol.size() < 10'000);
        CHECK(location.symbol.substr(0, 4) == "AAAA");
        CHECK(symbolizer.notes().empty());
    }
}

TEST_CASE("a table of names without an end is not read", "[hostile][symbols]") {
    const Workshop shop;
    const std::string path = shop.path("endless.so");
    write_file(path, elf_with_symbols(200'000, std::string(4'000'000, 'A'), "A"));
    Symbolizer symbolizer;
    CHECK(symbolizer.resolve(path, 0x1000).symbol.empty());
    CHECK(has_note(symbolizer, path, "has no end"));
}

TEST_CASE("a module that is a terabyte of holes is left out", "[hostile][symbols]") {
    const Workshop shop;
    const std::string path = shop.path("holes.so");
    write_sparse_elf(path, off_t{1} << 40);
    Symbolizer symbolizer;
    CHECK(symbolizer.resolve(path, 0x1000).symbol.empty());
    CHECK(has_note(symbolizer, path, "are more than the"));
}

TEST_CASE("the process that reads symbols is replaced when it dies", "[hostile][symbols]") {
    const Workshop shop;
    const std::string path = shop.build("shop.so", kLibrary);
    const uint64_t offset = offset_of(path, "shop_exported");
    Symbolizer symbolizer;
    REQUIRE(symbolizer.resolve(path, offset).has_debug_info);
    const auto kill_helper = [] {
        std::ifstream children("/proc/self/task/" + std::to_string(getpid()) + "/children");
        pid_t child = 0;
        REQUIRE(children >> child);
        REQUIRE(kill(child, SIGSEGV) == 0);
        // It has ended, and waits for its parent.
        siginfo_t info{};
        REQUIRE(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
    };
    kill_helper();
    const Location& less = symbolizer.resolve(path, offset + 1);
    CHECK(less.symbol == "shop_exported");
    CHECK_FALSE(less.has_debug_info);
    CHECK(has_note(symbolizer, path, "debug information left out"));
    kill_helper();
    CHECK(symbolizer.resolve(path, offset + 2).symbol.empty());
    CHECK(has_note(symbolizer, path, "names left out"));
}

TEST_CASE("symbols that take more time than there is are left out", "[hostile][symbols]") {
    const Workshop shop;
    const std::string path = shop.build("shop.so", kLibrary);
    const uint64_t offset = offset_of(path, "shop_exported");
    HelperLimits limits;
    limits.cpu_ms = 0;
    Symbolizer symbolizer("/nonexistent", limits);
    CHECK(symbolizer.resolve(path, offset).symbol.empty());
    CHECK(symbolizer.section_at(path, 0x1000).empty());
    CHECK(symbolizer.notes().size() == 1);
}
