// Package kernel says which kernel this host runs and which kernel of a bundle is that one: names of architectures,
// distributions and releases, os-release files, and the rules of docs/bundle-format.md ("Which kernel is this host's?").
//
// The release is the key. The distribution only decides between kernels that share a release and differ in content,
// since in a container it is the container's.
//
// It must not know what a kernel's content is: no BTF, no bundle, nothing outside the standard library.
package kernel
