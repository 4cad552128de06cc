// Package machine boots a kernel under qemu's software emulation (TCG), with an initial RAM disk made of files given, and
// returns what the guest wrote to its two serial ports.
//
// It must not know what the files do, or which kernels there are.
package machine
