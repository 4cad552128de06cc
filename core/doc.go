// Package core computes CO-RE relocations: what a loader makes of an eBPF
// object's relocation records, given a kernel's types.
//
// A Plan holds the distinct relocations of any number of objects, compiled
// once. A Resolver carries a plan out against one kernel's types, by libbpf's
// rules and, beside them, by those of cilium/ebpf where the two differ; it can
// say which types each decision has looked at, which is what a minimal BTF has
// to keep. Patch turns an outcome into the instruction that a loader leaves.
//
// "Local" is the object's own BTF, "target" a kernel's. The package does not
// know where either comes from.
//
// The rules are those of libbpf's relo_core.c and cilium/ebpf's btf/core.go,
// as read in libbpf 1.1 to 1.6 and cilium/ebpf 0.22.
package core
