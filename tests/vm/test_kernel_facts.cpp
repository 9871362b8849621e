// What the tracker `soft-dirty` has to reckon with, as these kernels do it. README.md tells what
// follows; a kernel on which one of these fails behaves in another way than the tracker was made
// for.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

#include "tests/catch.h"
#include "tests/vm/expectations.h"

using namespace cowscope::vm;

namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kHugePageBytes = 2 * 1024 * 1024;
constexpr size_t kPagesOfHugePage = kHugePageBytes / kPageBytes;
constexpr int kPages = 8;

using Memory = volatile char*;

Memory map(size_t bytes, void* address = nullptr, int protection = PROT_READ | PROT_WRITE) {
    void* memory = mmap(address, bytes, protection,
                        MAP_PRIVATE | MAP_ANONYMOUS | (address == nullptr ? 0 : MAP_FIXED), -1, 0);
    REQUIRE(memory != MAP_FAILED);
    return static_cast<Memory>(memory);
}

// Written pages with room around them that nothing else is mapped into.
Memory map_pages() {
    Memory room = map(3 * kPages * kPageBytes, nullptr, PROT_NONE);
    Memory pages = map(kPages * kPageBytes, const_cast<char*>(room + kPages * kPageBytes));
    for (int page = 0; page < kPages; ++page) pages[page * kPageBytes] = 1;
    return pages;
}

void map_beside(Memory pages) {
    map(kPageBytes, const_cast<char*>(pages + kPages * kPageBytes));
}

void write(Memory pages, int page) {
    pages[page * kPageBytes] = 2;
}

void clear_bits() {
    const int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    const ssize_t written = ::write(file, "4", 1);
    close(file);
    if (written != 1) throw std::runtime_error("clear_refs cannot be written");
}

bool is_dirty(Memory page) {
    constexpr int kSoftDirtyBit = 55;  // Documentation/admin-guide/mm/pagemap.rst
    const int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    uint64_t entry = 0;
    const auto offset = static_cast<off_t>(reinterpret_cast<uintptr_t>(page) / kPageBytes * 8);
    const ssize_t got = pread(file, &entry, sizeof(entry), offset);
    close(file);
    if (got != sizeof(entry)) throw std::runtime_error("pagemap cannot be read");
    return (entry >> kSoftDirtyBit & 1) != 0;
}

// 'D' for each dirty page.
std::string bits(Memory pages, size_t count = kPages) {
    std::string text;
    for (size_t i = 0; i < count; ++i) text += is_dirty(pages + i * kPageBytes) ? 'D' : '.';
    return text;
}

// What `tell` returns in a forked child.
std::string in_child(const std::function<std::string()>& tell) {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        std::string text;
        try {
            text = tell();
        } catch (const std::exception& error) {
            text = error.what();
        }
        const ssize_t written = ::write(ends[1], text.data(), text.size());
        _exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
    }
    close(ends[1]);
    std::string text;
    char buffer[4096];
    for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof(buffer))) > 0;) {
        text.append(buffer, static_cast<size_t>(got));
    }
    close(ends[0]);
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE(status == 0);
    return text;
}

}  // namespace

TEST_CASE("fact: a child inherits the bits and clears only its own") {
    const Memory pages = map_pages();
    clear_bits();
    write(pages, 1);
    CHECK(in_child([&] { return bits(pages); }) == ".D......");
    CHECK(in_child([&] {
              clear_bits();
              static_cast<void>(pages[4 * kPageBytes]);
              write(pages, 2);
              return bits(pages);
          }) == "..D.....");
    CHECK(bits(pages) == ".D......");
}

TEST_CASE("fact: a new mapping reads as dirty and makes so what it merges with") {
    const Memory pages = map_pages();
    clear_bits();
    write(pages, 2);
    // A child's copy of memory that its parent had touched has two anon_vmas and merges with
    // nothing.
    CHECK(in_child([&] {
              clear_bits();
              write(pages, 3);
              map_beside(pages);
              return bits(pages, kPages + 1);
          }) == "...D....D");
    CHECK(bits(pages) == "..D.....");
    map_beside(pages);
    CHECK(bits(pages) == "DDDDDDDD");
}

TEST_CASE("fact: growth of the heap makes all of it dirty where the process made it itself") {
    const auto top = reinterpret_cast<uintptr_t>(sbrk(0));
    sbrk(static_cast<intptr_t>(kPageBytes - top % kPageBytes));
    const Memory heap = static_cast<Memory>(sbrk(kPages * kPageBytes));
    for (int page = 0; page < kPages; ++page) heap[page * kPageBytes] = 1;
    CHECK(in_child([&] {
              clear_bits();
              write(heap, 3);
              sbrk(kPages * kPageBytes);
              return bits(heap);
          }) == "...D....");
    // Nothing here may allocate until the bits are read.
    clear_bits();
    write(heap, 2);
    const bool before = is_dirty(heap);
    sbrk(kPages * kPageBytes);
    const bool after = is_dirty(heap);
    CHECK_FALSE(before);
    CHECK(after);
}

TEST_CASE("fact: memory that is moved reads as dirty") {
    const Memory pages = map_pages();
    const Memory target = map(kPages * kPageBytes);
    CHECK(in_child([&] {
              clear_bits();
              write(pages, 2);
              mremap(const_cast<char*>(pages), kPages * kPageBytes, kPages * kPageBytes,
                     MREMAP_MAYMOVE | MREMAP_FIXED, const_cast<char*>(target));
              return bits(target);
          }) == "DDDDDDDD");
}

TEST_CASE("fact: protecting and dropping pages makes none dirty") {
    const Memory pages = map_pages();
    CHECK(in_child([&] {
              clear_bits();
              write(pages, 2);
              mprotect(const_cast<char*>(pages), 4 * kPageBytes, PROT_READ);
              mprotect(const_cast<char*>(pages), 4 * kPageBytes, PROT_READ | PROT_WRITE);
              madvise(const_cast<char*>(pages + 6 * kPageBytes), kPageBytes, MADV_DONTNEED);
              static_cast<void>(pages[6 * kPageBytes]);
              return bits(pages);
          }) == "..D.....");
    CHECK(in_child([&] {
              clear_bits();
              madvise(const_cast<char*>(pages + 6 * kPageBytes), kPageBytes, MADV_DONTNEED);
              write(pages, 6);
              return bits(pages);
          }) == "......D.");
}

// A child's write to a huge page that it shares splits the mapping and copies 4 KiB. How many pages
// are dirty then has changed between kernels: the split hands the huge page's dirty bit on to each
// of its pages, and x86 cannot set that bit without the other one (Linux 6.3, mm/huge_memory.c,
// __split_huge_pmd_locked()).
TEST_CASE("fact: a write to a shared huge page") {
    const Memory room = map(2 * kHugePageBytes);
    const auto start = reinterpret_cast<uintptr_t>(room);
    const Memory huge = room + (kHugePageBytes - start % kHugePageBytes) % kHugePageBytes;
    REQUIRE(madvise(const_cast<char*>(huge), kHugePageBytes, MADV_HUGEPAGE) == 0);
    for (size_t page = 0; page < kPagesOfHugePage; ++page) huge[page * kPageBytes] = 1;
    const std::string found = in_child([&] {
        clear_bits();
        write(huge, 5);
        return bits(huge, kPagesOfHugePage);
    });
    REQUIRE(found.size() == kPagesOfHugePage);
    CHECK(found[5] == 'D');
    size_t dirty = 0;
    for (const char bit : found) dirty += bit == 'D' ? 1 : 0;
    CHECK(dirty == (is_expected("userfaultfd") ? kPagesOfHugePage : 1));
}
