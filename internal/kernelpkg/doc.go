// Package kernelpkg reads Debian and RPM packages of kernels: what package it is,
// which files it holds, and ranges of these files as elffile.File, out of the
// package as it lies in memory. Nothing is unpacked to disk, and of the archive
// inside only what is asked for is kept.
//
// Where the archive's compression has blocks of its own (xz as dpkg writes it),
// only the blocks that hold something needed are expanded, several at a time.
// Any other is a stream that is gone through from its beginning: callers ask for
// ranges together, and for files in the archive's order.
//
// It must not know what is in the files: whether a kernel image is an ELF file,
// what BTF is, how distributions name their releases.
package kernelpkg
