// Package debkernel fetches Debian's kernels: with apt, which verifies them, but by a configuration of its own in a cache
// folder, so that the machine's stays as it is. What was fetched before is there without a network.
//
// It must not know what becomes of a kernel.
package debkernel
