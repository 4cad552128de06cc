package bpfelf

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/btfgen/btfgen/internal/elftest"
)

// exercise reads all there is of an object.
func exercise(o *Object) {
	_, _ = o.Programs()
	_, _ = o.Maps()
	_, _ = o.Funcs()
	_, _ = o.Lines()
	_, _ = o.ELFRelocs()
}

// allocated is what f allocates in all, in bytes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// An object that ends early is an error at every length: its last byte belongs
// to the section table or to a section.
func TestTruncated(t *testing.T) {
	eachOrder(t, func(t *testing.T, order binary.ByteOrder) {
		for _, tableFirst := range []bool{false, true} {
			e := sample(t, order)
			e.TableFirst = tableFirst
			raw := e.MustBytes(t)
			for n := range raw {
				if _, err := Parse("cut.o", raw[:n:n]); err == nil {
					t.Fatalf("no error for %d of %d bytes", n, len(raw))
				}
				if _, err := Find("cut.o", raw[:n:n]); err == nil {
					t.Fatalf("Find: no error for %d of %d bytes", n, len(raw))
				}
			}
		}
	})
}

// No flipped bit makes the reader panic, or allocate out of proportion.
func TestBitFlips(t *testing.T) {
	eachOrder(t, func(t *testing.T, order binary.ByteOrder) {
		raw := sample(t, order).MustBytes(t)
		flipped := bytes.Clone(raw)
		n, accepted := 0, 0
		total := allocated(func() {
			for i := range raw {
				for bit := range 8 {
					flipped[i] = raw[i] ^ 1<<bit
					n++
					if o, err := Parse("flipped.o", flipped); err == nil {
						accepted++
						exercise(o)
					}
					flipped[i] = raw[i]
				}
			}
		})
		if accepted == 0 || accepted == n {
			t.Errorf("%d of %d accepted", accepted, n)
		}
		if per, limit := total/uint64(n), uint64(16*len(raw)); per > limit {
			t.Errorf("%d bytes allocated per file of %d bytes, expected at most %d", per, len(raw), limit)
		}
	})
}

// Sections that share their bytes would let a small file cost like a huge one.
func TestOverlappingSections(t *testing.T) {
	le := binary.LittleEndian
	e := sample(t, le)
	const many = 200
	for range many {
		e.Sections = append(e.Sections, elftest.Section{Name: "copy", Data: []byte{0}})
	}
	raw := e.MustBytes(t)
	o, err := Parse("x.o", raw)
	if err != nil {
		t.Fatal(err)
	}
	table := le.Uint64(raw[40:])
	for i := range o.sections {
		if o.sections[i].name == "copy" {
			le.PutUint64(raw[table+uint64(64*i)+24:], 0)
			le.PutUint64(raw[table+uint64(64*i)+32:], uint64(len(raw)))
		}
	}
	if _, err := Parse("x.o", raw); err == nil {
		t.Error("no error")
	}
}

// A name that never ends is not walked for each of its users.
func TestEndlessString(t *testing.T) {
	if _, ok := stringAt(string(bytes.Repeat([]byte{'a'}, 2*maxString))+"\x00", 0); ok {
		t.Error("accepted")
	}
	if s, ok := stringAt("ab\x00cd", 1); s != "b" || !ok {
		t.Errorf("got %q, %v", s, ok)
	}
	for _, off := range []uint32{3, 4, 5, 1 << 31} {
		if s, ok := stringAt("ab\x00cd", off); ok {
			t.Errorf("offset %d: got %q", off, s)
		}
	}
}

func seeds(f *testing.F) (raws [][]byte) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		raws = append(raws, sample(f, order).MustBytes(f))
		e := sample(f, order)
		e.TableFirst, e.Ext.HeaderSize, e.Ext.Longer = true, 40, 4
		raws = append(raws, e.MustBytes(f))
		e = sample(f, order)
		e.Ext.HeaderSize = 24
		raws = append(raws, e.MustBytes(f))
		e = sample(f, order)
		e.BTF, e.Ext = nil, nil
		raws = append(raws, e.MustBytes(f))
		e = &elftest.Object{Order: order, Sections: []elftest.Section{{Name: "maps", Data: make([]byte, 20)}},
			Symbols: []elftest.Symbol{{Name: "m", Section: "maps", Type: 1}}}
		raws = append(raws, e.MustBytes(f))
	}
	return raws
}

func FuzzParse(f *testing.F) {
	for _, raw := range seeds(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := Parse("fuzz.o", raw)
		if err != nil {
			return
		}
		exercise(o)
		for i := range o.Relocs {
			if r := &o.Relocs[i]; r.InsnOff%InsnSize != 0 || r.Program != "" && !bytes.HasPrefix(o.section(r.Section).data[r.InsnOff:], r.Insn[:InsnSize]) {
				t.Errorf("relocation %d: %+v", i, *r)
			}
		}
	})
}

func FuzzFind(f *testing.F) {
	var all [][]byte
	for _, raw := range seeds(f) {
		f.Add(raw)
		all = append(all, raw)
	}
	f.Add(host(f, all[0], all[5]))
	f.Add(append([]byte("!<arch>\n"), all[1]...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		objects, err := Find("fuzz", raw)
		if err != nil {
			return
		}
		total := 0
		for _, o := range objects {
			exercise(o)
			total += len(o.Raw)
			if !bytes.Contains(raw, o.Raw) {
				t.Errorf("%s is not part of the file", o.Name)
			}
		}
		if len(objects) == 0 || total > len(raw) {
			t.Errorf("%d objects of %d bytes in %d bytes", len(objects), total, len(raw))
		}
	})
}
