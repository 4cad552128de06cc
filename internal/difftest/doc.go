// Package difftest holds tests alone: our results beside those of independent
// programs - bpftool, libbpf, cilium/ebpf - on real kernels and real eBPF
// programs. They run on demand (make diff): they need these programs installed,
// and the large set of kernels.
//
// For every kernel of the set and every object of Debian's libbpf-tools and
// xdp-tools, a minimal BTF must be to each loader what the full one is; and our
// own resolution must be libbpf's. So that the comparisons are known to be able to
// fail, each is also given a damaged minimal BTF.
//
// The package must not know how a minimal BTF is made.
package difftest
