// What programs ask of the kernel through libc's syscall(), before it is done
// (raw_calls_x86_64.S). Programs that have system call instructions of their own, such as those
// with liburing, do not come by here.
#include <sys/syscall.h>

#include <cstdint>

#include "process/process.h"
#include "process/real.h"

#include "support/poison.h"

namespace {

constexpr unsigned long kCallsInSet = 512;

// Calls by which the kernel writes to the program's memory, as those in kernel_writes.cpp.
constexpr unsigned long kWritingCalls[] = {
    SYS_read,     SYS_pread64, SYS_readv,    SYS_preadv,    SYS_preadv2,
    SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg, SYS_getrandom, SYS_process_vm_readv,
};
constexpr unsigned long kRingCalls[] = {SYS_io_uring_setup, SYS_io_uring_enter};

struct CallSet {
    uint64_t words[kCallsInSet / 64] = {};

    constexpr void add(unsigned long number) { words[number / 64] |= uint64_t{1} << number % 64; }
};
constexpr CallSet calls_to_see() {
    CallSet set;
    set.add(SYS_seccomp);
    for (const unsigned long number : kWritingCalls) set.add(number);
    for (const unsigned long number : kRingCalls) set.add(number);
    return set;
}

}  // namespace

extern "C" {
// Zero until resolved.
extern void* cowscope_real_syscall __attribute__((visibility("hidden")));
// Bit n: the system call n is seen.
extern const CallSet cowscope_calls_to_see __attribute__((visibility("hidden")));
void cowscope_resolve_syscall() __attribute__((visibility("hidden")));
void cowscope_before_call(unsigned long number, unsigned long first, unsigned long second,
                          const void* third) __attribute__((visibility("hidden")));
}

constexpr CallSet cowscope_calls_to_see = calls_to_see();

void cowscope_resolve_syscall() {
    cowscope::process::resolve_real_functions();
    cowscope_real_syscall = reinterpret_cast<void*>(cowscope::process::real().syscall);
}

// seccomp(operation, flags, arguments).
void cowscope_before_call(unsigned long number, unsigned long first, unsigned long,
                          const void* third) {
    using namespace cowscope::process;
    if (number == SYS_seccomp) {
        before_seccomp(static_cast<unsigned>(first), third);
        return;
    }
    if (number == SYS_io_uring_setup || number == SYS_io_uring_enter) {
        if (!is_current()) return;
        process.has_ring = true;
    }
    before_unseen_writes();
}
