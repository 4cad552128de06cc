package bpfelf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/elftest"
)

// agent is an object of a large agent's shape: 35,000 relocations in 70
// programs, of which 400 are distinct.
func agent(tb testing.TB) []byte {
	tb.Helper()
	const programs, perProgram, distinct = 70, 500, 400
	order := binary.LittleEndian
	b := btf.NewBuilder(order)
	long := b.Int("long", 8, 0)
	var roots []btf.ID
	for i := range 40 {
		var members []btf.BuildMember
		for j := range 100 {
			members = append(members, btf.BuildMember{Name: fmt.Sprintf("field_%d", j), Type: long, BitOffset: uint32(64 * j)})
		}
		roots = append(roots, b.Struct(fmt.Sprintf("root_%d", i), 800, members...))
	}
	types, err := b.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	e := &elftest.Object{BTF: types, Ext: &elftest.Ext{}}
	code := bytes.Repeat(elftest.Insn(order, 0x79, 1, 6, 16, 0), perProgram)
	for p := range programs {
		section := fmt.Sprintf("kprobe/function_%d", p)
		e.Sections = append(e.Sections, elftest.Code(section, code))
		e.Symbols = append(e.Symbols, elftest.Func(fmt.Sprintf("on_%d", p), section, 0, uint64(len(code))))
		for i := range perProgram {
			n := (p*perProgram + i) % distinct
			e.Ext.Relocs = append(e.Ext.Relocs, elftest.CORERelo{
				Section: section, InsnOff: uint32(8 * i), TypeID: roots[n%len(roots)], Access: fmt.Sprintf("0:%d", n%100),
			})
		}
	}
	return e.MustBytes(tb)
}

func BenchmarkParse35000Relocs(b *testing.B) {
	raw := agent(b)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		o, err := Parse("agent.o", raw)
		if err != nil {
			b.Fatal(err)
		}
		if len(o.Relocs) != 35000 {
			b.Fatalf("%d relocations", len(o.Relocs))
		}
	}
}

// The records of a large object cost no allocation each, and equal access
// strings are one string.
func TestParseAllocations(t *testing.T) {
	raw := agent(t)
	var o *Object
	n := testing.AllocsPerRun(1, func() {
		var err error
		if o, err = Parse("agent.o", raw); err != nil {
			t.Fatal(err)
		}
	})
	if len(o.Relocs) != 35000 || n > 200 {
		t.Errorf("%d relocations, %.0f allocations, expected at most 200", len(o.Relocs), n)
	}
}

func BenchmarkParseSmall(b *testing.B) {
	raw := sample(b, binary.LittleEndian).MustBytes(b)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("sample.o", raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFind scans a host program of 4 MB with three small objects in it.
func BenchmarkFind(b *testing.B) {
	object := sample(b, binary.LittleEndian).MustBytes(b)
	filler := make([]byte, 1<<20)
	for i := range filler { // bytes as evenly spread as code's are not: 0x7f is as frequent
		filler[i] = byte(i*i>>3 ^ i)
	}
	raw := host(b, filler, object, filler, object, filler, object, filler)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		objects, err := Find("prog", raw)
		if err != nil {
			b.Fatal(err)
		}
		if len(objects) != 3 {
			b.Fatalf("%d objects", len(objects))
		}
	}
}
