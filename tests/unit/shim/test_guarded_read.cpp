// The shim's guarded read: bad addresses are refused, and looking at a page that a fork shares does
// not copy it. Where a page lies is asked of the kernel.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "support/guarded_read.h"
#include "support/readable.h"
#include "tests/catch.h"

using namespace cowscope;

namespace {

constexpr size_t kPageBytes = 4096;

unsigned char* map_pages(size_t pages) {
    void* memory = mmap(nullptr, pages * kPageBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    return static_cast<unsigned char*>(memory);
}

// The page frame (Documentation/admin-guide/mm/pagemap.rst); 0 where the kernel does not say.
uint64_t frame_of(const void* address) {
    uint64_t entry = 0;
    const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    const auto offset =
        static_cast<off_t>(reinterpret_cast<uint64_t>(address) / kPageBytes * sizeof(entry));
    const bool read = pread(fd, &entry, sizeof(entry), offset) == sizeof(entry);
    close(fd);
    return read ? entry & ((uint64_t{1} << 55) - 1) : 0;
}

}  // namespace

TEST_CASE("a guarded read reads what is there and refuses the rest", "[guarded-read]") {
    unsigned char* memory = map_pages(2);
    std::memset(memory, 7, kPageBytes);
    REQUIRE(mprotect(memory + kPageBytes, kPageBytes, PROT_NONE) == 0);
    unsigned char bytes[64] = {};
    CHECK(guarded_read(memory, bytes, sizeof(bytes)));
    CHECK(bytes[63] == 7);
    CHECK(guarded_read(memory + kPageBytes - sizeof(bytes), bytes, sizeof(bytes)));
    CHECK_FALSE(guarded_read(memory + kPageBytes - 32, bytes, sizeof(bytes)));
    CHECK_FALSE(guarded_read(memory + kPageBytes, bytes, 1));
    CHECK_FALSE(guarded_read(nullptr, bytes, 1));
    uint64_t word = 0;
    CHECK_FALSE(guarded_read(uint64_t{0x8000000000000000}, &word));
    munmap(memory, 2 * kPageBytes);
}

TEST_CASE("a guarded read copies no page that a fork shares", "[guarded-read]") {
    unsigned char* memory = map_pages(1);
    std::memset(memory, 7, kPageBytes);
    if (frame_of(memory) == 0) {
        WARN("SKIPPED: page frames are shown to root alone; nothing was tested");
        return;
    }
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const uint64_t shared = frame_of(memory);
        uint64_t word = 0;
        const bool read = guarded_read(reinterpret_cast<uint64_t>(memory), &word);
        _exit(!read ? 1 : frame_of(memory) == shared ? 0 : 2);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    munmap(memory, kPageBytes);
}

TEST_CASE("pages that can be read are told from those that cannot", "[guarded-read]") {
    unsigned char* memory = map_pages(3);
    REQUIRE(mprotect(memory + kPageBytes, kPageBytes, PROT_NONE) == 0);
    const auto first = reinterpret_cast<uint64_t>(memory);
    ReadablePages pages;
    pages.begin(1);
    for (int again = 0; again < 2; ++again) {
        CHECK(pages.has(first, 64));
        CHECK(pages.has(first + kPageBytes - 64, 64));
        CHECK_FALSE(pages.has(first + kPageBytes - 32, 64));
        CHECK_FALSE(pages.has(first + kPageBytes, 64));
        CHECK_FALSE(pages.has(first + 2 * kPageBytes - 32, 64));
        CHECK(pages.has(first + 2 * kPageBytes, 64));
    }
    munmap(memory, 3 * kPageBytes);
    pages.begin(1);
    CHECK(pages.has(first, 64));
    pages.begin(2);
    CHECK_FALSE(pages.has(first, 64));
}
