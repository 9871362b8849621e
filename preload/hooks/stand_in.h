// Functions of libc that the shim stands before only to change an argument: each is a line of a
// list,
//
//   X(result, name, noexcept or nothing, (parameters), system call, (arguments))
//
// and does what libc's (or another preload's behind ours) does with these arguments. The number is
// that of the system call which the function is and nothing more, or kNoCall. It is made where the
// function cannot be looked up yet, as at an allocator's start (plain_call.h), and where libc does
// not have it.
//
// Those that may be called in a signal's handler are looked up at the start, with all others of
// real.h; what is rare is looked up when it is called first.
#pragma once

#include <errno.h>

#include "hooks/interpose.h"
#include "hooks/plain_call.h"
#include "hooks/real.h"

namespace cowscope::hooks {

inline constexpr long kNoCall = -1;

// Of one that `slot` does not have yet.
void* find_later(const char* name, bool has_call);

template <typename Function>
inline Function* find_function(Function*& slot, const char* name, long number) {
    Function* const known = __atomic_load_n(&slot, __ATOMIC_RELAXED);
    if (known != nullptr) [[likely]] {
        return known;
    }
    auto* const found = reinterpret_cast<Function*>(find_later(name, number != kNoCall));
    __atomic_store_n(&slot, found, __ATOMIC_RELAXED);
    return found;
}

template <typename Function>
inline void resolve_function(Function*& slot, void* (*find)(const char*), const char* name) {
    slot = reinterpret_cast<Function*>(find(name));
}

template <typename Result>
Result as_result(long result) {
    if constexpr (std::is_pointer_v<Result>) {
        return result == -1 ? nullptr : reinterpret_cast<Result>(result);
    } else {
        return static_cast<Result>(result);
    }
}

// The system call instead. With plain_call() of one kind for each count of arguments.
template <typename Result, long kNumber>
struct CallInstead {
    template <typename... Words>
    Result operator()(Words... words) const {
        if constexpr (kNumber == kNoCall) {
            errno = ENOSYS;
            return as_result<Result>(-1);
        } else {
            return as_result<Result>(plain_call(kNumber, as_word(words)...));
        }
    }
};

}  // namespace cowscope::hooks

#define COWSCOPE_SLOT(Result, name, specifier, parameters, number, arguments) \
    Result(*name) parameters = nullptr;
#define COWSCOPE_RESOLVE_SLOT(Result, name, specifier, parameters, number, arguments) \
    resolve_function(functions.name, find, #name);
// Not before `functions` and what the arguments use.
#define COWSCOPE_STAND_IN(Result, name, specifier, parameters, number, arguments)         \
    COWSCOPE_INTERPOSED Result name parameters specifier {                                \
        using namespace cowscope::hooks;                                                  \
        if (auto* const next = find_function(functions.name, #name, number)) [[likely]] { \
            return next arguments;                                                        \
        }                                                                                 \
        return CallInstead<Result, number>() arguments;                                   \
    }
