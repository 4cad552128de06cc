// Package dwarftest is the proof of dwarf2btf: what it makes of DWARF, beside what pahole makes of it, what is written down by
// hand, and what the compiler that wrote the DWARF says. The tests run on demand (make dwarf): they need compilers, pahole, dwz,
// and a debug kernel of Debian's, which is fetched once.
//
// BTFs are compared by their types and not by bytes: a type is turned into a class by all that its record says and by the classes
// of what it refers to (classes.go), and two BTFs have to have equally many types of each class.
//
// The package must not know how dwarf2btf tells equal types, or it could not judge it.
package dwarftest
