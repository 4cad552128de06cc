// Package btf reads, checks, writes and prints BTF, the type format of the
// Linux kernel and of eBPF objects.
//
// Reading is lazy: Parse walks the type section once to learn where each
// record starts, and everything else is decoded when it is asked for, without
// allocating. Either byte order is read; a foreign one is normalised on
// opening. Writing goes through a Builder.
//
// The package knows nothing of relocations, kernels or files.
//
// Format: the kernel's Documentation/bpf/btf.rst and include/uapi/linux/btf.h.
package btf
