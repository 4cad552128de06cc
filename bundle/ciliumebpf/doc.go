// Package ciliumebpf gives cilium/ebpf the BTF that package bundle chose. It alone imports cilium/ebpf, so that other programs do not.
package ciliumebpf
