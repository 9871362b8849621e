// Signals that the shim handles in the host, behind the host's back: SIGTRAP (the witness) and the
// signals whose default action would end the process before its last census.
//
// The host sees its own dispositions: sigaction() and signal() are interposed, a signal that the
// shim handles reads as the disposition the host gave it, and one that the host handles is the
// host's alone.
#pragma once

#include <signal.h>

namespace cowscope::process {

// Takes over the signals that still have their default action. The lock is held. Async-signal-safe.
void handle_default_ends();

// Installs `handler` for SIGTRAP, once, and keeps what the host had there. False if the kernel
// refuses it. The lock is held.
bool handle_trap(void (*handler)(int, siginfo_t*, void*));

// Passes a SIGTRAP that is not the witness's on to the disposition that the host chose.
void pass_trap_to_host(int signal, siginfo_t* info, void* context);

}  // namespace cowscope::process
