//go:build linux

// Command guest is all that a booted guest runs of ours, one static program in several roles: /init, which carries out the
// steps of a script and reports; the processes whose doings tools are there to see; the loader of objects.
//
// It must not know what is right: it reports what happened, and the test outside judges.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

func init() {
	// A process's comm and its parent are asked for by thread; the main one is the process's own.
	runtime.LockOSThread()
}

func main() {
	if os.Getpid() == 1 {
		boot()
		return
	}
	role, args := filepath.Base(os.Args[0]), os.Args[1:]
	if err := play(role, args); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", role, err)
		os.Exit(1)
	}
}

// roles are what this program does under which name. /init links them into /bin, so that comm says the name.
var roles = map[string]func(args []string) error{
	"vmparent": parent,
	"vmopener": opener,
	"vmworker": worker,
	"vmchild":  child,
	"vmload":   load,
	"vmdump":   dump,
	"vmsum":    sum,
}

func play(role string, args []string) error {
	act, ok := roles[role]
	if !ok {
		return fmt.Errorf("no such role")
	}
	return act(args)
}
