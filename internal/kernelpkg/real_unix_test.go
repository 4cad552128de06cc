//go:build unix

package kernelpkg

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/btfgen/btfgen/internal/elffile"
	"github.com/btfgen/btfgen/internal/memory"
	"github.com/btfgen/btfgen/internal/need"
)

// packageVar names a Debian package with a vmlinux that has debug information.
const packageVar = "BTFGEN_PACKAGE"

// convertedSections are what a conversion of DWARF reads, as far as a kernel has them.
var convertedSections = []string{".debug_info", ".debug_abbrev", ".debug_str", ".debug_line_str", ".debug_str_offsets", ".debug_addr", ".debug_types"}

func cpu(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// TestRealDebugPackage reads the sections of a package's vmlinux that a conversion needs, says what that takes, and
// compares them with what dpkg-deb and tar unpack, and what that takes up to the vmlinux' last byte.
func TestRealDebugPackage(t *testing.T) {
	need.Asked(t, "BTFGEN_IMAGE", "image")
	dpkg, tar := need.Tool(t, "dpkg-deb"), need.Tool(t, "tar")
	path := need.Given(t, packageVar, "a kernel's debug package, a .deb")
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := memory.MapFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	defer memory.UnmapFile(file)

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, startCPU := time.Now(), cpu(t)
	p := open(t, file, Options{Workers: runtime.GOMAXPROCS(0)})
	name, e := debugKernel(t, p)
	var sections []*elffile.Section
	size := int64(0)
	for _, s := range convertedSections {
		if s := e.Section(s); s != nil {
			sections = append(sections, s)
			size += s.Size
		}
	}
	contents, err := e.Read(sections...)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	s := p.Stats()
	t.Logf("%s: %d MB of sections out of a package of %d MB: %v, %v of CPU, %d of %d blocks, %d MB expanded, heap %d MB",
		name, size>>20, info.Size()>>20, time.Since(start), cpu(t)-startCPU, s.Used, s.Blocks, s.Expanded>>20, (after.HeapSys-before.HeapSys)>>20)
	if grown := int64(after.HeapSys - before.HeapSys); grown > size+256<<20 {
		t.Errorf("the heap has grown by %d MB for %d MB of sections", grown>>20, size>>20)
	}

	whole := unpack(t, dpkg, tar, path, "./"+name)
	for i, section := range sections {
		if section.Flags&2048 != 0 {
			continue // SHF_COMPRESSED: what was read is expanded
		}
		if !bytes.Equal(contents[i], whole[section.Offset:section.Offset+section.Size]) {
			t.Errorf("%s: other bytes than dpkg-deb unpacks", section.Name)
		}
	}
}

// debugKernel opens the first vmlinux of a package.
func debugKernel(t *testing.T, p *Package) (string, *elffile.ELF) {
	t.Helper()
	for k, err := range p.KernelFiles() {
		if err != nil {
			t.Fatal(err)
		}
		if k.Kind != Kernel {
			continue
		}
		f, err := p.File(k.Path)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := elffile.Parse(f); err == nil {
			return k.Path, e
		} else if !errors.Is(err, elffile.ErrNotELF) {
			t.Fatal(err)
		}
	}
	t.Fatal("no vmlinux in the package")
	return "", nil
}

// unpack returns a file of a Debian package by way of dpkg-deb and tar, which stops at its end.
func unpack(t *testing.T, dpkg, tar, deb, name string) []byte {
	t.Helper()
	start := time.Now()
	first, second := exec.Command(dpkg, "--fsys-tarfile", deb), exec.Command(tar, "-xO", "--occurrence=1", "-f", "-", name)
	pipe, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	second.Stdin = pipe
	out, err := second.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*exec.Cmd{first, second} {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Wait(); err != nil {
		t.Fatal(err)
	}
	_ = pipe.Close()
	_ = first.Wait() // it is told that nobody reads on
	took := first.ProcessState.UserTime() + first.ProcessState.SystemTime() + second.ProcessState.UserTime() + second.ProcessState.SystemTime()
	t.Logf("dpkg-deb and tar, up to its last byte: %v, %v of CPU, dpkg-deb's peak memory %.0f MB", time.Since(start), took, maxRSS(first))
	return whole
}

// maxRSS is a child's peak memory in MB; getrusage(2) says it in KiB, and on macOS in bytes.
func maxRSS(c *exec.Cmd) float64 {
	r, ok := c.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return float64(r.Maxrss) / (1 << 20)
	}
	return float64(r.Maxrss) / (1 << 10)
}
