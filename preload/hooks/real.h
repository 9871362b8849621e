// libc's functions (or those of another preload behind ours) that the hooks stand in for, from the
// list (list.h): real::read(fd, to, bytes) calls libc's read(). Nothing is looked up again at a
// call: dlsym() may allocate and lock.
#pragma once

#include <fts.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <wordexp.h>

#include <cstdint>
#include <type_traits>

#include "hooks/list.h"
#include "hooks/plain_call.h"

struct __dirstream;
struct aiocb64;
struct dirent64;
struct file_handle;
struct in_addr;
struct itimerspec;
struct mount_attr;
struct sockaddr_in;
struct statfs;
struct statvfs;
struct statx;
struct termios;
struct utimbuf;

namespace cowscope::hooks {

using DirentFilter = int(const struct dirent64*);
using DirentOrder = int(const struct dirent64**, const struct dirent64**);
using FtwVisit = int(const char*, const struct stat*, int);
using NftwVisit = int(const char*, const struct stat*, int, struct FTW*);

// What happens where there is no such function, beside the numbers of system calls (list.h).
inline constexpr long kFails = -1;
inline constexpr long kReturnsError = -2;

// Each function that is looked up.
#define COWSCOPE_NUMBER(kind, ...) COWSCOPE_NUMBER_##kind(__VA_ARGS__)
#define COWSCOPE_NUMBER_HOOK(Result, name, parameters, otherwise) name,
#define COWSCOPE_NUMBER_LATE_HOOK(Result, name, parameters, otherwise) name,
#define COWSCOPE_NUMBER_VARIADIC(Result, name, parameters, otherwise) name,
#define COWSCOPE_NUMBER_PASS(Result, name, specifier, parameters, otherwise, arguments) name,
#define COWSCOPE_NUMBER_LATE_PASS(Result, name, specifier, parameters, otherwise, arguments) name,
#define COWSCOPE_NUMBER_SAME(name, other)
#define COWSCOPE_NUMBER_OWN(name)
enum class Hook : unsigned { COWSCOPE_HOOKS(COWSCOPE_NUMBER) kCount };

// nullptr: not known. Written by real.cpp alone.
extern __attribute__((visibility("hidden"))) void* real_functions[];
// What to call where it is not known: never nullptr.
__attribute__((cold)) void* find_real_function(Hook hook, void* otherwise);

// In the constructor. What is called before is looked up by itself, or is a system call.
void resolve_real_functions();
extern __attribute__((visibility("hidden"))) bool are_resolved;
inline bool real_functions_are_resolved() {
    return are_resolved;
}

long fail_as_missing();
void* fail_as_missing_pointer();
int return_as_missing();

template <Hook kHook, long kOtherwise, bool kIsVariadic, typename Signature>
class RealFunction;

template <Hook kHook, long kOtherwise, bool kIsVariadic, typename Result, typename... Parameters>
class RealFunction<kHook, kOtherwise, kIsVariadic, Result(Parameters...)> {
    using Function = std::conditional_t<kIsVariadic, Result(...), Result(Parameters...)>;

  public:
    Function* find() const {
        void* function =
            __atomic_load_n(&real_functions[static_cast<unsigned>(kHook)], __ATOMIC_RELAXED);
        if (function == nullptr) [[unlikely]] {
            function = find_real_function(kHook, otherwise());
        }
        return reinterpret_cast<Function*>(function);
    }
    // Whether this libc has it.
    bool is_there() const { return reinterpret_cast<void*>(find()) != otherwise(); }

    Result operator()(Parameters... parameters) const { return find()(parameters...); }

  private:
    static Result make_call(Parameters... parameters) {
        const long result = plain_call(kOtherwise, as_word(parameters)...);
        if constexpr (std::is_pointer_v<Result>) {
            return reinterpret_cast<Result>(result);
        } else {
            return static_cast<Result>(result);
        }
    }
    // All of them leave to the caller what is on the stack, and do not read it.
    static void* otherwise() {
        if constexpr (kOtherwise >= 0) {
            return reinterpret_cast<void*>(make_call);
        } else if constexpr (kOtherwise == kReturnsError) {
            return reinterpret_cast<void*>(return_as_missing);
        } else if constexpr (std::is_pointer_v<Result>) {
            return reinterpret_cast<void*>(fail_as_missing_pointer);
        } else {
            return reinterpret_cast<void*>(fail_as_missing);
        }
    }
};

namespace real {

#define COWSCOPE_REAL(kind, ...) COWSCOPE_REAL_##kind(__VA_ARGS__)
#define COWSCOPE_REAL_HOOK(Result, name, parameters, otherwise) \
    inline constexpr RealFunction<Hook::name, otherwise, false, Result parameters> name;
#define COWSCOPE_REAL_LATE_HOOK(Result, name, parameters, otherwise) \
    inline constexpr RealFunction<Hook::name, otherwise, false, Result parameters> name;
#define COWSCOPE_REAL_VARIADIC(Result, name, parameters, otherwise) \
    inline constexpr RealFunction<Hook::name, otherwise, true, Result parameters> name;
#define COWSCOPE_REAL_PASS(Result, name, specifier, parameters, otherwise, arguments) \
    inline constexpr RealFunction<Hook::name, otherwise, false, Result parameters> name;
#define COWSCOPE_REAL_LATE_PASS(Result, name, specifier, parameters, otherwise, arguments) \
    inline constexpr RealFunction<Hook::name, otherwise, false, Result parameters> name;
#define COWSCOPE_REAL_SAME(name, other)
#define COWSCOPE_REAL_OWN(name)
COWSCOPE_HOOKS(COWSCOPE_REAL)

}  // namespace real
}  // namespace cowscope::hooks
