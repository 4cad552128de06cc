/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled opensnoop.bpf.c, as part of the program. OBJECT is its path, in quotes. */
	.section .rodata
	.global opensnoop_object, opensnoop_object_end
	.balign 16
opensnoop_object:
	.incbin OBJECT
opensnoop_object_end:
	.section .note.GNU-stack, "", %progbits
