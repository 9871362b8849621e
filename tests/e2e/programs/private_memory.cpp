// Processes that come to hold memory alone: private_memory CASE prints the account of what they
// copied, and, by the kernel's figures, how their private memory grew from their fork to where it
// was most ("grown kb").
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "tree_cases.h"

using namespace tree;

namespace {

constexpr size_t kHeldPages = 4096;
constexpr size_t kHeldBytes = kHeldPages * kPageBytes;

// Reads without allocating anything.
int64_t private_kb() {
    static char text[4096];
    const int file = open("/proc/thread-self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    require(file >= 0, "open smaps_rollup");
    const ssize_t got = read(file, text, sizeof(text) - 1);
    close(file);
    require(got > 0, "read smaps_rollup");
    text[got] = '\0';
    const char* at = std::strstr(text, "\nPrivate_Dirty:");
    require(at != nullptr, "Private_Dirty");
    return std::strtoll(at + std::strlen("\nPrivate_Dirty:"), nullptr, 10);
}

void note_growth(int64_t at_fork_kb) {
    note_figure("grown kb", private_kb() - at_fork_kb);
}

// The child does `first`, the parent gives up or copies, the child does `then`.
template <typename First, typename Parent, typename Then>
void with_child(First&& first, Parent&& parent, Then&& then) {
    const pid_t child = start_child([&] {
        const int64_t at_fork_kb = private_kb();
        first();
        reach_step(kChildDone);
        wait_for_step(kParentDone);
        then(at_fork_kb);
    });
    wait_for_step(kChildDone);
    parent();
    reach_step(kParentDone);
    wait_for_child(child);
}

void nothing() {}

unsigned char* filled(size_t pages) {
    unsigned char* memory = map(pages);
    require(madvise(memory, pages * kPageBytes, MADV_NOHUGEPAGE) == 0, "madvise");
    account::fill(memory, pages);
    return memory;
}

// By libc, which asks nobody.
void parent_frees() {
    auto* block = static_cast<unsigned char*>(std::malloc(kHeldBytes));
    require(block != nullptr, "malloc");
    std::memset(block, 1, kHeldBytes);
    with_child(
        nothing, [block] { std::free(block); }, note_growth);
}

void parent_discards() {
    unsigned char* memory = filled(kHeldPages);
    with_child(
        nothing, [memory] { require(madvise(memory, kHeldBytes, MADV_DONTNEED) == 0, "madvise"); },
        note_growth);
}

// The child is watched closely by then.
void parent_frees_late() {
    unsigned char* memory = filled(kHeldPages);
    unsigned char* fresh = map(512);
    with_child(
        [fresh] {
            write_copied(region, 200);
            account::write_fresh(fresh, 512);
        },
        [memory] { require(munmap(memory, kHeldBytes) == 0, "munmap"); }, note_growth);
}

void parent_copies() {
    unsigned char* memory = filled(kHeldPages);
    with_child([] { write_copied(region, 200); },
               [memory] { account::store_to_shared(memory, kHeldPages, 1); }, note_growth);
}

// What it holds alone it writes without a copy.
void child_writes_alone() {
    unsigned char* memory = filled(kHeldPages);
    with_child([] { write_copied(region, 200); },
               [memory] { require(munmap(memory, kHeldBytes) == 0, "munmap"); },
               [memory](int64_t at_fork_kb) {
                   account::store_to_own(memory, kHeldPages / 2, 1);
                   note_growth(at_fork_kb);
               });
}

// The child does nothing with all that the parent has copied.
void parent_copies_much() {
    constexpr size_t kPages = 50 * 1024;
    unsigned char* memory = filled(kPages);
    struct rusage before = {};
    require(getrusage(RUSAGE_CHILDREN, &before) == 0, "getrusage");
    with_child([] { write_copied(region, 20); },
               [memory] { account::store_to_shared(memory, kPages, 1); }, [](int64_t) {});
    struct rusage after = {};
    require(getrusage(RUSAGE_CHILDREN, &after) == 0, "getrusage");
    note_figure("faults of the child", after.ru_minflt - before.ru_minflt);
}

// All of the parent's is its own again.
void children_end() {
    filled(kHeldPages);
    const pid_t child = start_child([] { write_copied(region, 100); });
    const int64_t at_fork_kb = private_kb();
    wait_for_child(child);
    note_growth(at_fork_kb);
}

// Whoever looks only at the end sees nothing of it. The recorder looks at least each second.
void given_back() {
    unsigned char* memory = filled(kHeldPages);
    unsigned char* fresh = map(kHeldPages);
    require(madvise(fresh, kHeldBytes, MADV_NOHUGEPAGE) == 0, "madvise");
    with_child([] { write_copied(region, 200); },
               [memory] { require(munmap(memory, kHeldBytes) == 0, "munmap"); },
               [memory, fresh](int64_t at_fork_kb) {
                   account::store_to_own(fresh, kHeldPages, 1);
                   note_growth(at_fork_kb);
                   for (int i = 0; i < 20; ++i) usleep(100'000);
                   require(munmap(memory, kHeldBytes) == 0, "munmap");
                   require(munmap(fresh, kHeldBytes) == 0, "munmap");
               });
}

const Case kCases[] = {
    {"free", parent_frees},         {"discard", parent_discards},
    {"late", parent_frees_late},    {"copy-much", parent_copies_much},
    {"copy", parent_copies},        {"write", child_writes_alone},
    {"children-end", children_end}, {"given-back", given_back},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
