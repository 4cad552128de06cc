package storetest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
	"github.com/btfgen/btfgen/internal/kernelsample"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/internal/packaged"
)

// workers is how many kernels are judged at a time: each takes a few hundred megabytes.
const workers = 2

// TestStoreKeepsGraphs packs every kernel of BTFGEN_HUB, takes each out again and has it judged: the type graph, the outcomes of all
// relocations of all libbpf-tools objects (of our own ones for big-endian kernels), and what bpftool and pahole say.
func TestStoreKeepsGraphs(t *testing.T) {
	need.Asked(t, "BTFGEN_STORE", "store")
	kernels := hubKernels(t)
	file := filepath.Join(t.TempDir(), "hub.store")
	pack(t, file, kernels)
	s := opened(t, file)

	plans := allPlans(t)
	tools := foreignReaders{bpftool: need.Tool(t, "bpftool"), pahole: need.Tool(t, "pahole"), scratch: t.TempDir()}

	if got := s.Kernels(); len(got) != len(kernels) {
		t.Errorf("%d kernels in the store of %d", len(got), len(kernels))
	}
	var mu sync.Mutex
	var types, ambiguous, copies int
	var sum Outcomes
	each(kernels, func(r *hub.Reader, k *hub.Kernel) {
		raw, err := load(r, k)
		if err != nil {
			t.Error(err)
			return
		}
		got, err := s.Get(k.Name, nil)
		if err != nil {
			t.Error(err)
			return
		}
		g, err := CompareGraphs(raw, got)
		if err != nil {
			t.Errorf("%s: %v", k.Name, err)
			return
		}
		for _, d := range g.Differences {
			t.Errorf("%s: %s", k.Name, d)
		}
		for _, d := range tools.compare(k.Name, raw, got) {
			t.Errorf("%s: %s", k.Name, d)
		}
		if len(g.Differences) > 0 {
			return
		}
		plan := plans[orderOf(raw)]
		n, differences, err := NewRelocations(plan).Compare(g, raw, got)
		if err != nil {
			t.Errorf("%s: %v", k.Name, err)
		}
		for _, d := range differences[:min(len(differences), 10)] {
			t.Errorf("%s: %s", k.Name, d)
		}
		mu.Lock()
		defer mu.Unlock()
		t.Logf("%-62s %6d types, %6d distinct, %3d ambiguous names, %d rounds; %d relocations, %d resolved, %d records, %d differ",
			k.Name, g.Types, g.Classes, g.Ambiguous, g.Rounds, n.Relocations, n.Resolved, n.Records, len(differences))
		types, ambiguous, copies = types+g.Types, ambiguous+g.Ambiguous, copies+g.Types-g.Classes
		sum.Relocations, sum.Resolved, sum.Records = sum.Relocations+n.Relocations, sum.Resolved+n.Resolved, sum.Records+n.Records
		if n.Resolved == 0 || n.Records < plan.Records() {
			t.Errorf("%s: suspiciously little was compared: %+v", k.Name, n)
		}
	})
	t.Logf("%d kernels: %d types, %d of them copies, %d ambiguous names; %d relocations, %d resolved, %d records",
		len(kernels), types, copies, ambiguous, sum.Relocations, sum.Resolved, sum.Records)
	if ambiguous == 0 || copies == 0 {
		t.Error("the kernels have no ambiguous names or no copies: the hard part was not tested")
	}
}

// TestJudgeOnHub gives the judge every kernel of BTFGEN_HUB beside the same with its ids in any order: it has no false alarms, whatever
// comes from a store.
func TestJudgeOnHub(t *testing.T) {
	need.Asked(t, "BTFGEN_STORE", "store")
	plans := allPlans(t)
	each(hubKernels(t), func(r *hub.Reader, k *hub.Kernel) {
		raw, err := load(r, k)
		if err != nil {
			t.Error(err)
			return
		}
		b, err := decode(raw)
		if err != nil {
			t.Errorf("%s: %v", k.Name, err)
			return
		}
		types := identity(b)
		rand.New(rand.NewPCG(3, 4)).Shuffle(len(types), func(i, j int) { types[i], types[j] = types[j], types[i] })
		shuffled := encode(b, types)
		g, err := CompareGraphs(raw, shuffled)
		if err != nil {
			t.Errorf("%s: %v", k.Name, err)
			return
		}
		for _, d := range g.Differences {
			t.Errorf("%s: %s", k.Name, d)
		}
		n, differences, err := NewRelocations(plans[orderOf(raw)]).Compare(g, raw, shuffled)
		if err != nil {
			t.Errorf("%s: %v", k.Name, err)
		}
		for _, d := range differences[:min(len(differences), 10)] {
			t.Errorf("%s: %s", k.Name, d)
		}
		t.Logf("%-62s %6d types, %6d distinct, %d rounds, %d resolved", k.Name, g.Types, g.Classes, g.Rounds, n.Resolved)
	})
}

// allPlans are the relocations that are compared, by byte order: of all libbpf-tools objects and our own, and of our own.
func allPlans(t *testing.T) map[binary.ByteOrder]*core.Plan {
	t.Helper()
	native := append(packaged.Objects(t, "libbpf-tools"), testObjects(t, binary.LittleEndian)...)
	return map[binary.ByteOrder]*core.Plan{
		binary.LittleEndian: planOf(t, native),
		binary.BigEndian:    planOf(t, testObjects(t, binary.BigEndian)),
	}
}

// TestForeignReadersSeeDamage shows that what bpftool and pahole say can differ, and does not where only ids do.
func TestForeignReadersSeeDamage(t *testing.T) {
	need.Asked(t, "BTFGEN_STORE", "store")
	tools := foreignReaders{bpftool: need.Tool(t, "bpftool"), pahole: need.Tool(t, "pahole"), scratch: t.TempDir()}
	raw := realKernel(t)
	b := decoded(t, raw)
	types := identity(b)
	slices.Reverse(types)
	if d := tools.compare("reversed", raw, encode(b, types)); len(d) > 0 {
		t.Errorf("a BTF in another order differs: %q", d)
	}
	b.record(structNamed(t, b, "task_struct"))[2] += 64
	if d := tools.compare("damaged", raw, encode(b, identity(b))); len(d) != 2 {
		t.Errorf("a struct of another size: %q, expected to be seen by both", d)
	}
}

// TestLayersAndCompaction packs a few kernels in one layer, in several, and compacted: what is taken out is the same to the byte,
// and the compacted stores are the same, whatever the order was.
func TestLayersAndCompaction(t *testing.T) {
	need.Asked(t, "BTFGEN_STORE", "store")
	kernels := fewKernels(t)
	dir := t.TempDir()
	one, several := filepath.Join(dir, "one"), filepath.Join(dir, "several")
	pack(t, one, kernels)
	backwards := slices.Clone(kernels)
	slices.Reverse(backwards)
	for _, k := range backwards {
		pack(t, several, []*hub.Kernel{k})
	}
	if n := opened(t, several).Stats().Layers; n != len(kernels) {
		t.Errorf("%d layers, expected %d", n, len(kernels))
	}
	for _, file := range []string{one, several} {
		if err := store.Compact(file, file+".compact"); err != nil {
			t.Fatal(err)
		}
	}
	a, errA := os.ReadFile(one + ".compact")
	b, errB := os.ReadFile(several + ".compact")
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("the compacted stores differ: %d and %d bytes", len(a), len(b))
	}
	stores := []*store.Store{opened(t, one), opened(t, several), opened(t, one+".compact"), opened(t, several+".compact")}
	r := hub.NewReader()
	for _, k := range kernels {
		raw, err := load(r, k)
		if err != nil {
			t.Fatal(err)
		}
		var first []byte
		for i, s := range stores {
			got, err := s.Get(k.Name, nil)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = got
				g, err := CompareGraphs(raw, got)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range g.Differences {
					t.Errorf("%s: %s", k.Name, d)
				}
			}
			if !bytes.Equal(got, first) {
				t.Errorf("%s: another BTF from store %d than from the first", k.Name, i)
			}
		}
	}
}

// hubKernels lists all kernels of BTFGEN_HUB.
func hubKernels(t *testing.T) []*hub.Kernel {
	t.Helper()
	kernels := kernelsOf(t, need.Hub(t))
	if len(kernels) < 20 {
		t.Fatalf("%d kernels, expected the large set of at least 20", len(kernels))
	}
	return kernels
}

// fewKernels lists kernels that are always there.
func fewKernels(t *testing.T) []*hub.Kernel {
	t.Helper()
	return kernelsOf(t, kernelsample.Tree(t))
}

func kernelsOf(t testing.TB, dir string) []*hub.Kernel {
	t.Helper()
	source, err := hub.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	kernels, problems, err := source.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Log(p)
	}
	return kernels
}

// each calls f for every kernel, workers at a time, each worker with a reader of its own.
func each(kernels []*hub.Kernel, f func(*hub.Reader, *hub.Kernel)) {
	queue := make(chan *hub.Kernel)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			r := hub.NewReader()
			for k := range queue {
				f(r, k)
			}
		})
	}
	for _, k := range kernels {
		queue <- k
	}
	close(queue)
	wg.Wait()
}

// load is a kernel's BTF, which is the reader's until it loads the next.
func load(r *hub.Reader, k *hub.Kernel) ([]byte, error) {
	types, err := k.Load(r)
	return types.Vmlinux, err
}

// pack adds kernels to a store, in their order, and makes it where there is none.
func pack(t testing.TB, file string, kernels []*hub.Kernel) {
	t.Helper()
	open := store.Append
	if _, err := os.Stat(file); err != nil {
		open = store.Create
	}
	w, err := open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r := hub.NewReader()
	for _, k := range kernels {
		raw, err := load(r, k)
		if err != nil {
			t.Fatal(err)
		}
		types, err := store.Analyse(k.Name, raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(types); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func opened(t testing.TB, file string) *store.Store {
	t.Helper()
	s, err := store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// orderOf is the byte order of a BTF by its magic.
func orderOf(raw []byte) binary.ByteOrder {
	if bytes.HasPrefix(raw, []byte{0xeb, 0x9f}) {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// foreignReaders are the programs that have to read what a store gives.
type foreignReaders struct{ bpftool, pahole, scratch string }

// compare lists what the programs say otherwise of the second BTF than of the first.
func (f *foreignReaders) compare(name string, a, b []byte) (differences []string) {
	if p, err := btf.Parse(b); err != nil {
		return []string{err.Error()}
	} else if err := p.Validate(); err != nil {
		return []string{err.Error()}
	}
	var files [2]string
	for i, raw := range [][]byte{a, b} {
		files[i] = filepath.Join(f.scratch, fmt.Sprintf("%s.%d", strings.ReplaceAll(name, "/", "_"), i))
		if err := os.WriteFile(files[i], raw, 0o600); err != nil {
			return []string{err.Error()}
		}
		defer os.Remove(files[i])
	}
	// bpftool's lines of types: kind and name, in any order. pahole's: each struct's name, size and holes.
	for _, program := range []struct {
		what string
		args []string
		line func(string) (string, bool)
	}{
		{"bpftool", []string{f.bpftool, "btf", "dump", "file"}, func(line string) (string, bool) {
			id, rest, ok := strings.Cut(line, "] ")
			if !ok || !strings.HasPrefix(id, "[") {
				return "", false
			}
			name, _, _ := strings.Cut(rest, "type_id=")
			name, _, _ = strings.Cut(name, "ret_type_id=")
			return name, true
		}},
		{"pahole", []string{f.pahole, "-F", "btf", "--sizes"}, func(line string) (string, bool) { return line, line != "" }},
	} {
		var lists [2][]string
		for i, file := range files {
			out, err := exec.Command(program.args[0], append(program.args[1:len(program.args):len(program.args)], file)...).Output()
			if err != nil {
				return append(differences, fmt.Sprintf("%s, BTF %d: %v", program.what, i+1, err))
			}
			for line := range strings.Lines(string(out)) {
				if s, ok := program.line(strings.TrimSuffix(line, "\n")); ok {
					lists[i] = append(lists[i], s)
				}
			}
			slices.Sort(lists[i])
		}
		if n, m := len(lists[0]), len(lists[1]); n != m || n == 0 {
			differences = append(differences, fmt.Sprintf("%s: %d lines, then %d", program.what, n, m))
			continue
		}
		for i, line := range lists[0] {
			if other := lists[1][i]; line != other {
				differences = append(differences, fmt.Sprintf("%s: %q, then %q", program.what, line, other))
				break
			}
		}
	}
	return differences
}
