package dwarf2btf

import (
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/elffile"
)

// symbol is one of the symbol table.
type symbol struct {
	name        string
	kind        elf.SymType
	section     uint16
	value, size uint64
}

// withSymbols adds a symbol table, and a section of variables that exist once a CPU,
// which is section 6.
func (f *testFile) withSymbols(symbols ...symbol) *testFile {
	names := []byte{0}
	table := make([]byte, 24)
	if f.class32 {
		table = table[:16]
	}
	for _, s := range symbols {
		table = f.put(table, 4, uint64(len(names)))
		names = append(append(names, s.name...), 0)
		rest := f.put([]byte{byte(s.kind), 0}, 2, uint64(s.section))
		if f.class32 {
			table = append(f.put(f.put(table, 4, s.value), 4, s.size), rest...)
		} else {
			table = f.put(f.put(append(table, rest...), 8, s.value), 8, s.size)
		}
	}
	f.more = append([]testSection{{name: perCPU, data: make([]byte, 64)},
		{name: ".symtab", kind: elf.SHT_SYMTAB, data: table}, {name: ".strtab", kind: elf.SHT_STRTAB, data: names}}, f.more...)
	return f
}

func function(l, name string, attrs []attr, params ...*entry) *entry {
	if name != "" {
		attrs = append(attrs, named(name))
	}
	return &entry{label: l, tag: tagSubprogram, attrs: attrs, children: params}
}

func parameterOf(name, typ string) *entry {
	return &entry{tag: tagFormalParameter, attrs: []attr{named(name), ref(typ)}}
}

func TestFunctions(t *testing.T) {
	declaration := attr{atDeclaration, formFlagPresent, 0}
	f := &testFile{units: []*testUnit{
		unitOf("1/", integer(),
			function("", "declared", []attr{declaration}),
			function("", "two", nil, parameterOf("a", "i"), parameterOf("b", "i"), &entry{tag: tagUnspecifiedParams}),
			function("", "no_symbol", nil, parameterOf("a", "i")),
			function("", "nameless", nil, &entry{tag: tagFormalParameter, attrs: []attr{ref("i")}}),
			// What is inlined has its name, type and parameters where it is from.
			function("abstract", "inlined", []attr{{0x20, formData1, 1}, ref("i")}, &entry{label: "a", tag: tagFormalParameter, attrs: []attr{named("x"), ref("i")}}),
			function("", "", []attr{{atAbstractOrigin, formRef4, label("abstract")}}, &entry{tag: tagFormalParameter, attrs: []attr{{atAbstractOrigin, formRef4, label("a")}}})),
		unitOf("2/", integer(), function("", "declared", nil), function("", "two", nil, parameterOf("other", "i"))),
	}}
	f.withSymbols(symbol{name: "two", kind: elf.STT_FUNC}, symbol{name: "declared", kind: elf.STT_FUNC}, symbol{name: "inlined", kind: elf.STT_FUNC},
		symbol{name: "nameless", kind: elf.STT_FUNC}, symbol{name: "no_symbol", kind: elf.STT_OBJECT})
	expect(t, convert(t, f.bytes(), Options{Functions: true}), `
		[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
		[2] FUNC_PROTO '(anon)' ret_type_id=0 vlen=3 'a' type_id=1 'b' type_id=1 '(anon)' type_id=0
		[3] FUNC 'two' type_id=2 linkage=static
		[4] FUNC_PROTO '(anon)' ret_type_id=1 vlen=1 'x' type_id=1
		[5] FUNC 'inlined' type_id=4 linkage=static
		[6] FUNC_PROTO '(anon)' ret_type_id=0 vlen=0
		[7] FUNC 'declared' type_id=6 linkage=static`)
	expect(t, convert(t, f.bytes(), Options{}), `[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED`)
	// Without symbols, what is external.
	f = one(integer(), function("", "internal", nil), function("", "external", []attr{{atExternal, formFlagPresent, 0}}))
	expect(t, convert(t, f.bytes(), Options{Functions: true}), `
		[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
		[2] FUNC_PROTO '(anon)' ret_type_id=0 vlen=0
		[3] FUNC 'external' type_id=2 linkage=static`)
}

func TestPerCPUVariables(t *testing.T) {
	for _, big := range []bool{false, true} {
		for _, class32 := range []bool{false, true} {
			f := &testFile{big: big, class32: class32}
			width := 8
			if class32 {
				width = 4
			}
			at := func(address uint64) attr {
				return attr{atLocation, formExprloc, f.put([]byte{opAddr}, width, address)}
			}
			variable := func(attrs ...attr) *entry { return &entry{tag: tagVariable, attrs: attrs} }
			f.units = []*testUnit{{addrSize: uint8(width), entries: []*entry{integer(),
				variable(named("first"), ref("i"), at(0)),
				variable(named("dropped"), ref("i"), at(0)),
				variable(named("elsewhere"), ref("i"), at(100)),
				variable(named("local"), ref("i"), attr{atLocation, formExprloc, []byte{0x91, 0}}),
				{label: "d", tag: tagVariable, attrs: []attr{named("second"), ref("p"), {atExternal, formFlagPresent, 0}, {atDeclaration, formFlagPresent, 0}}},
				variable(attr{atSpecification, formRef4, label("d")}, at(8)),
				structure("e", "empty", 0), variable(named("empty"), ref("e"), at(16)),
				pointer("p", "i"),
			}}}
			f.withSymbols(symbol{name: "second", kind: elf.STT_OBJECT, section: 6, value: 8, size: 8},
				symbol{name: "first", kind: elf.STT_OBJECT, section: 6, size: 4}, symbol{name: "empty", kind: elf.STT_OBJECT, section: 6, value: 16, size: 1})
			expect(t, convert(t, f.bytes(), Options{Functions: true}), `
				[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
				[2] STRUCT 'empty' size=0 vlen=0
				[3] PTR '(anon)' type_id=1
				[4] VAR 'first' type_id=1, linkage=static
				[5] VAR 'second' type_id=3, linkage=global
				[6] DATASEC '.data..percpu' size=16 vlen=2
				type_id=4 offset=0 size=4 (VAR 'first')
				type_id=5 offset=8 size=8 (VAR 'second')`)
		}
	}
}

// A module's addresses are in relocations, and addresses may be in a table.
func TestVariableOfAModule(t *testing.T) {
	f := &testFile{elfType: elf.ET_REL, units: []*testUnit{{root: []attr{{atAddrBase, formSecOffset, 8}}, entries: []*entry{integer(),
		{tag: tagVariable, attrs: []attr{named("v"), ref("i"), {atLocation, formExprloc, []byte{opAddrx, 1}}}}}}}}
	f.withSymbols(symbol{}, symbol{name: "v", kind: elf.STT_OBJECT, section: 6, value: 4, size: 4}, symbol{kind: elf.STT_SECTION, section: 6})
	f.more[0].flags = elf.SHF_ALLOC
	rela := f.put(f.put(f.put(nil, 8, 16), 8, 3<<32|uint64(elf.R_X86_64_64)), 8, 4)
	f.more = append(f.more, testSection{name: ".debug_addr", data: make([]byte, 24)}, testSection{name: ".rela.debug_addr", kind: elf.SHT_RELA, data: rela, info: 9, link: 7})
	expect(t, convert(t, f.bytes(), Options{Functions: true}), `
		[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
		[2] VAR 'v' type_id=1, linkage=static
		[3] DATASEC '.data..percpu' size=8 vlen=1
		type_id=2 offset=4 size=4 (VAR 'v')`)
}

// kernel converts entries to what a module is put on.
func kernel(t *testing.T, f *testFile) *btf.BTF {
	t.Helper()
	return convert(t, f.bytes(), Options{Functions: true})
}

func TestModule(t *testing.T) {
	shared := func() []*entry {
		return []*entry{integer(), structure("s", "shared", 8, member("next", "p", 0)), pointer("p", "s"),
			enum("wide", 8, "i", attr{atConstValue, formData8, uint64(1) << 40}), enum("narrow", 4, "", attr{atConstValue, formSdata, -1}),
			&entry{tag: tagSubroutineType, children: []*entry{{tag: tagFormalParameter, attrs: []attr{ref("p")}}, {tag: tagUnspecifiedParams}}},
			&entry{label: "a", tag: tagArrayType, attrs: []attr{ref("i")}, children: []*entry{{tag: tagSubrangeType, attrs: []attr{{atUpperBound, formData1, 1}}}}}}
	}
	f := one(append(shared(), declared("", "elsewhere"))...)
	base := kernel(t, f)
	start := int(base.End())
	m := one(append(shared(), structure("own", "own", 8, member("kernel_s", "p", 0)), structure("", "elsewhere", 4, member("i", "i", 0)),
		array("own", []attr{{atUpperBound, formData1, 3}}))...)
	raw, err := Convert(elffile.Bytes(m.bytes()), Options{Base: base})
	if err != nil {
		t.Fatal(err)
	}
	b := convert(t, m.bytes(), Options{Base: base})
	if start != int(b.Start()) || b.End()-b.Start() != 3 {
		t.Fatal(dump(t, b))
	}
	got := dump(t, b)
	for _, want := range []string{"STRUCT 'own' size=8 vlen=1", "STRUCT 'elsewhere' size=4 vlen=1", "ARRAY '(anon)'"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(string(raw), "shared\x00") || strings.Contains(string(raw), "next\x00") || strings.Contains(string(raw), "elsewhere\x00") {
		t.Error("strings of the base are written again")
	}
	// All of it is the kernel's.
	if b := convert(t, one(shared()...).bytes(), Options{Base: base}); b.End() != b.Start() {
		t.Error(dump(t, b))
	}
}

// What the kernel only declares, the module defines: structs of the kernel that lead
// to it stay, pointers are written again.
func TestModuleDefinesWhatTheKernelDeclares(t *testing.T) {
	base := kernel(t, one(declared("d", "private"), pointer("p", "d"), structure("", "public", 8, member("p", "p", 0))))
	expect(t, convert(t, one(integer(), structure("d", "private", 4, member("i", "i", 0)), pointer("p", "d"), structure("s", "public", 8, member("p", "p", 0)),
		pointer("", "s")).bytes(), Options{Base: base}), `
		[4] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
		[5] STRUCT 'private' size=4 vlen=1 'i' type_id=4 bits_offset=0
		[6] PTR '(anon)' type_id=5
		[7] PTR '(anon)' type_id=3`)
}

func TestModuleWithAnotherDefinition(t *testing.T) {
	unit := func(name string) []*entry {
		return []*entry{integer(), structure("in", "inner", 4, member(name, "i", 0)), pointer("p", "in"), structure("", "outer", 8, member("p", "p", 0)),
			structure("", "apart", 4, member("i", "i", 0))}
	}
	base := kernel(t, one(unit("a")...))
	expect(t, convert(t, one(unit("b")...).bytes(), Options{Base: base}), `
		[6] STRUCT 'inner' size=4 vlen=1 'b' type_id=1 bits_offset=0
		[7] PTR '(anon)' type_id=6
		[8] STRUCT 'outer' size=8 vlen=1 'p' type_id=7 bits_offset=0`)
}

func TestBasesThatAreRefused(t *testing.T) {
	base := kernel(t, one(integer()))
	raw := (&testFile{big: true, units: []*testUnit{{entries: []*entry{integer()}}}}).bytes()
	if _, err := Convert(elffile.Bytes(raw), Options{Base: base}); err == nil {
		t.Error("a base of another byte order is accepted")
	}
	split, err := btf.NewSplitBuilder(base).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	on, err := btf.ParseSplit(split, base)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Convert(elffile.Bytes(one(integer()).bytes()), Options{Base: on}); err == nil {
		t.Error("a base that is split is accepted")
	}
	w := btf.NewBuilder(binary.LittleEndian)
	w.Ptr(77)
	wrong, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b, err := btf.Parse(wrong)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Convert(elffile.Bytes(one(integer()).bytes()), Options{Base: b}); err == nil || !strings.Contains(err.Error(), "base BTF") {
		t.Error(err)
	}
}
