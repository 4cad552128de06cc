// Package conformance holds core and minimize against what loaders really do,
// on the cases of testdata/conformance: eBPF objects made by clang, target
// types, and libbpf's own result for each relocation and each instruction.
//
// Its tests need nothing but Go; those that ask libbpf itself again, on minimal
// BTFs, run where BTFGEN_CONFORMANCE is set (make conformance). It has no code of
// its own, and no expectation that our code has written.
package conformance
