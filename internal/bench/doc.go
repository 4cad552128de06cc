// Command bench measures btfgen beside bpftool and xz in one run: CPU time, peak
// memory, bytes of output; see make bench.
//
// Each measurement is of a child process (user and system time, as the kernel
// accounts them), us and the peer by turns, and the median of several rounds
// counts. The kernels are those of the folder that BTFGEN_HUB names; the objects
// those of Debian's libbpf-tools and xdp-tools.
//
// It must not know how btfgen works: it runs the command as users do.
package main
