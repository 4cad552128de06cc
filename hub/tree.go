package hub

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// packings are the extensions that may follow .btf in a tree.
var packings = [...]string{"", ".tar.xz", ".xz", ".tar.zst", ".zst", ".tar.gz", ".gz", ".tar"}

const modulesExt = ".modules"

// btfName splits release.btf[.tar.xz|…] into release and true.
func btfName(base string) (string, bool) {
	for _, p := range packings {
		if release, ok := strings.CutSuffix(base, ".btf"+p); ok && release != "" {
			return release, true
		}
	}
	return "", false
}

// tree is an archive tree. A kernel's name is its path below root without
// extensions.
//
// Directories are taken under their real path: a link to a directory elsewhere
// in the tree (debian/bookworm -> 12) only gives another name to kernels that
// are listed anyway, and is passed over. A link to a directory outside the tree
// is followed under the link's name, each such directory once, so that loops
// end. A link to a file is a kernel of its own: that is how a tree says that
// two releases have the same types.
type tree struct{ root string }

func (t tree) Kernels() ([]*Kernel, []Problem, error) {
	real, err := filepath.EvalSymlinks(t.root)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil, nil, err
	}
	w := treeWalk{real: real, seen: map[string]bool{real: true}}
	if err := w.dir(t.root, ""); err != nil {
		return nil, nil, err
	}
	for len(w.outside) > 0 {
		next := w.outside
		w.outside = nil
		for _, link := range next {
			w.follow(link)
		}
	}
	kernels, duplicates := firstOfEach(w.kernels)
	return kernels, append(w.problems, duplicates...), nil
}

type treeWalk struct {
	real     string          // the root without links
	seen     map[string]bool // directories outside the root, without links
	outside  []linkedDir     // still to be followed
	kernels  []*Kernel
	problems []Problem
}

type linkedDir struct{ file, name, real string }

// follow lists a directory outside the root, unless it has been seen or a link
// above it, itself outside, leads there as well.
func (w *treeWalk) follow(link linkedDir) {
	if w.seen[link.real] {
		return
	}
	w.seen[link.real] = true
	if err := w.dir(link.file, link.name); err != nil {
		w.problem("", err)
	}
}

func (w *treeWalk) problem(kernel string, err error) {
	w.problems = append(w.problems, Problem{kernel, err})
}

// dir lists the directory dir, whose name in the tree is name. Links to
// directories outside are put off, so that what is really there comes first.
func (w *treeWalk) dir(dir, name string) error {
	entries, err := os.ReadDir(dir) // sorted: the first of two files is the same everywhere
	if err != nil {
		return err
	}
	first := len(w.kernels)
	var modules []string
	for _, entry := range entries {
		base := entry.Name()
		file := filepath.Join(dir, base)
		release, isBTF := btfName(base)
		mode := entry.Type()
		if mode&fs.ModeSymlink != 0 {
			info, err := os.Stat(file)
			switch {
			case err != nil && isBTF:
				w.problem(path.Join(name, release), err)
				continue
			case err != nil:
				continue
			case info.IsDir() && !strings.HasSuffix(base, modulesExt):
				if real, err := realDir(file); err != nil {
					w.problem("", err)
				} else if !within(real, w.real) {
					w.outside = append(w.outside, linkedDir{file, path.Join(name, base), real})
				}
				continue
			}
			mode = info.Mode().Type()
		}
		switch {
		case mode.IsDir() && strings.HasSuffix(base, modulesExt):
			modules = append(modules, base)
		case mode.IsDir():
			if err := w.subdir(file, path.Join(name, base)); err != nil {
				w.problem("", err)
			}
		case mode.IsRegular() && isBTF:
			w.kernels = append(w.kernels, &Kernel{Name: path.Join(name, release), Path: file})
		}
	}
	for _, base := range modules {
		w.modules(dir, path.Join(name, strings.TrimSuffix(base, modulesExt)), base, w.kernels[first:])
	}
	return nil
}

// subdir lists a real directory. Once a link has been followed out of the tree,
// it may have been listed already, or be the root itself, if the link led above.
func (w *treeWalk) subdir(dir, name string) error {
	if len(w.seen) > 1 {
		real, err := realDir(dir)
		if err != nil {
			return err
		}
		if w.seen[real] {
			return nil
		}
		w.seen[real] = true
	}
	return w.dir(dir, name)
}

// modules gives the kernel with the given name the modules in dir/base.
func (w *treeWalk) modules(dir, kernel, base string, kernels []*Kernel) {
	at := filepath.Join(dir, base)
	entries, err := os.ReadDir(at)
	if err != nil {
		w.problem(kernel, err)
		return
	}
	var files []module
	for _, entry := range entries {
		name, ok := btfName(entry.Name())
		if !ok {
			continue
		}
		file := filepath.Join(at, entry.Name())
		mode := entry.Type()
		if mode&fs.ModeSymlink != 0 {
			info, err := os.Stat(file)
			if err != nil {
				w.problem(kernel, err)
				continue
			}
			mode = info.Mode().Type()
		}
		if !mode.IsRegular() {
			continue
		}
		files = append(files, module{name, file})
	}
	files = firstModules(files, func(left, kept module) {
		w.problem(kernel, fmt.Errorf("duplicate module: %s is left out for %s", left.path, kept.path))
	})
	found := false
	for _, k := range kernels {
		if k.Name == kernel {
			k.modules, found = files, true
		}
	}
	if !found && len(files) > 0 {
		w.problem(kernel, fmt.Errorf("%s: modules without %s.btf beside them", at, path.Base(kernel)))
	}
}

func realDir(dir string) (string, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	return filepath.Abs(real)
}

// within reports whether dir is root or below it; both without links.
func within(dir, root string) bool {
	rel, err := filepath.Rel(root, dir)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
