// Package exampletest holds tests alone, of the programs below examples: what they bring along is what it should be, and, on demand
// (make load, as root), they tell what really happened on this machine, each with the BTF that it was told to use, and both the same.
//
// The package must not know how the programs work: it builds and runs them as a user would.
package exampletest
