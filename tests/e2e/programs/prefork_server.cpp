// A server that forks its workers one after the other, as long as it runs. Each worker writes pages
// that it shares with the server, from two functions in known parts, and the server tells as JSON
// what all of them wrote.
//
//   --rounds N   workers (default 100)
//   --pages P    that each writes: three of four from one_place(), the others from other_place()
//                (default 400)
//   --kill K     every K-th worker kills itself (SIGKILL) when it has written half of them (default
//                0: none)
//   --lived L    a worker that is forked first and lives to the end writes L pages more in each
//                round, from lived_place() (default 0: there is none)
//   --threads T  each worker's pages are written by T threads (default 0: by itself)
//   --read R     pages behind those that the kernel writes, with read(2), one a call (default 0)
//   --own N      pages that the server itself writes in each round when the worker is gone, from
//                own_place(): nobody shares them then, so that is no copy (default 0)
//   --exec E     in every E-th round the server starts /bin/true too, as another program (default
//   0)
//   --status S   of the server's end (default 0)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
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

// With something on every page.
volatile char* filled_pages(size_t pages) {
    const size_t bytes = (pages + 1) * kPageBytes;
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::exit(99);
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    auto* page = static_cast<volatile char*>(memory);
    for (size_t i = 0; i < pages; ++i) page[i * kPageBytes] = 1;
    return page;
}

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::exit(99);
}

}  // namespace

// Not in the nameless namespace: the reports name them.
__attribute__((noinline)) void one_place(volatile char* page) {
    *page = 10;
}
__attribute__((noinline)) void other_place(volatile char* page) {
    *page = 11;
}
__attribute__((noinline)) void own_place(volatile char* page) {
    *page = 13;
}
__attribute__((noinline)) void lived_place(volatile char* page) {
    *page = 12;
}

int main(int count, char** words) {
    const size_t rounds = option(count, words, "--rounds", 100);
    const size_t pages = option(count, words, "--pages", 400);
    const size_t kill_each = option(count, words, "--kill", 0);
    const size_t lived = option(count, words, "--lived", 0);
    const size_t threads = option(count, words, "--threads", 0);
    const size_t read_pages = option(count, words, "--read", 0);
    const size_t own_pages = option(count, words, "--own", 0);
    const size_t exec_each = option(count, words, "--exec", 0);
    const size_t status = option(count, words, "--status", 0);

    volatile char* shared = filled_pages(pages + read_pages);
    volatile char* own = filled_pages(own_pages);
    volatile char* of_lived = filled_pages(lived * rounds);
    size_t one = 0;
    size_t other = 0;
    size_t read_by_kernel = 0;

    int to_lived[2] = {-1, -1};
    int from_lived[2] = {-1, -1};
    if (pipe(to_lived) != 0 || pipe(from_lived) != 0) fail("pipe");
    const pid_t lived_pid = lived == 0 ? 0 : fork();
    if (lived != 0 && lived_pid == 0) {
        close(to_lived[1]);
        char byte = 0;
        for (size_t at = 0; read(to_lived[0], &byte, 1) == 1; at += lived) {
            for (size_t i = 0; i < lived; ++i) lived_place(of_lived + (at + i) * kPageBytes);
            if (write(from_lived[1], &byte, 1) != 1) _exit(99);
        }
        _exit(0);
    }

    for (size_t round = 0; round < rounds; ++round) {
        const bool is_killed = kill_each != 0 && round % kill_each == 0;
        const size_t written = is_killed ? pages / 2 : pages;
        for (size_t i = 0; i < written; ++i) ++(i % 4 == 3 ? other : one);
        if (!is_killed) read_by_kernel += read_pages;
        const pid_t worker = fork();
        if (worker < 0) fail("fork");
        if (worker == 0) {
            const auto write_part = [&](size_t first, size_t end) {
                for (size_t i = first; i < end; ++i) {
                    if (i % 4 == 3) {
                        other_place(shared + i * kPageBytes);
                    } else {
                        one_place(shared + i * kPageBytes);
                    }
                }
            };
            if (threads == 0) {
                write_part(0, written);
            } else {
                std::vector<std::thread> all;
                for (size_t n = 0; n < threads; ++n) {
                    all.emplace_back(write_part, written * n / threads,
                                     written * (n + 1) / threads);
                }
                for (std::thread& each : all) each.join();
            }
            if (is_killed) raise(SIGKILL);
            const int zeros = open("/dev/zero", O_RDONLY);
            for (size_t i = pages; i < pages + read_pages; ++i) {
                void* to = const_cast<char*>(shared) + i * kPageBytes;
                if (read(zeros, to, 64) != 64) _exit(99);
            }
            _exit(0);
        }
        int ended = 0;
        waitpid(worker, &ended, 0);
        if (is_killed ? !WIFSIGNALED(ended) : ended != 0) return 98;
        for (size_t i = 0; i < own_pages; ++i) own_place(own + i * kPageBytes);
        if (lived != 0) {
            char byte = 1;
            if (write(to_lived[1], &byte, 1) != 1 || read(from_lived[0], &byte, 1) != 1) return 97;
        }
        if (exec_each != 0 && round % exec_each == 0 && std::system("/bin/true") != 0) return 96;
    }
    close(to_lived[1]);
    if (lived != 0) waitpid(lived_pid, nullptr, 0);
    std::printf("{\"one\": %zu, \"other\": %zu, \"lived\": %zu, \"read\": %zu, \"workers\": %zu}\n",
                one, other, lived * rounds, read_by_kernel, rounds + (lived != 0 ? 1 : 0));
    std::fflush(stdout);
    return static_cast<int>(status);
}
