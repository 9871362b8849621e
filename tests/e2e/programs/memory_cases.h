// Programs of cases in which a process shares memory with its child and the memory changes:
// PROGRAM CASE [BALLAST_PAGES] prints the account of what was copied. The ballast is inherited,
// too, and makes the process a large one.
#pragma once

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "account.h"

namespace cases {

using account::fill;
using account::kPageBytes;
using account::map;
using account::require;
using account::write_as_found;
using account::write_copied;
using account::write_fresh;
using account::write_kept;

inline constexpr size_t kPages = 256;
inline constexpr size_t kSecondPages = 128;
inline constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;
inline constexpr int kThere = kAnonymous | MAP_FIXED_NOREPLACE;

inline unsigned char* region;  // inherited, kPages
inline unsigned char* second;  // what else a case needs, kSecondPages

inline unsigned char* at(unsigned char* start, size_t page) {
    return start + page * kPageBytes;
}

inline void advise(unsigned char* start, size_t pages, int advice) {
    require(madvise(start, pages * kPageBytes, advice) == 0, "madvise");
}
inline void unmap(unsigned char* start, size_t pages) {
    require(munmap(start, pages * kPageBytes) == 0, "munmap");
}

struct Case {
    const char* name;
    void (*before)();
    void (*in_child)();
    void (*in_parent)();  // while the child lives
};

inline void no_more() {}

inline void run(const Case& changed) {
    region = map(kPages);
    fill(region, kPages);
    changed.before();
    constexpr size_t kParentDone = 0;
    const pid_t child = account::start_child([&] {
        account::wait_for_step(kParentDone);
        changed.in_child();
    });
    changed.in_parent();
    account::reach_step(kParentDone);
    account::wait_for_child(child);
}

template <size_t Count>
int run_named(const Case (&all)[Count], int argc, char** argv) {
    require(argc >= 2, "usage: PROGRAM CASE [BALLAST_PAGES]");
    account::open_book();
    if (argc > 2) {
        const size_t pages = std::strtoul(argv[2], nullptr, 10);
        if (pages != 0) fill(map(pages), pages);
    }
    for (const Case& each : all) {
        if (std::strcmp(each.name, argv[1]) != 0) continue;
        run(each);
        account::print_book();
        return 0;
    }
    account::fail("no such case");
}

}  // namespace cases
