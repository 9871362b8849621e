// long syscall(long number, ...), by which programs make the calls that libc has no function for:
// those that hooks/raw/syscall_function.cpp wants to see are announced to it (raw_call_frame.h), and
// what it does not answer goes on to libc's with the stack as it was (vfork and clone return to it
// twice). System V ABI, AMD64.
    .bss
    .globl  cowscope_real_syscall
    .hidden cowscope_real_syscall
    .type   cowscope_real_syscall, @object
    .size   cowscope_real_syscall, 8
    .balign 8
cowscope_real_syscall:
    .zero   8

    .text
    .globl  syscall
    .type   syscall, @function
syscall:
    .cfi_startproc
    endbr64
.Lstart:
    cmpq    $511, %rdi              // kCallsInSet - 1
    ja      .Lgo_on
    leaq    cowscope_calls_to_see(%rip), %r11
    btq     %rdi, (%r11)
    jc      .Lsee
.Lgo_on:
    movq    cowscope_real_syscall(%rip), %rax
    testq   %rax, %rax
    jz      .Lresolve
    jmpq    *%rax

.Lresolve:
    leaq    cowscope_resolve_syscall(%rip), %rax
    jmp     .Lcall
.Lsee:
    leaq    cowscope_before_call(%rip), %rax
    cmpq    $0, cowscope_real_syscall(%rip)
    jne     .Lcall
    leaq    cowscope_resolve_syscall(%rip), %rax

    // Calls %rax with the number and the first arguments of the system call, and keeps all that a
    // caller has set.
.Lcall:
    pushq   %rdi
    .cfi_adjust_cfa_offset 8
    pushq   %rsi
    .cfi_adjust_cfa_offset 8
    pushq   %rdx
    .cfi_adjust_cfa_offset 8
    pushq   %rcx
    .cfi_adjust_cfa_offset 8
    pushq   %r8
    .cfi_adjust_cfa_offset 8
    pushq   %r9
    .cfi_adjust_cfa_offset 8
    subq    $8, %rsp
    .cfi_adjust_cfa_offset 8
    movq    %rax, (%rsp)
    leaq    8(%rsp), %rdi
    callq   *%rax
    movl    %eax, %r10d
    movq    (%rsp), %rax
    addq    $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq    %r9
    .cfi_adjust_cfa_offset -8
    popq    %r8
    .cfi_adjust_cfa_offset -8
    popq    %rcx
    .cfi_adjust_cfa_offset -8
    popq    %rdx
    .cfi_adjust_cfa_offset -8
    popq    %rsi
    .cfi_adjust_cfa_offset -8
    popq    %rdi
    .cfi_adjust_cfa_offset -8
    // One that came before all was resolved has only resolved it so far.
    leaq    cowscope_before_call(%rip), %r11
    cmpq    %r11, %rax
    jne     .Lstart
    testl   %r10d, %r10d
    jz      .Lgo_on
    // Answered: the result is where the number was.
    movq    %rdi, %rax
    retq
    .cfi_endproc
    .size   syscall, .-syscall
    .section .note.GNU-stack,"",@progbits
