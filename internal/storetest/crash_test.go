package storetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/hub/store"
	"github.com/btfgen/btfgen/internal/btfsample"
	"github.com/btfgen/btfgen/internal/need"
)

// kills is how often pack and add are killed, each.
const kills = 100

// crash is what the tests of interrupted writers share: a program, kernels, and the stores that undisturbed runs make of them.
type crash struct {
	t       *testing.T
	program string
	few     string // an archive tree
	all     string // the same kernels and more
	before  []byte // store of few, packed
	packed  []byte // store of all, packed
	added   []byte // before, to which the others of all were added
}

func newCrash(t *testing.T) *crash {
	t.Helper()
	need.Asked(t, "BTFGEN_STORE", "store")
	c := &crash{t: t, program: filepath.Join(t.TempDir(), "btfgen"), few: t.TempDir(), all: t.TempDir()}
	if runtime.GOOS == "windows" {
		c.program += ".exe"
	}
	build := exec.Command(need.Tool(t, "go"), "build", "-o", c.program, "./cmd/btfgen")
	build.Dir = need.Repository(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for i, k := range seriesOfKernels(t, 27) {
		for _, tree := range []string{c.few, c.all} {
			if tree == c.few && i >= 6 {
				continue
			}
			file := filepath.Join(tree, filepath.FromSlash(k.path)+".btf")
			if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
				t.Fatal(err)
			}
			write(t, file, k.raw)
		}
	}
	at := filepath.Join(t.TempDir(), "store")
	c.must("hub", "pack", "--quiet", "--out", at, c.few)
	c.before = read(t, at)
	c.must("hub", "add", "--quiet", at, c.all)
	c.added = read(t, at)
	verified(t, at, 27)
	c.must("hub", "pack", "--quiet", "--out", at, c.all)
	c.packed = read(t, at)
	verified(t, at, 27)
	write(t, at, c.before)
	verified(t, at, 6)
	return c
}

type namedKernel struct {
	path string
	raw  []byte
}

// seriesOfKernels makes kernels of several series, each a little different from the one before it.
func seriesOfKernels(t *testing.T, n int) []namedKernel {
	t.Helper()
	var kernels []namedKernel
	for i := range n {
		arch, order := "x86_64", binary.ByteOrder(binary.LittleEndian)
		if i%5 == 4 {
			arch, order = "s390x", binary.BigEndian
		}
		w := btf.NewBuilder(order)
		i32 := w.Int("int", 4, btf.Signed)
		const structs = 400
		for s := range structs {
			// About one definition in a hundred has another form from some kernel on.
			form := 0
			for k := range i + 1 {
				if rand.New(rand.NewPCG(uint64(k), uint64(s))).IntN(100) == 0 {
					form = k + 1
				}
			}
			r := rand.New(rand.NewPCG(uint64(s), uint64(form)))
			members := make([]btf.BuildMember, 2+r.IntN(6))
			for m := range members {
				typ := i32
				if r.IntN(2) == 0 && w.Len() > 10 {
					typ = w.Ptr(btf.ID(1 + r.IntN(w.Len())))
				}
				members[m] = btf.BuildMember{Name: fmt.Sprintf("member_%d", r.IntN(400)), Type: typ, BitOffset: uint32(m * 64)}
			}
			w.Struct(fmt.Sprintf("struct_%d", s), uint32(len(members)*8), members...)
		}
		btfsample.EveryKind(w, "p_")
		btfsample.Awkward(w)
		raw, err := w.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		kernels = append(kernels, namedKernel{fmt.Sprintf("debian/%d/%s/6.%d.%d-amd64", 12+i/13, arch, 1+i/9, i), raw})
	}
	return kernels
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
}

// verified checks a store and gives its kernels.
func verified(t *testing.T, path string, kernels int) {
	t.Helper()
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if n := len(s.Kernels()); n != kernels {
		t.Fatalf("%d kernels, want %d", n, kernels)
	}
	if err := s.Verify(nil); err != nil {
		t.Fatal(err)
	}
}

// run runs the program to its end and gives its exit code and what it says on stderr.
func (c *crash) run(args ...string) (int, string) {
	c.t.Helper()
	cmd := exec.Command(c.program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	if e := (*exec.ExitError)(nil); err != nil && !errors.As(err, &e) {
		c.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stderr.String()
}

func (c *crash) must(args ...string) string {
	c.t.Helper()
	code, stderr := c.run(args...)
	if code != 0 {
		c.t.Fatalf("%q: exit code %d: %s", args, code, stderr)
	}
	return stderr
}

// only fails if the folder of a file holds anything else: what a killed writer has left, the next one has removed.
func only(t *testing.T, file string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(file) {
			t.Errorf("%s is left behind", e.Name())
		}
	}
}

// stopped is how the disturbed runs of a test ended.
type stopped struct{ early, late, partial, resumed, aside int }

// disturb starts the program, stops it after a while with stop, and reports whether it had ended by itself before.
func (c *crash) disturb(delay time.Duration, stop func(*os.Process) error, args ...string) (ended bool, stderr string) {
	c.t.Helper()
	cmd := exec.Command(c.program, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	time.Sleep(delay)
	if err := stop(cmd.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Fatal(err)
	}
	err := cmd.Wait()
	if e := (*exec.ExitError)(nil); err != nil && !errors.As(err, &e) {
		c.t.Fatal(err)
	}
	return err == nil, said.String()
}

// took is about how long the program runs undisturbed.
func (c *crash) took(args func(at string) []string) time.Duration {
	c.t.Helper()
	var times []time.Duration
	for range 3 {
		at := filepath.Join(c.t.TempDir(), "store")
		write(c.t, at, c.before)
		start := time.Now()
		c.must(args(at)...)
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times[1]
}

// TestKilled kills the writers at random moments, once or several times in a row: what was there before is whole each time,
// and the same command then comes to the same bytes as an undisturbed run.
func TestKilled(t *testing.T) {
	c := newCrash(t)
	kill := (*os.Process).Kill
	for _, w := range []struct {
		name string
		args func(at string) []string
		want []byte
	}{
		{"pack", func(at string) []string { return []string{"hub", "pack", "--out", at, c.all} }, c.packed},
		{"add", func(at string) []string { return []string{"hub", "add", at, c.all} }, c.added},
	} {
		t.Run(w.name, func(t *testing.T) {
			c := *c
			c.t = t
			rng := rand.New(rand.NewPCG(4, uint64(len(w.name))))
			took := c.took(w.args)
			at := filepath.Join(t.TempDir(), "store")
			var n stopped
			for n.early+n.late < kills {
				write(t, at, c.before)
				for again := true; again && n.early+n.late < kills; again = rng.IntN(2) == 0 {
					args := append(w.args(at), "--jobs", fmt.Sprint(1+rng.IntN(3)))
					ended, _ := c.disturb(time.Duration(rng.Float64()*1.2*float64(took)), kill, args...)
					if ended {
						n.late++
					} else {
						n.early++
					}
					got := read(t, at)
					switch {
					case bytes.Equal(got, w.want):
					case ended:
						t.Fatalf("kill %d: the program ended by itself, and the store is not what it is otherwise", n.early+n.late)
					case !bytes.HasPrefix(got, c.before):
						t.Fatalf("kill %d: what was there before is gone", n.early+n.late)
					case w.name == "pack" && len(got) > len(c.before):
						t.Fatalf("kill %d: the store has changed and is not the new one", n.early+n.late)
					default:
						verified(t, at, 6)
					}
					if left, err := filepath.Glob(filepath.Join(filepath.Dir(at), ".store.btfgen-*")); err != nil {
						t.Fatal(err)
					} else if len(left) > 0 {
						n.aside++
					}
					if _, err := os.Stat(at + ".partial"); err == nil {
						n.partial++
					} else if !errors.Is(err, fs.ErrNotExist) {
						t.Fatal(err)
					}
				}
				stderr := c.must(w.args(at)...)
				if !bytes.Equal(read(t, at), w.want) {
					t.Fatalf("kill %d: another run comes to other bytes than an undisturbed one: %s", n.early+n.late, stderr)
				}
				if strings.Contains(stderr, "going on with") {
					n.resumed++
				}
				only(t, at)
			}
			t.Logf("%d kills, undisturbed %v: %d in the middle, %d after the end; a partial store was there %d times, and gone on with %d times; a file aside was there %d times",
				n.early+n.late, took, n.early, n.late, n.partial, n.resumed, n.aside)
			if n.early < kills/2 || w.name == "pack" && (n.partial < kills/10 || n.resumed < 5) {
				t.Errorf("too few runs were killed in their middle for this to say much: %+v", n)
			}
		})
	}
}

// TestKilledReplacing kills pack while the new store is written aside: the next run clears up after it.
func TestKilledReplacing(t *testing.T) {
	c := newCrash(t)
	aside := func(at string) int {
		left, err := filepath.Glob(filepath.Join(filepath.Dir(at), ".store.btfgen-*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(left)
	}
	left := 0
	const runs = 20
	for range runs {
		at := filepath.Join(t.TempDir(), "store")
		write(t, at, c.before)
		cmd := exec.Command(c.program, "hub", "pack", "--out", at, c.all)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			_ = cmd.Wait() // killed, mostly
			close(ended)
		}()
		for waiting := true; waiting; {
			select {
			case <-ended:
				waiting = false
			default:
				if aside(at) > 0 {
					_ = cmd.Process.Kill()
					waiting = false
				}
			}
		}
		<-ended
		if aside(at) > 0 {
			left++
		}
		if got := read(t, at); !bytes.Equal(got, c.before) && !bytes.Equal(got, c.packed) {
			t.Fatal("neither the store that was there nor the new one")
		}
		c.must("hub", "pack", "--out", at, c.all)
		if !bytes.Equal(read(t, at), c.packed) {
			t.Error("another run comes to other bytes than an undisturbed one")
		}
		only(t, at)
	}
	t.Logf("of %d runs, %d left a file aside", runs, left)
	if left < 3 {
		t.Errorf("of %d runs, only %d left a file aside: this says little", runs, left)
	}
}

// TestInterrupted stops pack and add as Ctrl-C does: they say what is done, and leave nothing but what they say.
func TestInterrupted(t *testing.T) {
	c := newCrash(t)
	if runtime.GOOS == "windows" {
		need.Missing(t, "a system on which a process can be sent an interrupt")
	}
	interrupt := func(p *os.Process) error { return p.Signal(os.Interrupt) }
	rng := rand.New(rand.NewPCG(4, 2))
	pack := func(at string) []string { return []string{"hub", "pack", "--out", at, c.all, "--jobs", "1"} }
	add := func(at string) []string { return []string{"hub", "add", at, c.all, "--jobs", "1"} }
	tookPack, tookAdd := c.took(pack), c.took(add)
	interrupted, resumed := 0, 0
	for i := range 20 {
		args, took, want := pack, tookPack, c.packed
		if i%2 == 1 {
			args, took, want = add, tookAdd, c.added
		}
		at := filepath.Join(t.TempDir(), "store")
		write(t, at, c.before)
		ended, stderr := c.disturb(time.Duration((0.1+0.7*rng.Float64())*float64(took)), interrupt, args(at)...)
		_, err := os.Stat(at + ".partial")
		partial := err == nil
		lines := strings.Split(strings.TrimSpace(stderr), "\n")
		last := lines[len(lines)-1]
		switch {
		case ended:
			if partial || !bytes.Equal(read(t, at), want) {
				t.Errorf("ended by itself, and the store is not what it is otherwise")
			}
			continue
		case !bytes.Equal(read(t, at), c.before):
			t.Errorf("interrupted, and the store has changed")
		case stderr == "": // so early that there was no handler yet
			continue
		case i%2 == 1 && (partial || last != "btfgen: interrupted: nothing is added"):
			t.Errorf("add: partial %v, ends with %q", partial, last)
		case i%2 == 0 && (!strings.HasPrefix(last, "btfgen: interrupted: ") || partial != strings.Contains(last, "is kept in "+at+".partial")):
			t.Errorf("pack: partial %v, ends with %q", partial, last)
		}
		interrupted++
		stderr = c.must(args(at)...)
		if partial {
			resumed++
			if !strings.Contains(stderr, "going on with "+at+".partial: ") {
				t.Errorf("does not go on: %s", stderr)
			}
		}
		if !bytes.Equal(read(t, at), want) {
			t.Error("another run comes to other bytes than an undisturbed one")
		}
		only(t, at)
	}
	t.Logf("%d of 20 interrupted, %d of them gone on with", interrupted, resumed)
	if interrupted < 6 || resumed < 2 {
		t.Errorf("only %d of 20 runs were interrupted, %d gone on with", interrupted, resumed)
	}
}
