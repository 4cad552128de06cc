// Package kernels has the types of real kernels built in, as a kernel store: what
// the command works on where nothing else is given, and real input for tests.
//
// A program that imports it grows by the store's size, some megabytes. So the
// packages of the library must not import it; who wants it asks for it:
//
//	source, err := kernels.Source()
//
// It must not know what is done with the kernels.
package kernels
