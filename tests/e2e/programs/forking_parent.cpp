// A parent that forks children one after the other, for long:
//   forking_parent SECONDS FORKS ACCOUNT [blocked]
//
// It ends after so many seconds or forks, whichever comes first; where there is time to spare, the
// forks are spread over it. In each round a child is forked;
// the parent and its threads write pages that they share with it, and tell it to go on; it writes
// pages of its own part, and ends in one of several ways. Meanwhile timers strike, and a thread
// allocates and frees. What each wrote first since the fork, and so copied, the program knows
// itself, and writes to the file ACCOUNT, as JSON. Its own memory and descriptors stand there too,
// as they were after ten forks and then now and then.
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kChildPages = 512;  // each of the parts below
constexpr size_t kParentPages = 64;
constexpr size_t kBlockedPages = 200;
constexpr size_t kThreads = 2;

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::_Exit(99);
}
void require(bool condition, const char* what) {
    if (!condition) fail(what);
}

void sleep_until(double time) {
    const auto whole = static_cast<time_t>(time);
    const struct timespec at = {whole,
                                static_cast<long>((time - static_cast<double>(whole)) * 1e9)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) continue;
}

double now() {
    struct timespec time = {};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

volatile unsigned char* map_pages(size_t pages, int flags) {
    void* memory =
        mmap(nullptr, pages * kPageBytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, "mmap");
    madvise(memory, pages * kPageBytes, MADV_NOHUGEPAGE);
    auto* bytes = static_cast<volatile unsigned char*>(memory);
    for (size_t i = 0; i < pages; ++i) bytes[i * kPageBytes] = 1;
    return bytes;
}

// Processes wait for each other by a word that they share.
void wait_for(std::atomic<uint32_t>& word, uint32_t wanted) {
    for (uint32_t value; (value = word.load()) != wanted;) {
        syscall(SYS_futex, &word, FUTEX_WAIT, value, nullptr, nullptr, 0);
    }
}
void set_and_wake(std::atomic<uint32_t>& word, uint32_t value) {
    word = value;
    syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

struct Shared {
    std::atomic<uint32_t> go;     // the round whose child may write
    std::atomic<uint32_t> ticks;  // of timers
};
Shared* shared = nullptr;

struct Round {
    double start;
    double end;
    pid_t pid;
    uint32_t child_pages;
    uint32_t parent_pages;
    uint32_t thread_pages;
    char end_kind;
};

struct Memory {
    uint64_t forks;
    uint64_t resident_kb;
    uint64_t virtual_kb;
    uint64_t descriptors;
};

uint64_t status_kb(const std::string& status, const char* field) {
    const size_t at = status.find(field);
    return at == std::string::npos
               ? 0
               : std::strtoull(status.c_str() + at + std::strlen(field), nullptr, 10);
}
Memory look_at_memory(uint64_t forks) {
    std::ifstream file("/proc/self/status");
    const std::string status((std::istreambuf_iterator<char>(file)),
                             std::istreambuf_iterator<char>());
    uint64_t descriptors = 0;
    for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
        ++descriptors;
    }
    return {forks, status_kb(status, "VmRSS:"), status_kb(status, "VmSize:"), descriptors};
}

volatile unsigned char* child_part = nullptr;
volatile unsigned char* parent_part = nullptr;
volatile unsigned char* thread_parts[kThreads];
volatile unsigned char* blocked_part = nullptr;
volatile unsigned char* timer_page = nullptr;

void on_timer(int) {
    timer_page[8] = 2;
    ++shared->ticks;
}

}  // namespace

// Not in the nameless namespace: the report names them.
[[gnu::noinline]] void written_by_child(uint64_t first, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) child_part[(first + i) % kChildPages * kPageBytes] = 2;
}
[[gnu::noinline]] void written_by_grandchild(uint64_t first, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) child_part[(first + i) % kChildPages * kPageBytes] = 3;
}
[[gnu::noinline]] void written_by_parent(uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) parent_part[i * kPageBytes] = 2;
}
[[gnu::noinline]] void written_by_thread(volatile unsigned char* part, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) part[i * kPageBytes] = 2;
}

namespace {

// Threads that write a part each when they are told to.
class Writers {
  public:
    Writers() {
        for (size_t i = 0; i < kThreads; ++i) threads_.emplace_back([this, i] { run(i); });
    }
    // Until all have written so many pages.
    void write(uint32_t count) {
        count_ = count;
        done_ = 0;
        set_and_wake(round_, round_ + 1);
        wait_for(done_, kThreads);
    }
    void end() {
        ends_ = true;
        set_and_wake(round_, round_ + 1);
        for (std::thread& each : threads_) each.join();
    }

  private:
    void run(size_t index) {
        for (uint32_t round = 1;; ++round) {
            wait_for(round_, round);
            if (ends_) return;
            written_by_thread(thread_parts[index], count_);
            if (++done_ == kThreads) set_and_wake(done_, kThreads);
        }
    }

    std::atomic<uint32_t> round_{0};
    std::atomic<uint32_t> done_{0};
    std::atomic<uint32_t> count_{0};
    std::atomic<bool> ends_{false};
    std::vector<std::thread> threads_;
};

void allocate(const std::atomic<bool>& ends) {
    std::vector<std::string> blocks(64);
    for (uint64_t i = 0; !ends; ++i) {
        blocks[i % blocks.size()] = std::string(64 + i * 7919 % 20000, 'x');
        if (i % 16 == 0) {
            void* memory = mmap(nullptr, 8 * kPageBytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            require(memory != MAP_FAILED, "mmap");
            std::memset(memory, 1, 8 * kPageBytes);
            munmap(memory, 8 * kPageBytes);
        }
        usleep(1000);
    }
}

void start_timer(int which, long microseconds) {
    const struct itimerval every = {{0, microseconds}, {0, microseconds}};
    require(setitimer(which, &every, nullptr) == 0, "setitimer");
}

void write_blocked() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    require(pthread_sigmask(SIG_BLOCK, &all, &before) == 0, "pthread_sigmask");
    for (size_t i = 0; i < kBlockedPages; ++i) blocked_part[i * kPageBytes] = 2;
    require(pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0, "pthread_sigmask");
}

[[noreturn]] void be_child(uint32_t number, const Round& round, uint64_t random) {
    wait_for(shared->go, number);
    written_by_child(random % kChildPages, round.child_pages);
    switch (round.end_kind) {
        case 'k':
            kill(getpid(), SIGKILL);
            break;
        case 'x':
            execl("/bin/true", "true", static_cast<char*>(nullptr));
            break;
        case 'g': {
            const pid_t grandchild = fork();
            if (grandchild == 0) {
                written_by_grandchild(random % kChildPages, round.child_pages);
                _exit(0);
            }
            int status = 0;
            if (waitpid(grandchild, &status, 0) != grandchild || status != 0) _exit(3);
            break;
        }
        case 'e':
            std::exit(0);
        default:
            break;
    }
    _exit(0);
}

// How most servers' children end, and some others.
char end_kind(uint64_t random) {
    const uint64_t of_64 = random % 64;
    if (of_64 == 0) return 'k';
    if (of_64 == 1) return 'x';
    if (of_64 < 4) return 'g';
    return of_64 < 16 ? 'e' : '_';
}

void write_account(const char* path, double started, const std::vector<Round>& rounds,
                   const std::vector<Memory>& memory) {
    FILE* out = std::fopen(path, "w");
    require(out != nullptr, path);
    std::fprintf(out, "{\"pid\": %d, \"started\": %.6f, \"ticks\": %u, \"rounds\": [", getpid(),
                 started, shared->ticks.load());
    const char* between = "";
    for (const Round& each : rounds) {
        std::fprintf(out, "%s\n[%.6f, %.6f, %d, %u, %u, %u, \"%c\"]", between, each.start, each.end,
                     each.pid, each.child_pages, each.parent_pages, each.thread_pages,
                     each.end_kind);
        between = ",";
    }
    std::fprintf(out, "], \"memory\": [");
    between = "";
    for (const Memory& each : memory) {
        std::fprintf(out, "%s\n[%lu, %lu, %lu, %lu]", between, each.forks, each.resident_kb,
                     each.virtual_kb, each.descriptors);
        between = ",";
    }
    std::fprintf(out, "]}\n");
    require(std::fclose(out) == 0, path);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4 && argc != 5) fail("usage: forking_parent SECONDS FORKS ACCOUNT [blocked]");
    const double start = now();
    const double seconds = std::strtod(argv[1], nullptr);
    const uint64_t most = std::strtoull(argv[2], nullptr, 10);
    shared = reinterpret_cast<Shared*>(const_cast<unsigned char*>(map_pages(1, MAP_SHARED)));
    shared->go = 0;
    child_part = map_pages(kChildPages, MAP_PRIVATE);
    parent_part = map_pages(kParentPages, MAP_PRIVATE);
    for (auto& part : thread_parts) part = map_pages(kParentPages, MAP_PRIVATE);
    blocked_part = map_pages(kBlockedPages, MAP_PRIVATE);
    timer_page = map_pages(1, MAP_PRIVATE);
    // There already, so that what grows is not the account.
    std::vector<Round> rounds(most, Round{});
    std::vector<Memory> memory;
    memory.reserve(4096);
    struct sigaction action = {};
    action.sa_handler = on_timer;
    action.sa_flags = SA_RESTART;
    require(sigaction(SIGALRM, &action, nullptr) == 0 && sigaction(SIGPROF, &action, nullptr) == 0,
            "sigaction");
    Writers writers;
    std::atomic<bool> ends{false};
    std::thread allocator([&] { allocate(ends); });
    start_timer(ITIMER_REAL, 5000);
    start_timer(ITIMER_PROF, 10000);
    uint64_t random = 88172645463325252u;
    uint64_t forks = 0;
    while (forks < most && now() - start < seconds) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        Round& round = rounds[forks];
        round = {now(),
                 0,
                 0,
                 static_cast<uint32_t>(1 + random % 40),
                 static_cast<uint32_t>(random / 64 % 8),
                 static_cast<uint32_t>(random / 1024 % 4),
                 end_kind(random / 65536)};
        const auto number = static_cast<uint32_t>(++forks);
        round.pid = fork();
        require(round.pid >= 0, "fork");
        if (round.pid == 0) be_child(number, round, random);
        written_by_parent(round.parent_pages);
        if (argc == 5 && forks % 4 == 0) write_blocked();
        if (round.thread_pages != 0) writers.write(round.thread_pages);
        set_and_wake(shared->go, number);
        int status = 0;
        while (waitpid(round.pid, &status, 0) != round.pid) require(errno == EINTR, "waitpid");
        if (status != (round.end_kind == 'k' ? SIGKILL : 0)) {
            std::fprintf(stderr, "the child of fork %lu ended with %#x\n", forks, status);
            std::_Exit(98);
        }
        round.end = now();
        if (forks == 10 || forks % 500 == 0) memory.push_back(look_at_memory(forks));
        const double share = static_cast<double>(forks) / static_cast<double>(most);
        sleep_until(start + seconds * share);
    }
    memory.push_back(look_at_memory(forks));
    start_timer(ITIMER_REAL, 0);
    start_timer(ITIMER_PROF, 0);
    writers.end();
    ends = true;
    allocator.join();
    rounds.resize(forks);
    write_account(argv[3], start, rounds, memory);
    return 0;
}
