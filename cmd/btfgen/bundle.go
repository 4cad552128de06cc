package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/bundle"
	"github.com/btfgen/btfgen/hub"
)

type bundleFlags struct {
	kernelFlags
	out, format, from, name string
	jobs                    int
	keepGoing, quiet, json  bool
}

var bundleFormats = []string{"bundle", "bcc-tar", "c-header"}

func newBundle() *cobra.Command {
	var f bundleFlags
	cmd := &cobra.Command{
		Use:   "bundle --out FILE {[--hub PATH] OBJECT... | --from PATH} [flags]",
		Short: "Make one file of all minimal BTFs, to build into a program",
		Long: `Make a bundle: the minimal BTF of every kernel in one small file, for a program to
have built in and to choose from at start-up. The packages bundle (Go) and
include/btfgen/bundle.h (C) read it; docs/using-a-bundle.md shows how.

The minimal BTFs are made of OBJECTs and kernels, as "btfgen generate" does
(without --hub: of the built-in kernels), or are there already: --from is an archive tree of them, or such a tree as a tar
file (packed or not), whatever tool made them.

The formats: bundle; c-header, the same as an array for C; bcc-tar, the
min_core_btfs.tar.gz that libbpf-tools have built in.

If a kernel fails, nothing is written: a program would miss it when it is too
late. --keep-going leaves such kernels out.`,
		Example: `  btfgen bundle --out btf.bundle opensnoop.bpf.o
  btfgen bundle --hub btfhub-archive --out btf.bundle opensnoop.bpf.o
  btfgen bundle --hub btfhub-archive --format c-header --out btf_bundle.h opensnoop.bpf.o
  btfgen bundle --from min_core_btfs.tar.gz --out btf.bundle
  btfgen bundle list btf.bundle
  btfgen bundle get btf.bundle ubuntu/20.04/x86_64/5.4.0-91-generic --out vmlinux.btf
  btfgen bundle find btf.bundle --release 5.4.0-91-generic --machine x86_64`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, objects []string) error { return f.run(cmd, objects) },
	}
	f.register(cmd)
	fl := cmd.Flags()
	fl.StringVarP(&f.out, "out", "o", "", "`FILE` to write; - is stdout")
	fl.StringVarP(&f.format, "format", "f", "bundle", "`FORMAT`: bundle, bcc-tar or c-header")
	fl.StringVar(&f.from, "from", "", "pack the minimal BTFs at `PATH`, a folder or a tar file with distro/version/arch/release.btf, instead of making them")
	fl.StringVar(&f.name, "name", "btf_bundle", "`NAME` of the array, with --format c-header")
	fl.IntVarP(&f.jobs, "jobs", "j", 0, "work on `N` kernels at a time (default: one per processor)")
	fl.BoolVarP(&f.keepGoing, "keep-going", "k", false, "leave out kernels that fail, and name them")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "no progress, and no summary but what was left out")
	fl.BoolVar(&f.json, "json", false, "print what was packed as JSON")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(bundleFormats, cobra.ShellCompDirectiveNoFileComp))
	cmd.AddCommand(newBundleList(), newBundleGet(), newBundleFind())
	return cmd
}

// check finds what is wrong with the command line.
func (f *bundleFlags) check(cmd *cobra.Command, objects []string) error {
	given := cmd.Flags().Changed
	switch {
	case f.out == "":
		return usagef("--out FILE is needed")
	case f.out == "-" && f.json:
		return usagef("--out - and --json both want stdout")
	case f.format != "bundle" && f.format != "bcc-tar" && f.format != "c-header":
		return usagef("--format %q: expected bundle, bcc-tar or c-header", f.format)
	case given("name") && f.format != "c-header":
		return usagef("--name is for --format c-header")
	case given("jobs") && f.jobs < 1:
		return usagef("--jobs %d: expected at least 1", f.jobs)
	case f.from == "":
		return objectArgs(cmd, objects)
	case len(objects) > 0:
		return usagef("--from packs minimal BTFs that are there already; it takes no OBJECT")
	case len(f.hubs) > 0 || len(f.modules) > 0 || given("jobs"):
		return usagef("--from packs minimal BTFs that are there already; it goes with --kernel, not with --hub, --module and --jobs")
	}
	return nil
}

func (f *bundleFlags) run(cmd *cobra.Command, paths []string) error {
	if err := f.check(cmd, paths); err != nil {
		return err
	}
	ctx, stop := interruptible(cmd.Context())
	defer stop()
	start := time.Now()
	builder := bundle.NewBuilder()
	var summary *btfgen.Summary
	var err error
	if f.from != "" {
		summary, err = f.pack(ctx, builder)
	} else {
		summary, err = f.generate(ctx, cmd, paths, builder)
	}
	if err != nil {
		return err
	}
	stderr := cmd.ErrOrStderr()
	printLeftOut(stderr, summary, f.quiet)
	done := summary.Kernels - len(summary.Failures) - len(summary.NotApplicable)
	if n := len(summary.Failures); n > 0 && !f.keepGoing {
		return fmt.Errorf("%s, named above: nothing is written (--keep-going leaves them out)", counted(n, "failure"))
	}
	if done == 0 {
		if len(summary.NotApplicable) > 0 {
			return fmt.Errorf("nothing to pack: %w", btfgen.ErrNotApplicable)
		}
		return errors.New("nothing to pack: no kernel is left")
	}

	content, stats, err := f.encode(builder)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errors.New("interrupted: nothing is written")
	}
	if err := writeOut(cmd, f.out, content); err != nil {
		return err
	}
	if f.json {
		if err := newBundleReport(f.out, f.format, len(content), stats, summary).print(cmd.OutOrStdout()); err != nil {
			return err
		}
	}
	if !f.quiet {
		bytes := len(content)
		if f.format == "c-header" {
			bytes = stats.Bytes // of the array, not of its source
		}
		fmt.Fprintf(stderr, "%s packed in %s: %s, %s in %s\n",
			counted(stats.Kernels, "kernel"), duration(time.Since(start)), counted(stats.Contents, "distinct BTF"), size(int64(bytes)), oneLine(f.out))
		fmt.Fprintf(stderr, "%.1f bytes a kernel; one by one they are %s\n", float64(bytes)/float64(stats.Kernels), size(int64(stats.KernelBytes)))
	}
	return nil
}

// encode makes the file's content in the format asked for.
func (f *bundleFlags) encode(b *bundle.Builder) ([]byte, bundle.Stats, error) {
	raw, stats, err := b.Bytes()
	if err != nil {
		return nil, stats, err
	}
	switch f.format {
	case "bcc-tar":
		raw, err = b.BCCTar()
		if err != nil {
			err = fmt.Errorf("--format bcc-tar: %w", err)
		}
	case "c-header":
		if raw, err = bundle.CHeader(f.name, raw); err != nil {
			err = coded{exitUsage, fmt.Errorf("--name: %w", err)}
		}
	}
	return raw, stats, err
}

// generate makes the minimal BTFs.
func (f *bundleFlags) generate(ctx context.Context, cmd *cobra.Command, paths []string, b *bundle.Builder) (*btfgen.Summary, error) {
	kernels, err := f.list()
	if err != nil {
		return nil, err
	}
	objects, err := openObjects(paths)
	if err != nil {
		return nil, err
	}
	gen, err := btfgen.New(objects...)
	if err != nil {
		return nil, err
	}
	if !f.quiet {
		printUsed(cmd.ErrOrStderr(), kernels)
	}
	bar := newProgress(cmd.ErrOrStderr(), len(kernels.kernels), f.quiet)
	defer bar.finish()
	options := btfgen.Options{Jobs: f.jobs, Progress: bar.report}
	summary, err := gen.Generate(ctx, kernels, options, func(r *btfgen.Result) error { return b.Add(r.Kernel, r.BTF) })
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted: nothing is written")
	}
	return summary, err
}

// pack takes minimal BTFs that are there already.
func (f *bundleFlags) pack(ctx context.Context, b *bundle.Builder) (*btfgen.Summary, error) {
	filter, err := hub.NewFilter(f.globs)
	if err != nil {
		return nil, usagef("--kernel: %w", err)
	}
	source, err := openMinimized(f.from)
	if err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	all, problems, err := source.Kernels()
	if err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	kernels, problems, err := hub.Filtered(listed{kernels: all, problems: problems}, filter).Kernels()
	switch {
	case err != nil:
		return nil, err
	case len(all)+len(problems) == 0:
		return nil, fmt.Errorf("--from: no kernels in %s: expected distro/version/arch/release.btf, packed or not", f.from)
	case len(kernels)+len(problems) == 0:
		return nil, fmt.Errorf("--kernel: none of %d kernels matches %s", len(all), strings.Join(f.globs, ", "))
	}
	summary := &btfgen.Summary{Kernels: len(kernels)}
	for _, p := range problems {
		summary.Failures = append(summary.Failures, btfgen.Failure{Kernel: p.Kernel, Err: p.Err})
	}
	reader := hub.NewReader()
	for _, k := range kernels {
		if ctx.Err() != nil {
			return nil, errors.New("interrupted: nothing is written")
		}
		err := func() error {
			types, err := k.Load(reader)
			if err != nil {
				return err
			}
			// A loader would refuse it on the customer's host.
			parsed, err := btf.Parse(types.Vmlinux)
			if err == nil {
				err = parsed.Validate()
			}
			if err != nil {
				return fmt.Errorf("%s: %w", k.Path, err)
			}
			return b.Add(k.Name, types.Vmlinux)
		}()
		if err != nil {
			summary.Failures = append(summary.Failures, btfgen.Failure{Kernel: k.Name, Err: err})
			continue
		}
		summary.Generated++
	}
	return summary, nil
}

// openMinimized opens a folder or a tar file of minimal BTFs. A folder that holds nothing but such tar files stands for them.
func openMinimized(path string) (hub.Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return hub.OpenArchive(path)
	}
	tree, err := hub.Open(path)
	if err != nil {
		return nil, err
	}
	kernels, problems, err := tree.Kernels()
	if err != nil || len(kernels)+len(problems) > 0 {
		return listed{kernels: kernels, problems: problems}, err
	}
	var archives []hub.Source
	entries, err := fs.ReadDir(os.DirFS(path), ".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), ".tar") && e.Type().IsRegular() {
			archive, err := hub.OpenArchive(path + string(os.PathSeparator) + e.Name())
			if err != nil {
				return nil, err
			}
			archives = append(archives, archive)
		}
	}
	return hub.Merge(archives...), nil
}
