/* The block that jieba_data.h describes, in read-only memory. JIEBA_BIN is its file. */
    .section .rodata
    .balign 64
    .globl jieba_blob, jieba_blob_end
jieba_blob:
    .incbin JIEBA_BIN
jieba_blob_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
