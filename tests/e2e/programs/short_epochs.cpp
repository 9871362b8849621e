// A parent that copies so many pages that it samples, and then a few behind each of many forks: two
// functions, whose pages it tells.
//
//   short_epochs LONG SHORT PAGES     forks behind which big_writer writes all 100,000 pages, and
//                                     forks behind which small_writer writes PAGES
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

#include "sharing_child.h"

namespace {

constexpr size_t kPages = 100'000;
constexpr size_t kPageBytes = 4096;

[[gnu::noinline]] void big_writer(volatile unsigned char* memory, size_t pages) {
    for (size_t i = 0; i < pages; ++i) memory[i * kPageBytes] = 2;
}
[[gnu::noinline]] void small_writer(volatile unsigned char* memory, size_t pages) {
    for (size_t i = 0; i < pages; ++i) memory[i * kPageBytes] = 3;
}

void require(bool condition, const char* what) {
    if (condition) return;
    std::perror(what);
    std::_Exit(98);
}

// While a child shares the memory.
void write_shared(void (*write)(volatile unsigned char*, size_t), unsigned char* memory,
                  size_t pages) {
    SharingChild child;
    write(memory, pages);
    child.end();
}

}  // namespace

int main(int argc, char** argv) {
    require(argc == 4, "usage: short_epochs LONG SHORT PAGES");
    const size_t pages = std::strtoul(argv[3], nullptr, 10);
    void* memory = mmap(nullptr, kPages * kPageBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED && pages <= kPages, "mmap");
    madvise(memory, kPages * kPageBytes, MADV_NOHUGEPAGE);
    auto* bytes = static_cast<unsigned char*>(memory);
    big_writer(bytes, kPages);
    const int longs = std::atoi(argv[1]);
    const int shorts = std::atoi(argv[2]);
    for (int i = 0; i < longs; ++i) write_shared(big_writer, bytes, kPages);
    for (int i = 0; i < shorts; ++i) write_shared(small_writer, bytes, pages);
    std::printf("{\"memory\":%lu,\"long\":%lu,\"short\":%lu}\n",
                reinterpret_cast<unsigned long>(memory), static_cast<unsigned long>(longs) * kPages,
                static_cast<unsigned long>(shorts) * pages);
    return 0;
}
