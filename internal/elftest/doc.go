// Package elftest writes small eBPF ELF objects for tests, in either byte
// order, so that a test reads as the case that it shows. It also writes what
// compilers never do: headers longer than any known, records of sections that
// do not exist, instruction offsets out of range.
//
// It knows how to write; it does not read or check.
package elftest
