// The page of `cowscope html` before and behind its data, as page/bundle.mjs wrote it.
    .section .rodata
    .globl cowscope_page_head, cowscope_page_head_end
    .globl cowscope_page_tail, cowscope_page_tail_end
cowscope_page_head:
    .incbin "page_head.html"
cowscope_page_head_end:
cowscope_page_tail:
    .incbin "page_tail.html"
cowscope_page_tail_end:
    .section .note.GNU-stack, "", @progbits
