// random_family SEED STEPS [still]: processes that fork, write, unmap, map anew, discard, move and
// end, one thing at a time, in an order that follows from the seed. What each write copies it sees
// by the kernel's own mark that a page is mapped once (Documentation/admin-guide/mm/pagemap.rst).
// Prints, of each process: its number, how many it has forked, and how many pages it has copied.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kRegions = 6;
constexpr size_t kRegionPages = 128;
constexpr size_t kRegionBytes = kRegionPages * kPageBytes;
constexpr size_t kPartPages = 32;  // what is done is done to some of a region's four parts
constexpr size_t kMostProcesses = 12;

struct Told {
    std::atomic<pid_t> pid;
    uint64_t forks;
    uint64_t copied;
};
struct Shared {
    std::atomic<uint64_t> step;
    Told told[kMostProcesses];
};
// What all processes know of all, because all follow the same order.
struct Process {
    bool is_alive = false;
    std::array<bool, kRegions> is_mapped = {};
};

Shared* shared;
unsigned char* regions[kRegions];
unsigned char* elsewhere;
bool may_move = true;  // not where `still` is asked for
int pagemap = -1;
size_t self = 0;

void require(bool condition, const char* what) {
    if (condition) return;
    std::perror(what);
    std::_Exit(99);
}

class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed * 2654435761u + 88172645463325252u) {
        for (int i = 0; i < 20; ++i) below(2);
    }
    size_t below(size_t bound) {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return (state_ >> 11) % bound;
    }

  private:
    uint64_t state_;
};

void open_pagemap() {
    if (pagemap >= 0) close(pagemap);
    pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    require(pagemap >= 0, "open pagemap");
}

struct PageState {
    bool is_present;
    bool is_mapped_once;
};
PageState state_of(const unsigned char* page) {
    uint64_t entry = 0;
    const auto at = reinterpret_cast<uint64_t>(page) / kPageBytes * sizeof(entry);
    require(pread(pagemap, &entry, sizeof(entry), static_cast<off_t>(at)) == sizeof(entry),
            "pread");
    return {(entry >> 63 & 1) != 0, (entry >> 56 & 1) != 0};
}

[[gnu::noinline]] void write_pages(unsigned char* start, size_t pages) {
    for (size_t i = 0; i < pages; ++i) {
        unsigned char* page = start + i * kPageBytes;
        const PageState state = state_of(page);
        if (state.is_present && !state.is_mapped_once) ++shared->told[self].copied;
        *page = static_cast<unsigned char>(*page + i + 1);
    }
}

// What nobody has written yet stays away: a first look at it would make the kernel's page of zeros
// come, which reads as one that others map too.
void read_pages(const unsigned char* start, size_t pages) {
    volatile unsigned sum = 0;
    for (size_t i = 0; i < pages; ++i) {
        const unsigned char* page = start + i * kPageBytes;
        if (state_of(page).is_present) sum = sum + *page;
    }
}

void map_anew(unsigned char* region) {
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    require(mmap(region, kRegionBytes, PROT_READ | PROT_WRITE, kFlags, -1, 0) == region, "mmap");
    madvise(region, kRegionBytes, MADV_NOHUGEPAGE);
}

void move_there_and_back(unsigned char* region) {
    constexpr int kFlags = MREMAP_MAYMOVE | MREMAP_FIXED;
    require(mremap(region, kRegionBytes, kRegionBytes, kFlags, elsewhere) == elsewhere, "mremap");
    require(mremap(elsewhere, kRegionBytes, kRegionBytes, kFlags, region) == region, "mremap");
}

// Its memory is gone when it is nothing but a number.
void wait_for_end(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/stat";
    for (;;) {
        const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (file < 0) return;
        char text[512] = {};
        const ssize_t got = read(file, text, sizeof(text) - 1);
        close(file);
        const char* name_end = got > 0 ? std::strrchr(text, ')') : nullptr;
        if (name_end == nullptr || name_end[2] == 'Z' || name_end[2] == 'X') return;
        usleep(50);
    }
}

void wait_for_turn(uint64_t step, const std::array<Process, kMostProcesses>& processes,
                   size_t count) {
    while (shared->step.load() != step) usleep(50);
    for (size_t i = 0; i < count; ++i) {
        if (!processes[i].is_alive) wait_for_end(shared->told[i].pid);
    }
}

// Whether this is the child.
bool fork_as(size_t number) {
    ++shared->told[self].forks;
    const pid_t child = fork();
    require(child >= 0, "fork");
    if (child != 0) {
        while (shared->told[number].pid == 0) usleep(20);
        return false;
    }
    self = number;
    open_pagemap();
    shared->told[self].pid = getpid();
    return true;
}

void run(Random random, uint64_t steps) {
    std::array<Process, kMostProcesses> processes;
    size_t count = 1;
    processes[0].is_alive = true;
    processes[0].is_mapped.fill(true);
    for (uint64_t step = 0; step < steps; ++step) {
        size_t actor = random.below(count);
        while (!processes[actor].is_alive) actor = random.below(count);
        const size_t what = random.below(100);
        const size_t number = random.below(kRegions);
        const size_t first = random.below(kRegionPages / kPartPages) * kPartPages;
        const size_t wanted = (1 + random.below(kRegionPages / kPartPages)) * kPartPages;
        const size_t pages = first + wanted > kRegionPages ? kRegionPages - first : wanted;
        Process& process = processes[actor];
        unsigned char* const region = regions[number];
        unsigned char* const start = region + first * kPageBytes;
        const bool is_here = process.is_mapped[number];
        const bool is_mine = actor == self;
        if (is_mine) wait_for_turn(step, processes, count);

        if (what < 22) {
            if (count < kMostProcesses) {
                processes[count] = process;
                const size_t child = count++;
                // The step is its parent's.
                if (is_mine && fork_as(child)) continue;
            }
        } else if (what < 60) {
            if (is_here && is_mine) write_pages(start, pages);
        } else if (what < 68) {
            if (is_here && is_mine) munmap(region, kRegionBytes);
            process.is_mapped[number] = false;
        } else if (what < 82) {
            if (is_mine) map_anew(region);
            process.is_mapped[number] = true;
        } else if (what < 90) {
            if (is_here && is_mine) madvise(start, pages * kPageBytes, MADV_DONTNEED);
        } else if (what < 92) {
            if (is_here && is_mine && may_move) move_there_and_back(region);
        } else if (what < 96) {
            if (actor != 0) {
                process.is_alive = false;
                if (is_mine) {
                    shared->step = step + 1;
                    std::exit(0);
                }
            }
        } else if (is_here && is_mine) {
            read_pages(start, pages);
        }
        if (is_mine) shared->step = step + 1;
    }
    while (shared->step.load() < steps) usleep(50);
    if (self != 0) std::exit(0);
    while (wait(nullptr) > 0) continue;
    for (size_t i = 1; i < count; ++i) wait_for_end(shared->told[i].pid);
    for (size_t i = 0; i < count; ++i) {
        const Told& told = shared->told[i];
        std::printf("%s{\"pid\": %d, \"forks\": %lu, \"copied\": %lu}%s", i == 0 ? "[" : ", ",
                    told.pid.load(), told.forks, told.copied, i + 1 == count ? "]\n" : "");
    }
}

}  // namespace

int main(int argc, char** argv) {
    require(argc == 3 || argc == 4, "usage: random_family SEED STEPS [still]");
    may_move = argc == 3;
    Random random(std::strtoull(argv[1], nullptr, 10));
    void* memory =
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, "mmap");
    shared = new (memory) Shared{};
    shared->told[0].pid = getpid();
    open_pagemap();
    // Of even seeds regions are one mapping, of others there are gaps between them.
    const bool is_one = std::strtoull(argv[1], nullptr, 10) % 2 == 0;
    const size_t step_bytes = (is_one ? 1 : 2) * kRegionBytes;
    void* room =
        mmap(nullptr, kRegions * step_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(room != MAP_FAILED, "mmap");
    void* more = mmap(nullptr, kRegionBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(more != MAP_FAILED, "mmap");
    elsewhere = static_cast<unsigned char*>(more);
    for (size_t i = 0; i < kRegions; ++i) {
        unsigned char*& region = regions[i];
        region = static_cast<unsigned char*>(room) + i * step_bytes;
        map_anew(region);
        if (random.below(3) != 0) write_pages(region, kRegionPages);
    }
    run(random, std::strtoull(argv[2], nullptr, 10));
}
