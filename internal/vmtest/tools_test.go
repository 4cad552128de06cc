package vmtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/bundle"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/internal/vmtest/machine"
	"github.com/btfgen/btfgen/internal/vmtest/script"
)

// The examples, each with how it is called here and the processors that it is built for.
const (
	goTool = "opensnoop-go"
	cTool  = "opensnoop-c"
)

// knownFile is what the opener opens.
const knownFile = "/etc/vmknown.conf"

// buildTools builds the examples, by their own Makefiles: with a bundle of all kernels, and with one of a single kernel
// that is not booted.
func (l *lab) buildTools() {
	l.tools, l.toolsOther = map[string][]byte{}, map[string][]byte{}
	other := l.otherHub()
	object := need.Repository(l.t, "examples", goTool, "bpf", "opensnoop.bpfel.o")
	for hub, tools := range map[string]map[string][]byte{l.hub: l.tools, other: l.toolsOther} {
		dir := filepath.Join(l.dir, "tools-"+filepath.Base(hub))
		file := filepath.Join(dir, "btf.bundle")
		l.write(file, nil)
		l.run("", nil, l.btfgen, "bundle", "--quiet", "--hub", hub, "--out", file, object)
		for _, goarch := range []string{"amd64", "386"} {
			out := filepath.Join(dir, goTool+"-"+goarch)
			l.run(need.Repository(l.t, "examples", goTool), []string{"GOOS=linux", "GOARCH=" + goarch}, "make", "OUT="+out, "BUNDLE="+file)
			tools[goTool+"-"+goarch] = l.read(out)
		}
		out := filepath.Join(dir, cTool)
		l.run(need.Repository(l.t, "examples", cTool), nil, "make", "OUT="+out, "HUB="+hub, "BTFGEN="+l.btfgen, "CLANG=clang-19", "STRIP=llvm-strip-19")
		tools[cTool+"-amd64"] = l.read(out)
		if hub == l.hub {
			var err error
			if l.toolBundle, err = bundle.Open(l.read(file)); err != nil {
				l.t.Fatal(err)
			}
		}
	}
}

// otherHub is a set of a single kernel that is not booted, of the same architecture if there is one.
func (l *lab) otherHub() string {
	known := listed(l.t, l.hub)
	for _, arch := range []string{cloud.arch, "arm64"} {
		for _, name := range slices.Sorted(maps.Keys(known)) {
			booted := slices.ContainsFunc(l.guests, func(b *booted) bool { return b.path == name })
			if booted || filepath.Base(filepath.Dir(name)) != arch {
				continue
			}
			dir, file := filepath.Join(l.dir, "hub-other"), known[name].Path
			// The file's name with all its extensions says how it is packed.
			l.write(filepath.Join(dir, filepath.Dir(name), filepath.Base(file)), l.read(file))
			return dir
		}
	}
	need.Missing(l.t, "a kernel of %s or arm64 in %s that is not booted", cloud.arch, l.hub)
	return ""
}

// toolsFor are the examples that run on a kernel.
func toolsFor(b *booted) []string {
	if b.goarch == "386" {
		return []string{goTool}
	}
	return []string{goTool, cTool}
}

// Steps of the examples are called by tool and case.
const (
	withBundle    = " with its bundle"
	withKernelBTF = " where the kernel shows its BTF"
	withOther     = " with a bundle that lacks the kernel"
	withWrong     = " with another kernel's BTF, forced"
)

// wrongBTF is where the guest has the other kernel's BTF.
const wrongBTF = "/wrong.btf"

// toolSteps adds the examples' steps and files.
func (l *lab) toolSteps(t *testing.T, b *booted, files machine.Files) (steps []script.Step) {
	files[knownFile] = []byte("known\n")
	opener := []string{"/bin/vmparent", "vmopener", knownFile}
	for _, tool := range toolsFor(b) {
		here, other := "/"+tool, "/"+tool+"-other"
		files[here], files[other] = l.tools[tool+"-"+b.goarch], l.toolsOther[tool+"-"+b.goarch]
		// A tool ends soon after it told of the known file. It has much more time than it needs: the machine may be busy.
		run := func(what, program string) script.Step {
			return script.Step{
				Name: tool + what, Argv: []string{program, "-v", "-duration", "40"},
				Trigger: opener, Until: knownFile, Limit: 50 * time.Second,
			}
		}
		steps = append(steps, run(withBundle, here), run(withOther, other))
		files[wrongBTF] = l.wrongFor(t, b, l.toolBundle)
		wrong := run(withWrong, here)
		// It may never tell of the file.
		wrong.Argv, wrong.Env = []string{here, "-v", "-duration", "10"}, []string{"BTF_FILE=" + wrongBTF}
		steps = append(steps, wrong)
		if b.hasBTF {
			shown := run(withKernelBTF, other)
			shown.ShowKernelBTF = true
			steps = append(steps, shown)
		}
	}
	return steps
}

// checkTools judges the examples' steps.
func (l *lab) checkTools(t *testing.T, b *booted, report *script.Report) {
	for _, tool := range toolsFor(b) {
		check := func(what string, judge func(*testing.T, *script.Result)) {
			t.Run(tool+what, func(t *testing.T) {
				r := report.Steps[tool+what]
				judge(t, r)
				if t.Failed() {
					t.Logf("exit status %d, stopped: %q, after %.1f s\nstdout:\n%s\nstderr:\n%s\nwhat happened:\n%s", r.Code, r.Stopped, r.Seconds,
						strings.Join(r.Stdout, "\n"), strings.Join(r.Stderr, "\n"), strings.Join(r.Happened, "\n"))
				}
			})
		}
		check(withOther, func(t *testing.T, r *script.Result) { notFound(t, b, r) })
		if b.hasBTF {
			check(withKernelBTF, func(t *testing.T, r *script.Result) {
				truthful(t, r)
				says(t, r, bundle.KernelBTF)
			})
		}
		check(withBundle, func(t *testing.T, r *script.Result) {
			truthful(t, r)
			says(t, r, b.path)
		})
		check(withWrong, func(t *testing.T, r *script.Result) {
			says(t, r, wrongBTF)
			line, err := truth(r)
			if err == nil {
				t.Fatalf("the types of another kernel give the right answer, %q: this test cannot fail", line)
			}
			// Silence is no wrong answer: it may come of a busy machine.
			if r.Code == 0 && len(r.Stdout) < 2 {
				t.Errorf("the tool neither reported anything nor refused to load")
			}
			t.Logf("as it should be: %v", err)
		})
	}
}

// truthful expects that a tool ran to its end and told what happened.
func truthful(t *testing.T, r *script.Result) {
	line, err := truth(r)
	if err != nil {
		t.Error(err)
	}
	if r.Code != 0 {
		t.Errorf("exit status %d, expected 0", r.Code)
	}
	t.Logf("%s", line)
}

// truth returns a tool's line about the known file: who opened it, and that process's parent, as both say themselves.
// Without such a line the error says what the tool had instead.
func truth(r *script.Result) (string, error) {
	said := "nothing"
	for _, line := range r.Stdout {
		f := strings.Fields(line)
		if len(f) < 4 || f[len(f)-1] != knownFile {
			continue
		}
		said = strconv.Quote(line)
		for _, raw := range r.Happened {
			var o script.Opened
			if err := json.Unmarshal([]byte(raw), &o); err != nil {
				return "", fmt.Errorf("the opener says %q: %w", raw, err)
			}
			if f[0] == strconv.Itoa(o.PID) && f[1] == strconv.Itoa(o.PPID) && f[2] == o.Comm && f[len(f)-1] == o.Path {
				return line, nil
			}
		}
	}
	happened := "nothing"
	if len(r.Happened) > 0 {
		happened = r.Happened[0]
	}
	return "", fmt.Errorf("exit status %d; said of %s: %s; what happened: %s (%d times); stderr: %s", r.Code, knownFile, said, happened, len(r.Happened), strings.Join(r.Stderr, " | "))
}

// says expects a line on standard error.
func says(t *testing.T, r *script.Result, want string) {
	for _, line := range r.Stderr {
		if strings.Contains(line, want) {
			t.Logf("%s", line)
			return
		}
	}
	t.Errorf("standard error has no line with %q", want)
}

// notFound expects our error, on one line, and nothing else.
func notFound(t *testing.T, b *booted, r *script.Result) {
	want := "no BTF found for kernel version " + b.Release
	if r.Code != 1 || len(r.Stdout) != 0 || len(r.Stderr) != 1 || !strings.Contains(r.Stderr[0], want) {
		t.Errorf("expected exit status 1 and one line with %q", want)
		return
	}
	t.Log(r.Stderr[0])
}
