package btfgen

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/btfgen/btfgen/internal/output"
)

// Tree is a folder of minimal BTFs in an archive's layout:
// distro/version/arch/release.btf. Its method Add is a Sink.
type Tree struct {
	dir   string
	made  map[string]bool     // folders that are there
	first map[[32]byte]string // per content: the file that has it, below dir
}

// NewTree makes the folder if it is not there.
func NewTree(dir string) (*Tree, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	return &Tree{dir: dir, made: make(map[string]bool), first: make(map[[32]byte]string)}, nil
}

// Path is where in the tree's folder a kernel's file is.
func (t *Tree) Path(kernel string) string {
	return filepath.Join(t.dir, filepath.FromSlash(kernel)+".btf")
}

// Add writes a kernel's file. A content that an earlier call has written
// becomes a symbolic link to that file.
func (t *Tree) Add(r *Result) error {
	name := filepath.FromSlash(r.Kernel) + ".btf"
	if !filepath.IsLocal(name) {
		return fmt.Errorf("kernel name %q would leave the folder %s", r.Kernel, t.dir)
	}
	path := filepath.Join(t.dir, name)
	if dir := filepath.Dir(path); !t.made[dir] {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
		t.made[dir] = true
	}
	if first, ok := t.first[r.SHA256]; ok {
		target, err := filepath.Rel(filepath.Dir(name), first)
		if err != nil {
			return err
		}
		return output.Symlink(target, path)
	}
	if err := output.File(path, r.BTF); err != nil {
		return err
	}
	t.first[r.SHA256] = name
	return nil
}
