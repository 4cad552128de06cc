package btf_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/btfsample"
)

var update = flag.Bool("update", false, "write the dumps in testdata anew")

// golden compares with a file of testdata. Before a new one is committed, the
// differential tests say whether it is right: they dump the same types.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s:%d: is %q, wanted %q", file, i+1, g[i], w[i])
		}
	}
	if len(g) != len(w) {
		t.Fatalf("%s: %d lines, wanted %d", file, len(g), len(w))
	}
}

func sample(t testing.TB, order binary.ByteOrder, add func(*btf.Builder)) *btf.BTF {
	t.Helper()
	w := btf.NewBuilder(order)
	add(w)
	return parse(t, encode(t, w))
}

func everySample(w *btf.Builder) { btfsample.EveryKind(w, "") }

type dump func(w io.Writer, ids []btf.ID) error

func dumped(t testing.TB, f dump, ids ...btf.ID) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := f(&out, ids); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestDumps(t *testing.T) {
	for _, order := range orders {
		b := sample(t, order, everySample)
		golden(t, "every-kind.raw.golden", dumped(t, b.DumpRaw))
		golden(t, "every-kind.json.golden", dumped(t, b.DumpJSON))
		golden(t, "awkward.c.golden", dumped(t, sample(t, order, btfsample.Awkward).DumpC))
		golden(t, "unsayable.c.golden", dumped(t, sample(t, order, btfsample.Unsayable).DumpC))
	}
}

func TestDumpOfSplit(t *testing.T) {
	base := sample(t, binary.LittleEndian, btfsample.Awkward)
	w := btf.NewSplitBuilder(base)
	var late btf.ID
	for id := base.Start(); id < base.End(); id++ {
		if base.Name(id) == "early" {
			late = id
		}
	}
	s := w.Struct("of_module", 24, btf.BuildMember{Name: "e", Type: late}, btf.BuildMember{Name: "p", Type: base.End() + 1, BitOffset: 128})
	w.Ptr(s)
	w.Struct("late", 4, btf.BuildMember{Name: "v", Type: 3})
	b, err := btf.ParseSplit(encode(t, w), base)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "split.raw.golden", dumped(t, b.DumpRaw))
	golden(t, "split.json.golden", dumped(t, b.DumpJSON))
	golden(t, "split.c.golden", dumped(t, b.DumpC))
}

func TestDumpOfSomeTypes(t *testing.T) {
	b := sample(t, binary.LittleEndian, btfsample.Awkward)
	var early, twice btf.ID
	for id := b.Start(); id < b.End(); id++ {
		switch {
		case b.Name(id) == "early":
			early = id
		case b.Name(id) == "twice" && b.Kind(id) == btf.KindUnion:
			twice = id
		}
	}
	raw := string(dumped(t, b.DumpRaw, early, 1))
	if lines := strings.Split(raw, "\n"); len(lines) != 5 || !strings.Contains(lines[0], "STRUCT 'early'") || !strings.HasPrefix(lines[3], "[1] ") {
		t.Errorf("raw dump of two types, in the order asked for:\n%s", raw)
	}
	// By value what it needs comes before; what is pointed at does not come.
	c := string(dumped(t, b.DumpC, early))
	if at := strings.Index(c, "struct late {"); at < 0 || at > strings.Index(c, "struct early {") || strings.Count(c, "{") != 2 {
		t.Errorf("C of struct early is\n%s", c)
	}
	// Its name does not depend on what else is asked for.
	if c := string(dumped(t, b.DumpC, twice)); !strings.Contains(c, "union twice___3 {") {
		t.Errorf("C of union twice is\n%s", c)
	}
	for _, f := range []dump{b.DumpRaw, b.DumpC, b.DumpJSON} {
		if err := f(io.Discard, []btf.ID{b.End()}); err == nil {
			t.Error("dump of a type that is not there: no error")
		}
	}
	if got := dumped(t, b.DumpJSON, nil...); !json.Valid(got) {
		t.Errorf("invalid JSON: %s", got)
	}
}

// failing is a writer that takes so many bytes, then fails.
type failing struct{ left int }

var errFull = errors.New("no space left")

func (f *failing) Write(p []byte) (int, error) {
	n := min(len(p), f.left)
	f.left -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestDumpToAFullDisk(t *testing.T) {
	b := sample(t, binary.LittleEndian, func(w *btf.Builder) {
		btfsample.Awkward(w)
		var values []btf.BuildEnumerator
		for range 20000 {
			values = append(values, btf.BuildEnumerator{Name: "a_value", Value: 7})
		}
		w.Enum("large", 4, false, values...)
	})
	for name, f := range map[string]dump{"raw": b.DumpRaw, "C": b.DumpC, "JSON": b.DumpJSON} {
		size := len(dumped(t, f))
		if size < 200_000 {
			t.Fatalf("%s of %d bytes, too small to be written in several pieces", name, size)
		}
		for _, room := range []int{0, 1, 100_000, size - 1} {
			if err := f(&failing{room}, nil); !errors.Is(err, errFull) {
				t.Errorf("%s on a disk with %d of %d bytes left: %v", name, room, size, err)
			}
		}
		if err := f(&failing{size}, nil); err != nil {
			t.Errorf("%s on a disk with just enough room: %v", name, err)
		}
	}
}

func TestDumpsOfInvalidTypes(t *testing.T) {
	w := btf.NewBuilder(binary.LittleEndian)
	w.Struct("s", 4, btf.BuildMember{Name: "m", Type: 99})
	w.Datasec(".data", 4, btf.BuildSecinfo{Type: 1234, Size: 4})
	raw := encode(t, w)
	// The member's name, past the strings.
	b := parse(t, patched(raw, 24+12, 0xffff))
	if got, want := string(dumped(t, b.DumpRaw)), "[1] STRUCT 's' size=4 vlen=1\n\t'(invalid)' type_id=99 bits_offset=0\n"+
		"[2] DATASEC '.data' size=4 vlen=1\n\ttype_id=1234 offset=0 size=4\n"; got != want {
		t.Errorf("raw is %q, wanted %q", got, want)
	}
	if got := dumped(t, b.DumpJSON); !json.Valid(got) {
		t.Errorf("invalid JSON: %s", got)
	}
	if err := b.DumpC(io.Discard, nil); !errors.Is(err, btf.ErrFormat) {
		t.Errorf("C of an invalid BTF: %v", err)
	}
}

func TestJSONOfAnyBytes(t *testing.T) {
	name := make([]byte, 0, 255)
	for c := 1; c < 256; c++ {
		name = append(name, byte(c))
	}
	b := sample(t, binary.LittleEndian, func(w *btf.Builder) { w.Typedef(string(name)+"ünï", 0) })
	var doc struct{ Types []struct{ Name string } }
	if err := json.Unmarshal(dumped(t, b.DumpJSON), &doc); err != nil {
		t.Fatal(err)
	}
	if want := string(name[:0x7f]) + strings.Repeat("\ufffd", 128) + "ünï"; doc.Types[0].Name != want {
		t.Errorf("name is %q, wanted %q", doc.Types[0].Name, want)
	}
}

// Types without a name unfold wherever they are mentioned: each of these twice
// in the one before, which makes 2^60 of the last.
func TestCOfWhatUnfoldsWithoutEnd(t *testing.T) {
	hostile := map[string]func(w *btf.Builder){
		"structs": func(w *btf.Builder) {
			for i := range btf.ID(60) {
				w.Struct("", 8, btf.BuildMember{Name: "a", Type: 2*i + 4}, btf.BuildMember{Name: "b", Type: 2*i + 4})
				w.Ptr(2*i + 3)
			}
			w.Int("int", 4, 0)
			w.Ptr(121)
			w.Typedef("root", 1)
		},
		"prototypes": func(w *btf.Builder) {
			for i := range btf.ID(60) {
				w.FuncProto(0, btf.BuildParam{Type: 2*i + 4}, btf.BuildParam{Type: 2*i + 4})
				w.Ptr(2*i + 3)
			}
			w.Int("int", 4, 0)
			w.Ptr(121)
			w.Typedef("root", 1)
		},
		"pointers": func(w *btf.Builder) {
			for i := range btf.ID(5000) {
				w.Ptr(i + 2)
			}
			w.Int("int", 4, 0)
			w.Typedef("root", 1)
		},
		"nested": func(w *btf.Builder) {
			for i := range btf.ID(5000) {
				w.Struct("", 4, btf.BuildMember{Name: "a", Type: i + 2})
			}
			w.Int("int", 4, 0)
			w.Typedef("root", 1)
		},
	}
	for name, add := range hostile {
		t.Run(name, func(t *testing.T) {
			b := sample(t, binary.LittleEndian, add)
			if err := b.Validate(); err != nil {
				t.Fatalf("the input is not even valid: %v", err)
			}
			if err := b.DumpC(io.Discard, nil); !errors.Is(err, btf.ErrTooDeep) {
				t.Errorf("DumpC: %v, wanted ErrTooDeep", err)
			}
		})
	}
}

// limited takes so many bytes and then no more, so that a fuzz target does not
// spend its time on large outputs.
type limited struct{ left int }

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func FuzzDump(f *testing.F) {
	for _, order := range orders {
		for _, add := range []func(*btf.Builder){everySample, btfsample.Awkward, btfsample.Unsayable} {
			w := btf.NewBuilder(order)
			add(w)
			f.Add(encode(f, w))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<16 {
			return
		}
		b, err := btf.Parse(raw)
		if err != nil {
			return
		}
		if err := b.DumpRaw(&limited{8 << 20}, nil); err != nil && !errors.Is(err, errFull) {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := b.DumpJSON(&text, nil); err != nil || !json.Valid(text.Bytes()) {
			t.Fatalf("JSON: error %v, valid %v", err, json.Valid(text.Bytes()))
		}
		err = b.DumpC(&limited{8 << 20}, nil)
		if err != nil && !errors.Is(err, errFull) && !errors.Is(err, btf.ErrFormat) && !errors.Is(err, btf.ErrTooDeep) {
			t.Fatal(err)
		}
	})
}

func BenchmarkDump(b *testing.B) {
	types := sample(b, binary.LittleEndian, func(w *btf.Builder) {
		for range 200 {
			everySample(w)
		}
	})
	for name, f := range map[string]dump{"raw": types.DumpRaw, "C": types.DumpC, "JSON": types.DumpJSON} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(io.Discard, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
