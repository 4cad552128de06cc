package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
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

What comes out of a store are the same types as went in, renumbered: that is
proven for each kernel when it is added, and a kernel for which it does not hold
is refused by name.`,
		Example: `  btfgen hub pack --out kernels.store btfhub-archive
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
// what they keep is large. Measured on 27 kernels: a tenth more CPU time, and
// 0.6 GB instead of 1.9 GB.
const fillGCPercent = 50

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
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(fillGCPercent)
	}
	k := kernelFlags{hubs: paths, globs: f.globs}
	return k.listFrom("")
}

// storeFiller takes kernels apart on all processors and adds them to a store
// in their order. No more of them than there are workers, and a few, are in
// memory at a time.
type storeFiller struct {
	writer *store.Writer
	jobs   int
	mark   func(*hub.Kernel) (string, error) // nil: none
	// added, if set, is called after each kernel that was added.
	added    func() error
	progress func(done, total int, kernel string)
}

// waitingKernels is how many kernels may have been taken apart and wait for
// one before them, beyond those that are being worked on.
const waitingKernels = 2

// analysed is a kernel that was taken apart.
type analysed struct {
	kernel *hub.Kernel
	types  *store.Types
	err    error
}

// fill gives the kernels that failed. The error is ctx's, or one of the store,
// after which nothing can be added to it any more.
func (f *storeFiller) fill(ctx context.Context, kernels []*hub.Kernel) ([]btfgen.Failure, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	jobs := f.jobs
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	type job struct {
		kernel *hub.Kernel
		result chan<- analysed
	}
	work := make(chan job)
	results := make(chan (<-chan analysed), jobs+waitingKernels-1) // one more is being waited for
	for range min(jobs, len(kernels)) {
		go func() {
			reader := hub.NewReader()
			for j := range work {
				types, err := f.analyse(reader, j.kernel)
				j.result <- analysed{j.kernel, types, err}
			}
		}()
	}
	go func() {
		defer close(work)
		defer close(results)
		for _, k := range kernels {
			result := make(chan analysed, 1)
			select {
			case results <- result:
			case <-ctx.Done():
				return
			}
			work <- job{k, result}
		}
	}()

	var failures []btfgen.Failure
	done := 0
	for result := range results {
		var a analysed
		select {
		case a = <-result:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return failures, ctx.Err()
		}
		err := a.err
		if err == nil {
			err = f.writer.Add(a.types)
		}
		switch refused := (*store.RefusedError)(nil); {
		case errors.As(err, &refused):
			failures = append(failures, btfgen.Failure{Kernel: a.kernel.Name, Err: fmt.Errorf("%s: not stored: %w", a.kernel.Path, refused.Err)})
		case a.err != nil:
			failures = append(failures, btfgen.Failure{Kernel: a.kernel.Name, Err: err})
		case err != nil:
			return failures, err
		case f.added != nil:
			if err := f.added(); err != nil {
				return failures, err
			}
		}
		done++
		f.progress(done, len(kernels), a.kernel.Name)
	}
	return failures, ctx.Err()
}

func (f *storeFiller) analyse(reader *hub.Reader, k *hub.Kernel) (*store.Types, error) {
	if modules := k.Modules(); len(modules) > 0 {
		return nil, fmt.Errorf("has %s (%s): a store holds a kernel's own types only; use the archive tree for this kernel",
			counted(len(modules), "module"), modules[0])
	}
	mark := ""
	if f.mark != nil {
		var err error
		if mark, err = f.mark(k); err != nil {
			return nil, err
		}
	}
	types, err := k.Load(reader)
	if err != nil {
		return nil, err
	}
	taken, err := store.Analyse(k.Name, types.Vmlinux)
	if err == nil && mark != "" {
		taken.Mark(mark)
	}
	return taken, err
}

// failuresOf are the problems of a source as failures.
func failuresOf(problems []hub.Problem) []btfgen.Failure {
	var failures []btfgen.Failure
	for _, p := range problems {
		failures = append(failures, btfgen.Failure{Kernel: p.Kernel, Err: p.Err})
	}
	return failures
}
