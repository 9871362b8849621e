// What programs ask of the kernel through libc's syscall(), before it is done
// (raw_calls.S of the processor). Programs that have system call instructions of their own, such as
// those with liburing, do not come by here.
#include <dlfcn.h>
#include <errno.h>
#include <sys/syscall.h>

#include <cstdint>

#include "arch/cpu.h"
#include "epoch/classify.h"
#include "epoch/epoch.h"
#include "hooks/memory/host_userfaultfd.h"
#include "hooks/memory/map_and_unmap.h"
#include "hooks/raw/call_arguments.h"
#include "hooks/raw/descriptor_calls.h"
#include "hooks/raw/signal_calls.h"
#include "hooks/real.h"
#include "hooks/rights/rights.h"
#include "hooks/rights/seccomp.h"
#include "session/session.h"

#include "support/poison.h"

using namespace cowscope;
using namespace cowscope::hooks;

namespace {

constexpr unsigned long kCallsInSet = kKnownCalls;
static_assert(kCallsInSet == 512);  // as in raw_calls.S

// Calls by which the kernel writes to the program's memory, as those in memory/read_and_recv.cpp.
constexpr unsigned long kWritingCalls[] = {
    SYS_read,     SYS_pread64,    SYS_readv,    SYS_preadv,     SYS_preadv2,
    SYS_recvfrom, SYS_recvmsg,    SYS_recvmmsg, SYS_getrandom,  SYS_process_vm_readv,
    SYS_getdents, SYS_getdents64, SYS_readlink, SYS_readlinkat, SYS_getcwd,
};
// Calls that take memory away, or put something else in its place, as those in
// memory/map_and_unmap.cpp.
constexpr unsigned long kMemoryCalls[] = {SYS_munmap, SYS_mmap, SYS_mremap, SYS_brk, SYS_madvise};
// Calls as those in rights/rights.cpp.
constexpr unsigned long kRightsCalls[] = {SYS_setuid,     SYS_setreuid, SYS_setresuid,
                                          SYS_setfsuid,   SYS_capset,   SYS_chroot,
                                          SYS_pivot_root, SYS_setns,    SYS_unshare};
constexpr unsigned long kRingCalls[] = {SYS_io_uring_setup, SYS_io_uring_enter};

constexpr bool is_written_by(long number) {
    for (const unsigned long each : kWritingCalls) {
        if (each == static_cast<unsigned long>(number)) return true;
    }
    return number == SYS_io_uring_setup || number == SYS_io_uring_enter;
}

struct CallSet {
    uint64_t words[kCallsInSet / 64] = {};

    constexpr void add(unsigned long number) { words[number / 64] |= uint64_t{1} << number % 64; }
};
constexpr CallSet calls_to_see() {
    CallSet set;
    set.add(SYS_seccomp);
    set.add(SYS_ioctl);
    for (const unsigned long number : kWritingCalls) set.add(number);
    for (const unsigned long number : kMemoryCalls) set.add(number);
    for (const unsigned long number : kRingCalls) set.add(number);
    for (const unsigned long number : kRightsCalls) set.add(number);
    for (const unsigned long number : kSignalCalls) set.add(number);
    for (unsigned long number = 0; number < kCallsInSet; ++number) {
        if (is_asking_call(number)) set.add(number);
    }
    return set;
}

unsigned long word_of(const RawCall& call, size_t argument) {
    return static_cast<unsigned long>(call.arguments[argument]);
}

void see(const RawCall& call) {
    switch (call.number) {
        case SYS_seccomp:
            before_seccomp(static_cast<unsigned>(call.arguments[0]),
                           reinterpret_cast<const void*>(call.arguments[2]));
            return;
        case SYS_ioctl:
            before_ioctl(static_cast<unsigned long>(call.arguments[1]),
                         reinterpret_cast<const void*>(call.arguments[2]));
            return;
        case SYS_munmap:
        case SYS_mmap:
        case SYS_mremap:
        case SYS_brk:
            before_raw_memory_call(static_cast<unsigned long>(call.number), word_of(call, 0),
                                   word_of(call, 1), word_of(call, 3), word_of(call, 4));
            return;
        case SYS_madvise:
            before_raw_advice(word_of(call, 0), word_of(call, 1),
                              static_cast<int>(call.arguments[2]));
            return;
        case SYS_setuid:
        case SYS_setreuid:
        case SYS_setresuid:
        case SYS_setfsuid:
        case SYS_capset:
        case SYS_chroot:
        case SYS_pivot_root:
        case SYS_setns:
        case SYS_unshare:
            before_raw_rights_call(static_cast<unsigned long>(call.number));
            return;
        case SYS_io_uring_setup:
        case SYS_io_uring_enter:
            if (!session::is_current()) return;
            epoch::sharing.has_ring = true;
            break;
        default:
            break;
    }
    if (is_written_by(call.number)) epoch::before_unseen_writes();
}

}  // namespace

extern "C" {
// Zero until resolved.
extern void* cowscope_real_syscall __attribute__((visibility("hidden")));
// Bit n: the system call n is seen.
extern const CallSet cowscope_calls_to_see __attribute__((visibility("hidden")));
void cowscope_resolve_syscall() __attribute__((visibility("hidden")));
int cowscope_before_call(cpu::RawCallFrame* frame) __attribute__((visibility("hidden")));
}

constexpr CallSet cowscope_calls_to_see = calls_to_see();

void cowscope_resolve_syscall() {
    // This one alone: looking up one that libc lacks may allocate, and an allocator may be who
    // calls.
    cowscope_real_syscall = dlsym(RTLD_NEXT, "syscall");
}

// Whether the call was answered; then its result is in the place of the number.
int cowscope_before_call(cpu::RawCallFrame* frame) {
    RawCall call = {frame->number,
                    {frame->argument(0), frame->argument(1), frame->argument(2), frame->argument(3),
                     frame->argument(4), frame->argument(5)}};
    hide_from_call(&call);
    for (size_t i = 0; i < 5; ++i) frame->argument(i) = call.arguments[i];
    long result = 0;
    bool is_answered = answer_signal_call(call, &result);
    if (!is_answered) {
        see(call);
        is_answered = answer_asking_call(call, &result);
    }
    if (is_answered) {
        if (sys::failed(result)) {
            errno = static_cast<int>(-result);
            result = -1;
        }
        frame->number = result;
        return 1;
    }
    return 0;
}
