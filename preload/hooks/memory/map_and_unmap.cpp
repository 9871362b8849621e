// Memory that a watched process unmaps, moves or discards: what it copied there would be missing in
// a later census, and what comes there later is no copy. Calls inside libc (free, realloc) do not
// come by here; the kernel's own marks and the content of the page decide those
// (witness/handler.cpp, tracker/userfaultfd.cpp).

#include "hooks/memory/map_and_unmap.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/cpu.h"
#include "epoch/classify.h"
#include "epoch/epoch.h"
#include "epoch/memory_changes.h"
#include "hooks/define_hooks.h"
#include "hooks/descriptors/own_descriptors.h"
#include "session/session.h"
#include "support/threads.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

// Calls action(start, end) with the pages of a range of a watched process, under the lock.
template <typename Action>
void with_watched(const void* address, size_t bytes, Action&& action) {
    // Most programs never fork: for them this is one comparison.
    if (epoch::sharing.epoch == nullptr || bytes == 0 || !session::is_current()) return;
    const auto start = reinterpret_cast<uint64_t>(address);
    const uint64_t end = start + bytes;
    if (start % cpu::kPageBytes != 0 || end < start) return;  // the kernel refuses it too
    const session::Locked locked;
    if (epoch::sharing.epoch != nullptr) action(start, cpu::page_end(end));
}

void forget_known(uint64_t start, uint64_t end) {
    ++epoch::sharing.removals;
    epoch::known_mappings.forget(start, end);
    epoch::sharing.epoch->mappings.forget(epoch::sharing.epoch->arena, start, end);
}

void giving_up(const void* address, size_t bytes) {
    with_watched(address, bytes, [](uint64_t start, uint64_t end) {
        forget_known(start, end);
        epoch::record_copies(start, end);
        epoch::forget_inherited(start, end);
    });
}

// The mapping stays. A protected page of a file would leave a mark that looks like a page.
void discarding(const void* address, size_t bytes) {
    giving_up(address, bytes);
    with_watched(address, bytes, [](uint64_t start, uint64_t end) {
        if (epoch::sharing.epoch->state.is(epoch::State::tracking))
            epoch::sharing.tracker.unprotect({start, end});
    });
}

// By a call that was done: what is there now, or will come there, was not inherited.
void has_renewed(const void* address, size_t bytes) {
    with_watched(address, bytes, [](uint64_t start, uint64_t end) {
        forget_known(start, end);
        epoch::renew(start, end);
    });
}

void recording_copies(const void* address, size_t bytes) {
    with_watched(address, bytes,
                 [](uint64_t start, uint64_t end) { epoch::record_copies(start, end); });
}

// A mapping that is as it was made.
void has_attached(const void* address) {
    with_watched(address, 1, [](uint64_t start, uint64_t) {
        epoch::Epoch* epoch = epoch::sharing.epoch;
        if (!epoch->state.is_watching()) return;
        if (epoch->mappings.read(epoch->arena, epoch->scratch) != 0) return;
        const Mapping* mapping = epoch->mappings.find(start);
        if (mapping == nullptr) return;
        const uint64_t end = mapping->end;
        forget_known(start, end);
        epoch::forget_inherited(start, end);
        epoch::renew(start, end);
    });
}

// `bytes` from `from` on now stand at `to`, and there is something new, or nothing, at `from`.
void has_moved(const void* from, const void* to, size_t bytes) {
    const auto start = reinterpret_cast<uint64_t>(from);
    const bool was_new =
        epoch::sharing.epoch != nullptr && epoch::sharing.epoch->renewed.has(start);
    has_renewed(from, bytes);
    with_watched(to, bytes, [&](uint64_t target, uint64_t end) {
        forget_known(target, end);
        if (was_new) {
            epoch::renew(target, end);
        } else {
            epoch::sharing.epoch->renewed.remove(target, end);
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
    with_watched(address, bytes, [](uint64_t, uint64_t) { ++epoch::sharing.removals; });
}

// Read-only mappings of files, a program's code above all, are not watched, because hardly any
// program ever writes there. One that is about to (a patch of its code) is followed from here on.
void making_writable(const void* address, size_t bytes) {
    with_watched(address, bytes, [](uint64_t start, uint64_t end) {
        const Mapping* mapping = epoch::known_mappings.find(start);
        if (mapping == nullptr || !mapping->is_file || mapping->writable || !mapping->is_private) {
            return;
        }
        epoch::known_mappings.set_writable(start, end);
        if (epoch::sharing.epoch->state.is_listed()) epoch::follow_writable(start, end);
    });
}

// Whether an mremap of these pages has to be followed.
bool may_move_watched(const void* address, size_t bytes) {
    if (epoch::sharing.epoch == nullptr || !epoch::sharing.epoch->state.is_listed()) return false;
    return reinterpret_cast<uint64_t>(address) % cpu::kPageBytes == 0 && bytes != 0 &&
           session::is_current();
}

// Everything from the page behind `end` on is unmapped by the break.
void give_up_behind_break(uint64_t end) {
    if (epoch::sharing.epoch == nullptr || !session::is_current()) return;
    const uint64_t first = cpu::page_end(end);
    const uint64_t now = cpu::page_end(sys::current_break());
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
    const uint64_t end = start + cpu::page_end(bytes);
    if (!session::is_current()) return;
    const session::Locked locked;
    if (advice == MADV_DONTFORK || advice == MADV_WIPEONFORK) {
        epoch::unshared.add(start, end);
    } else {
        epoch::unshared.remove(start, end);
    }
}

}  // namespace

void forget_unmapped_files() {
    if (epoch::sharing.epoch == nullptr || !session::is_current()) return;
    const session::Locked locked;
    epoch::Epoch* epoch = epoch::sharing.epoch;
    if (epoch == nullptr || !epoch->state.is_watching()) return;
    if (epoch->mappings.read(epoch->arena, epoch->scratch) != 0) return;
    for (const Mapping& known : epoch::known_mappings) {
        if (!known.is_file || known.start == known.end) continue;
        if (epoch->mappings.find(known.start) != nullptr) continue;
        const AddressRange gone = {known.start, known.end};
        epoch::forget_inherited(gone.start, gone.end);
        epoch::renew(gone.start, gone.end);
        epoch::known_mappings.forget(gone.start, gone.end);
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

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_MEMORY_HOOKS(COWSCOPE_DEFINE)

COWSCOPE_INTERPOSED void* mmap64(void* address, size_t bytes, int protection, int flags, int fd,
                                 off_t offset) noexcept {
    // First, because it may list what is inherited.
    if ((flags & (MAP_POPULATE | MAP_LOCKED)) != 0) epoch::before_unseen_writes();
    // MAP_FIXED unmaps what was there. (MAP_FIXED_NOREPLACE does not.)
    if ((flags & MAP_FIXED) != 0) giving_up(address, bytes);
    void* const result = real::mmap64(address, bytes, protection, flags, visible(fd), offset);
    // Wherever it is: what was there before may have gone without anybody being told.
    if (result != MAP_FAILED) has_renewed(result, bytes);
    return result;
}

COWSCOPE_INTERPOSED int mprotect(void* address, size_t bytes, int protection) noexcept {
    if ((protection & PROT_WRITE) != 0) making_writable(address, bytes);
    if ((protection & PROT_READ) == 0) hiding(address, bytes);
    return real::mprotect(address, bytes, protection);
}

COWSCOPE_INTERPOSED int munmap(void* address, size_t bytes) noexcept {
    giving_up(address, bytes);
    const int result = real::munmap(address, bytes);
    if (result == 0) has_renewed(address, bytes);
    return result;
}

COWSCOPE_INTERPOSED int madvise(void* address, size_t bytes, int advice) noexcept {
    if (discards(advice)) discarding(address, bytes);
    if (fills(advice)) epoch::before_unseen_writes();
    const int result = real::madvise(address, bytes, advice);
    if (result == 0 && discards(advice)) has_renewed(address, bytes);
    if (result == 0 && changes_sharing(advice)) note_sharing(address, bytes, advice);
    return result;
}

COWSCOPE_INTERPOSED void* mremap(void* address, size_t old_bytes, size_t new_bytes, int flags,
                                 ...) noexcept {
    va_list more;
    va_start(more, flags);
    auto* new_address = va_arg(more, void*);
    va_end(more);
    if ((flags & MREMAP_FIXED) != 0) giving_up(new_address, new_bytes);
    // The kernel keeps whole pages.
    const size_t new_pages_bytes = cpu::page_end(new_bytes);
    const size_t kept_bytes = new_pages_bytes < old_bytes ? new_pages_bytes : old_bytes;
    giving_up(static_cast<char*>(address) + kept_bytes, old_bytes - kept_bytes);
    if ((flags & MREMAP_MAYMOVE) != 0) hiding(address, kept_bytes);
    if (!may_move_watched(address, kept_bytes)) {
        void* result = real::mremap(address, old_bytes, new_bytes, flags, new_address);
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
    const session::Locked locked;
    const auto start = reinterpret_cast<uint64_t>(address);
    const uint64_t end = start + cpu::page_end(kept_bytes);
    const bool is_watched = epoch::sharing.epoch != nullptr && epoch::find_copies(start, end);
    // The kernel takes a userfaultfd from a mapping that moves, and from the neighbours at its new
    // place that it has become one with (fs/userfaultfd.c, mremap_userfaultfd_prep()). One that has
    // none does not become one with those.
    const bool is_released =
        epoch::sharing.epoch != nullptr && (flags & MREMAP_MAYMOVE) != 0 &&
        epoch::sharing.tracker.give_up(epoch::sharing.epoch->scan_buffer, {start, end});
    void* result = real::mremap(address, old_bytes, new_bytes, flags, new_address);
    const bool is_moved = result != MAP_FAILED && result != address;
    if (is_watched && (is_moved || is_released)) {
        epoch::follow_moved(start, end, is_moved ? reinterpret_cast<uint64_t>(result) : start);
    }
    return result;
}

// System V shared memory.
COWSCOPE_INTERPOSED void* shmat(int id, const void* address, int flags) noexcept {
    // How large it is the mappings say afterwards.
    constexpr size_t kMostRecorded = size_t{1} << 30;
    if ((flags & SHM_REMAP) != 0) recording_copies(address, kMostRecorded);
    void* const result = real::shmat(id, address, flags);
    if (result != reinterpret_cast<void*>(-1)) has_attached(result);
    return result;
}

// A program that moves its break itself. malloc's own calls do not come by here.
COWSCOPE_INTERPOSED int brk(void* end) noexcept {
    give_up_behind_break(reinterpret_cast<uint64_t>(end));
    return real::brk(end);
}
// libc's own name of it, which it has never been without.
extern "C" void* __sbrk(intptr_t change) noexcept;
COWSCOPE_INTERPOSED void* sbrk(intptr_t change) noexcept {
    if (change < 0) give_up_behind_break(sys::current_break() + static_cast<uint64_t>(change));
    return real_functions_are_resolved() ? real::sbrk(change) : __sbrk(change);
}
