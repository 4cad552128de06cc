// Package randbtf makes small random BTFs and relocations on them, for tests
// that hold one implementation of CO-RE against another: types that are alike
// enough for candidates to be found, and odd enough for every rule to be met.
//
// It knows types only; what becomes of the relocations is for others to say.
package randbtf
