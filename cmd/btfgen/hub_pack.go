package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
)

// partialExt is what the name of an unfinished store has after the store's.
const partialExt = ".partial"

// An interruption costs the work on so many kernels, or of so long, at most.
const (
	keptEvery      = 8
	keptEveryOrFor = 5 * time.Second
)

type hubPackFlags struct {
	fillFlags
	out string
}

func newHubPack() *cobra.Command {
	var f hubPackFlags
	cmd := &cobra.Command{
		Use:   "pack --out STORE [flags] PATH...",
		Short: "Make a store of an archive tree",
		Long: `Make a kernel store of the kernels at each PATH: an archive tree, a kernel's file or
another store, as for --hub.

The store's bytes depend on the kernels alone. A store that is there is replaced
when the new one is whole. Until then the kernels that are done are kept in
STORE.partial: after an interruption the same command goes on from there.

If a kernel fails, STORE is not written; --keep-going leaves such kernels out. All
but the first of several kernels with the same name are failures.`,
		Example: `  btfgen hub pack --out kernels.store btfhub-archive
  btfgen hub pack --out debian.store --kernel 'debian/*' btfhub-archive
  btfgen hub pack --out all.store ours.store theirs.store`,
		Args: pathArgs,
		RunE: func(cmd *cobra.Command, paths []string) error { return f.run(cmd, paths) },
	}
	f.register(cmd)
	cmd.Flags().StringVarP(&f.out, "out", "o", "", "`STORE` to write")
	return cmd
}

func pathArgs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("no PATH given: expected archive trees, kernels' files or stores")
	}
	return nil
}

func (f *hubPackFlags) run(cmd *cobra.Command, paths []string) error {
	switch {
	case f.out == "":
		return usagef("--out STORE is needed")
	case f.out == "-":
		return usagef("--out -: a store is a file that is read from anywhere in it; it cannot go to stdout")
	}
	if info, err := os.Stat(f.out); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("--out: %s: expected a store's file, or that there is none", f.out)
	}
	kernels, err := f.kernels(cmd, paths)
	if err != nil {
		return err
	}
	ctx, stop := interruptible(cmd.Context())
	defer stop()
	stderr := cmd.ErrOrStderr()
	start := time.Now()
	p := packing{out: f.out, partial: f.out + partialExt, kernels: kernels.kernels, marks: &fileMarks{}}
	p.say = func(format string, args ...any) {
		if !f.quiet {
			fmt.Fprintln(stderr, oneLine(fmt.Sprintf(format, args...)))
		}
	}
	failures, err := p.fill(ctx, newProgress(stderr, len(kernels.kernels), f.quiet), f.jobs)
	failures = append(failuresOf(kernels.problems), failures...)
	printLeftOut(stderr, &btfgen.Summary{Failures: failures}, f.quiet)
	if err == nil && len(failures) > 0 && !f.keepGoing {
		err = fmt.Errorf("%s, named above: %s is not written (--keep-going leaves them out)", counted(len(failures), "failure"), f.out)
	}
	if err == nil && p.stored == 0 {
		err = errors.New("nothing to pack: no kernel is left")
	}
	if err == nil {
		// Ctrl-C has to wait from here on, or kill.
		err = p.finish()
	}
	if err != nil {
		return p.givenUp(err)
	}

	s, err := openStore(f.out)
	if err != nil {
		return err
	}
	defer s.Close()
	if f.json {
		if err := newStoreReport(f.out, s, failures).print(cmd.OutOrStdout()); err != nil {
			return err
		}
	}
	stats := s.Stats()
	p.say("%s packed in %s: %s of BTF as %s in %s", counted(stats.Kernels, "kernel"), duration(time.Since(start)), size(stats.Original), size(stats.Bytes), f.out)
	p.say("%d definitions, %d strings, %s a kernel", stats.Definitions, stats.Strings, size(stats.Bytes/int64(stats.Kernels)))
	return nil
}

// packing is a store on its way.
type packing struct {
	out, partial string
	kernels      []*hub.Kernel
	marks        *fileMarks
	say          func(format string, args ...any)

	writer *store.Writer
	stored int // kernels that are committed to the partial store
}

// fill makes the partial store hold all kernels that can be stored, and gives
// those that cannot.
func (p *packing) fill(ctx context.Context, bar *progress, jobs int) ([]btfgen.Failure, error) {
	defer bar.finish()
	if err := p.open(); err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	todo, err := p.remaining()
	if err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	done, total := p.stored, len(p.kernels)
	waiting, kept := 0, time.Now()
	commit := func() error {
		if err := p.writer.Commit(); err != nil {
			return fmt.Errorf("--out: %w", about(p.partial, err))
		}
		p.stored += waiting
		waiting, kept = 0, time.Now()
		return nil
	}
	filler := storeFiller{
		writer: p.writer, jobs: jobs, mark: p.marks.of,
		progress: func(n, _ int, kernel string) { bar.report(done+n, total, kernel) },
		added: func() error {
			if waiting++; waiting >= keptEvery || time.Since(kept) >= keptEveryOrFor {
				return commit()
			}
			return nil
		},
	}
	failures, err := filler.fill(ctx, todo)
	if err == nil || errors.Is(err, context.Canceled) {
		if failed := commit(); failed != nil {
			return failures, failed
		}
	}
	return failures, err
}

// open opens the partial store. A damaged one is of no use.
func (p *packing) open() error {
	var err error
	p.writer, err = store.Append(p.partial)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrFormat):
		p.say("%v: starting over", about(p.partial, err))
		if err := os.Remove(p.partial); err != nil {
			return err
		}
	case errors.Is(err, store.ErrLocked):
		return about(p.partial, err)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; remove it to start over", about(p.partial, err))
	}
	p.writer, err = store.Create(p.partial)
	if errors.Is(err, fs.ErrExist) {
		err = store.ErrLocked // who made it just now is at work
	}
	return about(p.partial, err)
}

// remaining gives the kernels that the partial store does not have yet. If it
// has others, or others of the same names, it is of another run and of no use.
func (p *packing) remaining() ([]*hub.Kernel, error) {
	stored := p.writer.Kernels()
	if len(stored) == 0 {
		return p.kernels, nil
	}
	marks := make(map[string]string, len(stored))
	for _, k := range stored {
		marks[k.Path] = k.Mark
	}
	var todo []*hub.Kernel
	for _, k := range p.kernels {
		mark, ok := marks[k.Name]
		if !ok {
			todo = append(todo, k)
			continue
		}
		delete(marks, k.Name)
		if now, err := p.marks.of(k); err != nil || now != mark {
			return p.startOver(fmt.Sprintf("%s has changed", k.Name))
		}
	}
	for name := range marks {
		return p.startOver(fmt.Sprintf("%s is not asked for", name))
	}
	p.stored = len(stored)
	p.say("going on with %s: %d of %s are done", p.partial, p.stored, counted(len(p.kernels), "kernel"))
	return todo, nil
}

func (p *packing) startOver(why string) ([]*hub.Kernel, error) {
	p.say("%s is of another run (%s): starting over", p.partial, why)
	if err := errors.Join(os.Remove(p.partial), p.writer.Close()); err != nil {
		return nil, err
	}
	var err error
	if p.writer, err = store.Create(p.partial); err != nil {
		return nil, about(p.partial, err)
	}
	return p.kernels, nil
}

// finish makes the store of the partial one.
func (p *packing) finish() error {
	if err := p.writer.Compact(p.out); err != nil {
		return fmt.Errorf("--out: %w", about(p.out, err))
	}
	return p.writer.Discard()
}

// givenUp says what is left after an error. A partial store without a kernel
// is not.
func (p *packing) givenUp(err error) error {
	if p.writer == nil {
		return err
	}
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("interrupted: %d of %s are done", p.stored, counted(len(p.kernels), "kernel"))
	}
	if p.stored == 0 {
		_ = os.Remove(p.partial)
	} else {
		err = fmt.Errorf("%w; what is done is kept in %s: the same command goes on from there", err, p.partial)
	}
	_ = p.writer.Close()
	return err
}

// fileMarks tells files apart by content. Many kernels may be in one file.
type fileMarks struct {
	mu    sync.Mutex
	known map[string]string // by path
}

// of is the mark of the file that a kernel is in.
func (m *fileMarks) of(k *hub.Kernel) (string, error) {
	m.mu.Lock()
	mark, ok := m.known[k.Path]
	m.mu.Unlock()
	if ok {
		return mark, nil
	}
	file, err := os.Open(k.Path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	mark = "sha256:" + hex.EncodeToString(hash.Sum(nil))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = make(map[string]string)
	}
	m.known[k.Path] = mark
	return mark, nil
}
