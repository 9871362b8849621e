// Programs that fork while their other threads are in the middle of something: malloc, the dynamic
// loader, an exception, another fork. Children do the same and end.
#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "sharing_child.h"
#include "tree_cases.h"

using namespace tree;

namespace {

std::atomic<bool> is_over{false};
constexpr int kForks = 60;

[[gnu::noinline]] void throw_deep(int depth) {
    if (depth == 0) throw std::runtime_error("deep");
    volatile char frame[64] = {1};
    throw_deep(depth - 1);
    if (frame[0] != 1) std::abort();
}

void allocate_once() {
    std::vector<std::string> strings;
    for (size_t i = 0; i < 200; ++i) strings.emplace_back(i * 7 % 3000, 'x');
}
void load_once() {
    // One that few programs have; opened and closed, so that the loader's lists change.
    if (void* library = dlopen("libutil.so.1", RTLD_NOW | RTLD_LOCAL)) dlclose(library);
    if (void* library = dlopen("libanl.so.1", RTLD_NOW | RTLD_LOCAL)) dlclose(library);
}
void throw_once() {
    try {
        throw_deep(20);
    } catch (const std::runtime_error&) {
    }
}
void fork_once() {
    const pid_t child = fork();
    require(child >= 0, "fork");
    if (child == 0) {
        account::store_to_shared(region, 16, 1);
        _exit(0);
    }
    int status = 0;
    require(waitpid(child, &status, 0) == child && status == 0, "a thread's child");
}

// Three threads do `work` again and again while this one forks.
void fork_beside(void (*work)(), bool child_works) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([=] {
            while (!is_over) work();
        });
    }
    for (int i = 0; i < kForks; ++i) {
        wait_for_child(start_child([=] {
            account::store_to_shared(region, 128, 1);
            account::add_written(account::Kind::copied, region, 128, 1);
            if (child_works) work();
            _exit(0);
        }));
    }
    is_over = true;
    for (std::thread& thread : threads) thread.join();
}

void beside_malloc() {
    fork_beside(allocate_once, true);
}
// What the C library promises a child of threads is malloc alone: it may not load, nor throw.
void beside_dlopen() {
    fork_beside(load_once, false);
}
void beside_throw() {
    fork_beside(throw_once, false);
}
void beside_fork() {
    fork_beside(fork_once, false);
}

// Threads write all their pages, over and over, while this one forks. Each child lives until they
// have written every page twice, so that each page is copied once for each fork.
void beside_writers() {
    constexpr int kThreads = 3;
    constexpr int kWriterForks = 4;
    constexpr size_t kWriterPages = 2000;
    std::atomic<int> passes[kThreads] = {};
    std::vector<std::thread> threads;
    for (std::atomic<int>& passed : passes) {
        unsigned char* pages = map(kWriterPages);
        std::memset(pages, 1, kWriterPages * kPageBytes);
        threads.emplace_back([pages, &passed] {
            for (; !is_over; ++passed) {
                for (size_t i = 0; i < kWriterPages; ++i) {
                    *static_cast<volatile unsigned char*>(pages + i * kPageBytes) = 2;
                }
            }
        });
    }
    // A thread begins with all signals blocked (nptl/pthread_create.c), and so its first writes
    // behind a fork would be told too late.
    for (const std::atomic<int>& passed : passes) {
        while (passed == 0) usleep(500);
    }
    for (int i = 0; i < kWriterForks; ++i) {
        SharingChild child;
        for (const std::atomic<int>& passed : passes) {
            // The pass that goes on, and a whole one.
            const int before = passed;
            while (passed < before + 2) usleep(500);
        }
        child.end();
    }
    is_over = true;
    for (std::thread& thread : threads) thread.join();
    account::note_figure("pages of writers", kThreads * kWriterPages * kWriterForks);
}

// One of a child's threads strikes another again and again on the one processor that both have, and
// goes before it (SCHED_FIFO): what that one holds it cannot wait for by spinning.
void beside_real_time() {
    constexpr size_t kStrikes = 200;
    constexpr size_t kWrites = 40'000;
    unsigned char* many = map(kWrites);
    unsigned char* few = map(kStrikes);
    account::fill(many, kWrites);
    account::fill(few, kStrikes);
    wait_for_child(start_child([=] {
        account::stay_on_one_cpu();
        std::thread first([=] {
            const sched_param urgent{10};
            require(pthread_setschedparam(pthread_self(), SCHED_FIFO, &urgent) == 0, "SCHED_FIFO");
            for (size_t i = 0; i < kStrikes; ++i) {
                account::store_to_shared(few + i * kPageBytes, 1, 1);
                usleep(20);
            }
        });
        account::store_to_shared(many, kWrites, 1);
        first.join();
        account::add_written(account::Kind::copied, many, kWrites, 1);
        account::add_written(account::Kind::copied, few, kStrikes, 1);
    }));
}

constexpr size_t kCancelPages = 16 * 1024;
unsigned char* cancel_region;
std::atomic<size_t> cancel_reached;

// Is cancelled between any two of its instructions.
void* write_until_cancelled(void*) {
    require(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, nullptr) == 0, "canceltype");
    for (size_t i = 1; i < kCancelPages; ++i) {
        account::store_to_shared(cancel_region + i * kPageBytes, 1, 1);
        cancel_reached.store(i, std::memory_order_relaxed);
    }
    for (;;) {
    }
}

// What the thread has reached is not sharp: the write that it was cancelled in may be done.
void cancel_while_writing() {
    cancel_region = map(kCancelPages);
    account::fill(cancel_region, kCancelPages);
    constexpr int kRounds = 40;
    for (int round = 0; round < kRounds; ++round) {
        wait_for_child(start_child([=] {
            pthread_t writer;
            require(pthread_create(&writer, nullptr, write_until_cancelled, nullptr) == 0,
                    "pthread_create");
            const size_t some = 100 + static_cast<size_t>(round) * 50;
            while (cancel_reached < some) sched_yield();
            require(pthread_cancel(writer) == 0, "pthread_cancel");
            require(pthread_join(writer, nullptr) == 0, "pthread_join");
            account::store_to_shared(cancel_region, 1, 1);
            account::add_written(account::Kind::copied, cancel_region + kPageBytes,
                                 cancel_reached.load(), 1);
        }));
    }
}

const Case kCases[] = {
    {"writers", beside_writers},      {"malloc", beside_malloc}, {"dlopen", beside_dlopen},
    {"throw", beside_throw},          {"fork", beside_fork},     {"real-time", beside_real_time},
    {"cancel", cancel_while_writing},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
