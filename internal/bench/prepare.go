package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/kernelsample"
	"github.com/btfgen/btfgen/internal/measure"
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
	scratch, memory, err := measure.Scratch("btfgen-bench-")
	if err != nil {
		return nil, err
	}
	b.scratch = scratch
	if !memory {
		b.note("there is no /dev/shm: results are written to a disk, by both sides")
	}
	defer func() {
		if err != nil {
			os.RemoveAll(b.scratch)
		}
	}()
	for name, path := range map[string]*string{"bpftool": &b.bpftool, "xz": &b.xz, "time": &b.time} {
		if *path, err = measure.Program(name); err != nil {
			return nil, err
		}
	}
	top, err := measure.Repository()
	if err != nil {
		return nil, err
	}
	if b.btfgen, err = measure.Build(top, b.scratch); err != nil {
		return nil, err
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
	objects, err := measure.Objects(filepath.Join(b.scratch, "objects"), "libbpf-tools", "xdp-tools", "libxdp1")
	if err != nil {
		return nil, err
	}
	b.objects = measure.Files(objects)
	if b.small, err = measure.Opensnoop(objects); err != nil {
		return nil, err
	}
	b.example = filepath.Join(top, "testdata", "example", "execsnoop.bpfeb.o")
	if _, err := os.Stat(b.example); err != nil {
		return nil, err
	}
	b.large, err = writeAgents(b.scratch, b.raw)
	return b, err
}

// packFew makes a tree of packed kernels out of some built-in ones.
func (b *bench) packFew() error {
	b.hub = filepath.Join(b.scratch, "hub")
	if err := kernelsample.Write(b.hub, kernelsample.Paths()...); err != nil {
		return err
	}
	for _, path := range kernelsample.Paths() {
		if _, err := measure.Output(b.xz, filepath.Join(b.hub, filepath.FromSlash(path)+".btf")); err != nil {
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
