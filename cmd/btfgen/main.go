// Command btfgen makes minimal BTF for every kernel that an eBPF program is to
// run on, of the program's objects and the kernels' full BTF.
//
// The commands are a file each. They hold flags, progress, printing and exit
// codes; what they do is in the packages.
package main

import (
	"os"
	"runtime/debug"
)

// gcPercent is the growth of the heap between collections. A run is short and
// its buffers are few, large and kept: collecting less often costs some 10 MB
// and saves a tenth of the CPU time of a small job.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ignoreFileSizeSignal()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}
