// Package bundlesample makes bundles of thousands of kernels, for tests and benchmarks of what reads them. It is not for programs.
package bundlesample
