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

namespace {

constexpr size_t kStackPages = 32;
constexpr size_t kWrites = 16;
unsigned char* stacks;  // three beside each other, in one mapping
uint64_t frame;

void write_with_frame() {
    for (size_t i = 0; i < kWrites; ++i) store_with_frame(at(i), frame);
}

// Runs on the first of the stacks.
void run_on_stack() {
    static ucontext_t here;
    static ucontext_t there;
    require(getcontext(&there) == 0, "getcontext");
    there.uc_stack.ss_sp = stacks;
    there.uc_stack.ss_size = kStackPages * kPageBytes;
    there.uc_link = &here;
    makecontext(&there, write_with_frame, 0);
    require(swapcontext(&here, &there) == 0, "swapcontext");
    account::add_written(account::Kind::copied, region, kWrites, 1);
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

const Case kCases[] = {
    {"beside-a-hole", beside_a_hole},
    {"anywhere", anywhere},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
