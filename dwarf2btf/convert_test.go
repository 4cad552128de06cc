package dwarf2btf

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/elffile"
)

// convert converts, and checks what every output has to be.
func convert(t *testing.T, raw []byte, o Options) *btf.BTF {
	t.Helper()
	out, err := Convert(elffile.Bytes(raw), o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := btf.ParseSplit(out, o.Base)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 3} {
		o.Workers = n
		if again, err := Convert(elffile.Bytes(raw), o); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%d workers write something else, %v", n, err)
		}
	}
	return b
}

// dump is BTF in bpftool's format, but for blanks.
func dump(t *testing.T, b *btf.BTF) string {
	t.Helper()
	var s bytes.Buffer
	if err := b.DumpRaw(&s, nil); err != nil {
		t.Fatal(err)
	}
	return s.String()
}

func expect(t *testing.T, b *btf.BTF, want string) {
	t.Helper()
	got := strings.Fields(dump(t, b))
	if strings.Join(got, " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got\n%s\nwant\n%s", dump(t, b), want)
	}
}

func one(entries ...*entry) *testFile { return &testFile{units: []*testUnit{{entries: entries}}} }

func TestBaseTypes(t *testing.T) {
	f := one(
		base("", "int", 4, ateSigned), base("", "char", 1, ateSignedChar), base("", "_Bool", 1, ateBoolean),
		base("", "unsigned char", 1, 8), base("", "__int128", 16, ateSigned), base("", "double", 8, ateFloat),
		base("", "_Float16", 2, ateFloat), base("", "complex double", 16, 3), base("", "DW_ATE_unsigned_24", 3, 7),
		base("", "int", 4, ateSigned),
	)
	expect(t, convert(t, f.bytes(), Options{}), `
		[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
		[2] INT 'char' size=1 bits_offset=0 nr_bits=8 encoding=SIGNED
		[3] INT '_Bool' size=1 bits_offset=0 nr_bits=8 encoding=BOOL
		[4] INT 'unsigned char' size=1 bits_offset=0 nr_bits=8 encoding=(none)
		[5] INT '__int128' size=16 bits_offset=0 nr_bits=128 encoding=SIGNED
		[6] FLOAT 'double' size=8
		[7] FLOAT '_Float16' size=2
		[8] INT 'complex double' size=16 bits_offset=0 nr_bits=128 encoding=(none)
		[9] INT '__SANITIZED_FAKE_INT__' size=4 bits_offset=0 nr_bits=32 encoding=(none)`)
}

func TestModifiers(t *testing.T) {
	f := one(
		modifier("p", tagPointerType, ref("c")), modifier("c", tagConstType, ref("v")), modifier("v", tagVolatileType, ref("a")),
		modifier("a", tagAtomicType, ref("t")), modifier("t", tagTypedef, named("T"), ref("i")), base("i", "int", 4, ateSigned),
		modifier("", tagRestrictType, ref("p")), modifier("", tagPointerType), modifier("n", tagUnspecifiedType, named("decltype(nullptr)")),
		modifier("", tagTypedef, named("nullptr_t"), ref("n")),
	)
	expect(t, convert(t, f.bytes(), Options{}), `
		[1] PTR '(anon)' type_id=2
		[2] CONST '(anon)' type_id=3
		[3] VOLATILE '(anon)' type_id=4
		[4] TYPEDEF 'T' type_id=5
		[5] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
		[6] RESTRICT '(anon)' type_id=1
		[7] PTR '(anon)' type_id=0
		[8] TYPEDEF 'nullptr_t' type_id=0`)
}

func array(of string, dims ...[]attr) *entry {
	e := &entry{tag: tagArrayType, attrs: []attr{ref(of)}}
	for _, d := range dims {
		e.children = append(e.children, &entry{tag: tagSubrangeType, attrs: d})
	}
	return e
}

func TestArrays(t *testing.T) {
	upper := func(n uint64) []attr { return []attr{{atUpperBound, formUdata, n}} }
	f := one(
		base("c", "char", 1, ateSignedChar),
		array("c", upper(2), upper(3)), array("c", nil), array("c", []attr{{atCount, formData1, 7}}),
		array("c", []attr{{atUpperBound, formData4, uint64(0xffffffff)}}), array("c", []attr{{atUpperBound, formExprloc, []byte{0x97, 1}}}),
		array("c", upper(1<<20), upper(1<<20), nil),
	)
	expect(t, convert(t, f.bytes(), Options{}), `
		[1] INT 'char' size=1 bits_offset=0 nr_bits=8 encoding=SIGNED
		[2] ARRAY '(anon)' type_id=1 index_type_id=5 nr_elems=12
		[3] ARRAY '(anon)' type_id=1 index_type_id=5 nr_elems=0
		[4] ARRAY '(anon)' type_id=1 index_type_id=5 nr_elems=7
		[5] INT '__ARRAY_SIZE_TYPE__' size=4 bits_offset=0 nr_bits=32 encoding=(none)`)
	// The bound is in a variable, that has an entry of its own.
	for _, form := range []uint64{formRef1, formRef2, formRef4, formRef8, formRefUdata, formRefAddr, formRefSig8, formRefSup4, formRefSup8, formGNURefAlt} {
		for _, at := range []uint64{atUpperBound, atCount} {
			f = one(base("c", "char", 1, ateSignedChar), &entry{label: "v", tag: tagVariable}, array("c", []attr{{at, form, label("v")}}))
			expect(t, convert(t, f.bytes(), Options{}), `
				[1] INT 'char' size=1 bits_offset=0 nr_bits=8 encoding=SIGNED
				[2] ARRAY '(anon)' type_id=1 index_type_id=3 nr_elems=0
				[3] INT '__ARRAY_SIZE_TYPE__' size=4 bits_offset=0 nr_bits=32 encoding=(none)`)
		}
	}
	f = one(base("i", "int", 4, ateSigned), array("i", upper(4)))
	expect(t, convert(t, f.bytes(), Options{}), `
		[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
		[2] ARRAY '(anon)' type_id=1 index_type_id=1 nr_elems=5`)
}

func enum(name string, bytes int, of string, values ...attr) *entry {
	e := &entry{tag: tagEnumerationType, attrs: []attr{named(name), size(bytes)}}
	if of != "" {
		e.attrs = append(e.attrs, ref(of))
	}
	for i, v := range values {
		e.children = append(e.children, &entry{tag: tagEnumerator, attrs: []attr{named(fmt.Sprintf("%s%d", strings.ToUpper(name), i)), v}})
	}
	return e
}

func TestEnums(t *testing.T) {
	f := one(
		base("l", "long", 8, ateSigned),
		enum("a", 4, "", attr{atConstValue, formData1, 200}, attr{atConstValue, formSdata, 5}),
		enum("b", 4, "", attr{atConstValue, formSdata, -2}, attr{atConstValue, formImplicitConst, int64(-1)}),
		enum("c", 8, "l", attr{atConstValue, formSdata, -1}, attr{atConstValue, formData8, uint64(1) << 40}),
		enum("d", 8, "", attr{atConstValue, formUdata, uint64(1) << 63}),
		&entry{tag: tagEnumerationType, attrs: []attr{named("e"), {atDeclaration, formFlag, 1}}},
	)
	expect(t, convert(t, f.bytes(), Options{}), `
		[1] INT 'long' size=8 bits_offset=0 nr_bits=64 encoding=SIGNED
		[2] ENUM 'a' encoding=UNSIGNED size=4 vlen=2 'A0' val=200 'A1' val=5
		[3] ENUM 'b' encoding=SIGNED size=4 vlen=2 'B0' val=-2 'B1' val=-1
		[4] ENUM64 'c' encoding=SIGNED size=8 vlen=2 'C0' val=-1LL 'C1' val=1099511627776LL
		[5] ENUM64 'd' encoding=UNSIGNED size=8 vlen=1 'D0' val=9223372036854775808ULL
		[6] ENUM 'e' encoding=UNSIGNED size=4 vlen=0`)
	expect(t, convert(t, f.bytes(), Options{NoEnum64: true}), `
		[1] INT 'long' size=8 bits_offset=0 nr_bits=64 encoding=SIGNED
		[2] ENUM 'a' encoding=UNSIGNED size=4 vlen=2 'A0' val=200 'A1' val=5
		[3] ENUM 'b' encoding=UNSIGNED size=4 vlen=2 'B0' val=4294967294 'B1' val=4294967295
		[4] ENUM 'c' encoding=UNSIGNED size=8 vlen=2 'C0' val=4294967295 'C1' val=0
		[5] ENUM 'd' encoding=UNSIGNED size=8 vlen=1 'D0' val=0
		[6] ENUM 'e' encoding=UNSIGNED size=4 vlen=0`)
}

// Three ways to say where a bitfield is; on a big-endian machine the first bit is
// the most significant one.
func TestBitfields(t *testing.T) {
	u := base("u", "unsigned int", 4, 7)
	old := func(name string, bits, from int, more ...attr) *entry {
		return member(name, "t", 4, append(more, attr{atBitSize, formData1, bits}, attr{atBitOffset, formData1, from})...)
	}
	f := one(u, modifier("t", tagTypedef, named("u32"), ref("u")), structure("", "s", 8,
		member("x", "u", 0),
		old("a", 3, 29, size(4)),
		old("b", 7, 22),
		&entry{tag: tagMember, attrs: []attr{named("c"), ref("t"), {atBitSize, formData1, 5}, {atDataBitOffset, formData1, 42}}},
		&entry{tag: tagMember, attrs: []attr{named("y"), ref("u"), {atDataMemberLocation, formExprloc, []byte{opPlusUconst, 8}}}},
		&entry{tag: tagMember, attrs: []attr{named("constant"), ref("u")}}, // static
	))
	f.units[0].version = 3
	want := `
		[1] INT 'unsigned int' size=4 bits_offset=0 nr_bits=32 encoding=(none)
		[2] TYPEDEF 'u32' type_id=1
		[3] STRUCT 's' size=8 vlen=5
		'x' type_id=1 bits_offset=0
		'a' type_id=2 bits_offset=%d bitfield_size=3
		'b' type_id=2 bits_offset=%d bitfield_size=7
		'c' type_id=2 bits_offset=42 bitfield_size=5
		'y' type_id=1 bits_offset=64`
	expect(t, convert(t, f.bytes(), Options{}), fmt.Sprintf(want, 32, 35))
	f.big = true
	expect(t, convert(t, f.bytes(), Options{}), fmt.Sprintf(want, 61, 54))
}

func TestFunctionTypes(t *testing.T) {
	param := func(of string) *entry { return &entry{tag: tagFormalParameter, attrs: []attr{ref(of)}} }
	f := one(
		base("i", "int", 4, ateSigned),
		&entry{tag: tagSubroutineType, attrs: []attr{ref("i")}, children: []*entry{param("i"), {tag: tagUnspecifiedParams}}},
		&entry{tag: tagSubroutineType},
		&entry{tag: tagSubprogram, attrs: []attr{named("f")}, children: []*entry{
			param("i"), structure("", "inside", 4, member("m", "i", 0)),
			{tag: 0x0b, children: []*entry{structure("", "deeper", 4)}}, // a lexical block
		}},
	)
	expect(t, convert(t, f.bytes(), Options{}), `
		[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
		[2] FUNC_PROTO '(anon)' ret_type_id=1 vlen=2 '(anon)' type_id=1 '(anon)' type_id=0
		[3] FUNC_PROTO '(anon)' ret_type_id=0 vlen=0
		[4] STRUCT 'inside' size=4 vlen=1 'm' type_id=1 bits_offset=0
		[5] STRUCT 'deeper' size=4 vlen=0`)
}

func TestTags(t *testing.T) {
	tag := func(kind, value string) *entry {
		return &entry{tag: tagLLVMAnnotation, attrs: []attr{named(kind), {atConstValue, formStrp, value}}}
	}
	f := one(
		&entry{label: "p", tag: tagPointerType, attrs: []attr{ref("i")}, children: []*entry{tag("btf_type_tag", "one"), tag("btf_type_tag", "two")}},
		base("i", "int", 4, ateSigned),
		structure("", "s", 8, &entry{tag: tagMember, attrs: []attr{named("m"), ref("p"), {atDataMemberLocation, formData1, 0}},
			children: []*entry{tag("btf_decl_tag", "member")}}, tag("btf_decl_tag", "whole")),
	)
	expect(t, convert(t, f.bytes(), Options{}), `
		[1] PTR '(anon)' type_id=3
		[2] TYPE_TAG 'one' type_id=4
		[3] TYPE_TAG 'two' type_id=2
		[4] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
		[5] STRUCT 's' size=8 vlen=1 'm' type_id=1 bits_offset=0
		[6] DECL_TAG 'member' type_id=5 component_idx=0
		[7] DECL_TAG 'whole' type_id=5 component_idx=-1`)
}

// In every version and size of header, and however references and names are given.
func TestVersionsAndForms(t *testing.T) {
	want := `
		[1] STRUCT 'list' size=16 vlen=1 'next' type_id=2 bits_offset=0
		[2] PTR '(anon)' type_id=1`
	try := func(name string, f *testFile) {
		t.Run(name, func(t *testing.T) { expect(t, convert(t, f.bytes(), Options{}), want) })
	}
	list := func(nameForm, refForm uint64) []*entry {
		return []*entry{
			{label: "s", tag: tagStructureType, attrs: []attr{{atName, nameForm, "list"}, {atByteSize, formImplicitConst, int64(16)}},
				children: []*entry{{tag: tagMember, attrs: []attr{{atName, nameForm, "next"}, {atType, refForm, label("p")}, {atDataMemberLocation, formUdata, 0}}}}},
			{label: "p", tag: tagPointerType, attrs: []attr{{atType, refForm, label("s")}}},
		}
	}
	for version := uint16(2); version <= 5; version++ {
		for _, wide := range []bool{false, true} {
			for _, big := range []bool{false, true} {
				for _, address := range []uint8{2, 4, 8} {
					u := &testUnit{version: version, dwarf64: wide, addrSize: address, entries: list(formStrp, formRef4)}
					u.root = []attr{{0x11, formAddr, 0}}
					try(fmt.Sprint(version, wide, big, address), &testFile{big: big, class32: address == 4, units: []*testUnit{u}})
				}
			}
		}
	}
	for _, form := range []uint64{formString, formStrp, formLineStrp, formStrx, formStrx1, formStrx2, formStrx3, formStrx4} {
		f := one(list(form, formRef4)...)
		try(fmt.Sprintf("name 0x%x", form), f)
		f.units[0].root = []attr{{atStrOffsetsBase, formSecOffset, 8}}
		try(fmt.Sprintf("name 0x%x with a base", form), f)
	}
	for _, form := range []uint64{formRef1, formRef2, formRef8, formRefUdata, formRefAddr} {
		try(fmt.Sprintf("reference 0x%x", form), one(list(formString, form)...))
	}
	// Values of every form that are passed over.
	var attrs []attr
	for form := uint64(1); form <= formAddrx4; form++ {
		a := attr{0x2000 + form, form, uint64(1)}
		switch form {
		case 2, formIndirect, formSecOffset, formRefSig8, formGNURefAlt:
			continue
		case formImplicitConst:
			a.value = int64(1)
		case formString, formStrp, formLineStrp, formStrx, formStrx1, formStrx2, formStrx3, formStrx4:
			a.value = "unwanted"
		case formBlock, formBlock1, formBlock2, formBlock4, formExprloc:
			a.value = []byte("abc")
		}
		attrs = append(attrs, a)
	}
	attrs = append(attrs, attr{0x2100, formIndirect, 1})
	all := list(formString, formRef4)
	all[0].attrs = append(attrs, all[0].attrs...)
	try("unwanted", one(append(all, &entry{tag: tagVariable, attrs: attrs}, &entry{tag: tagFormalParameter, attrs: attrs})...))
}

func TestUnitsThatAreLeftOut(t *testing.T) {
	f := one(base("", "int", 4, ateSigned))
	f.units = append(f.units, &testUnit{language: langRust, entries: []*entry{base("", "u8", 1, 7)}}, &testUnit{})
	expect(t, convert(t, f.bytes(), Options{}), `[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED`)
}

func TestErrors(t *testing.T) {
	if _, err := Convert(elffile.Bytes((&testFile{noDebug: true}).bytes()), Options{}); !errors.Is(err, ErrNoDWARF) {
		t.Error(err)
	}
	if _, err := Convert(elffile.Bytes([]byte("text")), Options{}); !errors.Is(err, elffile.ErrNotELF) {
		t.Error(err)
	}
}

// Types that are in .dwo files are said to be missing, not left out.
func TestSplitDWARF(t *testing.T) {
	strOffsets := attr{atStrOffsetsBase, formSecOffset, 8}
	for _, u := range []*testUnit{
		{kind: utSkeleton, tag: tagSkeletonUnit, root: []attr{{atDwoName, formStrp, "some.dwo"}}, more: 8},
		{kind: utSkeleton, tag: tagSkeletonUnit, root: []attr{{atDwoName, formStrx1, "some.dwo"}, strOffsets}, more: 8},
		{tag: tagSkeletonUnit, root: []attr{{atDwoName, formStrp, "some.dwo"}}, entries: []*entry{base("", "u16", 2, 7)}},
		{kind: utSkeleton, tag: tagCompileUnit, root: []attr{{atDwoName, formLineStrp, "some.dwo"}}, more: 8},
		{tag: tagCompileUnit, root: []attr{{atDwoName, formString, "some.dwo"}}},
		{version: 4, root: []attr{{atGNUDwoName, formStrp, "some.dwo"}}},
		{version: 4, root: []attr{{atGNUDwoName, formString, "some.dwo"}}, entries: []*entry{{tag: tagSubprogram}}},
	} {
		f := &testFile{units: []*testUnit{{entries: []*entry{base("", "int", 4, ateSigned)}}, u}}
		_, err := Convert(elffile.Bytes(f.bytes()), Options{})
		if err == nil || !strings.Contains(err.Error(), "split DWARF") || !strings.Contains(err.Error(), `"some.dwo"`) || !strings.Contains(err.Error(), fmt.Sprintf("0x%x", u.start)) {
			t.Errorf("%+v: %v", u, err)
		}
	}
	for _, kind := range []uint8{utSplitCompile, utSplitType} {
		f := &testFile{units: []*testUnit{{kind: kind, more: 8, entries: []*entry{base("", "int", 4, ateSigned)}}}}
		if kind == utSplitType {
			f.units[0].more = 12
		}
		if _, err := Convert(elffile.Bytes(f.bytes()), Options{}); err == nil || !strings.Contains(err.Error(), "split DWARF") {
			t.Errorf("unit type %d: %v", kind, err)
		}
	}
}

// A module's names and abbreviations are where relocations say.
func TestRelocations(t *testing.T) {
	f := &testFile{elfType: elf.ET_REL, units: []*testUnit{{}, {entries: []*entry{{tag: tagBaseType, attrs: []attr{
		{atName, formStrp, "int"}, size(4), {atEncoding, formData1, ateSigned}}}}}}}
	want := `[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED`
	var info []byte
	f.replace = map[string]func([]byte) []byte{".debug_info": func(b []byte) []byte {
		info = bytes.Clone(b)
		return b
	}}
	expect(t, convert(t, f.bytes(), Options{}), want)
	nameAt := bytes.LastIndex(info, f.put(nil, 4, 1))
	abbrevAt := f.units[1].start + 8
	abbrev := f.order().Uint32(info[abbrevAt:])
	zero := func(b []byte) []byte {
		copy(b[nameAt:], "\xff\xff\xff\xff")
		copy(b[abbrevAt:], "\xff\xff\xff\xff")
		return b
	}
	rela := func(order *testFile, offset, kind, symbol, addend uint64) (b []byte) {
		return order.put(order.put(order.put(nil, 8, offset), 8, symbol<<32|kind), 8, addend)
	}
	entries := append(rela(f, uint64(nameAt), 10, 0, 1), rela(f, uint64(abbrevAt), 10, 1, uint64(abbrev)-3)...)
	symbols := make([]byte, 48)
	symbols[32] = 3 // its value
	f.replace = map[string]func([]byte) []byte{".debug_info": zero}
	// The sections are: none, .debug_info, .debug_abbrev, .debug_str, .debug_line_str, .debug_str_offsets, and these.
	f.more = []testSection{{name: ".rela.debug_info", kind: elf.SHT_RELA, data: entries, info: 1, link: 7}, {name: ".symtab", kind: elf.SHT_SYMTAB, data: symbols}}
	expect(t, convert(t, f.bytes(), Options{}), want)
	f.elfType = elf.ET_EXEC
	if _, err := Convert(elffile.Bytes(f.bytes()), Options{}); err == nil {
		t.Error("relocations of a linked file are applied")
	}
	f.elfType = elf.ET_REL
	f.more[0].data = rela(f, uint64(nameAt), 99, 0, 1)
	if _, err := Convert(elffile.Bytes(f.bytes()), Options{}); err == nil || !strings.Contains(err.Error(), "type 99") {
		t.Error(err)
	}
	// Differences, as riscv64 has them: what is there, and a value less another.
	f.machine = elf.EM_RISCV
	f.replace[".debug_info"] = func(b []byte) []byte {
		copy(b[nameAt:], "\x00\x00\x00\x00")
		return b
	}
	f.more[0].data = append(rela(f, uint64(nameAt), 35, 1, 0), rela(f, uint64(nameAt), 39, 0, 2)...)
	expect(t, convert(t, f.bytes(), Options{}), want)
}
