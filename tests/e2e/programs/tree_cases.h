// Programs of cases with several processes: PROGRAM CASE prints the account of what they copied.
#pragma once

#include <fcntl.h>

#include <cstring>

#include "account.h"

namespace tree {

using account::kPageBytes;
using account::map;
using account::note_figure;
using account::reach_step;
using account::require;
using account::start_child;
using account::wait_for_child;
using account::wait_for_step;
using account::write_copied;
using account::write_kept;

inline constexpr size_t kPages = 256;
inline unsigned char* region;  // filled before the case runs

inline unsigned char* at(size_t page) {
    return region + page * kPageBytes;
}

// Steps that processes wait for.
inline constexpr size_t kParentDone = 0;
inline constexpr size_t kChildDone = 1;
inline constexpr size_t kRelease = 2;

inline int64_t descriptors() {
    constexpr int kHighest = 1024;
    int64_t count = 0;
    for (int fd = 0; fd < kHighest; ++fd) count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
}

struct Case {
    const char* name;
    void (*run)();
};

template <size_t Count>
int run_named(const Case (&all)[Count], int argc, char** argv) {
    require(argc == 2, "usage: PROGRAM CASE");
    account::open_book();
    region = map(kPages);
    account::fill(region, kPages);
    for (const Case& each : all) {
        if (std::strcmp(each.name, argv[1]) != 0) continue;
        each.run();
        account::print_book();
        return 0;
    }
    account::fail("no such case");
}

}  // namespace tree
