// Package imagetest tries package image on real kernels of every architecture that
// Debian builds with BTF: "make image". It takes them from Debian and keeps them in
// the user's cache folder.
//
// It must not know how an image is built.
package imagetest
