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
// The reference for what becomes of an entry is pahole 1.24 with libbpf 1.1's
// deduplication. What is different here:
//
//   - Partial units (dwz), type units, and what is imported or referred to of the
//     alternate file are read; pahole leaves out dwz's and loses types of type units.
//   - _Atomic is left out, as later versions do; pahole 1.24 makes void of the type.
//   - A complex number is an INT of its size, and a C++ reference a PTR; pahole gives up.
//   - Numbers that BTF has no room for are errors; pahole cuts them off.
//   - A module's struct that equals the kernel's is always the kernel's. libbpf writes
//     some again, where the module's DWARF has two entries for one type.
//   - Units of Rust are left out, and BTF tags of functions, parameters and variables.
//
// It knows ELF sections and BTF; it must not know packages, kernels or where a
// file comes from.
package dwarf2btf
