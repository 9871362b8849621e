// Memory that a watched process unmaps, moves or discards: what it copied there would be missing in
// a later census, and what comes there later is no copy. Calls inside libc (free, realloc) do not
// come by here; the kernel's own marks and the content of the page decide those
// (witness/handler.cpp, tracker/userfaultfd.cpp).

#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "epoch/process.h"
#include "hooks/interpose.h"
#include "hooks/own_descriptors.h"
#include "hooks/plain_call.h"
#include "hooks/real.h"
#include "support/threads.h"

#include "support/poison.h"

// libc's own word: the break as its brk(2) calls have left it, those of malloc's among them
// (sysdeps/unix/sysv/linux/brk.c in glibc, and since 2.2.5 in its interface).
extern "C" void* __curbrk __attribute__((weak));

namespace cowscope::process {
namespace {

constexpr uint64_t kPage = tracker::kPageBytes;

// Calls action(start, end) with the pages of a range of a watched process, under the lock.
template <typename Action>
void with_watched(const void* address, size_t bytes, Action&& action) {
    // Most programs never fork: for them this is one comparison.
    if (process.tracked == nullptr || bytes == 0 || !is_current()) return;
    const auto start = reinterpret_cast<uint64_t>(address);
    const uint64_t end = start + bytes;
    if (start % kPage != 0 || end < start) return;  // the kernel refuses it too
    const Locked locked;
    if (process.tracked != nullptr) action(start, (end + kPage - 1) & ~(kPage - 1));
}

void forget_known(uint64_t start, uint64_t end) {
    ++process.removals;
    known_mappings.forget(start, end);
    process.tracked->mappings.forget(process.tracked->arena, start, end);
}

void giving_up(const void* address, size_t bytes) {
    with_watched(address, bytes, [](uint64_t start, uint64_t end) {
        forget_known(start, end);
        record_copies(start, end);
        forget_inherited(start, end);
    });
}

// The mapping stays. A protected page of a file would leave a mark that looks like a page.
void discarding(const void* address, size_t bytes) {
    giving_up(address, bytes);
    with_watched(address, bytes, [](uint64_t start, uint64_t end) {
        if (process.tracked->is_protected) process.tracker.unprotect({start, end});
    });
}

// By a call that was done: what is there now, or will come there, was not inherited.
void has_renewed(const void* address, size_t bytes) {
    with_watched(address, bytes, [](uint64_t start, uint64_t end) {
        forget_known(start, end);
        renew(start, end);
    });
}

void recording_copies(const void* address, size_t bytes) {
    with_watched(address, bytes, [](uint64_t start, uint64_t end) { record_copies(start, end); });
}

// A mapping that is as it was made.
void has_attached(const void* address) {
    with_watched(address, 1, [](uint64_t start, uint64_t) {
        Tracked* tracked = process.tracked;
        if (tracked->stage == Stage::off) return;
        if (tracked->mappings.read(tracked->arena, tracked->scratch) != 0) return;
        const Mapping* mapping = tracked->mappings.find(start);
        if (mapping == nullptr) return;
        const uint64_t end = mapping->end;
        forget_known(start, end);
        forget_inherited(start, end);
        renew(start, end);
    });
}

// `bytes` from `from` on now stand at `to`, and there is something new, or nothing, at `from`.
void has_moved(const void* from, const void* to, size_t bytes) {
    const auto start = reinterpret_cast<uint64_t>(from);
    const bool was_new = process.tracked != nullptr && process.tracked->renewed.has(start);
    has_renewed(from, bytes);
    with_watched(to, bytes, [&](uint64_t target, uint64_t end) {
        forget_known(target, end);
        if (was_new) {
            renew(target, end);
        } else {
            process.tracked->renewed.remove(target, end);
        }
    });
}

// Whether the kernel fills pages, which then never fault.
bool fills(int advice) {
    constexpr int kPopulateRead = 22;  // MADV_POPULATE_READ, Linux 5.14
    constexpr int kPopulateWrite = 23;
    return advice == kPopulateRead || advice == kPopulateWrite;
}

bool discards(int advice) {
    constexpr int kDontneedLocked = 24;  // MADV_DONTNEED_LOCKED, Linux 5.18
    return advice == MADV_DONTNEED || advice == MADV_REMOVE || advice == kDontneedLocked;
}

void hiding(const void* address, size_t bytes) {
    with_watched(address, bytes, [](uint64_t, uint64_t) { ++process.removals; });
}

// Read-only mappings of files, a program's code above all, are not watched, because hardly any
// program ever writes there. One that is about to (a patch of its code) is followed from here on.
void making_writable(const void* address, size_t bytes) {
    with_watched(address, bytes, [](uint64_t start, uint64_t end) {
        const Mapping* mapping = known_mappings.find(start);
        if (mapping == nullptr || !mapping->is_file || mapping->writable || !mapping->is_private) {
            return;
        }
        known_mappings.set_writable(start, end);
        if (process.tracked->stage == Stage::tracking) follow_writable(start, end);
    });
}

// Whether an mremap of these pages has to be followed.
bool may_move_watched(const void* address, size_t bytes) {
    if (process.tracked == nullptr || process.tracked->stage != Stage::tracking) return false;
    return reinterpret_cast<uint64_t>(address) % kPage == 0 && bytes != 0 && is_current();
}

uint64_t current_break() {
    return static_cast<uint64_t>(sys::syscall1(SYS_brk, 0));
}

// Everything from the page behind `end` on is unmapped by the break.
void give_up_behind_break(uint64_t end) {
    if (process.tracked == nullptr || !is_current()) return;
    const uint64_t first = (end + kPage - 1) & ~(kPage - 1);
    const uint64_t now = (current_break() + kPage - 1) & ~(kPage - 1);
    if (first >= now) return;
    giving_up(reinterpret_cast<const void*>(first), now - first);
    has_renewed(reinterpret_cast<const void*>(first), now - first);
}

bool changes_sharing(int advice) {
    return advice == MADV_DONTFORK || advice == MADV_DOFORK || advice == MADV_WIPEONFORK ||
           advice == MADV_KEEPONFORK;
}

void note_sharing(const void* address, size_t bytes, int advice) {
    const auto start = reinterpret_cast<uint64_t>(address);
    const uint64_t end = start + ((bytes + kPage - 1) & ~(kPage - 1));
    if (!is_current()) return;
    const Locked locked;
    if (advice == MADV_DONTFORK || advice == MADV_WIPEONFORK) {
        process.unshared.add(start, end);
    } else {
        process.unshared.remove(start, end);
    }
}

}  // namespace

// What libc takes away without coming by here: the end of the heap, by the break; the heaps of
// other threads, which there are none of without them; and large blocks, which nobody asks this
// about: what may be a stack is asked for each time (runtime/cpython/frames.cpp).
uint64_t memory_version() {
    const uint64_t now =
        &__curbrk != nullptr ? reinterpret_cast<uint64_t>(__curbrk) : current_break();
    if (now != process.last_break || !is_only_thread()) ++process.unseen_removals;
    process.last_break = now;
    return removals_version() + process.unseen_removals;
}

void forget_unmapped_files() {
    if (process.tracked == nullptr || !is_current()) return;
    const Locked locked;
    Tracked* tracked = process.tracked;
    if (tracked == nullptr || tracked->stage == Stage::off) return;
    if (tracked->mappings.read(tracked->arena, tracked->scratch) != 0) return;
    for (const Mapping& known : known_mappings) {
        if (!known.is_file || known.start == known.end) continue;
        if (tracked->mappings.find(known.start) != nullptr) continue;
        const AddressRange gone = {known.start, known.end};
        forget_inherited(gone.start, gone.end);
        renew(gone.start, gone.end);
        known_mappings.forget(gone.start, gone.end);
    }
}

void before_raw_memory_call(unsigned long number, unsigned long first, unsigned long second,
                            unsigned long fourth, unsigned long fifth) {
    const auto* address = reinterpret_cast<const void*>(first);
    const auto give_up = [](const void* start, size_t bytes) {
        giving_up(start, bytes);
        has_renewed(start, bytes);
    };
    switch (number) {
        case SYS_munmap:
            give_up(address, second);
            break;
        case SYS_mmap:
            if ((fourth & MAP_FIXED) != 0) give_up(address, second);
            break;
        case SYS_mremap:
            // Where they go nobody says: they are known there by their content.
            give_up(address, second);
            if ((fourth & MREMAP_FIXED) != 0) {
                giving_up(reinterpret_cast<const void*>(fifth), second);
            }
            break;
        case SYS_brk:
            if (first != 0) give_up_behind_break(first);
            break;
        default:
            break;
    }
}

void before_raw_advice(unsigned long first, unsigned long second, int advice) {
    const auto* address = reinterpret_cast<const void*>(first);
    if (!discards(advice)) return;
    discarding(address, second);
    has_renewed(address, second);
}

}  // namespace cowscope::process

// Allocators call these from their own start, before the shim's constructor and perhaps in the
// middle of malloc, where looking up the function behind ours is not safe: the kernel is asked
// directly then.

COWSCOPE_INTERPOSED void* mmap64(void* address, size_t bytes, int protection, int flags, int fd,
                                 off_t offset) noexcept {
    using namespace cowscope::process;
    if (!real_functions_are_resolved()) {
        return reinterpret_cast<void*>(
            plain_call(SYS_mmap, address, bytes, protection, flags, fd, offset));
    }
    // First, because it may list what is inherited.
    if ((flags & (MAP_POPULATE | MAP_LOCKED)) != 0) before_unseen_writes();
    // MAP_FIXED unmaps what was there. (MAP_FIXED_NOREPLACE does not.)
    if ((flags & MAP_FIXED) != 0) giving_up(address, bytes);
    void* const result = real().mmap(address, bytes, protection, flags, visible(fd), offset);
    // Wherever it is: what was there before may have gone without anybody being told.
    if (result != MAP_FAILED) has_renewed(result, bytes);
    return result;
}
COWSCOPE_INTERPOSED void* mmap(void* address, size_t bytes, int protection, int flags, int fd,
                               off_t offset) noexcept {
    return mmap64(address, bytes, protection, flags, fd, offset);
}

COWSCOPE_INTERPOSED int mprotect(void* address, size_t bytes, int protection) noexcept {
    using namespace cowscope::process;
    if (!real_functions_are_resolved()) {
        return static_cast<int>(plain_call(SYS_mprotect, address, bytes, protection));
    }
    if ((protection & PROT_WRITE) != 0) making_writable(address, bytes);
    if ((protection & PROT_READ) == 0) hiding(address, bytes);
    return real().mprotect(address, bytes, protection);
}

COWSCOPE_INTERPOSED int munmap(void* address, size_t bytes) noexcept {
    using namespace cowscope::process;
    if (!real_functions_are_resolved())
        return static_cast<int>(plain_call(SYS_munmap, address, bytes));
    giving_up(address, bytes);
    const int result = real().munmap(address, bytes);
    if (result == 0) has_renewed(address, bytes);
    return result;
}

COWSCOPE_INTERPOSED int madvise(void* address, size_t bytes, int advice) noexcept {
    using namespace cowscope::process;
    if (!real_functions_are_resolved()) {
        return static_cast<int>(plain_call(SYS_madvise, address, bytes, advice));
    }
    if (discards(advice)) discarding(address, bytes);
    if (fills(advice)) before_unseen_writes();
    const int result = real().madvise(address, bytes, advice);
    if (result == 0 && discards(advice)) has_renewed(address, bytes);
    if (result == 0 && changes_sharing(advice)) note_sharing(address, bytes, advice);
    return result;
}

COWSCOPE_INTERPOSED void* mremap(void* address, size_t old_bytes, size_t new_bytes, int flags,
                                 ...) noexcept {
    using namespace cowscope::process;
    va_list more;
    va_start(more, flags);
    auto* new_address = va_arg(more, void*);
    va_end(more);
    if (!real_functions_are_resolved()) {
        return reinterpret_cast<void*>(
            plain_call(SYS_mremap, address, old_bytes, new_bytes, flags, new_address));
    }
    if ((flags & MREMAP_FIXED) != 0) giving_up(new_address, new_bytes);
    // The kernel keeps whole pages.
    const size_t new_pages_bytes = (new_bytes + kPage - 1) & ~(kPage - 1);
    const size_t kept_bytes = new_pages_bytes < old_bytes ? new_pages_bytes : old_bytes;
    giving_up(static_cast<char*>(address) + kept_bytes, old_bytes - kept_bytes);
    if ((flags & MREMAP_MAYMOVE) != 0) hiding(address, kept_bytes);
    if (!may_move_watched(address, kept_bytes)) {
        void* result = real().mremap(address, old_bytes, new_bytes, flags, new_address);
        if (result == MAP_FAILED) return result;
        auto* const kept_end = static_cast<char*>(result) + kept_bytes;
        if (result != address) has_moved(address, result, kept_bytes);
        if (new_bytes > kept_bytes) has_renewed(kept_end, new_bytes - kept_bytes);
        if (old_bytes > kept_bytes) {
            has_renewed(static_cast<char*>(address) + kept_bytes, old_bytes - kept_bytes);
        }
        return result;
    }
    // The lock is held over the call: in between, the pages stand at neither place.
    const Locked locked;
    const auto start = reinterpret_cast<uint64_t>(address);
    const uint64_t end = start + ((kept_bytes + kPage - 1) & ~(kPage - 1));
    const bool is_watched = process.tracked != nullptr && find_copies(start, end);
    // The kernel takes a userfaultfd from a mapping that moves, and from the neighbours at its new
    // place that it has become one with (fs/userfaultfd.c, mremap_userfaultfd_prep()). One that has
    // none does not become one with those.
    const bool is_released = process.tracked != nullptr && (flags & MREMAP_MAYMOVE) != 0 &&
                             process.tracker.give_up(process.tracked->scan_buffer, {start, end});
    void* result = real().mremap(address, old_bytes, new_bytes, flags, new_address);
    const bool is_moved = result != MAP_FAILED && result != address;
    if (is_watched && (is_moved || is_released)) {
        follow_moved(start, end, is_moved ? reinterpret_cast<uint64_t>(result) : start);
    }
    return result;
}

// System V shared memory.
COWSCOPE_INTERPOSED void* shmat(int id, const void* address, int flags) noexcept {
    using namespace cowscope::process;
    // How large it is the mappings say afterwards.
    constexpr size_t kMostRecorded = size_t{1} << 30;
    if ((flags & SHM_REMAP) != 0) recording_copies(address, kMostRecorded);
    void* const result = real().shmat(id, address, flags);
    if (result != reinterpret_cast<void*>(-1)) has_attached(result);
    return result;
}

// A program that moves its break itself. malloc's own calls do not come by here.
COWSCOPE_INTERPOSED int brk(void* end) noexcept {
    using namespace cowscope::process;
    give_up_behind_break(reinterpret_cast<uint64_t>(end));
    return real().brk(end);
}
// libc's own name of it, which it has never been without.
extern "C" void* __sbrk(intptr_t change) noexcept;
COWSCOPE_INTERPOSED void* sbrk(intptr_t change) noexcept {
    using namespace cowscope::process;
    if (change < 0) give_up_behind_break(current_break() + static_cast<uint64_t>(change));
    return real_functions_are_resolved() ? real().sbrk(change) : __sbrk(change);
}
