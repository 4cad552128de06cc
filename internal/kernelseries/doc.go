// Package kernelseries makes as many kernels as a benchmark wants out of a few real ones: series of updates, in several flavours, as
// distributions publish them. Each is a real kernel's BTF with the kind and the number of changes that updates of real
// kernels were measured to have (rates.go), so that what is new in it, and what is shared, is as in an archive.
//
// Everything comes from a seed: the same bases, seed and number give the same kernels.
//
// It must not know stores, relocations, or who measures what with it.
package kernelseries
