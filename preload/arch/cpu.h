// The door to the processor. All that depends on it lies in one folder each, under the same file
// names, and nothing outside of arch/ names a register, an instruction or the size of a page:
//
//     call_frames.h   what a walk over the stack has to know of calls and of the ABI's registers
//     kernel_action.h the kernel's struct of rt_sigaction()
//     pages.h         pages, and where addresses end
//     raw_calls.S     the stand-in for libc's syscall(); raw_call_frame.h: what it leaves on the
//                     stack for C++
//     registers.h     those of a signal's ucontext
//     signal_frame.h  what the kernel puts on the stack for a signal
//     stack_switch.S  calls a function on another stack; declared in stack_switch.h
//     system_call.h   the instruction that enters the kernel
//     valgrind.h      the instructions by which a program asks valgrind
//
// preload/CMakeLists.txt builds the folder's .S files; what a trace takes from the processor is in
// format/machine.h.
//
// Namespace cpu. Floor 0: includes format/ only. Async-signal-safe throughout.
#pragma once

#if defined(__x86_64__)
#include "x86_64/call_frames.h"
#include "x86_64/kernel_action.h"
#include "x86_64/pages.h"
#include "x86_64/raw_call_frame.h"
#include "x86_64/registers.h"
#include "x86_64/signal_frame.h"
#include "x86_64/stack_switch.h"
#include "x86_64/system_call.h"
#include "x86_64/valgrind.h"
#else
#error "cowscope knows x86-64 only: another processor is a folder beside arch/x86_64"
#endif
