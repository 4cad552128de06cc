package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/kernelsample"
)

// bench is everything that is measured.
type bench struct {
	rounds  int
	scratch string // a folder, gone afterwards
	runs    int    // of btfgen so far

	btfgen, bpftool, xz, time string // programs

	packed  []string // the kernels as they are in the hub
	hub     string   // the folder that they are in
	few     bool     // it is the repository's
	rawRoot string   // the little-endian ones, decompressed, in the same layout
	raw     []string // files below rawRoot

	objects []string // files, of all Debian's objects
	small   string   // one of them: opensnoop's
	example string   // the big-endian example
	large   []agent

	notes []string
}

func (b *bench) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

func prepare(rounds int) (_ *bench, err error) {
	b := &bench{rounds: rounds}
	// Both sides write their results to memory, so that making files on some disk
	// is not part of what is measured.
	if b.scratch, err = os.MkdirTemp("/dev/shm", "btfgen-bench-"); err != nil {
		if b.scratch, err = os.MkdirTemp("", "btfgen-bench-"); err != nil {
			return nil, err
		}
		b.note("there is no /dev/shm: results are written to a disk, by both sides")
	}
	defer func() {
		if err != nil {
			os.RemoveAll(b.scratch)
		}
	}()
	for name, path := range map[string]*string{"bpftool": &b.bpftool, "xz": &b.xz, "time": &b.time} {
		if *path, err = program(name); err != nil {
			return nil, err
		}
	}
	top, err := output("go", "list", "-m", "-f", "{{.Dir}}", "github.com/btfgen/btfgen")
	if err != nil {
		return nil, err
	}
	top = strings.TrimSpace(top)
	b.btfgen = filepath.Join(b.scratch, "btfgen")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.btfgen, "./cmd/btfgen")
	build.Dir, build.Env = top, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build btfgen: %w: %s", err, out)
	}
	if b.hub = os.Getenv("BTFGEN_HUB"); b.hub == "" {
		b.few = true
		b.note("BTFGEN_HUB is not set: a few built-in kernels are measured, not the large set that there are bars for")
		if err := b.packFew(); err != nil {
			return nil, err
		}
	}
	if err := b.unpack(); err != nil {
		return nil, err
	}
	if err := b.collect("libbpf-tools", "xdp-tools", "libxdp1"); err != nil {
		return nil, err
	}
	b.example = filepath.Join(top, "testdata", "example", "execsnoop.bpfeb.o")
	if _, err := os.Stat(b.example); err != nil {
		return nil, err
	}
	b.large, err = writeAgents(b.scratch, b.raw)
	return b, err
}

// program finds one that may be in a folder that only root's PATH has.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/bin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, errTool)
}

func output(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("%s: %w: %s", name, err, exit.Stderr)
	}
	return string(out), err
}

// packFew makes a tree of packed kernels out of some built-in ones.
func (b *bench) packFew() error {
	b.hub = filepath.Join(b.scratch, "hub")
	if err := kernelsample.Write(b.hub, kernelsample.Paths()...); err != nil {
		return err
	}
	for _, path := range kernelsample.Paths() {
		if _, err := output(b.xz, filepath.Join(b.hub, filepath.FromSlash(path)+".btf")); err != nil {
			return err
		}
	}
	return nil
}

// cacheFolder is where decompressed kernels stay from run to run, those of an
// archive tree.
func (b *bench) cacheFolder() (string, error) {
	if b.few {
		return filepath.Join(b.scratch, "cache"), nil
	}
	if dir := os.Getenv("BTFGEN_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "btfgen-bench"), err
}

// unpack decompresses the kernels into the cache, unless they are there. bpftool
// gives big-endian kernels the host's byte order, and no Debian object is for
// them: they are left out for both sides.
func (b *bench) unpack() error {
	cache, err := b.cacheFolder()
	if err != nil {
		return err
	}
	source, err := hub.Open(b.hub)
	if err != nil {
		return err
	}
	kernels, _, err := source.Kernels()
	if err != nil {
		return err
	}
	// Links, of the cached kernels that belong to this hub.
	b.rawRoot = filepath.Join(b.scratch, "raw")
	reader := hub.NewReader()
	var foreign []string
	for _, k := range kernels {
		info, err := os.Stat(k.Path)
		if err != nil {
			return err
		}
		b.packed = append(b.packed, k.Path)
		// An archive that was replaced is another file in the cache.
		cached := filepath.Join(cache, fmt.Sprintf("%s.%d-%d.btf", k.Name, info.Size(), info.ModTime().Unix()))
		magic, err := magicOf(cached)
		if errors.Is(err, os.ErrNotExist) {
			if magic, err = unpackOne(k, reader, cached); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if magic != 0xeb9f {
			foreign = append(foreign, k.Name)
			continue
		}
		file := filepath.Join(b.rawRoot, k.Name+".btf")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(cached, file); err != nil {
			return err
		}
		b.raw = append(b.raw, file)
	}
	if len(b.raw) == 0 {
		return fmt.Errorf("%s: no little-endian kernels", b.hub)
	}
	if len(foreign) > 0 {
		b.note("left out beside bpftool, for both sides: %s (big-endian; bpftool writes the host's byte order)", strings.Join(foreign, ", "))
	}
	return nil
}

func unpackOne(k *hub.Kernel, reader *hub.Reader, cached string) (magic uint16, _ error) {
	types, err := k.Load(reader)
	if err != nil {
		return 0, err
	}
	if err := os.MkdirAll(filepath.Dir(cached), 0o755); err != nil {
		return 0, err
	}
	aside := cached + ".part"
	if err := os.WriteFile(aside, types.Vmlinux, 0o644); err != nil {
		return 0, err
	}
	if err := os.Rename(aside, cached); err != nil {
		return 0, err
	}
	return magicOf(cached)
}

// magicOf is a BTF file's first two bytes as a little-endian number.
func magicOf(file string) (uint16, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var b [2]byte
	if _, err := f.Read(b[:]); err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return binary.LittleEndian.Uint16(b[:]), nil
}

// collect writes all objects of Debian packages as files of their own, which is
// what both sides get.
func (b *bench) collect(packages ...string) error {
	dir := filepath.Join(b.scratch, "objects")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, name := range packages {
		list, err := output("dpkg", "-L", name)
		if err != nil {
			return fmt.Errorf("package %s: %w: %w", name, errTool, err)
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
				return err
			}
			for _, o := range found {
				file := filepath.Join(dir, fmt.Sprintf("%03d-%s.o", len(b.objects), o.Name))
				if err := os.WriteFile(file, o.Raw, 0o644); err != nil {
					return err
				}
				b.objects = append(b.objects, file)
				if o.Name == "opensnoop#0" {
					b.small = file
				}
			}
		}
	}
	if b.small == "" {
		return errors.New("opensnoop of libbpf-tools has no eBPF object")
	}
	return nil
}
