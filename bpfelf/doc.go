// Package bpfelf opens eBPF objects: ELF64 files of either byte order that
// hold programs, maps, their BTF and their CO-RE relocations. Open and Find
// also bring to light the objects that a host program has built in, as
// libbpf's skeletons and go:embed do.
//
// What every user needs (sections, BTF, relocations) is read at once; lists
// that only a report prints are read by the methods of Object that return
// them. A damaged file is an error that names the section and the offset.
//
// The ELF tables are read here rather than by debug/elf, which allocates for
// each section and reads lazily, past the checks that keep a forged table
// from costing more than the file's size; its constants are used.
//
// The package knows nothing of kernels, and does not interpret relocations.
//
// Formats: the kernel's Documentation/bpf/btf.rst (.BTF.ext),
// llvm_reloc.rst (ELF relocations) and libbpf's libbpf.c (programs and maps).
package bpfelf
