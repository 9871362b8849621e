// What the witness asks of whoever stands between the program and its signals.
// hooks/signals/handled_signals.cpp defines it: there the program's own dispositions are known.
//
// Async-signal-safe. The lock is not held.
#pragma once

#include <signal.h>
#include <ucontext.h>

namespace cowscope::witness {

// Installs `handler` for SIGTRAP and keeps what the host had there, also where the host has put
// something in its place since by a system call of its own. False if the kernel refuses it. The
// lock is held.
bool handle_trap(void (*handler)(int, siginfo_t*, void*));

// Passes a SIGTRAP that is not the witness's on to the disposition that the host chose.
void pass_trap_to_host(int signal, siginfo_t* info, void* context);

// One of the witness's has come. Where it was pending beside one of the host's that was put off, it
// has ended a call that waits (hooks/signals/waiting_threads.h): the other is let in behind it.
void let_into_wait(ucontext_t* interrupted);

}  // namespace cowscope::witness
