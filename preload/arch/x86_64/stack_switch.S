// void cowscope_call_on_stack(void (*function)(void*), void* argument, void* stack_top)
//
// Calls function(argument) on another stack and returns on the caller's. System V ABI, AMD64.
    .text
    .globl  cowscope_call_on_stack
    .hidden cowscope_call_on_stack
    .type   cowscope_call_on_stack, @function
cowscope_call_on_stack:
    .cfi_startproc
    pushq   %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq    %rsp, %rbp
    .cfi_def_cfa_register %rbp
    movq    %rdx, %rsp
    andq    $-16, %rsp
    movq    %rdi, %rax
    movq    %rsi, %rdi
    callq   *%rax
    leave
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
    .size   cowscope_call_on_stack, .-cowscope_call_on_stack
    .section .note.GNU-stack,"",@progbits
