package bpfelf

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/elftest"
)

func eachOrder(t *testing.T, f func(t *testing.T, order binary.ByteOrder)) {
	for name, order := range orders {
		t.Run(name, func(t *testing.T) { f(t, order) })
	}
}

func diff(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestParse(t *testing.T) {
	eachOrder(t, func(t *testing.T, order binary.ByteOrder) {
		o := parseSample(t, sample(t, order))
		if o.Name != "sample.o" || o.ByteOrder != order || o.License != "GPL" || o.KernelVersion != 0 || o.BTF == nil || !o.HasExt {
			t.Errorf("got %q, %v, license %q, version %d, BTF %v, ext %v", o.Name, o.ByteOrder, o.License, o.KernelVersion, o.BTF != nil, o.HasExt)
		}
		if o.BTF.ByteOrder() != order || o.BTF.Name(3) != "task_struct" {
			t.Errorf("BTF: %v, type 3 is %q", o.BTF.ByteOrder(), o.BTF.Name(3))
		}
		member, value := slots(loadMember(order)), slots(loadValue(order))
		diff(t, "relocations", o.Relocs, []CORERelo{
			{Section: "tp/exec", Access: "0:1", InsnOff: 0, TypeID: 3, Insn: member},
			{Section: "tp/exec", Program: "on_exec", Access: "0:1", InsnOff: 16, TypeID: 3, Insn: member},
			{Section: "tp/exec", Program: "on_exec", Access: "0", InsnOff: 24, TypeID: 4, Kind: 11, Insn: value},
			{Section: "kprobe/exit", Program: "on_exit", Access: "0:0", TypeID: 3, Insn: member},
			{Section: ".text", Program: "sub", Access: "0:1", TypeID: 3, Kind: 99, Insn: member},
			{Section: "eliminated", Access: "0:0", InsnOff: 4096, TypeID: 3, Kind: 2},
		})
	})
}

func TestPrograms(t *testing.T) {
	eachOrder(t, func(t *testing.T, order binary.ByteOrder) {
		o := parseSample(t, sample(t, order))
		got, err := o.Programs()
		if err != nil {
			t.Fatal(err)
		}
		short := append(loadMember(order), elftest.Exit(order)...)
		diff(t, "programs", got, []Program{
			{Name: "sub", Section: ".text", Size: 16, Insns: short, Subprogram: true, Static: true},
			{Name: "on_exec", Section: "tp/exec", Offset: 16, Size: 40, Insns: o.section("tp/exec").data[16:56]},
			{Name: "on_exit", Section: "kprobe/exit", Size: 16, Insns: short},
		})
	})
}

func TestMaps(t *testing.T) {
	eachOrder(t, func(t *testing.T, order binary.ByteOrder) {
		got, err := parseSample(t, sample(t, order)).Maps()
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "maps", got, []Map{
			{Name: "start", Section: ".maps", Kind: MapBTF, Type: 1, KeySize: 4, ValueSize: 48, MaxEntries: 10240, Flags: 3},
			{Name: "outer", Section: ".maps", Kind: MapBTF, Type: 12, KeySize: 4, ValueSize: 8, Pinning: 1},
			{Name: ".kconfig", Section: ".kconfig", Kind: MapKconfig, Type: 2, KeySize: 4, MaxEntries: 1, Flags: 128},
			{Name: "ops", Section: ".struct_ops", Kind: MapStructOps, Type: 26, KeySize: 4, MaxEntries: 1},
			{Name: ".rodata", Section: ".rodata", Kind: MapRodata, Type: 2, KeySize: 4, ValueSize: 13, MaxEntries: 1, Flags: 128},
			{Name: ".bss", Section: ".bss", Kind: MapBSS, Type: 2, KeySize: 4, ValueSize: 4096, MaxEntries: 1},
			{Name: ".data.custom", Section: ".data.custom", Kind: MapData, Type: 2, KeySize: 4, ValueSize: 16, MaxEntries: 1},
		})
	})
}

func TestLegacyMaps(t *testing.T) {
	eachOrder(t, func(t *testing.T, order binary.ByteOrder) {
		var defs []byte
		for _, word := range []uint32{1, 4, 8, 100, 0, 0, 0, 2, 4, 16, 5, 1, 0, 0} { // two definitions of 28 bytes
			defs = append(defs, 0, 0, 0, 0)
			order.PutUint32(defs[len(defs)-4:], word)
		}
		e := &elftest.Object{
			Order:    order,
			Sections: []elftest.Section{{Name: "maps", Data: defs}, {Name: "version", Data: make([]byte, 4)}},
			Symbols: []elftest.Symbol{
				{Name: "second", Section: "maps", Type: elf.STT_OBJECT, Value: 28},
				{Name: "first", Section: "maps", Type: elf.STT_NOTYPE},
			},
		}
		order.PutUint32(e.Sections[1].Data, 0x40c00)
		o := parseSample(t, e)
		got, err := o.Maps()
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "maps", got, []Map{
			{Name: "first", Section: "maps", Kind: MapLegacy, Type: 1, KeySize: 4, ValueSize: 8, MaxEntries: 100},
			{Name: "second", Section: "maps", Kind: MapLegacy, Type: 2, KeySize: 4, ValueSize: 16, MaxEntries: 5, Flags: 1},
		})
		if o.BTF != nil || o.HasExt || o.Relocs != nil || o.KernelVersion != 0x40c00 {
			t.Errorf("BTF %v, ext %v, %d relocations, version %#x", o.BTF != nil, o.HasExt, len(o.Relocs), o.KernelVersion)
		}
	})
}

func TestFuncsAndLines(t *testing.T) {
	eachOrder(t, func(t *testing.T, order binary.ByteOrder) {
		o := parseSample(t, sample(t, order))
		funcs, err := o.Funcs()
		if err != nil {
			t.Fatal(err)
		}
		fn := funcs[0].TypeID
		if o.BTF.Kind(fn) != btf.KindFunc {
			t.Errorf("function info's type %d is %v", fn, o.BTF.Kind(fn))
		}
		diff(t, "functions", funcs, []FuncInfo{{"tp/exec", 16, fn}, {"kprobe/exit", 0, fn}})
		lines, err := o.Lines()
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "lines", lines, []LineInfo{
			{"tp/exec", 16, "exec.bpf.c", "\treturn t->pid;", 12, 9},
			{"tp/exec", 24, "exec.bpf.c", "", 70000, 1023},
		})
	})
}

func TestELFRelocs(t *testing.T) {
	eachOrder(t, func(t *testing.T, order binary.ByteOrder) {
		e := sample(t, order)
		rodata := e.Sections[3].Data
		order.PutUint64(rodata, 0x1_0000_0020)
		order.PutUint32(rodata[8:], 0xffffffff)
		got, err := parseSample(t, e).ELFRelocs()
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "relocations", got, []ELFReloc{
			{Section: "tp/exec", Offset: 24, Type: Reloc64x64, Symbol: "start", SymbolSection: ".maps", Addend: 7},
			{Section: "tp/exec", Offset: 40, Type: Reloc64x32, Symbol: ".text", SymbolSection: ".text", Addend: 0},
			{Section: ".rodata", Offset: 0, Type: RelocAbs64, Symbol: "start", SymbolSection: ".maps", Addend: 0x1_0000_0020},
			{Section: ".rodata", Offset: 8, Type: RelocAbs32, Symbol: "start", SymbolSection: ".maps", Addend: -1},
			{Section: ".maps", Offset: 0, Type: RelocNoDyld32, Symbol: "bpf_extern"},
			{Section: ".maps", Offset: 0, Type: RelocNone, Symbol: "start", SymbolSection: ".maps"},
		})
		var names []string
		for _, r := range append(got, ELFReloc{Type: 77}) {
			names = append(names, r.Type.String())
		}
		diff(t, "names", strings.Join(names, " "),
			"R_BPF_64_64 R_BPF_64_32 R_BPF_64_ABS64 R_BPF_64_ABS32 R_BPF_64_NODYLD32 R_BPF_NONE R_BPF_77")
	})
}

// Headers and records of other lengths than today's are read by what is known
// of them; a header too short for the CO-RE part means that there is none.
func TestExtLengths(t *testing.T) {
	eachOrder(t, func(t *testing.T, order binary.ByteOrder) {
		want := parseSample(t, sample(t, order))
		wantLines, err := want.Lines()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ header, longer uint32 }{{32, 0}, {24, 0}, {40, 0}, {100, 0}, {32, 8}, {64, 12}} {
			e := sample(t, order)
			e.Ext.HeaderSize, e.Ext.Longer = c.header, c.longer
			if c.longer%4 != 0 {
				t.Fatal("records are multiples of 4")
			}
			o := parseSample(t, e)
			if c.header < 32 {
				if o.Relocs != nil || !o.HasExt {
					t.Errorf("header of %d: %d relocations, ext %v", c.header, len(o.Relocs), o.HasExt)
				}
			} else {
				diff(t, "relocations", o.Relocs, want.Relocs)
			}
			lines, err := o.Lines()
			if err != nil {
				t.Fatal(err)
			}
			diff(t, "lines", lines, wantLines)
		}
	})
}

// A .BTF.ext that says that it has nothing has nothing.
func TestEmptyExt(t *testing.T) {
	e := sample(t, binary.LittleEndian)
	e.Ext = &elftest.Ext{}
	o := parseSample(t, e)
	funcs, errFuncs := o.Funcs()
	lines, errLines := o.Lines()
	if !o.HasExt || o.Relocs != nil || len(funcs) != 0 || len(lines) != 0 || errFuncs != nil || errLines != nil {
		t.Errorf("ext %v, %d relocations, %v %v, %v %v", o.HasExt, len(o.Relocs), funcs, errFuncs, lines, errLines)
	}
}

// libbpf ignores a .BTF.ext that has no .BTF to refer to.
func TestExtWithoutBTF(t *testing.T) {
	e := sample(t, binary.LittleEndian)
	e.BTF = nil
	o := parseSample(t, e)
	lines, err := o.Lines()
	if o.BTF != nil || !o.HasExt || o.Relocs != nil || lines != nil || err != nil {
		t.Errorf("BTF %v, ext %v, %d relocations, lines %v, %v", o.BTF != nil, o.HasExt, len(o.Relocs), lines, err)
	}
}

func TestNoSymbols(t *testing.T) {
	e := sample(t, binary.LittleEndian)
	e.Symbols, e.Relocs = nil, nil
	o := parseSample(t, e)
	programs, err := o.Programs()
	if len(o.Relocs) != 6 || o.Relocs[1].Program != "" || o.Relocs[1].Insn[0] != 0x79 || len(programs) != 0 || err != nil {
		t.Errorf("relocations %+v, programs %v, %v", o.Relocs, programs, err)
	}
}

func TestSectionTableFirst(t *testing.T) {
	e := sample(t, binary.LittleEndian)
	want := parseSample(t, e)
	e.TableFirst = true
	diff(t, "relocations", parseSample(t, e).Relocs, want.Relocs)
}

// Where the file header has no room, section 0 holds the number of sections and
// the index of their names.
func TestExtendedNumbering(t *testing.T) {
	eachOrder(t, func(t *testing.T, order binary.ByteOrder) {
		raw := sample(t, order).MustBytes(t)
		want := parseSample(t, sample(t, order))
		section0 := raw[order.Uint64(raw[40:]):]
		order.PutUint64(section0[32:], uint64(order.Uint16(raw[60:])))
		order.PutUint32(section0[40:], uint32(order.Uint16(raw[62:])))
		order.PutUint16(raw[60:], 0)
		order.PutUint16(raw[62:], 0xffff)
		o, err := Parse("many.o", raw)
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "relocations", o.Relocs, want.Relocs)
		wantObjects(t, both(t, "prog", host(t, raw)), "prog", raw)
		order.PutUint64(section0[32:], maxSections+1)
		if _, err := Parse("many.o", raw); err == nil || !strings.Contains(err.Error(), "1048577 sections, expected 1 to 1048576") {
			t.Error(err)
		}
	})
}

// What a file is wrong in, and where, is in the error.
func TestErrors(t *testing.T) {
	le := binary.LittleEndian
	build := func(edit func(*elftest.Object)) []byte {
		e := sample(t, le)
		edit(e)
		return e.MustBytes(t)
	}
	relo := func(r elftest.CORERelo) func(*elftest.Object) {
		return func(e *elftest.Object) { e.Ext.Relocs = []elftest.CORERelo{r} }
	}
	patch := func(at int, b ...byte) []byte {
		raw := sample(t, le).MustBytes(t)
		copy(raw[at:], b)
		return raw
	}
	whole := sample(t, le).MustBytes(t)
	for _, c := range []struct {
		name string
		raw  []byte
		want string
		is   bool // ErrNotObject
	}{
		{"empty", nil, "x.o: empty file, not an eBPF object", true},
		{"text", []byte("hello"), "x.o: no ELF file, not an eBPF object", true},
		{"archive", []byte("!<arch>\nfoo"), "x.o: archive, not an eBPF object", true},
		{"raw BTF", []byte("\x9f\xeb\x01\x00"), "x.o: raw BTF, not an eBPF object", true},
		{"half a header", whole[:40], "x.o: ELF file truncated to 40 bytes, less than its header's 64, not an eBPF object", true},
		{"host", build(func(e *elftest.Object) { e.Machine, e.Type = elf.EM_X86_64, elf.ET_EXEC }), "x.o: x86-64 executable, not an eBPF object", true},
		{"no machine", build(func(e *elftest.Object) { e.Machine = elf.EM_S390 }), "x.o: s390 relocatable object, not an eBPF object", true},
		{"32 bits", patch(4, 1), "x.o: 32-bit eBPF relocatable object, not an eBPF object", true},
		{"linked", build(func(e *elftest.Object) { e.Type = elf.ET_EXEC }), "x.o: ELF header: type ET_EXEC, expected a relocatable object (ET_REL)", false},
		{"order", patch(5, 3), "x.o: ELF header: byte order 3, expected 1 (little) or 2 (big)", false},
		{"version", patch(20, 2), "x.o: ELF header: version 1 and 2, expected 1", false},
		{"no table", patch(40, make([]byte, 8)...), "x.o: ELF header: no section table", false},
		{"table entry size", patch(58, 40), "x.o: ELF header: section headers of 40 bytes, expected 64", false},
		{"names", patch(62, 0xff, 0), "x.o: ELF header: section names in section 255 of ", false},
		{"truncated", whole[:len(whole)-1], " are left (truncated?)", false},
		{"truncated table", whole[:200], "past the end of the file, 0xc8 bytes (truncated?)", false},
		{"BTF", build(func(e *elftest.Object) { e.Ext = nil; e.BTF = []byte("hi") }), "x.o: section .BTF: malformed BTF: ", false},
		{"BTF of the other order", func() []byte {
			e, big := sample(t, le), sample(t, binary.BigEndian)
			e.Ext, e.BTF = nil, big.BTF
			return e.MustBytes(t)
		}(), "x.o: section .BTF: BigEndian, but the ELF file is LittleEndian", false},
		{"version section", build(func(e *elftest.Object) {
			e.Sections = append(e.Sections, elftest.Section{Name: "version", Data: []byte{1}})
		}), "x.o: section version: 1 bytes, expected 4", false},
		{"unaligned", build(relo(elftest.CORERelo{Section: "tp/exec", InsnOff: 12, TypeID: 3, Access: "0"})),
			"instruction at tp/exec+0xc: not a multiple of 8", false},
		{"unaligned in no section", build(relo(elftest.CORERelo{Section: "gone", InsnOff: 3, TypeID: 3, Access: "0"})),
			"instruction at gone+0x3: not a multiple of 8", false},
		{"past the section", build(relo(elftest.CORERelo{Section: "kprobe/exit", InsnOff: 16, TypeID: 3, Access: "0"})),
			"x.o: section .BTF.ext: CO-RE relocation at offset 0x7c: instruction at kprobe/exit+0x10: past the section's 0x10 bytes", false},
		{"far past the section", build(relo(elftest.CORERelo{Section: "kprobe/exit", InsnOff: 0xfffffff8, TypeID: 3, Access: "0"})),
			"instruction at kprobe/exit+0xfffffff8: past the section's 0x10 bytes", false},
		{"nameless section", build(relo(elftest.CORERelo{TypeID: 3, Access: "0"})),
			"CO-RE relocations at offset 0x74: section name at string offset 0x0 is empty or out of range", false},
		{"half an LDIMM64", build(func(e *elftest.Object) {
			e.Sections = append(e.Sections, elftest.Code("cut", loadValue(le)[:8]))
			relo(elftest.CORERelo{Section: "cut", TypeID: 3, Access: "0"})(e)
		}), "instruction at cut+0x0: LDIMM64 cut off by the section's end", false},
		{"function past the section", build(func(e *elftest.Object) { e.Symbols[2].Size = 24 }),
			"section .symtab: function on_exit at kprobe/exit+0x0 of 0x18 bytes leaves the section of 0x10 bytes", false},
		{"unaligned function", build(func(e *elftest.Object) { e.Symbols[2].Value, e.Symbols[2].Size = 4, 8 }),
			"section .symtab: function on_exit at kprobe/exit+0x4 of 0x8 bytes: not multiples of 8", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := Parse("x.o", c.raw)
			if err == nil {
				t.Fatalf("no error, got %+v", o)
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if errors.Is(err, ErrNotObject) != c.is {
				t.Errorf("is ErrNotObject: %v: %v", !c.is, err)
			}
		})
	}
}

// Errors of .BTF.ext's frame. The fields are patched in the finished section.
func TestExtErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		field int // byte offset in .BTF.ext
		value uint32
		want  string
	}{
		{"magic", 0, 0x0001eb9e, "starts with 0xeb9e, expected the magic 0xeb9f"},
		{"version", 0, 0x0002eb9f, "version 2, expected 1"},
		{"flags", 0, 0x0101eb9f, "flags 0x1, expected none"},
		{"short header", 4, 20, "header of 20 bytes, expected 24 to the section's"},
		{"long header", 4, 1 << 20, "header of 1048576 bytes"},
		{"offset", 24, 1 << 30, "CO-RE relocations at offset 0x40000020: "},
		{"unaligned", 24, 2, "not a multiple of 4"},
		{"length", 28, 1 << 31, "0x80000000 bytes, but the section ends at"},
		{"no record size", 28, 2, "2 bytes have no room for the record size"},
		{"cut header", 28, 8, "4 bytes left, a section's header has 8"},
		{"record size", 32, 4, "records of 4 bytes, expected 8 or a larger multiple of 4"},
		{"no records", 40, 0, "0 records of 8 bytes"},
		{"too many records", 40, 1 << 31, "2147483648 records of 8 bytes, but"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := sample(t, binary.LittleEndian)
			raw := e.MustBytes(t)
			ext := parseSample(t, e).section(".BTF.ext")
			binary.LittleEndian.PutUint32(raw[ext.off+uint64(c.field):], c.value)
			o, err := Parse("x.o", raw)
			if err == nil {
				_, err = o.Funcs()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "x.o: section .BTF.ext: ") {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
