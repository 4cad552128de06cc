// Package store reads and writes kernel stores: one file with the BTF of many
// kernels, in which each distinct string and each distinct type definition
// stands once, and a kernel is a difference from its nearest neighbour.
//
// It must not know where kernels come from (package hub, which imports this
// one), nor what relocations are.
//
// The format is described to the byte in docs/store-format.md.
package store
