// Every function of libc that the shim stands in for, and how such a hook comes to be.
//
// A hook is one line of a list below, in its family, and its behaviour in the family's file, which
// the line above the family names:
//
//   X(HOOK, result, name, (parameters), otherwise)
//       The file defines it, behind COWSCOPE_INTERPOSED, and calls libc's as real::name().
//   X(VARIADIC, result, name, (parameters), otherwise)
//       The same for one that takes `...`; the parameters are all that may be there.
//   X(PASS, result, name, noexcept or nothing, (parameters), otherwise, (arguments))
//       That is its whole behaviour: libc's with other arguments.
//   X(SAME, name, other)
//       Another name of a hook of the same family, as pread() is of pread64(): on 64-bit systems
//       all sizes have 64 bits.
//   X(OWN, name)
//       The file defines it, by means of other hooks.
//
// From the list come the declaration of libc's function and its lookup (real.h), what PASS and SAME
// define (define_hooks.h), and what tests/shim_is_polite lets the shim export. libc's stands for
// the one that comes next in the order of lookup, which may be another preload's.
//
// `otherwise` is what happens where a libc lacks the function (glibc 2.17 to 2.41 are supported),
// and where it cannot be looked up yet: the system call of that number, which then is all that the
// function does; kFails: -1 or nullptr, and errno is ENOSYS; kReturnsError: ENOSYS is returned.
//
// HOOK and PASS are looked up at the start, by the constructor: those that may be called in a
// signal's handler must be, and those that are often called. LATE_HOOK and LATE_PASS are looked up
// when they are first called: every lookup at the start costs each program some 0.05 us, and one of
// a name that is missing allocates (dlsym() says so in a text).
//
// Rules in a hook:
// - errno is as libc's function leaves it: what the shim does behind that is done under KeptErrno.
//   The shim's own system calls (support/syscall.h) do not touch it.
// - It may come before the constructor: from an allocator's start, with the allocator's lock held,
//   so that nothing may be looked up, or from another library's constructor. session::is_current()
//   is false then, as it is in a child of vfork() and in a process that is not recorded: the hook
//   does nothing of its own but what concerns no process (hiding descriptors).
// - State is read and changed under session::Locked, and asked for again once the lock is held. The
//   lock is not held while libc's function runs, which may wait, or may call the host's code
//   (mremap() does neither, and what it moves stands at neither place meanwhile).
// - Most programs never fork: the way through a hook is one comparison and the call for them.
// - It calls no function of libc's by name (support/poison.h), and none newer than glibc 2.17.
// - What the host hands over may be no memory at all: it is read with read_argument(), so that it
//   is the kernel or libc who says what is wrong with it.
#pragma once

#include "hooks/list/descriptor_hooks.h"
#include "hooks/list/memory_hooks.h"
#include "hooks/list/path_hooks.h"
#include "hooks/list/process_hooks.h"
#include "hooks/list/rights_hooks.h"
#include "hooks/list/signal_hooks.h"

#define COWSCOPE_HOOKS(X)                  \
    COWSCOPE_CLOSE_HOOKS(X)                \
    COWSCOPE_DESCRIPTOR_HOOKS(X)           \
    COWSCOPE_WAIT_FOR_DESCRIPTORS_HOOKS(X) \
    COWSCOPE_PATH_HOOKS(X)                 \
    COWSCOPE_OPEN_AND_STAT_HOOKS(X)        \
    COWSCOPE_FOLDER_ENTRY_HOOKS(X)         \
    COWSCOPE_TREE_WALK_HOOKS(X)            \
    COWSCOPE_MEMORY_HOOKS(X)               \
    COWSCOPE_USERFAULTFD_HOOKS(X)          \
    COWSCOPE_KERNEL_WRITE_HOOKS(X)         \
    COWSCOPE_STREAM_READ_HOOKS(X)          \
    COWSCOPE_SIGNAL_ACTION_HOOKS(X)        \
    COWSCOPE_SIGNAL_WAIT_HOOKS(X)          \
    COWSCOPE_MASKED_WAIT_HOOKS(X)          \
    COWSCOPE_FORK_HOOKS(X)                 \
    COWSCOPE_EXEC_HOOKS(X)                 \
    COWSCOPE_SPAWN_HOOKS(X)                \
    COWSCOPE_END_HOOKS(X)                  \
    COWSCOPE_WAIT_FOR_CHILD_HOOKS(X)       \
    COWSCOPE_DLCLOSE_HOOKS(X)              \
    COWSCOPE_RIGHTS_HOOKS(X)               \
    COWSCOPE_LIMIT_HOOKS(X)                \
    COWSCOPE_SECCOMP_HOOKS(X)              \
    COWSCOPE_SYSCALL_FUNCTION_HOOKS(X)
