// Package btfsample makes BTF for tests: every kind in every form, types that
// are hard to say in C, and types that C has no way to say.
//
// It must not know what is tested with it.
package btfsample
