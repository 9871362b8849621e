// What the recorder opens of the program's files, and what it reads of them: both may be anything.
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/other_process.h"
#include "runtime/cpython/elf_symbols.h"
#include "tests/catch.h"
#include "tests/unit/elf_fixture.h"
#include "tests/unit/temporary_folder.h"

using namespace cowscope;
using namespace cowscope::test;
namespace fs = std::filesystem;

namespace {

struct MappedFile {
    uint64_t start;
    uint64_t end;
    std::string path;
};

MappedFile mapping_of(const std::string& path, const void* start = nullptr) {
    const auto at = reinterpret_cast<uint64_t>(start);
    return {at, at + 4096, path};
}

FileDescriptor open_mapped(const OtherProcess& process, const MappedFile& file) {
    return process.open_mapped(file.start, file.end, file.path);
}

std::string content_of(int file) {
    char bytes[64] = {};
    const ssize_t got = pread(file, bytes, sizeof bytes, 0);
    return std::string(bytes, got > 0 ? static_cast<size_t>(got) : 0);
}

class Opened {
  public:
    explicit Opened(const std::string& path) : file_(open(path.c_str(), O_RDWR | O_CLOEXEC)) {
        REQUIRE(file_ >= 0);
    }
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;
    ~Opened() { close(file_); }
    int number() const { return file_; }

  private:
    int file_;
};

}  // namespace

TEST_CASE("the file of a mapping is opened, and nothing that took its place", "[mapped]") {
    const TemporaryFolder folder;
    const std::string path = fs::canonical(folder.path()).string() + "/libpython3.11.so";
    write_file(path, "mapped");
    write_file(path + ".secret", "secret");
    const Opened opened(path);
    void* start = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, opened.number(), 0);
    REQUIRE(start != MAP_FAILED);
    const auto self = OtherProcess::open(getpid());
    REQUIRE(self);
    CHECK(content_of(open_mapped(*self, mapping_of(path, start)).get()) == "mapped");
    // By its path alone, as where the kernel does not show the file itself.
    CHECK(content_of(open_mapped(*self, mapping_of(path)).get()) == "mapped");

    fs::remove(path);
    fs::create_symlink(path + ".secret", path);
    CHECK_FALSE(open_mapped(*self, mapping_of(path)).is_open());
    const std::string by_range = content_of(open_mapped(*self, mapping_of(path, start)).get());
    CHECK((by_range == "mapped" || by_range.empty()));
    munmap(start, 4096);

    // A link on the way.
    const std::string below = fs::canonical(folder.path()).string() + "/folder";
    fs::create_directory(below + ".real");
    write_file(below + ".real/python3", "elsewhere");
    fs::create_directory_symlink(below + ".real", below);
    CHECK_FALSE(open_mapped(*self, mapping_of(below + "/python3")).is_open());
    CHECK_FALSE(open_mapped(*self, mapping_of("/")).is_open());
    CHECK_FALSE(open_mapped(*self, mapping_of("[heap]")).is_open());
}

TEST_CASE("a device or a FIFO that bears the name of an interpreter is not opened", "[mapped]") {
    const TemporaryFolder folder;
    const std::string path = fs::canonical(folder.path()).string() + "/python3.11";
    if (geteuid() == 0 && GENERATE(true, false)) {
        REQUIRE(mknod(path.c_str(), S_IFCHR | 0600, makedev(1, 5)) == 0);
    } else {
        REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    }
    const int changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    REQUIRE(inotify_add_watch(changes, path.c_str(), IN_OPEN) >= 0);
    const auto self = OtherProcess::open(getpid());
    REQUIRE(self);
    CHECK_FALSE(open_mapped(*self, mapping_of(path)).is_open());
    char events[512];
    CHECK(read(changes, events, sizeof events) < 0);
    close(changes);
}

TEST_CASE("the symbols of an interpreter's file are found", "[mapped]") {
    const TemporaryFolder folder;
    const std::string path = folder / "file";
    write_file(path, elf_with_symbols(3, "_PyRuntime"));
    const auto symbols = cpython::find_symbols(Opened(path).number(), {"_PyRuntime", "Py_Version"});
    REQUIRE(symbols);
    CHECK(symbols->vaddrs.size() == 1);
    CHECK(symbols->vaddrs.at("_PyRuntime") == 0x1000);
    CHECK(symbols->end_vaddr > 0x1000);
}

TEST_CASE("symbols that share one long name are compared without measuring it", "[mapped]") {
    const TemporaryFolder folder;
    const std::string path = folder / "file";
    write_file(path, elf_with_symbols(200'000, std::string(4'000'000, 'A')));
    const Opened file(path);
    const auto symbols = cpython::find_symbols(file.number(), {"_PyRuntime"});
    REQUIRE(symbols);
    CHECK(symbols->vaddrs.empty());
    // Who wants an end gets it.
    unsigned asked = 0;
    CHECK_FALSE(cpython::find_symbols(file.number(), {"_PyRuntime"}, [&] { return ++asked > 3; }));
    CHECK(asked < 20);
}

TEST_CASE("a file that gets shorter while it is read costs its symbols alone", "[mapped]") {
    const TemporaryFolder folder;
    const std::string path = folder / "file";
    const std::string whole = elf_with_symbols(5000, "_PyRuntime");
    for (size_t left = 0; left < whole.size(); left += whole.size() / 37) {
        write_file(path, whole);
        const Opened file(path);
        unsigned asked = 0;
        // In the midst of it.
        cpython::find_symbols(file.number(), {"_PyRuntime"}, [&] {
            if (++asked == 4) REQUIRE(ftruncate(file.number(), static_cast<off_t>(left)) == 0);
            return false;
        });
        CHECK(asked > 4);
    }
}

TEST_CASE("headers that lie cost nothing but the file's symbols", "[mapped]") {
    const TemporaryFolder folder;
    const std::string path = folder / "file";
    const std::string whole = elf_with_symbols(10, "_PyRuntime");
    for (size_t at = 0; at < sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr); ++at) {
        for (const char value : {'\x00', '\x7f', '\xff'}) {
            std::string bytes = whole;
            bytes[at] = value;
            write_file(path, bytes);
            cpython::find_symbols(Opened(path).number(), {"_PyRuntime"});
        }
    }
    for (size_t at = whole.size() - 4 * sizeof(Elf64_Shdr); at < whole.size(); ++at) {
        std::string bytes = whole;
        bytes[at] = '\xff';
        write_file(path, bytes);
        cpython::find_symbols(Opened(path).number(), {"_PyRuntime"});
    }
    SUCCEED("all were read");
}
