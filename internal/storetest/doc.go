// Package storetest judges kernel stores from outside: whether what a store gives back is the same type graph, to readers of BTF and
// to relocations, and whether interrupted writers leave stores whole.
//
// The judge has its own decoder and its own notion of sameness, so that a mistake of package store, or of btf.Canonicalise,
// cannot hide itself. It must not use their code, nor package btf's reader, for comparing graphs.
package storetest
