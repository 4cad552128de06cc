// Package kernelsample gives tests some of the built-in kernels as an archive tree: three small ones that differ in
// all that matters, one of them big-endian. It must not know what is tested.
package kernelsample
