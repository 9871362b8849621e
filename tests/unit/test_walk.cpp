// A walk over memory that is no Python's, or one's that changes meanwhile, finds little and harms
// nothing.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "runtime/cpython/heap_interpreter.h"
#include "runtime/cpython/walk.h"
#include "tests/catch.h"
#include "trace/mappings.h"

using namespace cowscope;
using namespace cowscope::cpython;
using namespace cowscope::runtime;

namespace {

constexpr size_t kWords = 1 << 16;

trace::Mappings own_mappings() {
    std::ifstream file("/proc/self/maps");
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    return trace::Mappings(text, 0);
}

class OwnMemory {
  public:
    OwnMemory() : file_(open("/proc/self/mem", O_RDONLY | O_CLOEXEC)) {}
    OwnMemory(const OwnMemory&) = delete;
    OwnMemory& operator=(const OwnMemory&) = delete;
    ~OwnMemory() { close(file_); }
    int file() const { return file_; }

  private:
    int file_;
};

// Memory full of pointers into itself, with types that nearly make sense.
class Jumble {
  public:
    explicit Jumble(uint64_t seed) : words_(kWords), random_(seed) {
        for (uint64_t& word : words_) word = any_word();
        constexpr uint64_t kFlags[] = {
            kDictSubclassFlag, kListSubclassFlag, kTupleSubclassFlag, kUnicodeSubclassFlag,
            kLongSubclassFlag, kTypeSubclassFlag, kBytesSubclassFlag, 0};
        for (size_t i = 0; i < std::size(kFlags); ++i) {
            const size_t at = type_at(i);
            set(at, kObType, address(type_at(5)));  // a type's type is that of types
            set(at, kTpFlags,
                kFlags[i] |
                    (random_() & (kHeapTypeFlag | kManagedDictFlag | kInlineValuesFlag | kGcFlag)));
            set(at, kTpBasicSize, 16 + random_() % 100);
            set(at, kTpItemSize, random_() % 9);
            set(at, kTpName, reinterpret_cast<uint64_t>("name"));
            set(at, kTpBase, random_() % 2 == 0 ? 0 : address(type_at(random_() % 8)));
            set(at, kTpDictOffset, random_() % 3 == 0 ? random_() % 64 : 0);
        }
        // Every second word in four is a type: objects are everywhere.
        for (size_t i = type_at(8) + 1; i < kWords; i += 4)
            words_[i] = address(type_at(random_() % 8));
    }

    uint64_t address(size_t word) const { return reinterpret_cast<uint64_t>(&words_[word]); }
    uint64_t any_object() { return address(type_at(8) + random_() % (kWords - 4000) / 4 * 4); }

  private:
    static size_t type_at(size_t number) { return number * 64; }
    void set(size_t at, uint64_t offset, uint64_t value) { words_[at + offset / 8] = value; }
    uint64_t any_word() {
        switch (random_() % 8) {
            case 0:
                return random_();
            case 1:
                return random_() % 300;
            case 2:
                return 0;
            case 3:
                return random_() % (uint64_t{1} << 40);
            default:
                return any_object();
        }
    }

    std::vector<uint64_t> words_;
    std::mt19937_64 random_;
};

}  // namespace

TEST_CASE("a walk over rubbish ends", "[owners]") {
    const OwnMemory own;
    for (uint64_t seed = 0; seed < 30; ++seed) {
        Jumble jumble(seed);
        const trace::Mappings mappings = own_mappings();
        for (int minor = 6; minor <= 14; ++minor) {
            Memory memory(own.file(), mappings);
            const HeapLayout* layout = layout_of(minor);
            REQUIRE(layout != nullptr);
            const Interpreter interpreter{layout, jumble.any_object(), jumble.any_object(), ""};
            WalkLimits limits;
            limits.edges = 20'000;
            const WalkResult result = walk_owners(interpreter, &memory, limits);
            CHECK(result.edges <= limits.edges + 1);
            CHECK(result.statistics.size() == result.labels.size());
        }
    }
}

TEST_CASE("a walk keeps to its limits", "[owners]") {
    Jumble jumble(1);
    const OwnMemory own;
    Memory memory(own.file(), own_mappings());
    WalkLimits limits;
    limits.must_stop = [] { return true; };
    const Interpreter interpreter{layout_of(11), 0, jumble.any_object(), ""};
    CHECK(walk_owners(interpreter, &memory, limits).edges < 10'000);
}

TEST_CASE("a walk ends where its memory does", "[owners]") {
    Jumble jumble(1);
    const OwnMemory own;
    Memory memory(own.file(), own_mappings());
    WalkLimits limits;
    const Interpreter interpreter{layout_of(11), 0, jumble.any_object(), ""};
    CHECK((walk_owners(interpreter, &memory, limits).cut & kCutMemory) == 0);
    limits.map_bytes = 1;
    CHECK((walk_owners(interpreter, &memory, limits).cut & kCutMemory) != 0);
}

TEST_CASE("a long-lived and large program is looked at for longer", "[owners]") {
    constexpr uint64_t kSecond = 1'000'000'000;
    constexpr uint64_t kGiB = uint64_t{1} << 30;
    const WalkLimits least;
    const WalkLimits of_small = limits_for(least, 5 * kSecond, kGiB);
    CHECK(of_small.cpu_ns == least.cpu_ns);
    CHECK(of_small.edges == least.edges);
    CHECK(of_small.map_bytes == least.map_bytes);
    const WalkLimits of_large = limits_for(least, 60 * kSecond, 24 * kGiB);
    CHECK(of_large.cpu_ns == 6 * kSecond);
    CHECK(of_large.edges == 3 * least.edges);
    CHECK(of_large.map_bytes == kGiB);
    CHECK(limits_for(least, ~uint64_t{0}, ~uint64_t{0}).cpu_ns == ~uint64_t{0} / 10);
}

TEST_CASE("no version beyond those that are known is laid out", "[owners]") {
    CHECK(layout_of(5) == nullptr);
    CHECK(layout_of(15) == nullptr);
    CHECK(layout_of(-1) == nullptr);
}

TEST_CASE("a process without Python has no interpreter", "[owners]") {
    const OwnMemory own;
    const trace::Mappings mappings = own_mappings();
    Memory memory(own.file(), mappings);
    const auto search = find_interpreter(
        mappings,
        [](const trace::Mapping& mapping) {
            return open(mapping.path.c_str(), O_RDONLY | O_CLOEXEC);
        },
        &memory);
    CHECK_FALSE(search.found);
    CHECK(search.reason.empty());
}

TEST_CASE("only private memory that is there is read", "[owners]") {
    const uint64_t value = 0x1122334455667788;
    // Not optimized away: read through the kernel. There before the mappings are read, because the
    // heap may grow for it.
    std::vector<uint64_t> words(3000, value);
    const OwnMemory own;
    Memory memory(own.file(), own_mappings());
    const auto start = reinterpret_cast<uint64_t>(words.data());
    CHECK(memory.word(start) == value);
    CHECK(memory.is_private(start));
    // Across pages.
    const std::byte* bytes = memory.read(start, Memory::kMostBytes);
    REQUIRE(bytes != nullptr);
    CHECK(std::memcmp(bytes, words.data(), Memory::kMostBytes) == 0);
    CHECK(memory.read(start, Memory::kMostBytes + 1) == nullptr);
    CHECK(memory.read(0, 8) == nullptr);
    CHECK(memory.read(~uint64_t{0} - 3, 8) == nullptr);
    CHECK(memory.word(16) == 0);
    CHECK(memory.error() == 0);
}

TEST_CASE("reading what a process shares copies none of it", "[owners]") {
    constexpr size_t kPages = 2000;
    constexpr size_t kPage = 4096;
    std::vector<char> shared(kPages * kPage, 'x');
    int go[2];
    REQUIRE(pipe(go) == 0);
    const pid_t child = fork();
    if (child == 0) {
        char byte = 0;
        close(go[1]);
        _exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(go[0]);
    const std::string folder = "/proc/" + std::to_string(child);
    // Pages that nobody else maps (bit 56), of Documentation/admin-guide/mm/pagemap.rst.
    const int pagemap = open((folder + "/pagemap").c_str(), O_RDONLY | O_CLOEXEC);
    const auto start = reinterpret_cast<uint64_t>(shared.data());
    std::vector<uint64_t> entries(kPages);
    const auto own_pages = [&] {
        const auto bytes = static_cast<ssize_t>(kPages * sizeof(uint64_t));
        CHECK(pread(pagemap, entries.data(), static_cast<size_t>(bytes),
                    static_cast<off_t>(start / kPage * sizeof(uint64_t))) == bytes);
        return std::count_if(entries.begin(), entries.end(),
                             [](uint64_t entry) { return (entry >> 56 & 1) != 0; });
    };
    CHECK(own_pages() <= 2);  // the first and the last, which hold other things as well
    const int file = open((folder + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(file >= 0);
    Memory memory(file, own_mappings());
    size_t equal = 0;
    for (size_t i = 0; i < kPages; ++i) {
        const auto byte = memory.value<char>(start + i * kPage);
        if (byte && *byte == 'x') ++equal;
    }
    CHECK(equal == kPages);
    CHECK(own_pages() <= 2);
    close(pagemap);

    close(go[1]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    // Nothing is left to be read, and that is told from what is not mapped.
    Memory gone(file, own_mappings());
    CHECK(gone.read(start, 8) == nullptr);
    CHECK(gone.error() == ESRCH);
    close(file);
}
