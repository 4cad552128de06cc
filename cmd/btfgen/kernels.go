package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
)

// kernelFlags say which kernels a command is about.
type kernelFlags struct{ hubs, globs, modules []string }

func (k *kernelFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&k.hubs, "hub", nil, "`PATH` of an archive tree (distro/version/arch/release.btf[.tar.xz|.xz|.zst|.gz]), of a kernel store, or of one kernel's BTF, vmlinux, vmlinuz or package; repeatable (default: the built-in kernels, see btfgen help hub)")
	f.StringArrayVar(&k.globs, "kernel", nil, "only kernels whose distro/version/arch/release matches `GLOB` (* also crosses /); repeatable")
	f.StringArrayVar(&k.modules, "module", nil, "`FILE` of a kernel module, or its split BTF, that belongs to the one kernel of --hub; repeatable")
}

// given tells whether there is anything about kernels on the command line.
func (k *kernelFlags) given() bool { return len(k.hubs)+len(k.globs)+len(k.modules) > 0 }

// listed is a source whose kernels are known already, so that its folders are
// read once.
type listed struct {
	kernels  []*hub.Kernel
	problems []hub.Problem
	used     string // which store they are of, if none was given
}

func (l listed) Kernels() ([]*hub.Kernel, []hub.Problem, error) { return l.kernels, l.problems, nil }

// list lists the kernels asked for. There is at least one, or a problem.
func (k *kernelFlags) list() (listed, error) {
	if len(k.hubs) > 0 {
		return k.listFrom("--hub: ")
	}
	if len(k.modules) > 0 {
		return listed{}, usagef("--module wants a single kernel's file as --hub, the kernel of the modules")
	}
	filter, err := hub.NewFilter(k.globs)
	if err != nil {
		return listed{}, usagef("--kernel: %w", err)
	}
	name, s, err := defaultStore()
	if err != nil {
		return listed{}, err
	}
	all, _, err := hub.Stored(name, s).Kernels()
	if err != nil {
		return listed{}, err
	}
	l := listed{kernels: all, used: name}
	if l.kernels, _, err = hub.Filtered(l, filter).Kernels(); err != nil {
		return listed{}, err
	}
	switch {
	case len(all) == 0:
		return listed{}, fmt.Errorf("no kernels in %s", name)
	case len(l.kernels) == 0:
		return listed{}, fmt.Errorf("--kernel: none of %d kernels of %s matches %s", len(all), name, strings.Join(k.globs, ", "))
	}
	return l, nil
}

// listFrom lists kernels whose paths errors have after what, which says where
// they were given.
func (k *kernelFlags) listFrom(what string) (listed, error) {
	filter, err := hub.NewFilter(k.globs)
	if err != nil {
		return listed{}, usagef("--kernel: %w", err)
	}
	if len(k.modules) > 0 && len(k.hubs) > 1 {
		return listed{}, usagef("--module wants one --hub, the kernel of the modules; %d are given", len(k.hubs))
	}
	var sources []hub.Source
	for _, path := range k.hubs {
		var options []hub.Option
		if len(k.modules) > 0 {
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				return listed{}, usagef("--module wants a single kernel's file as --hub, and %s is a folder: there, modules are found as release.modules/*.btf", path)
			}
			if store.IsFile(path) {
				return listed{}, usagef("--module wants a single kernel's file as --hub, and %s is a kernel store; \"btfgen hub get\" makes such a file", path)
			}
			options = append(options, hub.WithModules(k.modules...))
		}
		source, err := hub.Open(path, options...)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("%w: expected an archive tree, a kernel store, or a kernel's BTF, image or package", err)
			}
			return listed{}, fmt.Errorf("%s%w", what, err)
		}
		sources = append(sources, source)
	}
	kernels, problems, err := hub.Merge(sources...).Kernels()
	if err != nil {
		return listed{}, fmt.Errorf("%s%w", what, err)
	}
	all := len(kernels)
	l := listed{kernels: kernels, problems: problems}
	if len(k.globs) > 0 {
		if l.kernels, l.problems, err = hub.Filtered(l, filter).Kernels(); err != nil {
			return listed{}, err
		}
	}
	switch {
	case all == 0 && len(problems) == 0:
		return listed{}, fmt.Errorf("%sno kernels in %s: expected distro/version/arch/release.btf, packed or not", what, strings.Join(k.hubs, ", "))
	case len(l.kernels) == 0 && len(l.problems) == 0:
		return listed{}, fmt.Errorf("--kernel: none of %d kernels matches %s", all, strings.Join(k.globs, ", "))
	}
	return l, nil
}

// apart refuses a folder for results that lies within a tree of kernels, where
// they would be taken for kernels by the next run, or where one would replace a
// kernel's file.
func (k *kernelFlags) apart(out string, kernels []*hub.Kernel) error {
	dir := realPath(out)
	for _, path := range k.hubs {
		if rel, err := filepath.Rel(realPath(path), dir); err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			return usagef("--out %s lies within --hub %s: minimal BTFs would be taken for kernels", out, path)
		}
	}
	inputs := make(map[string]bool)
	for _, k := range kernels {
		if path, err := filepath.Abs(k.Path); err == nil {
			inputs[path] = true
		}
	}
	for _, k := range kernels {
		path := filepath.Join(out, filepath.FromSlash(k.Name)+".btf")
		if abs, err := filepath.Abs(path); err == nil && inputs[abs] {
			return usagef("--out %s: the minimal BTF %s would replace a kernel's full one", out, path)
		}
	}
	return nil
}

// realPath is a path without links as far as it exists.
func realPath(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	missing := ""
	for dir := abs; ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, missing)
		}
		if dir == filepath.Dir(dir) {
			return abs
		}
		missing = filepath.Join(filepath.Base(dir), missing)
	}
}
