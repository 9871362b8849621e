// A library for abandoned_calls.py: calls a function of Python's that never returns, because it is
// jumped out of, or because the stack that it is on is given up. The interpreter is left with what
// it knew in the middle of the call. Then C writes to pages.
#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kStackBytes = 512 * 1024;

using Function = void (*)();
Function called;
jmp_buf before_call;
ucontext_t here;
ucontext_t there;

// Nothing of Python's may run any more.
[[noreturn]] void write_and_end(volatile char* start, long pages) {
    for (long i = 0; i < pages; ++i) start[static_cast<size_t>(i) * kPageBytes] = 2;
    _exit(7);
}

// Deep in the stack, which is cleared behind it.
[[gnu::noinline]] void call_deep(Function function) {
    volatile char room[64 * 1024];
    for (volatile char& byte : room) byte = 1;
    function();
}
[[gnu::noinline]] void clear_stack() {
    volatile char room[256 * 1024];
    for (volatile char& byte : room) byte = 0;
}

void call() {
    called();
}

void call_on(void* stack, Function function) {
    called = function;
    getcontext(&there);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = kStackBytes;
    there.uc_link = nullptr;
    makecontext(&there, call, 0);
    swapcontext(&here, &there);
}

}  // namespace

extern "C" {

// For what is called to leave.
void leave_by_jump() {
    longjmp(before_call, 1);
}
void leave_stack() {
    swapcontext(&there, &here);
}

void call_and_jump_out(Function function, volatile char* start, long pages) {
    if (setjmp(before_call) == 0) call_deep(function);
    clear_stack();
    write_and_end(start, pages);
}

// A large block, which free() unmaps inside libc.
void call_on_freed_stack(Function function, volatile char* start, long pages) {
    void* stack = malloc(kStackBytes);
    call_on(stack, function);
    free(stack);
    write_and_end(start, pages);
}

void call_on_moved_stack(Function function, volatile char* start, long pages) {
    void* stack =
        mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    // So that it cannot grow where it is.
    mmap(static_cast<char*>(stack) + kStackBytes, kPageBytes, PROT_READ,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    call_on(stack, function);
    mremap(stack, kStackBytes, 2 * kStackBytes, MREMAP_MAYMOVE);
    write_and_end(start, pages);
}

}  // extern "C"
