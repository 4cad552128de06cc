package imagetest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/image"
	"github.com/btfgen/btfgen/internal/debkernel"
	"github.com/btfgen/btfgen/internal/need"
)

const askedBy = "BTFGEN_IMAGE"

// real is a kernel, and what is known about it from elsewhere.
type real struct {
	debkernel.Wanted
	arch string // in the set of kernels
	kind image.Kind
	// without says that Debian builds it without CONFIG_DEBUG_INFO_BTF.
	without bool
}

func kernel(suite, version, series, flavour, debian, arch string, kind image.Kind) real {
	return real{Wanted: debkernel.Wanted{Suite: suite, Version: version, Series: series, Flavour: flavour, Arch: debian}, arch: arch, kind: kind}
}

// no is for kernels without BTF.
func no(r real) real {
	r.without = true
	return r
}

// The compression of x86 images: xz with a filter for its calls (amd64), lz4 (cloud). Those of arm64 and riscv64 are flat,
// ppc64le's is an ELF file, those of s390x and arm are streams of xz and zstd behind a decompressor.
var kernels = []real{
	kernel("bullseye", "11", "5.10", "amd64", "amd64", "x86_64", image.BootImage),
	kernel("bullseye", "11", "5.10", "cloud-amd64", "amd64", "x86_64", image.BootImage),
	kernel("bookworm", "12", "6.1", "amd64", "amd64", "x86_64", image.BootImage),
	kernel("bookworm", "12", "6.1", "cloud-amd64", "amd64", "x86_64", image.BootImage),
	kernel("bookworm", "12", "6.1", "arm64", "arm64", "arm64", image.BootImage),
	no(kernel("bookworm", "12", "6.1", "686", "i386", "x86", image.BootImage)),
	no(kernel("bookworm", "12", "6.1", "armmp", "armhf", "arm", image.BootImage)),
	no(kernel("bookworm", "12", "6.1", "s390x", "s390x", "s390x", image.BootImage)),
	kernel("trixie", "13", "6.12", "amd64", "amd64", "x86_64", image.BootImage),
	kernel("bookworm-backports", "12", "6.12", "cloud-amd64", "amd64", "x86_64", image.BootImage),
	kernel("trixie", "13", "6.12", "arm64", "arm64", "arm64", image.BootImage),
	kernel("trixie", "13", "6.12", "s390x", "s390x", "s390x", image.BootImage),
	kernel("trixie", "13", "6.12", "powerpc64le", "ppc64el", "ppc64le", image.Vmlinux),
	kernel("trixie", "13", "6.12", "riscv64", "riscv64", "riscv64", image.BootImage),
}

// TestDebianKernels holds what an image says against what is known about the kernel: its package's release, and its BTF in the
// set of kernels, where that has it.
func TestDebianKernels(t *testing.T) {
	need.Asked(t, askedBy, "image")
	known := listed(t)
	cache := debkernel.Shared(t)
	compared := 0
	for _, want := range kernels {
		folder := "debian/" + want.Version + "/" + want.arch + "/"
		var preferred []string
		for path := range known {
			if release, ok := strings.CutPrefix(path, folder); ok {
				preferred = append(preferred, release)
			}
		}
		k, err := cache.Get(context.Background(), want.Wanted, preferred)
		if err != nil {
			need.Missing(t, "the kernel %v of Debian %s, in %s or through apt: %v", want, want.Version, cache.Dir, err)
		}
		t.Run(want.arch+"/"+k.Release, func(t *testing.T) {
			types := extract(t, k, want)
			if at := known[folder+k.Release]; types != nil && at != nil {
				other, err := at.Load(hub.NewReader())
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(types, other.Vmlinux) {
					t.Errorf("%d bytes of BTF, which are not the %d of %s", len(types), len(other.Vmlinux), at.Path)
				}
				compared++
			}
		})
	}
	t.Logf("%d kernels, %d of them compared byte for byte with the set of kernels", len(kernels), compared)
	if _, ok := need.HubIfAny(t); ok && compared == 0 {
		t.Error("no kernel of Debian is in the set of kernels: nothing was compared")
	}
}

// extract asks an image for everything, and returns its BTF.
func extract(t *testing.T, k *debkernel.Kernel, want real) []byte {
	i, err := image.Open(k.Image())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	start := time.Now()
	types, origin, err := i.BTF(image.Options{})
	took := time.Since(start)
	if kind, arch := i.Kind(), i.Arch(); kind != want.kind || arch != want.arch {
		t.Errorf("%v of %q, expected %v of %q", kind, arch, want.kind, want.arch)
	}
	banner, err2 := i.Banner()
	if err2 != nil || !strings.HasPrefix(banner, "Linux version "+k.Release+" (") || !strings.Contains(banner, ") #1 SMP") {
		t.Errorf("banner %q, %v", banner, err2)
	}
	if want.without {
		if !errors.Is(err, btf.ErrNoBTF) {
			t.Errorf("error %v, expected %v", err, btf.ErrNoBTF)
		}
		t.Logf("no BTF, known in %v", took)
		return nil
	}
	if err != nil || origin != image.Own {
		t.Fatalf("types from %v, %v", origin, err)
	}
	parsed, err := btf.Parse(types)
	if err != nil {
		t.Fatal(err)
	}
	if err := parsed.Validate(); err != nil {
		t.Error(err)
	}
	t.Logf("%d bytes, %d types, in %v", len(types), parsed.End()-1, took)
	return types
}

// TestThisKernel reads the BTF of the running kernel and of its modules, as the system gives it.
func TestThisKernel(t *testing.T) {
	need.Asked(t, askedBy, "image")
	const folder = "/sys/kernel/btf"
	files, err := os.ReadDir(folder)
	if err != nil {
		need.Missing(t, "a kernel with BTF: %v", err)
	}
	vmlinux := load(t, filepath.Join(folder, "vmlinux"), nil)
	for _, f := range files {
		if f.Name() != "vmlinux" {
			load(t, filepath.Join(folder, f.Name()), vmlinux)
		}
	}
	t.Logf("%d files of %s, %s", len(files), folder, runtime.GOARCH)
}

func load(t *testing.T, path string, base *btf.BTF) *btf.BTF {
	i, err := image.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	types, _, err := i.BTF(image.Options{Base: base})
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(types, content) {
		t.Errorf("%s: %d bytes of %d", path, len(types), len(content))
	}
	parsed, err := btf.ParseSplit(types, base)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if err := parsed.Validate(); err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return parsed
}

// listed is the set of kernels by path, empty if there is none.
func listed(t *testing.T) map[string]*hub.Kernel {
	byPath := map[string]*hub.Kernel{}
	root, ok := need.HubIfAny(t)
	if !ok {
		return byPath
	}
	source, err := hub.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := source.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range list {
		byPath[k.Name] = k
	}
	return byPath
}
