// Command btfgen makes minimal BTF for every kernel that an eBPF program is to
// run on, of the program's objects and the kernels' full BTF.
//
// The commands are a file each. They hold flags, progress, printing and exit
// codes; what they do is in the packages.
package main

import "os"

func main() {
	ignoreFileSizeSignal()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}
