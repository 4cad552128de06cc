package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"time"
)

// options are the command line's.
type options struct {
	verbose    bool
	consensus  bool
	pid        int           // 0: all processes
	failedOnly bool          // report only what failed
	count      int           // end after that many events; 0: do not
	duration   time.Duration // end after that time; 0: do not
}

const usage = `usage: opensnoop [-v] [-x] [-p PID] [-count N] [-duration SECONDS] [-consensus]
Tells who opens which file (root).
  -v                 say on stderr which BTF is used, and why
  -x                 only what failed
  -p PID             only this process
  -count N           end after N events
  -duration SECONDS  end after this time
  -consensus         on a kernel unknown to this program, use the BTF on which all its relatives agree
environment:
  BTF_FILE=PATH      use the BTF in this file
  BTF_BUNDLE=only    pass over the kernel's own BTF, to try out what this program brings
`

func main() {
	o, code := parse(os.Args[1:], os.Stdout, os.Stderr)
	if code >= 0 {
		os.Exit(code)
	}
	if err := trace(o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "opensnoop: %v\n", err)
		os.Exit(1)
	}
}

// parse reads the command line. The exit code is negative if there is something to do.
func parse(args []string, stdout, stderr io.Writer) (o options, exit int) {
	var seconds float64
	flags := flag.NewFlagSet("opensnoop", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&o.verbose, "v", false, "")
	flags.BoolVar(&o.failedOnly, "x", false, "")
	flags.BoolVar(&o.consensus, "consensus", false, "")
	flags.IntVar(&o.pid, "p", 0, "")
	flags.IntVar(&o.count, "count", 0, "")
	flags.Float64Var(&seconds, "duration", 0, "")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return o, 0
	case err != nil || flags.NArg() > 0 || o.pid < 0 || o.pid > math.MaxInt32 || o.count < 0 || !(seconds >= 0 && seconds <= 1e9):
		fmt.Fprint(stderr, usage)
		return o, 2
	}
	o.duration = time.Duration(seconds * float64(time.Second))
	return o, -1
}
