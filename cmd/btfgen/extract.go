package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/image"
	"github.com/btfgen/btfgen/internal/output"
)

type extractFlags struct {
	out, base, enum64                string
	jobs                             int
	modules, dwarf, functions, quiet bool
}

func newExtract() *cobra.Command {
	var f extractFlags
	cmd := &cobra.Command{
		Use:   "extract --out F [flags] INPUT",
		Short: "Get the BTF out of a kernel, a module or a package",
		Long: `Write the BTF of INPUT to F: its own if it has one, else what its DWARF converts to.

INPUT is known by its content, not its name: vmlinux; what boots (an x86 bzImage,
an arm64 or RISC-V Image, an EFI zboot file, what other architectures have), in
any of the kernel's compressions; a module, packed or not; a Debian or RPM
package of a kernel, image or debug; raw BTF such as /sys/kernel/btf/vmlinux.
Nothing is unpacked to disk.

If --out is a folder (DIR/, or one that is there), the file in it is named as in an
archive tree: DIR/distro/version/arch/release.btf, by what the package or the
kernel's version banner says. With --modules the types of each module of a package
go beside it, as release.modules/NAME.btf. A module's types are split BTF: they
go on where the kernel's end.

A debug package from which only the kernel is wanted is read as far as that; one
compressed by xz in blocks, as Debian's are, is read block by block, on all
processors, and only the blocks with what is needed.`,
		Example: `  btfgen extract --out vmlinux.btf /boot/vmlinuz-6.1.0-50-amd64
  btfgen extract --out archive/ linux-image-6.1.0-50-686-dbg_6.1.176-1_i386.deb
  btfgen extract --out archive/ --modules kernel-modules-core-6.5.6-300.fc39.x86_64.rpm
  btfgen extract --out - vmlinux | btfgen dump --format c /dev/stdin > vmlinux.h
  btfgen extract --out nf_tables.btf --base vmlinux.btf nf_tables.ko.xz
  btfgen extract --out vmlinux.btf --dwarf --functions vmlinux`,
		Args: exactArgs("INPUT"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.out, "out", "o", "", "`F`, a file or a folder, to write; - is stdout")
	fl.StringVarP(&f.base, "base", "B", "", "`FILE` with the kernel's types, for a module")
	fl.BoolVar(&f.modules, "modules", false, "the modules of a package as well")
	fl.BoolVar(&f.dwarf, "dwarf", false, "convert DWARF, even where there is BTF")
	fl.BoolVar(&f.functions, "functions", false, "convert functions and per-CPU variables too, not just types")
	fl.StringVar(&f.enum64, "enum64", "yes", "`yes`, or no: converted enums of 8 bytes are written so that loaders from before Linux 6.0 read them")
	fl.IntVarP(&f.jobs, "jobs", "j", 0, "work with `N` threads (default: one per processor)")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "no summary")
	_ = cmd.RegisterFlagCompletionFunc("enum64", cobra.FixedCompletions([]string{"yes", "no"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// options are the image's, but for the base.
func (f *extractFlags) options() image.Options {
	o := image.Options{Functions: f.functions, NoEnum64: f.enum64 == "no"}
	if f.dwarf {
		o.DWARF = image.OnlyDWARF
	}
	return o
}

func (f *extractFlags) run(cmd *cobra.Command, input string) error {
	switch {
	case f.out == "":
		return usagef("--out F is needed: a file, a folder, or - for stdout")
	case f.enum64 != "yes" && f.enum64 != "no":
		return usagef("--enum64 %q: expected yes or no", f.enum64)
	case f.modules && f.out == "-":
		return usagef("--modules writes several files: --out wants a folder, or a file named .btf")
	case cmd.Flags().Changed("jobs") && f.jobs < 1:
		return usagef("--jobs %d: expected at least 1", f.jobs)
	}
	if f.modules && !f.toFolder() && !strings.HasSuffix(f.out, ".btf") {
		return usagef("--modules puts modules into the folder NAME.modules beside NAME.btf: --out wants such a name, or a folder")
	}
	ctx, stop := interruptible(cmd.Context())
	defer stop()
	img, err := image.Open(input, image.Workers(f.jobs))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: expected a kernel, a module or a package of them", err)
		}
		return err
	}
	if kind := img.Kind(); f.modules && kind != image.Package {
		return fmt.Errorf("%s: %v: --modules expects a package of a kernel and its modules", input, kind)
	}
	// Not closed: what an interrupted command was reading may still be in use.
	x := extraction{extractFlags: f, cmd: cmd, image: img, options: f.options()}
	if err := x.readBase(); err != nil {
		return err
	}
	if err := x.kernel(ctx); err != nil {
		return err
	}
	if f.modules {
		return x.packagedModules(ctx)
	}
	return nil
}

// toFolder reports whether --out is a folder.
func (f *extractFlags) toFolder() bool {
	if strings.HasSuffix(f.out, "/") || strings.HasSuffix(f.out, string(filepath.Separator)) {
		return true
	}
	info, err := os.Stat(f.out)
	return err == nil && info.IsDir()
}

// extraction is one run of the command.
type extraction struct {
	*extractFlags
	cmd     *cobra.Command
	image   *image.Image
	options image.Options
	noBase  bool // no --base was given
}

func (x *extraction) readBase() error {
	if x.base == "" {
		x.noBase = true
		return nil
	}
	types, err := loadTypes(x.base)
	if err != nil {
		return fmt.Errorf("--base: %w", err)
	}
	if x.options.Base, err = btf.Parse(types); err != nil {
		return fmt.Errorf("--base: %s: %w", x.base, err)
	}
	return nil
}

// kernel writes the types of what is not a package's module.
func (x *extraction) kernel(ctx context.Context) error {
	if x.modules && !x.noBase {
		return nil // just the modules, on that base
	}
	start := time.Now()
	type result struct {
		types  []byte
		origin image.Origin
	}
	r, err := interruptedBy(ctx, func() (r result, err error) {
		r.types, r.origin, err = x.image.BTF(x.options)
		return r, err
	})
	switch {
	case x.modules && errors.Is(err, image.ErrNoKernel):
		return nil // a package of modules alone
	case err != nil:
		return err
	}
	out := x.out
	if x.toFolder() {
		name, err := x.name()
		if err != nil {
			return err
		}
		out = filepath.Join(x.out, filepath.FromSlash(name)+".btf")
		if err := os.MkdirAll(filepath.Dir(out), 0o777); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
	}
	if err := writeOut(x.cmd, out, r.types); err != nil {
		return err
	}
	if x.modules {
		if x.options.Base, err = btf.Parse(r.types); err != nil {
			return fmt.Errorf("%s: %w", x.image.Name(), err)
		}
	}
	how := "its own"
	if r.origin == image.FromDWARF {
		how = "converted from DWARF in " + duration(time.Since(start))
	}
	x.say("%s: %s of BTF, %s", out, size(int64(len(r.types))), how)
	return nil
}

func (x *extraction) say(format string, args ...any) {
	if !x.quiet {
		fmt.Fprintln(x.cmd.ErrOrStderr(), oneLine(fmt.Sprintf(format, args...)))
	}
}

// name is the image's place in an archive tree, or where it does not tell whose
// kernel it is, its file's name.
func (x *extraction) name() (string, error) {
	signs, err := x.image.Signs()
	if err != nil {
		return "", err
	}
	if path := signs.Identify().Path(); path != "" {
		return path, nil
	}
	return hub.SingleName(x.image.Name()), nil
}

// packagedModules writes the types of a package's modules into the folder that
// belongs to the kernel's.
func (x *extraction) packagedModules(ctx context.Context) error {
	dir := strings.TrimSuffix(x.out, ".btf")
	if x.toFolder() {
		name, err := x.name()
		if err != nil {
			return err
		}
		dir = filepath.Join(x.out, filepath.FromSlash(name))
	}
	dir += ".modules"
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	written, without, failed := 0, 0, 0
	var bytes int64
	err := x.image.Modules(ctx, x.options, func(m image.ModuleTypes) error {
		switch {
		case errors.Is(m.Err, btf.ErrNoBTF):
			without++
			return nil
		case m.Err != nil:
			failed++
			fmt.Fprintf(x.cmd.ErrOrStderr(), "btfgen: %s: %s\n", oneLine(x.image.Name()), oneLine(m.Err.Error()))
			return nil
		case m.Name == "" || m.Name != filepath.Base(m.Name):
			return fmt.Errorf("%s: a module named %q", x.image.Name(), m.Name)
		}
		written++
		bytes += int64(len(m.BTF))
		if err := output.File(filepath.Join(dir, m.Name+".btf"), m.BTF); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
		return nil
	})
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted: %s are written", counted(written, "module"))
	case err != nil:
		return err
	case written+without+failed == 0:
		return fmt.Errorf("%s: no modules in the package", x.image.Name())
	}
	x.say("%s: %s, %s of BTF; %d without types", dir, counted(written, "module"), size(bytes), without)
	if failed > 0 {
		return fmt.Errorf("%s, named above", counted(failed, "failure"))
	}
	if written == 0 {
		return fmt.Errorf("%s: %w in any of %s", x.image.Name(), btf.ErrNoBTF, counted(without, "module"))
	}
	return nil
}

// interruptedBy gives f's result, or an error as soon as ctx ends. f has then
// written nothing, and its work is left to end with the process.
func interruptedBy[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, errors.New("interrupted")
	}
}
