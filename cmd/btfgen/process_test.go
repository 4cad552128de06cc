//go:build unix

package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/kernelsample"
	"github.com/btfgen/btfgen/internal/need"
)

// wholeFiles counts the files and links below a folder. One that is not valid
// BTF is an error, as is one whose name does not end in .btf: it is temporary.
func wholeFiles(dir string) (int, error) {
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if filepath.Ext(path) != ".btf" {
			return fmt.Errorf("%s: left behind", path)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b, err := btf.Parse(raw)
		if err == nil {
			err = b.Validate()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		n++
		return nil
	})
	return n, err
}

// btfgenCommand is the command as a process of its own; TestMain has put it
// into PATH.
func btfgenCommand(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	path, err := exec.LookPath("btfgen")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	return cmd, &stderr
}

// manyKernels is a tree with n names for one packed kernel, work for a while.
func manyKernels(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	kernel := filepath.Join(dir, "packed")
	if err := os.WriteFile(kernel, packedKernel(t), 0o666); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "debian", "11", "x86_64")
	if err := os.MkdirAll(at, 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := os.Symlink(kernel, filepath.Join(at, fmt.Sprintf("%04d.btf.gz", i))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func packedKernel(t *testing.T) []byte {
	t.Helper()
	raw, err := kernelsample.Load(kernelsample.Debian11)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func example(t *testing.T) string {
	return need.Repository(t, "testdata", "example", "execsnoop.bpfel.o")
}

// TestInterrupt interrupts a run in its middle: it ends soon, says so, and
// leaves whole files only.
func TestInterrupt(t *testing.T) {
	const kernels = 2000
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out")
			cmd, stderr := btfgenCommand(t, "generate", "--hub", manyKernels(t, kernels), "--out", out, "--jobs", "2", example(t))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			first := filepath.Join(out, "debian", "11", "x86_64", "0001.btf")
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
				if _, err := os.Lstat(first); err == nil {
					break
				}
				if time.Now().After(deadline) {
					_ = cmd.Process.Kill()
					t.Fatalf("no result yet: %v %s", cmd.Wait(), stderr)
				}
			}
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			sent := time.Now()
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 1 {
				t.Errorf("exit code %d, want 1: %v", code, cmd.ProcessState)
			}
			if took := time.Since(sent); took > 30*time.Second {
				t.Errorf("took %v to end", took)
			}
			n, err := wholeFiles(out)
			if err != nil {
				t.Error(err)
			}
			if n < 2 || n >= kernels {
				t.Errorf("%d files", n)
			}
			last := lastLine(stderr.String())
			if want := fmt.Sprintf("btfgen: interrupted: %d of %d kernels are done", n, kernels); last != want {
				t.Errorf("ends with %q, want %q", last, want)
			}
		})
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// mountTmpfs mounts a tmpfs of a size in bytes at dir.
func mountTmpfs(t *testing.T, dir string, size int) {
	t.Helper()
	need.Root(t)
	if err := mount(dir, size); err != nil {
		need.Missing(t, "to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unmount(dir); err != nil {
			t.Error(err)
		}
	})
}

// TestFullDisk has room for one result of two.
func TestFullDisk(t *testing.T) {
	out := t.TempDir()
	mountTmpfs(t, out, os.Getpagesize())
	hub := kernelsample.Tree(t)
	cmd, stderr := btfgenCommand(t, "generate", "--hub", hub, "--kernel", "*/x86_64/*", "--kernel", "*/arm64/*", "--out", out, example(t))
	_ = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if n, err := wholeFiles(out); n != 1 || err != nil {
		t.Errorf("%d files, %v, want one", n, err)
	}
	for _, want := range []string{"no space left on device", "kylin/V10/arm64/", "btfgen: 1 failure, named above: 1 of 2 kernels are done"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("no mention of %q in:\n%s", want, stderr)
		}
	}
}

// TestReadOnly has nowhere to write.
func TestReadOnly(t *testing.T) {
	out := t.TempDir()
	if os.Geteuid() == 0 { // whom a mode does not stop
		mountTmpfs(t, out, os.Getpagesize())
		if err := remountReadOnly(out); err != nil {
			t.Fatal(err)
		}
	} else if err := os.Chmod(out, 0o555); err != nil {
		t.Fatal(err)
	}
	hub := kernelsample.Tree(t)
	for _, args := range [][]string{
		{"generate", "--hub", hub, "--kernel", "kylin/*", "--out", out, example(t)},
		{"generate", "--hub", hub, "--kernel", "kylin/*", "--out", filepath.Join(out, "new"), example(t)},
		{"min_core_btf", filepath.Join(hub, "debian", "11", "x86_64", "5.10.0-32-cloud-amd64.btf"), filepath.Join(out, "min.btf"), example(t)},
		{"man", "--dir", out},
	} {
		cmd, stderr := btfgenCommand(t, args...)
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 1 {
			t.Errorf("%v: exit code %d, want 1", args, code)
		}
		if s := stderr.String(); !strings.Contains(s, out) || !strings.Contains(s, "read-only") && !strings.Contains(s, "permission denied") {
			t.Errorf("%v: %s", args, s)
		}
	}
}
