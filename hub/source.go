package hub

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/hub/store"
)

// Source is a set of kernels.
type Source interface {
	// Kernels lists the kernels sorted by name, each name once, and what
	// is there but could not be listed. The error says that the source as a
	// whole is of no use. Nothing is read but directories.
	Kernels() ([]*Kernel, []Problem, error)
}

// Kernel is one kernel of a source. It may be used by several goroutines, each
// with a Reader of its own.
type Kernel struct {
	// Name is distro/version/arch/release in an archive tree; of a single
	// file see Open.
	Name string
	// Path is the file that holds the kernel's own types: the store, if it is
	// a store's.
	Path string

	modules []module // sorted by name
	kind    fileKind // what Path is
	member  *member  // what is in Path, a member of an archive in memory

	store    *store.Store // what Path is, if it is a store
	expanded int64        // size of the store's kernel in bytes
}

type module struct{ name, path string }

// fileKind is what a file may hold.
type fileKind uint8

const (
	treeFile   fileKind = iota // BTF, packed or not
	kernelFile                 // that, or a kernel of any kind
	moduleFile                 // BTF, or a module
	imageFile                  // what package image has to get types out of
)

// Modules returns the names of the kernel's modules, sorted.
func (k *Kernel) Modules() []string {
	names := make([]string, len(k.modules))
	for i, m := range k.modules {
		names[i] = m.name
	}
	return names
}

// firstModules sorts files by name and drops all but the first of a name, each
// of them reported to duplicate.
func firstModules(files []module, duplicate func(left, kept module)) []module {
	slices.SortStableFunc(files, func(a, b module) int { return cmp.Compare(a.name, b.name) })
	kept := files[:0]
	for _, f := range files {
		if n := len(kept); n > 0 && kept[n-1].name == f.name {
			duplicate(f, kept[n-1])
			continue
		}
		kept = append(kept, f)
	}
	return kept
}

// Problem is something in a source that is left out of its kernels, or a
// kernel's module that is: a duplicate, a dangling link, an unreadable
// directory.
type Problem struct {
	Kernel string // the kernel's name, empty if it concerns no single kernel
	Err    error  // names the files
}

func (p Problem) Error() string {
	if p.Kernel == "" {
		return p.Err.Error()
	}
	return p.Kernel + ": " + p.Err.Error()
}

func (p Problem) Unwrap() error { return p.Err }

// Option is an option of Open.
type Option func(*options)

type options struct{ modules []string }

// WithModules adds the BTF of modules to a single-file source: raw BTF (split,
// on the file's as base) or modules with such a section, packed or not. A
// module's name is its base name without extensions.
func WithModules(files ...string) Option {
	return func(o *options) { o.modules = append(o.modules, files...) }
}

// Open opens an archive tree if path is a directory, and a kernel store, which
// is known by its first bytes and stays open. Any other file is a single kernel:
// BTF, packed or not, or what package image gets types out of, with BTF or with
// DWARF: a vmlinux, an image to boot, a Debian or RPM package.
//
// A single kernel's name is the file's base name without extensions. That of an
// image or a package, and of a vmlinux with debugging information, is
// distro/version/arch/release as in an archive tree, if it tells them.
func Open(path string, opts ...Option) (Source, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		if len(o.modules) > 0 {
			return nil, fmt.Errorf("%s: modules can be given for a single file only; in a tree they are found as release.modules/*.btf", path)
		}
		return tree{root: path}, nil
	}
	if info.Mode().IsRegular() && store.IsFile(path) { // what a pipe gives is gone
		if len(o.modules) > 0 {
			return nil, fmt.Errorf("%s: modules can be given for a single file only; a kernel store has none", path)
		}
		s, err := store.Open(path)
		if err != nil {
			return nil, err
		}
		return Stored(path, s), nil
	}
	return openSingle(path, o.modules)
}

// stem removes the extensions that say what a file is; those of a version stay.
func stem(base string) string {
	for {
		short := base
		for _, ext := range [...]string{".btf", ".tar", ".xz", ".zst", ".gz", ".ko"} {
			if s := strings.TrimSuffix(short, ext); s != "" {
				short = s
			}
		}
		if short == base {
			return base
		}
		base = short
	}
}

// Merge makes one source of several. Of kernels with the same name the first
// source's is taken, the others are problems.
func Merge(sources ...Source) Source {
	if len(sources) == 1 {
		return sources[0]
	}
	return merged(sources)
}

type merged []Source

func (m merged) Kernels() ([]*Kernel, []Problem, error) {
	var all []*Kernel
	var problems []Problem
	for _, source := range m {
		kernels, p, err := source.Kernels()
		if err != nil {
			return nil, nil, err
		}
		all = append(all, kernels...)
		problems = append(problems, p...)
	}
	all, duplicates := firstOfEach(all)
	return all, append(problems, duplicates...), nil
}

// firstOfEach sorts kernels by name and reports all but the first of a name.
func firstOfEach(kernels []*Kernel) ([]*Kernel, []Problem) {
	slices.SortStableFunc(kernels, func(a, b *Kernel) int { return cmp.Compare(a.Name, b.Name) })
	var problems []Problem
	kept := kernels[:0]
	for _, k := range kernels {
		if n := len(kept); n > 0 && kept[n-1].Name == k.Name {
			problems = append(problems, Problem{k.Name, fmt.Errorf("duplicate kernel: %s is left out for %s", k.Path, kept[n-1].Path)})
			continue
		}
		kept = append(kept, k)
	}
	return kept, problems
}

// Filtered is the part of source whose kernels f matches. Problems that concern
// no single kernel stay.
func Filtered(source Source, f *Filter) Source { return filtered{source, f} }

type filtered struct {
	source Source
	filter *Filter
}

func (f filtered) Kernels() ([]*Kernel, []Problem, error) {
	kernels, problems, err := f.source.Kernels()
	if err != nil {
		return nil, nil, err
	}
	kernels = slices.DeleteFunc(slices.Clone(kernels), func(k *Kernel) bool { return !f.filter.Match(k.Name) })
	problems = slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return p.Kernel != "" && !f.filter.Match(p.Kernel) })
	return kernels, problems, nil
}
