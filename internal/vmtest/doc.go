// Package vmtest holds tests alone: Debian's kernels, booted under qemu with their BTF hidden, run programs that bring a
// bundle, and what these print is held against what really happened in the guest. One kernel is of 32 bits and has no BTF of
// its own: what the bundle has for it is made of its debug information. It runs on demand (make vm).
//
// The packages below it do the work and judge nothing: debkernel fetches kernels, machine boots one, guest is what runs in
// it, script is what test and guest say to each other. What is right is decided here.
package vmtest
