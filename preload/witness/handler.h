// The handler of the witness's SIGTRAP, and the rules that its code obeys. They hold for all that
// it reaches, which with start_tracking() (epoch/track.cpp) is a good part of the shim. Whoever
// adds a call there adds it here, and libc's to tests/shim_is_polite.
//
//   Signals  Every signal is blocked (sa_mask). What it does itself may fault: its signal is
//            pending then, and strikes before the program has moved on (last_events.h).
//   Stack    Up to cowscope_call_on_stack() that of the program, a few hundred bytes besides the
//            signal's frame; from there on Epoch::handler_stack.
//   Lock     The process's (support/spin_lock.h), which is free while the program's own code runs.
//            A signal that is not ours is passed on without it.
//   Memory   It writes to the shim's arena and data, to the segment and, once the recording has
//            reached its bound, to its table of places and names (session/aggregate_file.h), whose
//            pages were written to before. It allocates from the arena only, and a full arena is a
//            lost event.
//   Reads    of the program's memory go through guarded_read(), but for
//              - the page that the program has just faulted on, where no other thread can take it
//                away,
//              - its stack, the pages of which are asked for (unwind/stack_words.h),
//              - what a language runtime says of itself where it says so (runtime/interface.h).
//   Kernel   Raw system calls (support/syscall.h), so errno stays as it is and no symbol of the
//            program's is called. hooks/rights/seccomp.cpp lists them all.
//   libc     memchr, memcmp, memcpy, memmove, memset, strchr, strcmp, strlen, strncmp, strstr and
//            pthread_self: async-signal-safe by POSIX.1-2024. _dl_find_object: by glibc's manual.
//            The variables __libc_single_threaded and __curbrk.
//            All are bound before the program starts (-z now): none enters the dynamic linker.
//   vdso     clock_gettime, which takes no lock.
//   Runtimes A language runtime's own functions as far as its member says (runtime/interface.h).
//   Nothing else: no malloc, no stdio, no lock of libc's or the loader's, no dlsym, no
//            symbol that a program or another preloaded library is likely to stand before.
//   It decodes nothing.
#pragma once

#include <signal.h>

namespace cowscope::witness {

void on_trap(int signal, siginfo_t* info, void* context);

}  // namespace cowscope::witness
