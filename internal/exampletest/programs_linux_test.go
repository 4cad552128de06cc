package exampletest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/internal/kernelsample"
	"github.com/btfgen/btfgen/internal/need"
)

const ownBTF = "/sys/kernel/btf/vmlinux"

const tableHead = "PID     PPID    COMM             RESULT   PATH"

// limit bounds each run of a program: it ends in about a second.
const limit = 10 * time.Second

// programs are both examples with the same bundle in them: their paths, by "Go" and "C".
type programs map[string]string

// machine ends the test on a machine that cannot run the programs: they need root, and the test a kernel with BTF of its own and with tracepoints.
// It returns what uname says.
func machine(t *testing.T) (release, arch string) {
	t.Helper()
	need.Asked(t, "BTFGEN_LOAD", "load")
	need.Root(t)
	if _, err := os.Stat(ownBTF); err != nil {
		need.Missing(t, "a kernel with BTF: %v", err)
	}
	const tracefs, event = "/sys/kernel/tracing", "/sys/kernel/tracing/events/syscalls/sys_enter_openat2"
	if _, err := os.Stat(event); err != nil {
		if err := unix.Mount("none", tracefs, "tracefs", 0, ""); err != nil {
			need.Missing(t, "tracefs at %s: %v", tracefs, err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(tracefs, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		if _, err := os.Stat(event); err != nil {
			need.Missing(t, "a kernel with CONFIG_FTRACE_SYSCALLS, 5.6 or later: %v", err)
		}
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	return unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:])
}

// build builds both examples as a user would, with the kernels of an archive tree inside.
func build(t *testing.T, hub string) programs {
	t.Helper()
	make, cc, clang, strip := need.Tool(t, "make"), need.Tool(t, "gcc"), need.Tool(t, "clang-19"), need.Tool(t, "llvm-strip-19")
	for _, file := range []string{"/usr/include/bpf/libbpf.h", "/usr/include/libelf.h", "/usr/include/zlib.h"} {
		if _, err := os.Stat(file); err != nil {
			need.Missing(t, "%s (scripts/test-setup installs it)", file)
		}
	}
	dir := t.TempDir()
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
	}
	btfgen := filepath.Join(dir, "btfgen")
	run(need.Tool(t, "go"), "build", "-o", btfgen, need.Repository(t, "cmd", "btfgen"))
	p := programs{"Go": filepath.Join(dir, "opensnoop-go"), "C": filepath.Join(dir, "opensnoop-c")}
	folder := need.Repository(t, "examples", "opensnoop-go")
	bundle := filepath.Join(dir, "btf.bundle")
	run(btfgen, "bundle", "--quiet", "--hub", hub, "--out", bundle, filepath.Join(folder, "bpf", "opensnoop.bpfel.o"), filepath.Join(folder, "bpf", "opensnoop.bpfeb.o"))
	run(make, "-C", folder, "OUT="+p["Go"], "BUNDLE="+bundle)
	run(make, "-C", need.Repository(t, "examples", "opensnoop-c"), "OUT="+p["C"], "HUB="+hub, "BTFGEN="+btfgen, "CC="+cc, "CLANG="+clang, "STRIP="+strip,
		"CFLAGS=-O2 -g -Wall -Wextra -Werror")
	return p
}

// thisKernel is an archive tree with the running kernel alone, below a name of ours.
func thisKernel(t *testing.T, release, arch string) (hub string, raw []byte) {
	t.Helper()
	raw, err := os.ReadFile(ownBTF)
	if err != nil {
		t.Fatal(err)
	}
	hub = t.TempDir()
	dir := filepath.Join(hub, "ours", "1", arch)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, release+".btf"), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return hub, raw
}

// A run of a program.
type run struct {
	cmd    *exec.Cmd
	out    *bufio.Reader
	stdout io.Closer
	stderr bytes.Buffer
}

func start(t *testing.T, path string, env []string, args ...string) *run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	r := &run{cmd: exec.CommandContext(ctx, path, args...)}
	r.cmd.Env = append(os.Environ(), env...)
	r.cmd.Stderr = &r.stderr
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.out, r.stdout = bufio.NewReader(stdout), stdout
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// head waits for the head of the table: programs are attached then.
func (r *run) head(t *testing.T) {
	t.Helper()
	if line, err := r.out.ReadString('\n'); err != nil || line != tableHead+"\n" {
		_ = r.cmd.Wait()
		t.Fatalf("expected the head of the table, got %q (%v); on stderr: %s", line, err, r.stderr.String())
	}
}

// rest waits for the end and returns the lines that were not read, and what is on stderr.
func (r *run) rest(t *testing.T) (lines []string, stderr string, code int) {
	t.Helper()
	out, err := io.ReadAll(r.out)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.cmd.Wait() // ExitCode has it
	if len(out) > 0 {
		lines = strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	}
	return lines, r.stderr.String(), r.cmd.ProcessState.ExitCode()
}

// watch runs both programs on the same process at once. It returns what each prints of it, and the lines that are right.
func (p programs) watch(t *testing.T, c *child, env []string, args ...string) (got map[string][]string, stderr map[string]string, right []string) {
	t.Helper()
	got, stderr = map[string][]string{}, map[string]string{}
	runs := map[string]*run{}
	for name, path := range p {
		runs[name] = start(t, path, env, append([]string{"-v", "-p", fmt.Sprint(c.pid)}, args...)...)
	}
	for _, r := range runs {
		r.head(t)
	}
	right = c.open(t)
	for name, r := range runs {
		lines, said, code := r.rest(t)
		if code != 0 {
			t.Errorf("%s: exit code %d, expected 0; on stderr: %s", name, code, said)
		}
		got[name], stderr[name] = lines, said
	}
	return got, stderr, right
}

// TestPrograms has both programs watch a process that opens known files, with each of the BTFs that they can be told to use.
func TestPrograms(t *testing.T) {
	release, arch := machine(t)
	hub, raw := thisKernel(t, release, arch)
	p := build(t, hub)
	minimal := filepath.Join(t.TempDir(), "minimal.btf")
	gen, err := btfgen.Open(need.Repository(t, "examples", "opensnoop-go", "bpf", "opensnoop.bpfel.o"))
	if err != nil {
		t.Fatal(err)
	}
	small, err := gen.Minimize(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(minimal, small, 0o644); err != nil {
		t.Fatal(err)
	}
	c := startChild(t)
	for _, test := range []struct {
		name    string
		env     []string
		mention string // of the BTF, on stderr
	}{
		{"the kernel's own", nil, ownBTF},
		{"from the bundle", []string{"BTF_BUNDLE=only"}, "ours/1/" + arch + "/" + release},
		{"from a file", []string{"BTF_FILE=" + minimal}, minimal},
		{"from a file, before the bundle", []string{"BTF_FILE=" + minimal, "BTF_BUNDLE=only"}, minimal},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, stderr, right := p.watch(t, c, test.env, "-count", fmt.Sprint(len(openings(c.dir))))
			for name := range p {
				if !slices.Equal(got[name], right) {
					t.Errorf("%s: got\n%s\nexpected\n%s", name, strings.Join(got[name], "\n"), strings.Join(right, "\n"))
				}
				if s := stderr[name]; !strings.Contains(s, test.mention) || strings.Count(s, "\n") != 1 {
					t.Errorf("%s: expected one line on stderr that mentions %s, got %q", name, test.mention, s)
				}
			}
		})
	}

	// With another kernel's BTF the same comparison fails: it is this one's that makes the lines right.
	t.Run("another kernel's", func(t *testing.T) {
		wrong := filepath.Join(t.TempDir(), "wrong.btf")
		if err := os.WriteFile(wrong, shifted(t, small), 0o644); err != nil {
			t.Fatal(err)
		}
		got, _, right := p.watch(t, c, []string{"BTF_FILE=" + wrong}, "-count", fmt.Sprint(len(openings(c.dir))))
		for name := range p {
			if len(got[name]) != len(right) {
				t.Errorf("%s: %d lines, expected %d", name, len(got[name]), len(right))
			}
			for i, line := range got[name] {
				if line == right[i] {
					t.Errorf("%s: the line is right in spite of wrong BTF: %s", name, line)
				}
			}
		}
	})

	t.Run("failures only, for some time", func(t *testing.T) {
		got, _, lines := p.watch(t, c, nil, "-x", "-duration", "0.7")
		right := c.failures(lines)
		for name := range p {
			if !slices.Equal(got[name], right) {
				t.Errorf("%s: got\n%s\nexpected\n%s", name, strings.Join(got[name], "\n"), strings.Join(right, "\n"))
			}
		}
	})

	for name, path := range p {
		t.Run(name+" ends", func(t *testing.T) {
			for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
				r := start(t, path, nil, "-p", fmt.Sprint(c.pid))
				r.head(t)
				right := c.open(t)
				if err := r.cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				if got, said, code := r.rest(t); code != 0 || said != "" || !slices.Equal(got, right) {
					t.Errorf("after %v: exit code %d, on stderr %q, printed\n%s\nexpected 0, nothing, and\n%s", signal, code, said, strings.Join(got, "\n"), strings.Join(right, "\n"))
				}
			}
			r := start(t, path, nil, "-p", fmt.Sprint(c.pid))
			r.head(t)
			if err := r.stdout.Close(); err != nil {
				t.Fatal(err)
			}
			c.open(t)
			_ = r.cmd.Wait()
			if status := r.cmd.ProcessState.Sys().(syscall.WaitStatus); r.stderr.Len() > 0 || !status.Signaled() || status.Signal() != syscall.SIGPIPE {
				t.Errorf("with its output closed: %v, on stderr %q; expected the signal SIGPIPE, and nothing", r.cmd.ProcessState, r.stderr.String())
			}
		})
	}
}

// TestProgramsWithoutBTF runs both programs with some of the built-in kernels inside, which the running one is not among.
func TestProgramsWithoutBTF(t *testing.T) {
	release, _ := machine(t)
	hub := kernelsample.Tree(t)
	if found, err := filepath.Glob(filepath.Join(hub, "*", "*", "*", release+".btf*")); err != nil || len(found) > 0 {
		need.Missing(t, "a kernel that is not among %v (%v)", found, err)
	}
	p := build(t, hub)
	dir := t.TempDir()
	damaged, text := filepath.Join(dir, "damaged.btf"), filepath.Join(dir, "text.btf")
	raw, err := os.ReadFile(ownBTF)
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{damaged: raw[:len(raw)/2], text: []byte("no BTF\n")} {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ env, mention string }{
		{"BTF_BUNDLE=only", "no BTF found for kernel version " + release},
		{"BTF_FILE=" + damaged, damaged},
		{"BTF_FILE=" + text, text},
		{"BTF_FILE=" + dir + "/none", dir + "/none"},
	} {
		for name, path := range p {
			lines, said, code := start(t, path, []string{test.env}).rest(t)
			if code != 1 || len(lines) > 0 || !strings.Contains(said, test.mention) || strings.Count(said, "\n") != 1 {
				t.Errorf("%s with %s: exit code %d, %d lines on stdout, on stderr %q; expected 1, none, and one line that mentions %q",
					name, test.env, code, len(lines), said, test.mention)
			}
		}
	}
}

// TestUsage holds the programs to the same words.
func TestUsage(t *testing.T) {
	machine(t)
	p := build(t, kernelsample.Tree(t))
	help := map[string]string{}
	for name, path := range p {
		lines, said, code := start(t, path, nil, "-help").rest(t)
		if help[name] = strings.Join(lines, "\n"); code != 0 || said != "" || !strings.HasPrefix(help[name], "usage: opensnoop ") {
			t.Errorf("%s -help: exit code %d, %q, on stderr %q; expected 0, the usage, and nothing", name, code, help[name], said)
		}
		for _, wrong := range [][]string{{"-p", "x"}, {"-p", "-1"}, {"-p"}, {"-p", "99999999999"}, {"-count", "1.5"}, {"-count", "-1"}, {"-duration", "-1"}, {"-duration", "nan"}, {"-y"}, {"word"}} {
			lines, said, code := start(t, path, nil, wrong...).rest(t)
			if code != 2 || len(lines) > 0 || !strings.HasPrefix(said, "usage: ") {
				t.Errorf("%s %q: exit code %d, on stderr %q; expected 2 and the usage", name, wrong, code, said)
			}
		}
	}
	if help["Go"] != help["C"] {
		t.Errorf("the programs' usage differs:\n%s\n\n%s", help["Go"], help["C"])
	}
}
