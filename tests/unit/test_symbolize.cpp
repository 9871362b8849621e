#include <arpa/inet.h>
#include <dlfcn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "symbolize/demangle.h"
#include "symbolize/symbolizer.h"
#include "tests/catch.h"
#include "tests/unit/symbolize_fixture.h"

using namespace cowscope::symbolize;
using cowscope::test::find_mapping;
using cowscope::test::line_of;
using cowscope::test::Mapping;
using cowscope::test::Workshop;

namespace {

constexpr char kBuildId[] = "0123456789abcdef0123456789abcdef01234567";
const std::string kLibraryFlags =
    std::string("-shared -fPIC -Wl,-z,lazy -Wl,--build-id=0x") + kBuildId + " ";

// The library, loaded into this process.
class Loaded {
  public:
    explicit Loaded(const std::string& path)
        : path_(path), handle_(dlopen(path.c_str(), RTLD_LAZY)) {
        if (handle_ == nullptr) throw std::runtime_error(dlerror());
        // Now, because a Symbolizer in this same process will map the file once more.
        first_ = find_mapping(0, path_);
    }
    ~Loaded() { dlclose(handle_); }
    Loaded(const Loaded&) = delete;
    Loaded& operator=(const Loaded&) = delete;

    [[nodiscard]] uint64_t symbol(const char* name) const {
        return reinterpret_cast<uint64_t>(dlsym(handle_, name));
    }
    [[nodiscard]] uint64_t call(const char* name) const {
        return reinterpret_cast<uint64_t (*)()>(symbol(name))();
    }
    static uint64_t offset_of(uint64_t address) {
        const Mapping mapping = find_mapping(address);
        return address - mapping.start + mapping.file_offset;
    }
    [[nodiscard]] uint64_t vaddr_of(uint64_t address, Symbolizer& symbolizer) const {
        return address - first_.start +
               symbolizer.vaddr_of_offset(path_, first_.file_offset).value();
    }

  private:
    std::string path_;
    void* handle_;
    Mapping first_;
};

void check_inlined_frames(const Location& location) {
    REQUIRE(location.has_debug_info);
    REQUIRE(location.frames.size() == 4);
    CHECK(location.frames[0].function == "shop::Counter<long>::bump()");
    CHECK(location.frames[0].line == line_of("bump"));
    CHECK(location.frames[1].function == "shop::twice(shop::Counter<long>&)");
    CHECK(location.frames[1].line == line_of("twice"));
    // Of what is in an anonymous namespace, compilers may leave out the parameters.
    CHECK(short_name(location.frames[2].function) == "shop::(anonymous namespace)::unseen");
    CHECK(location.frames[2].line == line_of("unseen"));
    CHECK(location.frames[3].function == "shop::work(shop::Counter<long>&, int)");
    CHECK(location.frames[3].line == line_of("work"));
    for (size_t i = 0; i < location.frames.size(); ++i) {
        CHECK(location.frames[i].inlined == (i != 3));
        CHECK(location.frames[i].file.front() == '/');
        CHECK(std::filesystem::path(location.frames[i].file).filename() == "shop.cpp");
    }
}

void check_nothing_known(const Location& location, const std::string& path) {
    CHECK(location.module == path);
    CHECK(location.frames.empty());
    CHECK_FALSE(location.has_debug_info);
    CHECK(location.symbol.empty());
}

size_t open_files() {
    const std::filesystem::directory_iterator files("/proc/self/fd");
    return static_cast<size_t>(std::distance(begin(files), end(files)));
}

}  // namespace

TEST_CASE("inlined functions in a shared library", "[symbolize]") {
    const Workshop shop;
    for (const char* flags : {"-g -gdwarf-5", "-g -gdwarf-4", "-g -gdwarf-4 -fdebug-types-section",
                              "-g -gsplit-dwarf", "-g -ffunction-sections -Wl,--gc-sections"}) {
        CAPTURE(flags);
        const std::string path = shop.build("shop.so", kLibraryFlags + flags);
        const Loaded library(path);
        Symbolizer symbolizer;
        const uint64_t address = library.call("shop_inlined");
        const Location& location = symbolizer.resolve(path, Loaded::offset_of(address - 1));
        check_inlined_frames(location);
        CHECK(location.module == path);
        CHECK(location.symbol == "_ZN4shop4workERNS_7CounterIlEEi");
        CHECK(location.symbol_offset > 0);
        CHECK(symbolizer.build_id(path) == kBuildId);
    }
}

TEST_CASE("inlined functions in executables", "[symbolize]") {
    const Workshop shop;
    for (const char* flags : {"-g -pie -fPIE", "-g -no-pie -fno-pie"}) {
        CAPTURE(flags);
        const std::string path = shop.build("shop", flags);
        const uint64_t behind = std::stoull(shop.output_of("./shop"));
        Symbolizer symbolizer;
        check_inlined_frames(symbolizer.resolve(path, behind - 1));
        const bool is_fixed = std::string_view(flags).find("-no-pie") != std::string_view::npos;
        CHECK((symbolizer.vaddr_of_offset(path, 0) != 0U) == is_fixed);
        CHECK(symbolizer.section_at(path, symbolizer.vaddr_of_offset(path, behind).value()) ==
              ".text");
    }
}

TEST_CASE("functions that are not inlined", "[symbolize]") {
    const Workshop shop;
    const std::string path = shop.build("shop.so", kLibraryFlags + "-g");
    const Loaded library(path);
    Symbolizer symbolizer;
    const uint64_t address = library.call("shop_exported");
    const Location& location = symbolizer.resolve(path, Loaded::offset_of(address - 1));
    REQUIRE(location.frames.size() == 1);
    CHECK(location.frames[0].function == "shop_exported");
    CHECK(location.frames[0].line == line_of("exported"));
    CHECK_FALSE(location.frames[0].inlined);
    CHECK(location.symbol == "shop_exported");
    CHECK(location.symbol_offset == address - 1 - library.symbol("shop_exported"));

    // References stay, and the same question has the same answer.
    for (uint64_t offset = 0; offset < 5000; ++offset) symbolizer.resolve(path, offset);
    CHECK(&symbolizer.resolve(path, Loaded::offset_of(address - 1)) == &location);
}

TEST_CASE("assembly without a size ends at the next symbol", "[symbolize]") {
    const Workshop shop;
    const std::string path = shop.build("shop.so", kLibraryFlags);
    const Loaded library(path);
    Symbolizer symbolizer;
    const uint64_t start = Loaded::offset_of(library.call("shop_assembly_start"));
    const Location& location = symbolizer.resolve(path, start + 2);
    CHECK(location.symbol == "shop_assembly");
    CHECK(location.symbol_offset == 2);
    CHECK_FALSE(location.has_debug_info);
    REQUIRE(location.frames.size() == 1);
    CHECK(location.frames[0].function == "shop_assembly");

    // Only dynamic symbols are left: they are too few for a guess.
    shop.run("strip -o stripped.so shop.so");
    check_nothing_known(symbolizer.resolve(shop.path("stripped.so"), start + 2),
                        shop.path("stripped.so"));
}

TEST_CASE("a stripped library names what it exports and nothing else", "[symbolize]") {
    const Workshop shop;
    const std::string path = shop.build("shop.so", kLibraryFlags + "-g -s");
    const Loaded library(path);
    Symbolizer symbolizer;
    const uint64_t exported = library.call("shop_exported");
    const Location& named = symbolizer.resolve(path, Loaded::offset_of(exported - 1));
    CHECK_FALSE(named.has_debug_info);
    CHECK(named.symbol == "shop_exported");
    REQUIRE(named.frames.size() == 1);
    CHECK(named.frames[0].function == "shop_exported");
    CHECK(named.frames[0].line == 0);

    const uint64_t hidden = library.call("shop_inlined");
    check_nothing_known(symbolizer.resolve(path, Loaded::offset_of(hidden - 1)), path);
}

TEST_CASE("debug information in files of its own", "[symbolize]") {
    const Workshop shop;
    const std::string path = shop.build("shop.so", kLibraryFlags + "-g");
    const std::string id = kBuildId;
    const std::string folder = "debug/.build-id/" + id.substr(0, 2);
    const std::string debug_file = folder + "/" + id.substr(2) + ".debug";
    shop.run("mkdir -p " + folder + " && objcopy --only-keep-debug shop.so " + debug_file);
    uint64_t offset = 0;
    {
        const Loaded library(path);
        offset = Loaded::offset_of(library.call("shop_inlined") - 1);
    }

    SECTION("by build id") {
        shop.run("strip shop.so");
        Symbolizer symbolizer(shop.path("debug"));
        check_inlined_frames(symbolizer.resolve(path, offset));
        CHECK(symbolizer.resolve(path, offset).symbol == "_ZN4shop4workERNS_7CounterIlEEi");
        Symbolizer elsewhere;
        check_nothing_known(elsewhere.resolve(path, offset), path);
        Symbolizer second("/nonexistent:" + shop.path("debug"));
        check_inlined_frames(second.resolve(path, offset));
    }
    SECTION("by debug link") {
        shop.run("mkdir .debug && mv " + debug_file + " .debug/shop.so.debug");
        shop.run("strip -R .note.gnu.build-id shop.so");
        shop.run("objcopy -R .note.gnu.build-id .debug/shop.so.debug");
        shop.run("objcopy --add-gnu-debuglink=.debug/shop.so.debug shop.so");
        Symbolizer symbolizer;
        CHECK(symbolizer.build_id(path).empty());
        check_inlined_frames(symbolizer.resolve(path, offset));
    }
}

TEST_CASE("sections", "[symbolize]") {
    const Workshop shop;
    const std::string path = shop.build("shop.so", kLibraryFlags);
    const Loaded library(path);
    Symbolizer symbolizer;
    const uint64_t data = library.vaddr_of(library.symbol("shop_data"), symbolizer);
    const uint64_t zero = library.vaddr_of(library.symbol("shop_zero"), symbolizer);
    CHECK(symbolizer.section_at(path, data) == ".data");
    CHECK(symbolizer.section_at(path, zero) == ".bss");
    const uint64_t code = library.vaddr_of(library.symbol("shop_exported"), symbolizer);
    CHECK(symbolizer.section_at(path, code) == ".text");
    CHECK(symbolizer.section_at(path, uint64_t{1} << 40).empty());

    // By its offset in the file too, where the file has it.
    const uint64_t data_offset = Loaded::offset_of(library.symbol("shop_data"));
    CHECK(symbolizer.vaddr_of_offset(path, data_offset) == data);
    CHECK_FALSE(symbolizer.vaddr_of_offset(path, uint64_t{1} << 40));

    const uint64_t table = library.vaddr_of(library.call("shop_offset_table"), symbolizer);
    CHECK(symbolizer.section_at(path, table) == ".got.plt");
}

TEST_CASE("malloc is found in the C library", "[symbolize]") {
    void* libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    REQUIRE(libc != nullptr);
    const auto address = reinterpret_cast<uint64_t>(dlsym(libc, "malloc"));
    dlclose(libc);
    const Mapping mapping = find_mapping(address);
    Symbolizer symbolizer;
    const Location& location = symbolizer.resolve(mapping.path, Loaded::offset_of(address) + 4);
    CHECK(location.symbol == "malloc");
    CHECK(location.symbol_offset == 4);
    REQUIRE_FALSE(location.frames.empty());
    CHECK(location.frames.back().function.find("malloc") != std::string::npos);
    CHECK_FALSE(symbolizer.build_id(mapping.path).empty());
}

TEST_CASE("paths that name no ELF file", "[symbolize]") {
    const Workshop shop;
    REQUIRE(mkfifo(shop.path("fifo").c_str(), 0600) == 0);
    std::ofstream(shop.path("empty"));
    std::ofstream(shop.path("text")) << std::string(4096, 'x');
    std::ofstream(shop.path("magic")) << "\177ELF";
    Symbolizer symbolizer;
    for (const std::string& path :
         {shop.path("missing"), shop.path("shop.cpp") + " (deleted)", shop.path(""),
          shop.path("fifo"), shop.path("empty"), shop.path("text"), shop.path("magic"),
          shop.path("shop.cpp"), std::string("[vdso]"), std::string("[heap]"), std::string(),
          std::string("/dev/zero"), std::string("/dev/zero (deleted)"), std::string("anon_inode:x"),
          std::string("/memfd:x (deleted)"), std::string("/")}) {
        CAPTURE(path);
        check_nothing_known(symbolizer.resolve(path, 0x1000), path);
        CHECK_FALSE(symbolizer.vaddr_of_offset(path, 0));
        CHECK(symbolizer.section_at(path, 0x1000).empty());
        CHECK(symbolizer.build_id(path).empty());
    }
}

TEST_CASE("cut files give no wrong names and leave nothing open", "[symbolize]") {
    const Workshop shop;
    const std::string path = shop.build("shop.so", kLibraryFlags + "-g");
    const auto size = std::filesystem::file_size(path);
    uint64_t offset = 0;
    {
        const Loaded library(path);
        offset = Loaded::offset_of(library.call("shop_inlined") - 1);
    }
    const size_t before = open_files();
    for (uintmax_t left = size; left > 16; left = left * 3 / 4) {
        const std::string cut = shop.path("cut." + std::to_string(left));
        std::filesystem::copy_file(path, cut);
        std::filesystem::resize_file(cut, left);
        Symbolizer symbolizer;
        const Location& location = symbolizer.resolve(cut, offset);
        CHECK(location.module == cut);
        if (left == size) check_inlined_frames(location);
        // The section headers stand at the end, and all names are found through them.
        if (left < size) check_nothing_known(location, cut);
    }
    CHECK(open_files() == before);
}

TEST_CASE("debug information is not asked for on the network", "[symbolize]") {
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    REQUIRE(server >= 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    REQUIRE(bind(server, reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(listen(server, 4) == 0);
    REQUIRE(getsockname(server, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    const std::string url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    setenv("DEBUGINFOD_URLS", url.c_str(), 1);

    const Workshop shop;
    const std::string path = shop.build("shop.so", kLibraryFlags + "-s");
    Symbolizer symbolizer;
    CHECK_FALSE(symbolizer.resolve(path, 0x1000).has_debug_info);
    CHECK(accept(server, nullptr, nullptr) == -1);
    CHECK(errno == EAGAIN);
    // What is recorded later inherits the environment unchanged.
    REQUIRE(std::getenv("DEBUGINFOD_URLS") != nullptr);
    CHECK(std::getenv("DEBUGINFOD_URLS") == url);
    unsetenv("DEBUGINFOD_URLS");
    close(server);
}
