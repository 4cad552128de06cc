// Package loadtest holds tests alone: eBPF programs are loaded into the running
// kernel with a minimal BTF of it as the only kernel types, and the kernel's
// verifier accepts them. They run on demand (make load), as root, where the kernel
// has BTF of its own to be minimised. Nothing is attached.
//
// The package must not know how a minimal BTF is made.
package loadtest
