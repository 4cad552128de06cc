// Package ctest holds tests alone: the C reader of bundles, include/btfgen/bundle.h,
// beside the Go reader. Both have to give the same kernels, the same bytes, the same
// choice for a host, and to refuse the same damage. They run on demand (make
// creader), since they need compilers and valgrind.
//
// testdata/reader.c is the C reader on the command line; testdata/fuzz_bundle.c the
// fuzz target, which scripts/fuzz-c runs.
//
// The package must not know how a bundle is made.
package ctest
