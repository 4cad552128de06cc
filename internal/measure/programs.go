package measure

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/btfgen/btfgen/bpfelf"
)

// ErrTool is wrapped by the error about a program or a package that is not there.
var ErrTool = errors.New("not installed (scripts/test-setup installs it)")

// Scratch makes a folder in memory, if it can, so that making files on some disk is not
// part of what is measured.
func Scratch(pattern string) (dir string, memory bool, _ error) {
	if dir, err := os.MkdirTemp("/dev/shm", pattern); err == nil {
		return dir, true, nil
	}
	dir, err := os.MkdirTemp("", pattern)
	return dir, false, err
}

// Program finds one that may be in a folder that only root's PATH has.
func Program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/bin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, ErrTool)
}

// Output is what a program writes to its standard output.
func Output(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("%s: %w: %s", name, err, exit.Stderr)
	}
	return string(out), err
}

// Repository is the folder of the module's source.
func Repository() (string, error) {
	top, err := Output("go", "list", "-m", "-f", "{{.Dir}}", "github.com/btfgen/btfgen")
	return strings.TrimSpace(top), err
}

// Build builds the command of the source at top into dir.
func Build(top, dir string) (btfgen string, _ error) {
	btfgen = filepath.Join(dir, "btfgen")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", btfgen, "./cmd/btfgen")
	build.Dir, build.Env = top, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build btfgen: %w: %s", err, out)
	}
	return btfgen, nil
}

// Object is an eBPF object in a file of its own.
type Object struct{ Name, File string }

// Objects writes all objects of installed Debian packages to dir, which it makes.
func Objects(dir string, packages ...string) ([]Object, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	var objects []Object
	for _, name := range packages {
		list, err := Output("dpkg", "-L", name)
		if err != nil {
			return nil, fmt.Errorf("package %s: %w: %w", name, ErrTool, err)
		}
		for path := range strings.Lines(list) {
			path = strings.TrimSuffix(path, "\n")
			folder := filepath.Base(filepath.Dir(path))
			if folder != "bin" && folder != "sbin" && filepath.Ext(path) != ".o" {
				continue
			}
			if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
				continue
			}
			found, err := bpfelf.Open(path)
			if err != nil && !errors.Is(err, bpfelf.ErrNotObject) {
				return nil, err
			}
			for _, o := range found {
				file := filepath.Join(dir, fmt.Sprintf("%03d-%s.o", len(objects), o.Name))
				if err := os.WriteFile(file, o.Raw, 0o644); err != nil {
					return nil, err
				}
				objects = append(objects, Object{o.Name, file})
			}
		}
	}
	return objects, nil
}

// Opensnoop is the object of a small program of libbpf-tools, the same one in all benchmarks.
func Opensnoop(objects []Object) (file string, _ error) {
	for _, o := range objects {
		if o.Name == "opensnoop#0" {
			return o.File, nil
		}
	}
	return "", errors.New("opensnoop of libbpf-tools has no eBPF object")
}

// Files are the objects' files.
func Files(objects []Object) []string {
	var files []string
	for _, o := range objects {
		files = append(files, o.File)
	}
	return files
}
