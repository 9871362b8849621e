// Trees of processes that share memory: process_tree CASE prints the account of what they copied.
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/refused_system_call.h"
#include "tree_cases.h"

using namespace tree;

namespace {

// --- the parent ----------------------------------------------------------------------------------

void parent_while_child_lives() {
    account::stay_on_one_cpu();
    const pid_t child = start_child([] {
        write_copied(region, 64);
        reach_step(kChildDone);
        wait_for_step(kRelease);
    });
    wait_for_step(kChildDone);
    write_copied(at(64), 96);
    reach_step(kRelease);
    wait_for_child(child);
    // Nobody shares them any more.
    write_kept(at(192), 64);
    write_kept(at(64), 96);
}

// What the parent gives up becomes the child's own without a copy.
void parent_gives_up() {
    constexpr size_t kGivenUp = 1024;
    unsigned char* given_up = map(kGivenUp);
    account::fill(given_up, kGivenUp);
    const pid_t child = start_child([] {
        write_copied(region, 128);
        reach_step(kChildDone);
        wait_for_step(kParentDone);
    });
    wait_for_step(kChildDone);
    require(munmap(given_up, kGivenUp * kPageBytes) == 0, "munmap");
    reach_step(kParentDone);
    wait_for_child(child);
}

// A worker that was there before the others does not share what came since, nor what it has given
// up.
void replaced_workers() {
    account::stay_on_one_cpu();
    constexpr size_t kCachePages = 300;
    const auto stay = [] {
        reach_step(kChildDone);
        wait_for_step(kRelease);
    };
    const pid_t old_worker = start_child([&] {
        require(madvise(region, 128 * kPageBytes, MADV_DONTNEED) == 0, "madvise");
        stay();
    });
    wait_for_step(kChildDone);
    write_kept(region, 128);
    unsigned char* cache = map(kCachePages);
    require(madvise(cache, kCachePages * kPageBytes, MADV_NOHUGEPAGE) == 0, "madvise");
    account::fill(cache, kCachePages);
    const pid_t new_worker = start_child([&] {
        write_copied(cache, kCachePages);
        stay();
    });
    wait_for_step(kChildDone, 2);
    write_kept(cache, kCachePages);
    reach_step(kRelease);
    for (const pid_t worker : {old_worker, new_worker}) wait_for_child(worker);
}

void wait_for_release() {
    wait_for_step(kRelease);
}

// Each fork shares the pages anew.
void again_after_each_fork() {
    for (int round = 0; round < 3; ++round) {
        const pid_t child = start_child([round] { wait_for_step(kRelease, round + 1); });
        write_copied(region, 96);
        write_kept(region, 96);
        reach_step(kRelease);
        wait_for_child(child);
        write_kept(region, 96);
    }
}

// A page that several children share is copied once.
void once_for_several_children() {
    const pid_t first = start_child(wait_for_release);
    const pid_t second = start_child(wait_for_release);
    write_copied(region, 96);
    const pid_t third = start_child(wait_for_release);
    write_copied(region, 96);
    reach_step(kRelease);
    for (const pid_t child : {first, second, third}) wait_for_child(child);
}

// Whoever writes last has the page alone: of the two only the first has to copy.
void child_before_parent() {
    const pid_t child = start_child([] {
        write_copied(region, 96);
        reach_step(kChildDone);
        wait_for_step(kRelease);
    });
    wait_for_step(kChildDone);
    write_kept(region, 96);
    reach_step(kRelease);
    wait_for_child(child);
}
void parent_before_child() {
    const pid_t child = start_child([] {
        wait_for_step(kParentDone);
        write_kept(region, 96);
    });
    write_copied(region, 96);
    reach_step(kParentDone);
    wait_for_child(child);
}

void failed_fork() {
    wait_for_child(start_child([] { write_copied(region, 32); }));
    // glibc forks with clone(2).
    require(cowscope::e2e::refuse_system_call(SYS_clone, EAGAIN), "seccomp");
    errno = 0;
    note_figure("result", fork());
    note_figure("errno", errno);
    write_kept(region, 96);
}

// --- descendants ---------------------------------------------------------------------------------

// Each writes pages of its own before it forks, half of them once more while its child lives, and
// all of them once more when that is gone.
void be_generation(size_t depth) {
    constexpr size_t kDepth = 5;
    constexpr size_t kOwnPages = 32;
    unsigned char* own = at(depth * kOwnPages);
    if (depth > 0) write_copied(own, kOwnPages);
    if (depth + 1 == kDepth) return;
    const pid_t child = start_child([depth] {
        wait_for_step(depth);
        be_generation(depth + 1);
    });
    write_copied(own, kOwnPages / 2);
    reach_step(depth);
    wait_for_child(child);
    write_kept(own, kOwnPages);
}
void chain() {
    account::stay_on_one_cpu();
    be_generation(0);
}

void hundred_at_once() {
    constexpr int kChildren = 100;
    std::vector<pid_t> children;
    for (int i = 0; i < kChildren; ++i) {
        children.push_back(start_child([i] {
            write_copied(at(static_cast<size_t>(i)), 64);
            reach_step(kChildDone);
            wait_for_step(kRelease);
        }));
    }
    wait_for_step(kChildDone, kChildren);
    reach_step(kRelease);
    for (const pid_t child : children) wait_for_child(child);
}

// A process outlives its parent, which has copied some of the pages that it shares with it, and
// goes on sharing the others with its grandparent. `leave` runs its argument in such a process.
void outlive_parent(const std::function<void(const std::function<void()>&)>& leave) {
    int alive[2];
    require(pipe(alive) == 0, "pipe");
    const pid_t between = start_child([&] {
        write_copied(region, 32);
        leave([&] {
            close(alive[0]);
            wait_for_step(kParentDone);
            write_copied(at(32), 64);
            write_kept(region, 32);
        });
    });
    wait_for_child(between);
    reach_step(kParentDone);
    close(alive[1]);
    char nothing;
    require(read(alive[0], &nothing, 1) == 0, "it does not end");
}
void orphan() {
    outlive_parent([](const std::function<void()>& live) { start_child(live); });
}
void become_daemon() {
    outlive_parent([](const std::function<void()>& live) {
        require(daemon(1, 1) == 0, "daemon");
        live();
    });
}

// --- threads -------------------------------------------------------------------------------------

// Allocates, frees and writes all the time.
class Busy {
  public:
    explicit Busy(int threads) {
        for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
    }
    ~Busy() {
        stop_ = true;
        for (std::thread& thread : threads_) thread.join();
    }

  private:
    void work() {
        std::vector<std::unique_ptr<unsigned char[]>> blocks(64);
        for (size_t i = 0; !stop_; ++i) {
            auto& block = blocks[i % blocks.size()];
            block = std::make_unique<unsigned char[]>(64 + i * 977 % 65536);
            block[0] = 1;
        }
    }
    std::atomic<bool> stop_{false};
    std::vector<std::thread> threads_;
};

void children_of_a_threaded_parent() {
    const Busy busy(3);
    for (int round = 0; round < 5; ++round) {
        const pid_t first = start_child([] { write_copied(region, 96); });
        const pid_t second = start_child([] {
            std::vector<std::thread> threads;
            for (size_t i = 0; i < 4; ++i) {
                threads.emplace_back([i] { write_copied(at(i * 32), 32); });
            }
            for (std::thread& thread : threads) thread.join();
        });
        wait_for_child(first);
        wait_for_child(second);
    }
}

void fork_from_a_thread() {
    const Busy busy(2);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < 3; ++i) {
        threads.emplace_back([i] {
            wait_for_child(start_child([i] {
                write_copied(at(i * 32), 96);
                wait_for_child(start_child([i] { write_copied(at(i * 32), 64); }));
            }));
        });
    }
    for (std::thread& thread : threads) thread.join();
}

// --- many ----------------------------------------------------------------------------------------

int64_t lines_of(const char* path, const char* start) {
    FILE* file = std::fopen(path, "r");
    require(file != nullptr, path);
    char line[512];
    int64_t lines = 0;
    int64_t number = -1;
    while (std::fgets(line, sizeof(line), file) != nullptr) {
        ++lines;
        if (*start != '\0' && std::strncmp(line, start, std::strlen(start)) == 0) {
            number = std::strtoll(line + std::strlen(start), nullptr, 10);
        }
    }
    std::fclose(file);
    return *start == '\0' ? lines : number;
}

void note_holdings(const std::string& when) {
    note_figure((when + " descriptors").c_str(), descriptors());
    note_figure((when + " mappings").c_str(), lines_of("/proc/self/maps", ""));
    note_figure((when + " resident kb").c_str(), lines_of("/proc/self/status", "VmRSS:"));
    note_figure((when + " anonymous kb").c_str(), lines_of("/proc/self/status", "RssAnon:"));
}

void thousand_in_sequence() {
    constexpr int kChildren = 1000;
    // What is there to be set up once is set up by the first few.
    constexpr int kWarmUp = 20;
    wait_for_child(start_child([] {
        for (int i = 0; i < kChildren; ++i) {
            if (i == kWarmUp) note_holdings("before");
            wait_for_child(start_child([] { account::store_to_shared(region, 4, 1); }));
        }
        note_holdings("after");
    }));
}

// Forks of a parent with many mappings, each of which protects its memory and reads what is mapped.
// Where only its children write, the parent looks at none of its pages.
void fork_with_many_mappings(bool parent_writes) {
    constexpr int kForks = 40;
    constexpr size_t kMappings = 3000;
    // Every second page can be written: each is a mapping of its own.
    void* memory = mmap(nullptr, 2 * kMappings * kPageBytes, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require(memory != MAP_FAILED, "mmap");
    auto* start = static_cast<unsigned char*>(memory);
    for (size_t i = 0; i < kMappings; ++i) {
        unsigned char* page = start + 2 * i * kPageBytes;
        require(mprotect(page, kPageBytes, PROT_READ | PROT_WRITE) == 0, "mprotect");
        *page = 1;
    }
    for (int i = 0; i < kForks; ++i) {
        const pid_t child = start_child([i] {
            account::store_to_shared(region, 100, 1);
            wait_for_step(kRelease, i + 1);
        });
        if (parent_writes) account::store_to_shared(at(100), 100, 1);
        reach_step(kRelease);
        wait_for_child(child);
    }
}

// Faults that tell nothing of private memory make the shim look at all pages once more, of which
// there are thousands of runs.
void unseen_faults_between_forks() {
    constexpr int kForks = 300;
    constexpr int kWarmUp = 20;
    constexpr size_t kRuns = 5000;
    constexpr size_t kSharedPages = 400;
    unsigned char* holes = map(2 * kRuns);
    require(madvise(holes, 2 * kRuns * kPageBytes, MADV_NOHUGEPAGE) == 0, "madvise");
    account::fill(holes, kRuns, 2);
    unsigned char* shared = map(kSharedPages, MAP_SHARED | MAP_ANONYMOUS);
    for (int i = 0; i < kForks; ++i) {
        if (i == kWarmUp) note_holdings("before");
        const pid_t child = start_child([i] { wait_for_step(kRelease, i + 1); });
        require(madvise(shared, kSharedPages * kPageBytes, MADV_DONTNEED) == 0, "madvise");
        account::store_to_shared(shared, kSharedPages, 1);
        account::store_to_shared(region, 100, 1);
        reach_step(kRelease);
        wait_for_child(child);
    }
    note_holdings("after");
}

const Case kCases[] = {
    {"parent", parent_while_child_lives},
    {"parent-gives-up", parent_gives_up},
    {"replaced-workers", replaced_workers},
    {"again", again_after_each_fork},
    {"several", once_for_several_children},
    {"child-before-parent", child_before_parent},
    {"parent-before-child", parent_before_child},
    {"failed-fork", failed_fork},
    {"chain", chain},
    {"hundred", hundred_at_once},
    {"orphan", orphan},
    {"daemon", become_daemon},
    {"threaded-parent", children_of_a_threaded_parent},
    {"fork-from-thread", fork_from_a_thread},
    {"thousand", thousand_in_sequence},
    {"many-mappings", [] { fork_with_many_mappings(true); }},
    {"many-mappings-read", [] { fork_with_many_mappings(false); }},
    {"unseen-faults", unseen_faults_between_forks},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
