// Package oracle asks libbpf what it makes of CO-RE relocations: relocate.c is a
// C program around Debian's libbpf 1.1, this package runs it and reads its output.
//
// It serves tests only. It must not know our own resolution, so that the two can
// be compared.
package oracle
