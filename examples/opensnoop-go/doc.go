// Command opensnoop-go tells who opens which file. It is an example of a program that brings BTF for kernels that have none: the lines for that are in types_linux.go.
//
// It uses packages bundle and bundle/ciliumebpf as any program outside this repository would, and must not know more of btfgen.
package main
