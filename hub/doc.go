// Package hub opens sets of kernels: an archive tree
// (distro/version/arch/release.btf, plain or packed), kernel stores (package
// store), single files, several of them merged. It finds the kernels, filters
// them by name, and hands out the bytes of a kernel's BTF and of its modules'
// BTF.
//
// It must not know relocations, nor what BTF says: it looks at the magic, and
// lets package btf find the BTF in an ELF file, and package image that of
// other files.
//
// Listing is cheap: nothing is read before [Kernel.Load], but for what tells a
// single image's name. A worker loads one
// kernel after another with its own [Reader], whose buffers are reused; memory
// is bounded by the number of workers and by [MaxBytes]. Reading writes no
// temporary files, and names in archives are never used as paths.
//
// [Pack] makes a kernel store of a source on all processors and goes on after an
// interruption; [Add] adds a source's kernels to one.
package hub
