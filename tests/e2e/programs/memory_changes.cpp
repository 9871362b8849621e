// Memory that is mapped, unmapped, moved, grown and discarded after a fork.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "memory_cases.h"

using namespace cases;

namespace {

// Larger than glibc ever serves from its heap (DEFAULT_MMAP_THRESHOLD_MAX, 32 MiB): mapped, and so
// moved by mremap() and unmapped by free().
constexpr size_t kBlockPages = 16 * 1024;
constexpr size_t kBlockStep = 16;

unsigned char* block;  // malloc'ed

unsigned char* remap(unsigned char* start, size_t old_pages, size_t new_pages, int flags,
                     void* to = nullptr) {
    void* moved = mremap(start, old_pages * kPageBytes, new_pages * kPageBytes, flags, to);
    require(moved != MAP_FAILED, "mremap");
    return static_cast<unsigned char*>(moved);
}
// Addresses where nothing is.
unsigned char* find_room(size_t pages) {
    unsigned char* room = map(pages, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
    unmap(room, pages);
    return room;
}

// --- mapped and unmapped -------------------------------------------------------------------------

void map_new() {
    write_fresh(map(64), 64);
    write_copied(region, 192);
    write_fresh(map(64), 64);
}

void unmap_written() {
    write_copied(region, 192);
    unmap(region, kPages);
}

void unmap_a_part() {
    write_copied(region, 128);
    unmap(at(region, 32), 64);
    write_copied(at(region, 128), 64);
    write_kept(region, 32);
}

void map_anew() {
    write_copied(region, 128);
    unmap(region, kPages);
    map(kPages, kThere, region);
    write_fresh(region, kPages);
}

void map_over() {
    write_copied(region, 128);
    map(kPages, kAnonymous | MAP_FIXED, region);
    write_fresh(region, kPages);
}

void read_before() {
    // The shared page of zeros is nobody's copy.
    second = map(64);
    for (size_t i = 0; i < 64; ++i) require(*at(second, i) == 0, "new memory is not zero");
}
void write_what_was_read() {
    account::write_pages(account::Kind::fresh, second, 64, 1, false);
    write_copied(region, 192);
}

void use_stack(bool in_child) {
    constexpr size_t kStackPages = 96;
    volatile unsigned char room[(kStackPages + 1) * kPageBytes];
    const auto aligned = (reinterpret_cast<uint64_t>(&room[0]) + kPageBytes - 1) / kPageBytes;
    auto* pages = reinterpret_cast<unsigned char*>(aligned * kPageBytes);
    // The parent goes half as deep. What is close to its end was used by the fork itself.
    if (in_child) {
        write_as_found(pages, kStackPages - 16);
    } else {
        fill(at(pages, kStackPages / 2), kStackPages / 2);
    }
}
// Pages that nobody had before, each of them first written by the frame that stands in it.
[[gnu::noinline]] int use_frames(size_t depth) {
    volatile unsigned char room[kPageBytes];
    room[0] = 1;
    return depth == 0 ? 0 : use_frames(depth - 1) + room[0];
}
void use_deep_stack() {
    constexpr size_t kDeep = 512;
    require(use_frames(kDeep) == kDeep, "recursion");
    account::note_figure("more fresh", kDeep);
    write_copied(region, 128);
}
void use_stack_before() {
    use_stack(false);
}
void use_stack_in_child() {
    use_stack(true);
}

// --- inside libc ---------------------------------------------------------------------------------

void allocate() {
    // Or the allocator's own word, in front of a block that happens to begin with a huge page,
    // fills the first pages of the block.
    require(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0, "prctl");
    block = static_cast<unsigned char*>(std::malloc(kBlockPages * kPageBytes));
    require(block != nullptr, "malloc");
    // Of what an allocator puts in front only the last bytes are in the first page.
    block = reinterpret_cast<unsigned char*>(
        (reinterpret_cast<uint64_t>(block) & ~(kPageBytes - 1)) + kPageBytes);
    fill(block, kBlockPages - 1);
}
void* allocated() {
    return block - kPageBytes + 16;
}

void reallocate() {
    void* larger = std::realloc(allocated(), 2 * kBlockPages * kPageBytes);
    require(larger != nullptr && larger != allocated(), "realloc did not move the block");
    unsigned char* moved = static_cast<unsigned char*>(larger) - 16 + kPageBytes;
    write_copied(moved, 1000, kBlockStep);
    write_fresh(at(moved, kBlockPages), 100);
}

void reallocate_written() {
    write_copied(block, 500, kBlockStep);
    void* larger = std::realloc(allocated(), 2 * kBlockPages * kPageBytes);
    require(larger != nullptr && larger != allocated(), "realloc did not move the block");
    unsigned char* moved = static_cast<unsigned char*>(larger) - 16 + kPageBytes;
    write_copied(at(moved, 500 * kBlockStep), 500, kBlockStep);
    write_kept(moved, 500, kBlockStep);
}

void free_and_allocate() {
    write_copied(block, 1000, kBlockStep);
    std::free(allocated());
    void* again = std::malloc(kBlockPages * kPageBytes);
    require(again == allocated(), "malloc gave another address");
    write_fresh(block, 1000, kBlockStep);
}

// --- moved and grown -----------------------------------------------------------------------------

void move() {
    write_copied(region, 64);
    unsigned char* to = find_room(kPages);
    unsigned char* moved = remap(region, kPages, kPages, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    write_copied(at(moved, 64), 128);
    write_kept(moved, 64);
    map(kPages, kThere, region);
    write_fresh(region, kPages);
}

void move_and_grow() {
    write_copied(region, 64);
    unsigned char* to = find_room(2 * kPages);
    unsigned char* moved = remap(region, kPages, 2 * kPages, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    write_copied(at(moved, 64), 128);
    write_fresh(at(moved, kPages), kPages);
}

// The part that was away becomes one mapping again with what stands on both sides of it.
void move_back() {
    write_copied(region, 64);
    unsigned char* part = at(region, 96);
    unsigned char* away = remap(part, 32, 32, MREMAP_MAYMOVE | MREMAP_FIXED, find_room(32));
    // Known by where they are in the end.
    account::store_to_shared(away, 16, 1);
    account::add_written(account::Kind::copied, part, 16, 1);
    remap(away, 32, 32, MREMAP_MAYMOVE | MREMAP_FIXED, part);
    write_copied(at(region, 128), 64);
}
// Of the part itself nobody knows then, of its neighbours all the same.
void move_back_by_syscall() {
    write_copied(region, 64);
    unsigned char* part = at(region, 96);
    unsigned char* room = find_room(32);
    constexpr long kFlags = MREMAP_MAYMOVE | MREMAP_FIXED;
    constexpr long kBytes = 32 * kPageBytes;
    require(syscall(SYS_mremap, part, kBytes, kBytes, kFlags, room) == reinterpret_cast<long>(room),
            "mremap");
    require(syscall(SYS_mremap, room, kBytes, kBytes, kFlags, part) == reinterpret_cast<long>(part),
            "mremap");
    write_copied(at(region, 128), 64);
}

void map_destination() {
    second = map(kPages);
    fill(second, kPages);
}
void move_over() {
    // The pages at the destination are given up.
    write_copied(region, 64);
    write_copied(second, 64);
    remap(region, kPages, kPages, MREMAP_MAYMOVE | MREMAP_FIXED, second);
    write_kept(second, 64);
    write_copied(at(second, 64), 64);
}

void grow_in_place() {
    // Room behind it was reserved before the fork.
    require(remap(region, kPages, 2 * kPages, 0) == region, "mremap");
    write_copied(region, 192);
    write_fresh(at(region, kPages), kPages);
}
void reserve_room() {
    unmap(region, kPages);
    unsigned char* room = find_room(3 * kPages);
    region = map(kPages, kThere, room);
    fill(region, kPages);
}

// In the parent, where the kernel makes one mapping of old and new memory.
void map_beside() {
    write_copied(region, 192);
    map(64, kThere, at(region, kPages));
    write_fresh(at(region, kPages), 64);
}

void shrink() {
    write_copied(region, 192);
    require(remap(region, kPages, 64, 0) == region, "mremap");
}

// The kernel keeps whole pages.
void shrink_within_a_page() {
    write_copied(region, 192);
    void* kept = mremap(region, kPages * kPageBytes, 64 * kPageBytes - 100, 0);
    require(kept == region, "mremap");
    map(128, kThere, at(region, 64));
    write_fresh(at(region, 64), 128);
    write_kept(region, 64);
}

void move_and_leave() {
    write_copied(region, 64);
    unsigned char* to = remap(region, kPages, kPages, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
    write_copied(at(to, 64), 64);
    write_fresh(region, kPages);
}

// --- brk -----------------------------------------------------------------------------------------

unsigned char* grow_brk(size_t pages) {
    void* start = sbrk(static_cast<intptr_t>(pages * kPageBytes));
    require(start != reinterpret_cast<void*>(-1), "sbrk");
    return static_cast<unsigned char*>(start);
}
void grow_brk_before() {
    auto end = reinterpret_cast<uint64_t>(sbrk(0));
    if (end % kPageBytes != 0) sbrk(static_cast<intptr_t>(kPageBytes - end % kPageBytes));
    second = grow_brk(128);
    fill(second, 128);
}
void grow_brk_more() {
    write_copied(second, 96);
    unsigned char* more = grow_brk(64);
    require(more == at(second, 128), "somebody else moved the break");
    fill(more, 64);  // given back at once
    sbrk(-static_cast<intptr_t>(128 * kPageBytes));
    write_fresh(grow_brk(128), 128);
}

void grow_brk_once() {
    write_copied(second, 96);
    unsigned char* more = grow_brk(64);
    require(more == at(second, 128), "somebody else moved the break");
    write_fresh(more, 64);
}

const Case kCases[] = {
    {"map", no_more, map_new, no_more},
    {"unmap", no_more, unmap_written, no_more},
    {"unmap-a-part", no_more, unmap_a_part, no_more},
    {"map-anew", no_more, map_anew, no_more},
    {"map-over", no_more, map_over, no_more},
    {"read-before", read_before, write_what_was_read, no_more},
    {"stack", use_stack_before, use_stack_in_child, no_more},
    {"deep-stack", no_more, use_deep_stack, no_more},
    {"realloc", allocate, reallocate, no_more},
    {"realloc-written", allocate, reallocate_written, no_more},
    {"free", allocate, free_and_allocate, no_more},
    {"move", no_more, move, no_more},
    {"move-and-grow", no_more, move_and_grow, no_more},
    {"move-over", map_destination, move_over, no_more},
    {"move-back", no_more, move_back, no_more},
    {"move-back-by-syscall", no_more, move_back_by_syscall, no_more},
    {"grow-in-place", reserve_room, grow_in_place, no_more},
    {"map-beside", reserve_room, no_more, map_beside},
    {"shrink", no_more, shrink, no_more},
    {"shrink-within-a-page", no_more, shrink_within_a_page, no_more},
    {"move-and-leave", no_more, move_and_leave, no_more},
    {"brk", grow_brk_before, grow_brk_more, no_more},
    {"parent-brk", grow_brk_before, no_more, grow_brk_once},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
