// What is copied in a child before its program goes on: fork_handlers CASE prints the account.
#include <malloc.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>
#include <vector>

#include "early_library.h"
#include "tree_cases.h"

using namespace tree;

namespace {

// The library's handler, and then the program.
void handlers_write() {
    for (int i = 0; i < 2; ++i) {
        wait_for_child(start_child([] {
            note_figure("by handlers", handler_pages[0] == 2 ? kHandlerPages : 0);
            write_copied(region, 200);
        }));
    }
}

// The child writes what its library's handler has written before, which copies nothing.
void written_again() {
    wait_for_child(start_child([] {
        note_figure("by handlers", handler_pages[0] == 2 ? kHandlerPages : 0);
        write_copied(region, 100);
        write_kept(handler_pages, kHandlerPages);
    }));
}

constexpr int kArenas = 100;

// libc's fork() initialises the locks of each of malloc's arenas.
void arenas_of_threads() {
    handler_writes = false;
    require(mallopt(M_ARENA_MAX, kArenas + 1) == 1, "mallopt");
    std::atomic<int> ready{0};
    std::atomic<bool> done{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < kArenas; ++i) {
        threads.emplace_back([&] {
            void* block = std::malloc(1000);
            ++ready;
            while (!done) usleep(1000);
            std::free(block);
        });
    }
    while (ready != kArenas) usleep(1000);
    wait_for_child(start_child([] { write_copied(region, 100); }));
    done = true;
    for (std::thread& thread : threads) thread.join();
}

const Case kCases[] = {
    {"handlers", handlers_write},
    {"again", written_again},
    {"arenas", arenas_of_threads},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
