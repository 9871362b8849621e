// Memory that comes in other units than pages, or is not in memory at all: memory_kinds KIND
//   huge, huge-all, huge-fresh  transparent huge pages
//   hugetlb                     (needs free huge pages)
//   swapped, swap-later         (need swap space)
//   sparse                      64 GiB of address space with next to nothing in it
// prints the account; figures named ..._kb are the kernel's (/proc/self/smaps, status).
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "memory_cases.h"

using namespace cases;
using account::note_figure;

namespace {

constexpr size_t kHugePages = 512;  // of 4 KiB in one of 2 MiB
constexpr size_t kHugeCount = 4;
constexpr size_t kRegionPages = kHugeCount * kHugePages;
constexpr size_t kStep = 64;

// The number behind "LABEL:" for the mapping that starts at `start`.
int64_t of_mapping(const unsigned char* start, const std::string& label) {
    FILE* file = std::fopen("/proc/self/smaps", "r");
    require(file != nullptr, "open smaps");
    char line[512];
    bool inside = false;
    int64_t value = -1;
    while (value < 0 && std::fgets(line, sizeof(line), file) != nullptr) {
        unsigned long from = 0;
        unsigned long to = 0;
        if (std::sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            inside = from == reinterpret_cast<uint64_t>(start);
        } else if (inside && std::string(line).rfind(label + ":", 0) == 0) {
            value = std::strtoll(line + label.size() + 1, nullptr, 10);
        }
    }
    std::fclose(file);
    require(value >= 0, "no such line in smaps");
    return value;
}

int64_t of_status(const std::string& label) {
    FILE* file = std::fopen("/proc/self/status", "r");
    require(file != nullptr, "open status");
    char line[512];
    int64_t value = -1;
    while (value < 0 && std::fgets(line, sizeof(line), file) != nullptr) {
        if (std::string(line).rfind(label + ":", 0) == 0) {
            value = std::strtoll(line + label.size() + 1, nullptr, 10);
        }
    }
    std::fclose(file);
    require(value >= 0, "no such line in status");
    return value;
}

unsigned char* map_huge() {
    // Room for an aligned part.
    unsigned char* memory = map(kRegionPages + kHugePages);
    constexpr uint64_t kHugeBytes = kHugePages * kPageBytes;
    const auto address = (reinterpret_cast<uint64_t>(memory) + kHugeBytes - 1) & ~(kHugeBytes - 1);
    auto* start = reinterpret_cast<unsigned char*>(address);
    if (start != memory) {
        munmap(memory, static_cast<size_t>(start - memory));
    }
    unsigned char* end = at(memory, kRegionPages + kHugePages);
    if (end != at(start, kRegionPages)) {
        munmap(at(start, kRegionPages), static_cast<size_t>(end - at(start, kRegionPages)));
    }
    advise(start, kRegionPages, MADV_HUGEPAGE);
    return start;
}

void huge_before() {
    second = map_huge();
    fill(second, kRegionPages);
    note_figure("huge_kb", of_mapping(second, "AnonHugePages"));
}
void write_huge(size_t pages, size_t step) {
    require(of_mapping(second, "Private_Dirty") == 0, "some of the memory is not shared");
    write_copied(second, pages, step);
    note_figure("private_dirty_kb", of_mapping(second, "Private_Dirty"));
}
void some_of_huge() {
    write_huge(kRegionPages / kStep, kStep);
}
void all_of_huge() {
    write_huge(kRegionPages, 1);
}

void huge_fresh_before() {
    second = map_huge();
}
void huge_fresh_in_child() {
    write_fresh(second, kHugeCount, kHugePages);
    // The kernel gives a huge page for each of them.
    const int64_t given_kb = of_mapping(second, "Private_Dirty");
    note_figure("more fresh", given_kb / 4 - int64_t{kHugeCount});
    note_figure("huge_kb", of_mapping(second, "AnonHugePages"));
    note_figure("private_dirty_kb", given_kb);
}

// --- hugetlb -------------------------------------------------------------------------------------

void hugetlb_before() {
    second = map(kRegionPages, kAnonymous | MAP_HUGETLB);
    fill(second, kRegionPages);
}
// One byte of two of the pages. The kernel tells what it copied for that.
void hugetlb_in_child() {
    const account::PageEntry* before = account::read_entries(second, kRegionPages);
    account::store_to_shared(second, 2, 2 * kHugePages);
    const account::PageEntry* after = account::read_entries(second, kRegionPages);
    for (size_t page = 0; page < kRegionPages; ++page) {
        require(before[page].frame() != 0, "page frames are not shown");
        if (before[page].frame() == after[page].frame()) continue;
        account::add_written(account::Kind::copied, at(second, page), 1, 1);
    }
}

// --- swap ----------------------------------------------------------------------------------------

void swap_out(unsigned char* start, size_t pages) {
    advise(start, pages, MADV_PAGEOUT);
    const account::PageEntry* entries = account::read_entries(start, pages);
    const auto swapped = std::count_if(
        entries, entries + pages, [](const account::PageEntry& each) { return each.is_swapped(); });
    note_figure("swapped", swapped);
}
void swap_before() {
    swap_out(region, kPages);
}
void swapped_in_child() {
    write_copied(region, 192);
}

void swap_later_in_child() {
    unsigned char* fresh = map(64);
    write_copied(region, 64);
    write_fresh(fresh, 64);
    swap_out(region, kPages);
    swap_out(fresh, 64);
    // All of it comes back with its content, and nothing of it is copied.
    write_kept(region, 64);
    write_kept(fresh, 64);
    write_copied(at(region, 64), 128);
}

// --- sparse --------------------------------------------------------------------------------------

constexpr size_t kSparsePages = size_t{64} << (30 - 12);  // 64 GiB
constexpr size_t kTouchedPages = 8;

// Processor time of this process and its children that have ended: other than time on the clock,
// it does not depend on who else uses the machine.
int64_t used_ns() {
    int64_t total_us = 0;
    for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage usage = {};
        require(getrusage(who, &usage) == 0, "getrusage");
        for (const timeval& time : {usage.ru_utime, usage.ru_stime}) {
            total_us += int64_t{time.tv_sec} * 1'000'000 + time.tv_usec;
        }
    }
    return total_us * 1000;
}

int64_t cost_of_child_ns() {
    const int64_t before_ns = used_ns();
    const pid_t pid = fork();
    require(pid >= 0, "fork");
    if (pid == 0) _exit(0);
    account::wait_for_child(pid);
    return used_ns() - before_ns;
}

int64_t median(std::vector<int64_t> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void measure_sparse() {
    constexpr int kRounds = 15;
    std::vector<int64_t> plain_ns;
    std::vector<int64_t> sparse_ns;
    for (int round = 0; round < kRounds; ++round) {
        plain_ns.push_back(cost_of_child_ns());
        unsigned char* sparse = map(kSparsePages, kAnonymous | MAP_NORESERVE);
        fill(sparse, kTouchedPages, kSparsePages / kTouchedPages);
        sparse_ns.push_back(cost_of_child_ns());
        if (round + 1 == kRounds) {
            account::wait_for_child(account::start_child([&] {
                write_copied(sparse, kTouchedPages / 2, kSparsePages / kTouchedPages);
                note_figure("page_tables_kb", of_status("VmPTE"));
            }));
            note_figure("parent_tables_kb", of_status("VmPTE"));
        }
        unmap(sparse, kSparsePages);
    }
    note_figure("plain_ns", median(plain_ns));
    note_figure("sparse_ns", median(sparse_ns));
}

const Case kCases[] = {
    {"huge", huge_before, some_of_huge, no_more},
    {"huge-parent", huge_before, no_more, some_of_huge},
    {"huge-all", huge_before, all_of_huge, no_more},
    {"huge-fresh", huge_fresh_before, huge_fresh_in_child, no_more},
    {"hugetlb", hugetlb_before, hugetlb_in_child, no_more},
    {"swapped", swap_before, swapped_in_child, no_more},
    {"swap-later", no_more, swap_later_in_child, no_more},
    {"sparse", measure_sparse, no_more, no_more},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
