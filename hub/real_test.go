//go:build unix

package hub

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	mxz "github.com/mikelolasagasti/xz"

	"github.com/btfgen/btfgen/internal/need"
)

// realKernels lists the kernels of the large set, which BTFGEN_HUB names.
func realKernels(t testing.TB) []*Kernel {
	t.Helper()
	root := need.Hub(t)
	source, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	kernels, problems, err := source.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	if len(kernels) == 0 {
		t.Fatalf("no kernels in %s", root)
	}
	return kernels
}

// TestRealKernels compares every kernel with what archive/tar and another xz
// decoder make of its file.
func TestRealKernels(t *testing.T) {
	r := NewReader()
	for _, k := range realKernels(t) {
		if !strings.HasSuffix(k.Path, ".tar.xz") {
			continue
		}
		types, err := k.Load(r)
		if err != nil {
			t.Error(err)
			continue
		}
		file, err := os.Open(k.Path)
		if err != nil {
			t.Fatal(err)
		}
		z, err := mxz.NewReader(file, 0)
		if err != nil {
			t.Fatal(err)
		}
		entries := tar.NewReader(z)
		header, err := entries.Next()
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(entries)
		if err != nil {
			t.Fatal(err)
		}
		if header.Size != int64(len(types.Vmlinux)) || !bytes.Equal(want, types.Vmlinux) {
			t.Errorf("%s: %d bytes, differ from %s (%d bytes)", k.Name, len(types.Vmlinux), header.Name, header.Size)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}

func cpuTime(t testing.TB, who int) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(who, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkRealKernels loads all real kernels with one Reader; beside it the
// CPU time that xz -dc takes for the same files, in the same run, and the ratio
// of the two.
func BenchmarkRealKernels(b *testing.B) {
	kernels := realKernels(b)
	xzCommand := need.Tool(b, "xz")
	args := []string{"-dc"}
	for _, k := range kernels {
		args = append(args, k.Path)
	}
	var ours, theirs time.Duration
	r := NewReader()
	for b.Loop() {
		start := cpuTime(b, syscall.RUSAGE_SELF)
		var size int64
		for _, k := range kernels {
			types, err := k.Load(r)
			if err != nil {
				b.Fatal(err)
			}
			size += int64(len(types.Vmlinux))
		}
		ours += cpuTime(b, syscall.RUSAGE_SELF) - start
		b.SetBytes(size)
		b.StopTimer()
		start = cpuTime(b, syscall.RUSAGE_CHILDREN)
		if err := exec.Command(xzCommand, args...).Run(); err != nil {
			b.Fatal(err)
		}
		theirs += cpuTime(b, syscall.RUSAGE_CHILDREN) - start
		b.StartTimer()
	}
	b.ReportMetric(ours.Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(theirs.Seconds()/float64(b.N), "xz-cpu-s/op")
	b.ReportMetric(float64(ours)/float64(theirs), "ratio")
}

// BenchmarkRealKernelsRaw loads the same kernels from plain files.
func BenchmarkRealKernelsRaw(b *testing.B) {
	dir := b.TempDir()
	r := NewReader()
	for i, k := range realKernels(b) {
		types, err := k.Load(r)
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.btf", i)), types.Vmlinux, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	kernels, _, err := tree{root: dir}.Kernels()
	if err != nil {
		b.Fatal(err)
	}
	start := cpuTime(b, syscall.RUSAGE_SELF)
	for b.Loop() {
		var size int64
		for _, k := range kernels {
			types, err := k.Load(r)
			if err != nil {
				b.Fatal(err)
			}
			size += int64(len(types.Vmlinux))
		}
		b.SetBytes(size)
	}
	b.ReportMetric((cpuTime(b, syscall.RUSAGE_SELF)-start).Seconds()/float64(b.N), "cpu-s/op")
}
