// Package dwarf2btf makes BTF out of DWARF 2 to 5: what a kernel has in its
// debug package becomes what a loader of eBPF programs reads.
//
// Units are decoded on several cores into flat arrays that are used again from
// unit to unit. A type is known by a hash of its content in which a reference to
// a named struct, union or enum is its kind and name alone, so that no hash
// depends on itself and a declaration stands for its definition. Where one name
// has several definitions, the units that have them are read again, to keep apart
// the types that lead to the one or to the other (see refine.go). What is written
// depends neither on the number of cores nor on their pace.
//
// The reference for what becomes of an entry is pahole with libbpf's
// deduplication; where this package differs, the code says so.
//
// It knows ELF sections and BTF; it must not know packages, kernels or where a
// file comes from.
package dwarf2btf
