// A coroutine that writes, on a stack of any size.
#pragma once

#include <ucontext.h>

#include <atomic>
#include <cstring>

#include "tree_cases.h"

namespace tree {

inline ucontext_t main_context;
inline ucontext_t coroutine;
inline std::atomic<size_t> coroutine_pages{0};

inline void write_in_coroutine() {
    account::store_to_shared(region, coroutine_pages, 1);
}

// `bytes` of stack between guards: whatever lies beside it must stay as it is.
inline void write_on_stack_of(size_t bytes) {
    static unsigned char* memory;
    memory = map(16);
    wait_for_child(start_child([&] {
        std::memset(memory, 0x5a, 16 * kPageBytes);
        unsigned char* stack = memory + 8 * kPageBytes;
        coroutine_pages = 64;
        getcontext(&coroutine);
        coroutine.uc_stack.ss_sp = stack;
        coroutine.uc_stack.ss_size = bytes;
        coroutine.uc_link = &main_context;
        makecontext(&coroutine, write_in_coroutine, 0);
        swapcontext(&main_context, &coroutine);
        account::add_written(account::Kind::copied, region, 64, 1);
        for (unsigned char* at = memory; at < stack; ++at) {
            require(*at == 0x5a, "something wrote below a coroutine's stack");
        }
    }));
}

}  // namespace tree
