// Package btfgen makes, from eBPF objects and the BTF of many kernels, one
// minimal BTF per kernel: what the objects' CO-RE relocations need of its
// types and no more, so that a loader comes to the same result as with the
// kernel's full BTF.
//
//	gen, err := btfgen.Open("probe.bpf.o")
//	...
//	kernels, err := hub.Open("btfhub-archive")
//	...
//	tree, err := btfgen.NewTree("minimized")
//	...
//	summary, err := gen.Generate(ctx, kernels, btfgen.Options{}, tree.Add)
//
// For one kernel whose BTF is in memory, Minimize does it in a call.
//
// The parts are packages of their own: btf (the format), bpfelf (objects),
// core (relocations), minimize (one kernel) and hub (sets of kernels). This
// package puts them together; it knows nothing of flags and terminals.
package btfgen
