// Programs whose stacks do not look as unwind tables say.
#include <ucontext.h>

#include "tree_cases.h"

using namespace tree;

// Stores to *page with the frame pointer, by which its table says that the frame is to be found, at
// `frame`.
extern "C" void store_with_frame(unsigned char* page, uint64_t frame);
asm(R"(
    .text
    .globl  store_with_frame
    .type   store_with_frame, @function
store_with_frame:
    .cfi_startproc
    pushq   %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq    %rsp, %rbp
    .cfi_def_cfa_register %rbp
    movq    %rsi, %rbp
    movb    $1, (%rdi)
    popq    %rbp
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
    .size   store_with_frame, .-store_with_frame
)");

// Calls `function` on the stack that ends at `end`, which its table does not tell.
extern "C" void call_on_stack(void (*function)(), unsigned char* end);
asm(R"(
    .text
    .globl  call_on_stack
    .type   call_on_stack, @function
call_on_stack:
    .cfi_startproc
    pushq   %rbx
    .cfi_def_cfa_offset 16
    .cfi_offset %rbx, -16
    movq    %rsp, %rbx
    movq    %rsi, %rsp
    call    *%rdi
    movq    %rbx, %rsp
    popq    %rbx
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc
    .size   call_on_stack, .-call_on_stack
)");

namespace {

constexpr size_t kStackPages = 32;
constexpr size_t kWrites = 16;
unsigned char* stacks;  // three beside each other, in one mapping
uint64_t frame;

void write_with_frame() {
    for (size_t i = 0; i < kWrites; ++i) store_with_frame(at(i), frame);
}

void switch_to_stack(void (*function)()) {
    static ucontext_t here;
    static ucontext_t there;
    require(getcontext(&there) == 0, "getcontext");
    there.uc_stack.ss_sp = stacks;
    there.uc_stack.ss_size = kStackPages * kPageBytes;
    there.uc_link = &here;
    makecontext(&there, function, 0);
    require(swapcontext(&here, &there) == 0, "swapcontext");
    account::add_written(account::Kind::copied, region, kWrites, 1);
}

// Runs on the first of the stacks.
void run_on_stack() {
    switch_to_stack(write_with_frame);
}

// The frame would be on the stack beside it, which is no more.
void beside_a_hole() {
    stacks = map(3 * kStackPages);
    account::fill(stacks, 3 * kStackPages);
    frame = reinterpret_cast<uint64_t>(stacks) + (kStackPages + kStackPages / 2) * kPageBytes;
    wait_for_child(start_child([] {
        require(munmap(stacks + kStackPages * kPageBytes, kStackPages * kPageBytes) == 0, "munmap");
        run_on_stack();
    }));
}

// The frame is anywhere.
void anywhere() {
    stacks = map(3 * kStackPages);
    account::fill(stacks, 3 * kStackPages);
    const auto own = reinterpret_cast<uint64_t>(stacks);
    const uint64_t frames[] = {0,
                               8,
                               ~uint64_t{7},
                               uint64_t{1} << 63,
                               own + 1,
                               own + kStackPages * kPageBytes - 8,
                               own + 3 * kStackPages * kPageBytes - 8,
                               reinterpret_cast<uint64_t>(&frame),
                               reinterpret_cast<uint64_t>(at(0))};
    for (const uint64_t each : frames) {
        frame = each;
        wait_for_child(start_child(run_on_stack));
    }
}

// The frame is data of the program's, which looks like one.
void at_data() {
    stacks = map(3 * kStackPages);
    account::fill(stacks, 3 * kStackPages);
    auto* words = reinterpret_cast<uint64_t*>(stacks + (kStackPages + 1) * kPageBytes);
    words[0] = 0;
    words[1] = 0x123456789abc;
    frame = reinterpret_cast<uint64_t>(words);
    wait_for_child(start_child(run_on_stack));
}

// The first write to the stack is that of the call, with nothing on it yet. What lay behind it in
// one mapping when the process was forked is gone, or not to be read.
void before_a_hole(void (*make_hole)(unsigned char* start)) {
    stacks = map(2 * kStackPages);
    account::fill(stacks, 2 * kStackPages);
    unsigned char* end = stacks + kStackPages * kPageBytes;
    call_on_stack([] {}, end);
    wait_for_child(start_child([&] {
        make_hole(end);
        call_on_stack(write_with_frame, end);
        account::add_written(account::Kind::copied, region, kWrites, 1);
    }));
}
void at_the_end_of_memory() {
    before_a_hole([](unsigned char* start) {
        require(munmap(start, kStackPages * kPageBytes) == 0, "munmap");
    });
}
void before_what_is_hidden() {
    before_a_hole([](unsigned char* start) {
        require(mprotect(start, kPageBytes, PROT_NONE) == 0, "mprotect");
    });
}

[[gnu::noinline]] void write_in_fiber() {
    for (size_t i = 0; i < kWrites; ++i) account::store_to_shared(at(i), 1, 1);
}
[[gnu::noinline]] void run_fiber() {
    write_in_fiber();
    asm volatile("");  // so that this is no jump
}

// Stacks that are reserved at the start, and made usable one by one.
void reserved_before() {
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* reserved = mmap(nullptr, 3 * kStackPages * kPageBytes, PROT_NONE, kFlags, -1, 0);
    require(reserved != MAP_FAILED, "mmap");
    stacks = static_cast<unsigned char*>(reserved) + kStackPages * kPageBytes;
    wait_for_child(start_child([] {
        require(mprotect(stacks, kStackPages * kPageBytes, PROT_READ | PROT_WRITE) == 0,
                "mprotect");
        switch_to_stack(run_fiber);
    }));
}

const Case kCases[] = {
    {"beside-a-hole", beside_a_hole},
    {"anywhere", anywhere},
    {"at-data", at_data},
    {"at-the-end-of-memory", at_the_end_of_memory},
    {"before-what-is-hidden", before_what_is_hidden},
    {"reserved-before", reserved_before},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
