// A program's own account of its memory: every page that its processes wrote, and whether the
// kernel had to copy the page for that. The programs know it from what they did. Where
// /proc/self/pagemap shows page frames (CAP_SYS_ADMIN), the kernel is asked, too: a program that
// proves to be wrong about itself says so and ends with status 98.
//
// The account lies in memory that all processes share, so that keeping it copies nothing.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace account {

inline constexpr size_t kPageBytes = 4096;

enum class Kind : uint32_t {
    copied,  // shared with another process until it was written
    fresh,   // not there until it was written
    kept,    // the process's own already, or of a shared mapping
};

struct Written {
    pid_t pid;
    Kind kind;
    uint64_t start;
    uint64_t pages;
    uint64_t step;  // one page of so many, from `start` on
};
struct Child {
    pid_t pid;
    int wait_status;
};
// Whatever else a process has to tell.
struct Figure {
    pid_t pid;
    char name[28];
    int64_t value;
};

struct Book {
    static constexpr uint32_t kMostRows = 4096;
    static constexpr uint64_t kMostEntries = 4 * 1024 * 1024;

    std::atomic<uint32_t> written_count;
    std::atomic<uint32_t> child_count;
    std::atomic<uint32_t> figure_count;
    std::atomic<uint64_t> entries_used;
    std::atomic<int> steps[8];  // for processes to wait for each other
    Written written[kMostRows];
    Child children[kMostRows];
    Figure figures[kMostRows];
    uint64_t entries[kMostEntries];  // of pagemap; never used twice
};
inline Book* book = nullptr;

[[noreturn]] inline void fail(const char* what) {
    std::fprintf(stderr, "process %d: %s: %s\n", getpid(), what, std::strerror(errno));
    std::fflush(nullptr);
    _exit(98);
}

inline void require(bool condition, const char* what) {
    if (!condition) fail(what);
}

inline unsigned char* map(size_t pages, int flags = MAP_PRIVATE | MAP_ANONYMOUS, void* at = nullptr,
                          int fd = -1) {
    void* memory = mmap(at, pages * kPageBytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    require(memory != MAP_FAILED && (at == nullptr || memory == at), "mmap");
    return static_cast<unsigned char*>(memory);
}

// Before the first fork.
inline void open_book() {
    void* memory = mmap(nullptr, sizeof(Book), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require(memory != MAP_FAILED, "mmap of the book");
    book = static_cast<Book*>(memory);  // zeros are what its members start with
}

inline void note_figure(const char* name, int64_t value) {
    const uint32_t row = book->figure_count.fetch_add(1);
    require(row < Book::kMostRows, "too many figures");
    Figure& figure = book->figures[row];
    figure.pid = getpid();
    std::strncpy(figure.name, name, sizeof(figure.name) - 1);
    figure.value = value;
}

// An entry of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst).
struct PageEntry {
    uint64_t bits;
    bool is_present() const { return (bits >> 63 & 1) != 0; }
    bool is_swapped() const { return (bits >> 62 & 1) != 0; }
    bool is_there() const { return is_present() || is_swapped(); }
    // 0 where the kernel does not say.
    uint64_t frame() const { return is_present() ? bits & ((uint64_t{1} << 55) - 1) : 0; }
};

// Of `pages` pages from `start` on, or of one page in `step`.
inline const PageEntry* read_entries(const unsigned char* start, uint64_t pages,
                                     uint64_t step = 1) {
    const uint64_t first = book->entries_used.fetch_add(pages);
    require(first + pages <= Book::kMostEntries, "too many pages");
    // The process has none of its own where its first thread has ended.
    const int fd = open("/proc/thread-self/pagemap", O_RDONLY | O_CLOEXEC);
    require(fd >= 0, "open pagemap");
    const uint64_t reads = step == 1 ? 1 : pages;
    const uint64_t bytes = pages / reads * sizeof(PageEntry);
    for (uint64_t i = 0; i < reads; ++i) {
        const uint64_t page = reinterpret_cast<uint64_t>(start) / kPageBytes + i * step;
        const ssize_t got = pread(fd, book->entries + first + i, bytes,
                                  static_cast<off_t>(page * sizeof(PageEntry)));
        require(got == static_cast<ssize_t>(bytes), "read pagemap");
    }
    close(fd);
    return reinterpret_cast<const PageEntry*>(book->entries + first);
}

// The stores: reports name them by these two functions.
[[gnu::noinline]] inline void store_to_shared(volatile unsigned char* start, size_t pages,
                                              size_t step) {
    for (size_t i = 0; i < pages; ++i) start[i * step * kPageBytes + i * 8 % kPageBytes] = 0xff;
}
[[gnu::noinline]] inline void store_to_own(volatile unsigned char* start, size_t pages,
                                           size_t step) {
    for (size_t i = 0; i < pages; ++i) start[i * step * kPageBytes + i * 8 % kPageBytes] = 0xff;
}

inline void check_with_kernel(Kind kind, const PageEntry& before, const PageEntry& after) {
    const bool known = before.frame() != 0 && after.frame() != 0;
    const bool moved = known && before.frame() != after.frame();
    errno = 0;
    if (kind == Kind::copied) {
        require(before.is_there(), "a page was to be copied that is not there");
        require(!known || moved, "a page was to be copied that the kernel did not copy");
    } else if (kind == Kind::fresh) {
        require(!before.is_there(), "a page was to be fresh that is there already");
    } else {
        require(!moved, "a page was to be kept that the kernel copied");
    }
}

inline void add_written(Kind kind, const void* start, size_t pages, size_t step) {
    const uint32_t row = book->written_count.fetch_add(1);
    require(row < Book::kMostRows, "too many writes");
    book->written[row] = {getpid(), kind, reinterpret_cast<uint64_t>(start), pages, step};
}

// Writes one byte into each of `pages` pages from `start` on, or of one page in `step`.
inline void write_pages(Kind kind, void* start, size_t pages, size_t step = 1,
                        bool is_checked = true) {
    auto* bytes = static_cast<unsigned char*>(start);
    const PageEntry* before = is_checked ? read_entries(bytes, pages, step) : nullptr;
    if (kind == Kind::copied) {
        store_to_shared(bytes, pages, step);
    } else {
        store_to_own(bytes, pages, step);
    }
    if (is_checked) {
        const PageEntry* after = read_entries(bytes, pages, step);
        for (size_t i = 0; i < pages; ++i) {
            check_with_kernel(kind, before[i], after[i]);
        }
    }
    add_written(kind, start, pages, step);
}
inline void write_copied(void* start, size_t pages, size_t step = 1) {
    write_pages(Kind::copied, start, pages, step);
}
inline void write_fresh(void* start, size_t pages, size_t step = 1) {
    write_pages(Kind::fresh, start, pages, step);
}
inline void write_kept(void* start, size_t pages, size_t step = 1) {
    write_pages(Kind::kept, start, pages, step);
}
// Asks the kernel which pages the process has, and thereby shares: those are copied.
inline void write_as_found(void* start, size_t pages) {
    auto* bytes = static_cast<unsigned char*>(start);
    const PageEntry* found = read_entries(bytes, pages);
    for (size_t from = 0; from < pages;) {
        size_t to = from + 1;
        while (to < pages && found[to].is_there() == found[from].is_there()) ++to;
        write_pages(found[from].is_there() ? Kind::copied : Kind::fresh, bytes + from * kPageBytes,
                    to - from);
        from = to;
    }
}

// Content of the parent's, before the fork.
inline void fill(unsigned char* start, size_t pages, size_t step = 1) {
    for (size_t i = 0; i < pages; ++i) start[i * step * kPageBytes + i % kPageBytes] = 1;
}

// Where a process writes pages that only it has left, so that they are kept. New pages wait in a
// list of each CPU's, which holds a reference to them (mm/swap.c, folio_add_lru()). Before the
// kernel decides that nobody else has a page it empties the list of the CPU it is on, but not those
// of others (mm/memory.c, wp_can_reuse_anon_folio()): it copies a page that it need not.
inline void stay_on_one_cpu() {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(sched_getcpu(), &cpus);
    require(sched_setaffinity(0, sizeof(cpus), &cpus) == 0, "sched_setaffinity");
}

inline void reach_step(size_t step) {
    book->steps[step].fetch_add(1);
}
inline void wait_for_step(size_t step, int count = 1) {
    while (book->steps[step] < count) usleep(200);
}

inline void wait_for_child(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) != pid) require(errno == EINTR, "waitpid");
    const uint32_t row = book->child_count.fetch_add(1);
    require(row < Book::kMostRows, "too many children");
    book->children[row] = {pid, status};
}

// A child that does `work` and exits.
template <typename Work>
pid_t start_child(Work&& work) {
    std::fflush(nullptr);
    const pid_t pid = fork();
    require(pid >= 0, "fork");
    if (pid != 0) return pid;
    work();
    std::exit(0);
}

inline void print_book() {
    const char* kinds[] = {"copied", "fresh", "kept"};
    std::printf("{\"root\":%d,\n\"written\":[", getpid());
    for (uint32_t i = 0; i < book->written_count; ++i) {
        const Written& row = book->written[i];
        std::printf("%s\n{\"pid\":%d,\"kind\":\"%s\",\"start\":%lu,\"pages\":%lu,\"step\":%lu}",
                    i == 0 ? "" : ",", row.pid, kinds[static_cast<uint32_t>(row.kind)], row.start,
                    row.pages, row.step);
    }
    std::printf("],\n\"children\":[");
    for (uint32_t i = 0; i < book->child_count; ++i) {
        std::printf("%s\n{\"pid\":%d,\"wait_status\":%d}", i == 0 ? "" : ",", book->children[i].pid,
                    book->children[i].wait_status);
    }
    std::printf("],\n\"figures\":[");
    for (uint32_t i = 0; i < book->figure_count; ++i) {
        const Figure& row = book->figures[i];
        std::printf("%s\n{\"pid\":%d,\"name\":\"%s\",\"value\":%ld}", i == 0 ? "" : ",", row.pid,
                    row.name, row.value);
    }
    std::printf("]}\n");
    std::fflush(stdout);
}

}  // namespace account
