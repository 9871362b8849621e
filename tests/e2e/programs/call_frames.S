# A function that stores to a page, with unwind tables made by hand: sound as they are, and with room
# for other numbers (hostile_modules.cpp). A module of its own, whose segments lie far apart.
        .text
        .globl  store_to_shared_by_hand
        .type   store_to_shared_by_hand, @function
store_to_shared_by_hand:
.Lstart:
        pushq   %rbp
        movq    %rsp, %rbp
.Lframe:
        movb    $1, (%rdi)
        popq    %rbp
        ret
.Lend:
        .size   store_to_shared_by_hand, .-store_to_shared_by_hand

        .section .eh_frame, "a", @progbits
.Lcie:  .long   .Lcie_end - .Lcie_id
.Lcie_id:
        .long   0
        .byte   1                       # version
        .string "zR"
        .uleb128 1                      # code alignment
        .sleb128 -8                     # data alignment
        .byte   16                      # return address
        .byte   0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00  # bytes of augmentation: 1
        .byte   0x1b                    # pointers: relative, 4 bytes
        .byte   0x0c, 7, 8              # DW_CFA_def_cfa rsp + 8
        .byte   0x90, 1                 # DW_CFA_offset of the return address: cfa - 8
        .rept   20
        .byte   0x08, 3
        .endr
        .balign 8
.Lcie_end:
.Lfde:  .long   .Lfde_end - .Lfde_cie
.Lfde_cie:
        .long   .Lfde_cie - .Lcie
        .long   .Lstart - .
        .long   .Lend - .Lstart
        .uleb128 0                      # bytes of augmentation
        .byte   0x40 + (.Lframe - .Lstart)  # DW_CFA_advance_loc
        .byte   0x0c, 6, 16             # DW_CFA_def_cfa rbp + 16
        .byte   0x86, 2                 # DW_CFA_offset of rbp: cfa - 16
        .rept   56                      # The linker cuts DW_CFA_nop off.
        .byte   0x08, 3                 # DW_CFA_same_value of rbx
        .endr
        .balign 8
.Lfde_end:
        .long   0
        .section .note.GNU-stack, "", @progbits
