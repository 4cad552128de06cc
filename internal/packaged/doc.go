// Package packaged finds the eBPF objects in Debian packages, real programs to test with. It must not know what is tested.
package packaged
