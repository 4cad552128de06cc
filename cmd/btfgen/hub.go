package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
)

func newHub() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hub COMMAND",
		Short: "Make and read a kernel store: the types of many kernels in one small file",
		Long: `Make and read a kernel store: one file with the BTF of many kernels, in which each
distinct type definition stands once. It takes the place of an archive tree
wherever a command has --hub.

Without --hub, what counts is btfgen/kernels.store in the folder that the variable
XDG_DATA_HOME names (by default ~/.local/share; ~/Library/Application Support on
macOS, %LocalAppData% on Windows), and if there is none, the store that is built in.
So it is for list, get and verify without STORE. "btfgen version" says which it is.

What comes out of a store are the same types as went in, renumbered: that is
proven for each kernel when it is added, and a kernel for which it does not hold
is refused by name.`,
		Example: `  btfgen hub list
  btfgen hub pack --out kernels.store btfhub-archive
  btfgen hub add kernels.store new-kernels
  btfgen generate --hub kernels.store --out minimized opensnoop.bpf.o`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("no command given: expected pack, add, list, get or verify")
			}
			return usagef("unknown command %q: expected pack, add, list, get or verify", args[0])
		},
	}
	cmd.AddCommand(newHubPack(), newHubAdd(), newHubList(), newHubGet(), newHubVerify())
	return cmd
}

// openStore opens a store; the error says what to do if there is none.
func openStore(path string) (*store.Store, error) {
	s, err := store.Open(path)
	if err != nil {
		return nil, noStore(path, err)
	}
	return s, nil
}

// noStore says what to do where there is no store, or none that is whole.
func noStore(path string, err error) error {
	system := (*fs.PathError)(nil)
	if errors.Is(err, store.ErrLocked) || errors.As(err, &system) && !errors.Is(err, fs.ErrNotExist) {
		return about(path, err)
	}
	return fmt.Errorf("%w; \"btfgen hub pack\" makes a store", about(path, err))
}

// about makes an error name the file, which errors of the system do anyway.
func about(path string, err error) error {
	if err == nil || strings.Contains(" "+err.Error(), " "+path+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// fillGCPercent is gcPercent for the commands that put kernels into a store:
// what they keep is large. Measured on 27 kernels: half as much CPU time again, and
// 0.6 GB instead of 1.8 GB.
const fillGCPercent = 50

// saveMemory sets it for the process, unless its user has said otherwise.
func saveMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(fillGCPercent)
	}
}

// fillFlags are those of the commands that put kernels into a store.
type fillFlags struct {
	globs                  []string
	jobs                   int
	keepGoing, quiet, json bool
}

func (f *fillFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringArrayVar(&f.globs, "kernel", nil, "only kernels whose distro/version/arch/release matches `GLOB` (* also crosses /); repeatable")
	fl.IntVarP(&f.jobs, "jobs", "j", 0, "work on `N` kernels at a time (default: one per processor)")
	fl.BoolVarP(&f.keepGoing, "keep-going", "k", false, "leave out kernels that fail, and name them")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "no progress, and no summary but what was left out")
	fl.BoolVar(&f.json, "json", false, "print what was stored as JSON")
}

// kernels lists the kernels at the paths. There is at least one, or a problem.
func (f *fillFlags) kernels(cmd *cobra.Command, paths []string) (listed, error) {
	if cmd.Flags().Changed("jobs") && f.jobs < 1 {
		return listed{}, usagef("--jobs %d: expected at least 1", f.jobs)
	}
	k := kernelFlags{hubs: paths, globs: f.globs}
	return k.listFrom("")
}

// options are those for the store, with progress shown on bar.
func (f *fillFlags) options(bar *progress) hub.StoreOptions {
	return hub.StoreOptions{
		Jobs: f.jobs, KeepGoing: f.keepGoing,
		Progress: func(done, total int, k hub.KernelOutcome) { bar.report(done, total, k.Kernel) },
	}
}

// leftOut are the kernels that are not in the store, as failures. s may be nil.
func leftOut(s *hub.StoreSummary) []btfgen.Failure {
	if s == nil {
		return nil
	}
	var failures []btfgen.Failure
	for _, k := range s.LeftOut() {
		failures = append(failures, btfgen.Failure{Kernel: k.Kernel, Err: k.Err})
	}
	return failures
}
