// Package bundle is the file that an application ships: the minimal BTF of many kernels in a few kilobytes, made to be built into a program,
// and the choice at start-up of the BTF that this host's kernel needs.
//
// It uses the standard library and package kernel only. It must not know what BTF says beyond the shape of its records, nor how a loader uses it:
// package bundle/ciliumebpf does that for cilium/ebpf. The format is in docs/bundle-format.md.
package bundle
