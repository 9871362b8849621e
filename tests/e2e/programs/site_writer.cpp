// Children write pages that they share with their parent, from sites of which each has a known
// part: site 0 the first P of every C pages, site 1 the rest, so that a witness that looks at every
// C-th page would see one of them always or never. Tells as JSON how many pages each site wrote.
//
//   --pages N      pages of each child (default 100000)
//   --cycle C      (default 4)
//   --part P       (default 1)
//   --children N   one after the other (default 1)
//   --threads T    the pages are written by T threads of the child, each a part of them; the n-th
//                  is born when the (n-1)-th has done half of its part (default 0: the child
//                  itself)
//   --read N       pages that the kernel writes behind those, with read(2) (default 0)
//   --fresh N      fresh pages that are touched among the others, one each, as long as there are
//   any
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr size_t kPageBytes = 4096;

size_t option(int count, char** words, const char* name, size_t otherwise) {
    for (int i = 1; i + 1 < count; ++i) {
        if (std::strcmp(words[i], name) == 0) return std::strtoull(words[i + 1], nullptr, 10);
    }
    return otherwise;
}

volatile char* map_pages(size_t pages) {
    const size_t bytes = pages * kPageBytes;
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        std::perror("mmap");
        std::exit(1);
    }
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    return static_cast<volatile char*>(memory);
}

}  // namespace

// Not in the nameless namespace: the reports name them.
__attribute__((noinline)) void site_0(volatile char* page) {
    *page = 10;
}
__attribute__((noinline)) void site_1(volatile char* page) {
    *page = 11;
}

int main(int count, char** words) {
    const size_t pages = option(count, words, "--pages", 100'000);
    const size_t cycle = option(count, words, "--cycle", 4);
    const size_t part = option(count, words, "--part", 1);
    const size_t children = option(count, words, "--children", 1);
    const size_t threads = option(count, words, "--threads", 0);
    const size_t read_pages = option(count, words, "--read", 0);
    const size_t fresh_pages = option(count, words, "--fresh", 0);

    volatile char* shared = map_pages(pages + read_pages);
    for (size_t i = 0; i < pages + read_pages; ++i) shared[i * kPageBytes] = 1;

    size_t of_site[2] = {0, 0};
    for (size_t i = 0; i < pages; ++i) ++of_site[i % cycle < part ? 0 : 1];

    for (size_t child = 0; child < children; ++child) {
        const pid_t pid = fork();
        if (pid < 0) return 1;
        if (pid != 0) {
            int status = 0;
            waitpid(pid, &status, 0);
            if (status != 0) return 1;
            continue;
        }
        volatile char* fresh = fresh_pages == 0 ? nullptr : map_pages(fresh_pages);
        const auto write = [&](size_t first, size_t end, const auto& at_half) {
            for (size_t i = first; i < end; ++i) {
                if (i == first + (end - first) / 2) at_half();
                if (i < fresh_pages) fresh[i * kPageBytes] = 1;
                if (i % cycle < part) {
                    site_0(shared + i * kPageBytes);
                } else {
                    site_1(shared + i * kPageBytes);
                }
            }
        };
        if (threads == 0) {
            write(0, pages, [] {});
        } else {
            std::atomic<size_t> born{1};
            std::vector<std::thread> all;
            for (size_t n = 0; n < threads; ++n) {
                while (born.load() <= n) std::this_thread::yield();
                all.emplace_back([&, n] {
                    write(pages * n / threads, pages * (n + 1) / threads, [&] { ++born; });
                    if (born.load() <= n + 1) ++born;
                });
            }
            for (std::thread& each : all) each.join();
        }
        if (read_pages != 0) {
            const int fd = open("/dev/zero", O_RDONLY);
            void* to = const_cast<char*>(shared) + pages * kPageBytes;
            if (read(fd, to, read_pages * kPageBytes) <= 0) _exit(1);
        }
        _exit(0);
    }
    std::printf("{\"site_0\": %zu, \"site_1\": %zu, \"read\": %zu, \"children\": %zu}\n",
                of_site[0], of_site[1], read_pages, children);
    return 0;
}
