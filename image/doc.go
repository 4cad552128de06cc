// Package image takes the types of a kernel or of a module out of a file of any
// kind: raw BTF, vmlinux, the images that boot loaders take, modules, each of
// them also compressed, and packages that hold them. What a file is, its content
// says, never its name.
//
// It must not know distributions, nor what types are used for. How DWARF becomes
// BTF is dwarf2btf's.
package image
