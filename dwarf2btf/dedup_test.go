package dwarf2btf

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/elffile"
)

func pointer(l, to string) *entry { return modifier(l, tagPointerType, ref(to)) }

func integer() *entry { return base("i", "int", 4, ateSigned) }

// unitOf makes a unit whose labels are its own.
func unitOf(prefix string, entries ...*entry) *testUnit {
	var rename func(e *entry)
	rename = func(e *entry) {
		if e.label != "" {
			e.label = prefix + e.label
		}
		for i, a := range e.attrs {
			if l, ok := a.value.(label); ok && !strings.Contains(string(l), "/") {
				e.attrs[i].value = label(prefix) + l
			}
		}
		for _, c := range e.children {
			rename(c)
		}
	}
	for _, e := range entries {
		rename(e)
	}
	return &testUnit{entries: entries}
}

func TestTheSameInTwoUnits(t *testing.T) {
	entries := func() []*entry {
		return []*entry{pointer("p", "s"), structure("s", "list", 8, member("next", "p", 0)), integer(),
			structure("", "", 4, member("anonymous", "i", 0)), modifier("", tagConstType, ref("s"))}
	}
	f := &testFile{units: []*testUnit{unitOf("1/", entries()...), unitOf("2/", entries()...)}}
	expect(t, convert(t, f.bytes(), Options{}), `
		[1] PTR '(anon)' type_id=2
		[2] STRUCT 'list' size=8 vlen=1 'next' type_id=1 bits_offset=0
		[3] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
		[4] STRUCT '(anon)' size=4 vlen=1 'anonymous' type_id=3 bits_offset=0
		[5] CONST '(anon)' type_id=2`)
}

func TestDeclarations(t *testing.T) {
	f := &testFile{units: []*testUnit{
		unitOf("1/", pointer("", "d"), declared("d", "there"), pointer("", "n"), declared("n", "nowhere"),
			pointer("", "e"), &entry{label: "e", tag: tagEnumerationType, attrs: []attr{named("color"), {atDeclaration, formFlag, 1}}}),
		unitOf("2/", integer(), structure("", "there", 4, member("m", "i", 0)), enum("color", 4, "", attr{atConstValue, formData1, 1}),
			&entry{tag: tagUnionType, attrs: []attr{named("nowhere"), size(4)}}), // not the same: a union
	}}
	expect(t, convert(t, f.bytes(), Options{}), `
		[1] PTR '(anon)' type_id=2
		[2] STRUCT 'there' size=4 vlen=1 'm' type_id=7 bits_offset=0
		[3] PTR '(anon)' type_id=4
		[4] FWD 'nowhere' fwd_kind=struct
		[5] PTR '(anon)' type_id=6
		[6] ENUM 'color' encoding=UNSIGNED size=4 vlen=1 'COLOR0' val=1
		[7] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
		[8] UNION 'nowhere' size=4 vlen=0`)
}

// Two structs of one name are kept, and all that leads to the one or the other.
func TestSeveralDefinitions(t *testing.T) {
	unit := func(prefix, inner string, bytes int) *testUnit {
		return unitOf(prefix, integer(),
			structure("in", "inner", bytes, member(inner, "i", 0)),
			structure("out", "outer", 8, member("by_value", "in", 0)),
			structure("far", "far", 8, member("to", "p", 0)), pointer("p", "pp"), pointer("pp", "in"),
			structure("own", "own", 8, member("x", "i", 0)))
	}
	f := &testFile{units: []*testUnit{unit("1/", "a", 4), unit("2/", "b", 4), unit("3/", "a", 4),
		// Taken for the first: its inner is only declared.
		unitOf("4/", declared("in", "inner"), structure("far", "far", 8, member("to", "p", 0)), pointer("p", "pp"), pointer("pp", "in"))}}
	expect(t, convert(t, f.bytes(), Options{}), `
		[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
		[2] STRUCT 'inner' size=4 vlen=1 'a' type_id=1 bits_offset=0
		[3] STRUCT 'outer' size=8 vlen=1 'by_value' type_id=2 bits_offset=0
		[4] STRUCT 'far' size=8 vlen=1 'to' type_id=5 bits_offset=0
		[5] PTR '(anon)' type_id=6
		[6] PTR '(anon)' type_id=2
		[7] STRUCT 'own' size=8 vlen=1 'x' type_id=1 bits_offset=0
		[8] STRUCT 'inner' size=4 vlen=1 'b' type_id=1 bits_offset=0
		[9] STRUCT 'outer' size=8 vlen=1 'by_value' type_id=8 bits_offset=0
		[10] STRUCT 'far' size=8 vlen=1 'to' type_id=11 bits_offset=0
		[11] PTR '(anon)' type_id=12
		[12] PTR '(anon)' type_id=8`)
}

// A declaration is of one of several definitions only if a struct says which.
func TestDeclarationOfSeveralDefinitions(t *testing.T) {
	holder := func(prefix, name string, other *entry) *testUnit {
		return unitOf(prefix, integer(), structure("a", "a", 4, member(name, "i", 0)), other,
			structure("", "holder", 16, member("a", "pa", 0), member("o", "po", 8)), pointer("pa", "a"), pointer("po", "o"))
	}
	defined := func(name string) *entry { return structure("o", "other", 4, member(name, "i", 0)) }
	f := &testFile{units: []*testUnit{holder("1/", "x", declared("o", "other")), holder("2/", "y", defined("p")), holder("3/", "z", defined("q"))}}
	b := convert(t, f.bytes(), Options{})
	expectCounts(t, b, map[string]int{"STRUCT 'holder'": 3, "STRUCT 'a'": 3, "STRUCT 'other'": 2, "FWD 'other'": 1, "PTR": 6})
	// The first holder is the second's too, so that the declaration is of what that has.
	f = &testFile{units: []*testUnit{holder("1/", "x", declared("o", "other")), holder("2/", "x", defined("p")), holder("3/", "x", defined("q"))}}
	b = convert(t, f.bytes(), Options{})
	expectCounts(t, b, map[string]int{"STRUCT 'holder'": 2, "STRUCT 'a'": 1, "STRUCT 'other'": 2, "FWD 'other'": 0, "PTR": 3})
	// So is a function's prototype.
	proto := func(prefix string, other *entry, name string) *testUnit {
		return unitOf(prefix, integer(), other, pointer("po", "o"), function("", name, []attr{{atExternal, formFlagPresent, 0}}, parameterOf("o", "po")))
	}
	f = &testFile{units: []*testUnit{proto("1/", declared("o", "other"), "one"), proto("2/", defined("p"), "two"), proto("3/", defined("q"), "three")}}
	b = convert(t, f.bytes(), Options{Functions: true})
	expectCounts(t, b, map[string]int{"FUNC '": 3, "FUNC_PROTO": 3, "STRUCT 'other'": 2, "FWD 'other'": 1, "PTR": 3})
}

func expectCounts(t *testing.T, b *btf.BTF, want map[string]int) {
	t.Helper()
	text := dump(t, b)
	for part, n := range want {
		if got := strings.Count(text, "] "+part); got != n {
			t.Errorf("%d of %s, expected %d, in\n%s", got, part, n, text)
		}
	}
}

// dwz and link-time optimisation: entries refer to other units.
func TestLinkedUnits(t *testing.T) {
	to := func(l string) attr { return attr{atType, formRefAddr, label(l)} }
	f := &testFile{units: []*testUnit{
		{tag: tagPartialUnit, entries: []*entry{base("i", "int", 4, ateSigned), {label: "p", tag: tagPointerType, attrs: []attr{to("s")}}}},
		{entries: []*entry{{label: "s", tag: tagStructureType, attrs: []attr{named("s"), size(16)}, children: []*entry{
			{tag: tagMember, attrs: []attr{named("a"), to("p"), {atDataMemberLocation, formData1, 0}}},
			{tag: tagMember, attrs: []attr{named("b"), to("i"), {atDataMemberLocation, formData1, 8}}}}}}},
	}}
	f.units[0].kind = utPartial
	expect(t, convert(t, f.bytes(), Options{}), `
		[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
		[2] PTR '(anon)' type_id=3
		[3] STRUCT 's' size=16 vlen=2 'a' type_id=2 bits_offset=0 'b' type_id=1 bits_offset=64`)
}

func TestTypeUnits(t *testing.T) {
	const signature = 0x123456789abcdef0
	for _, version := range []uint16{4, 5} {
		tu := &testUnit{version: version, kind: utType, tag: tagTypeUnit, signature: signature, typeLabel: "s",
			entries: []*entry{structure("s", "s", 4, member("m", "i", 0)), base("i", "int", 4, ateSigned)}}
		cu := &testUnit{version: version, entries: []*entry{
			{tag: tagPointerType, attrs: []attr{{atType, formRefSig8, uint64(signature)}}},
			{label: "d", tag: tagStructureType, attrs: []attr{{atDeclaration, formFlagPresent, 0}, {atSignature, formRefSig8, uint64(signature)}}},
			modifier("", tagConstType, ref("d"))}}
		f := &testFile{units: []*testUnit{cu}, types: []*testUnit{tu}}
		if version == 5 {
			f.units, f.types = []*testUnit{cu, tu}, nil
			// In an object file each has a section of its own.
			f.elfType = elf.ET_REL
			f.more = []testSection{{name: ".debug_info"}}
			whole, second := true, []byte(nil)
			f.replace = map[string]func([]byte) []byte{".debug_info": func(b []byte) []byte {
				if whole = !whole; whole {
					return second
				}
				second = bytes.Clone(b[tu.start:])
				return b[:tu.start]
			}}
		}
		expect(t, convert(t, f.bytes(), Options{}), `
			[1] PTR '(anon)' type_id=3
			[2] CONST '(anon)' type_id=3
			[3] STRUCT 's' size=4 vlen=1 'm' type_id=4 bits_offset=0
			[4] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED`)
	}
}

func TestAlternateFile(t *testing.T) {
	other := &testFile{units: []*testUnit{{tag: tagPartialUnit, kind: utPartial, entries: []*entry{
		{label: "i", tag: tagBaseType, attrs: []attr{{atName, formStrp, "int"}, size(4), {atEncoding, formData1, ateSigned}}}}}}}
	alternate := other.bytes()
	at := uint64(other.labels["i"].at)
	for _, forms := range [][2]uint64{{formGNURefAlt, formGNUStrpAlt}, {formRefSup4, formStrpSup}} {
		f := one(&entry{tag: tagTypedef, attrs: []attr{{atName, forms[1], uint64(1)}, {atType, forms[0], at}}})
		f.more = []testSection{{name: ".gnu_debugaltlink", data: []byte("../common.debug\x00\xab\xcd")}}
		raw := f.bytes()
		o := Options{Alternate: func(name string, buildID []byte) (elffile.File, error) {
			if name != "../common.debug" || string(buildID) != "\xab\xcd" {
				t.Errorf("asked for %q, %x", name, buildID)
			}
			return elffile.Bytes(alternate), nil
		}}
		expect(t, convert(t, raw, o), `
			[1] TYPEDEF 'int' type_id=2
			[2] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED`)
		if _, err := Convert(elffile.Bytes(raw), Options{}); err == nil || !strings.Contains(err.Error(), "../common.debug") {
			t.Error(err)
		}
		missing := errors.New("no such file")
		_, err := Convert(elffile.Bytes(raw), Options{Alternate: func(string, []byte) (elffile.File, error) { return nil, missing }})
		if !errors.Is(err, missing) {
			t.Error(err)
		}
	}
}

// Of the alternate file those units count that are imported or referred to, directly or not.
func TestAlternateFileOfManyFiles(t *testing.T) {
	partial := func(l string, entries ...*entry) *testUnit {
		return &testUnit{tag: tagPartialUnit, kind: utPartial, entries: entries, label: l}
	}
	other := &testFile{units: []*testUnit{
		partial("a", base("", "a", 4, ateSigned)),
		partial("b", base("", "b", 4, ateSigned), &entry{tag: tagImportedUnit, attrs: []attr{{atImport, formRefAddr, label("d")}}}),
		partial("c", base("", "c", 4, ateSigned), &entry{tag: tagImportedUnit, attrs: []attr{{atImport, formRefAddr, label("a")}}}),
		partial("d", base("", "d", 4, ateSigned), &entry{tag: tagTypedef, attrs: []attr{named("D"), {atType, formRefAddr, label("e")}}}),
		partial("", base("e", "e", 4, ateSigned)),
		partial("", base("f", "f", 4, ateSigned), base("", "g", 4, ateSigned)),
	}}
	alternate := other.bytes()
	o := Options{Alternate: func(string, []byte) (elffile.File, error) { return elffile.Bytes(alternate), nil }}
	for _, form := range []uint64{formGNURefAlt, formRefSup4} {
		f := one(&entry{tag: tagImportedUnit, attrs: []attr{{atImport, form, uint64(other.labels["b"].at)}}},
			&entry{tag: tagPointerType, attrs: []attr{{atType, form, uint64(other.labels["f"].at)}}})
		f.more = []testSection{{name: ".gnu_debugaltlink", data: []byte("shared\x00\xab")}}
		b := convert(t, f.bytes(), o)
		var got []string
		for id := b.Start(); id < b.End(); id++ {
			got = append(got, b.Name(id))
		}
		if slices.Sort(got); strings.Join(got, " ") != " D b d e f g" {
			t.Errorf("there are %q", got)
		}
	}
}

// Compilers put no types into what is inlined, and it is not looked into; unless
// something refers to a type there.
func TestTypesWithinInlinedFunctions(t *testing.T) {
	inlined := func() *entry {
		return &entry{tag: tagInlinedSubroutine, attrs: []attr{{atSibling, formRef4, label("after")}},
			children: []*entry{structure("s", "hidden", 4)}}
	}
	expect(t, convert(t, one(inlined(), base("after", "int", 4, ateSigned)).bytes(), Options{}), `
		[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED`)
	f := one(inlined(), base("after", "int", 4, ateSigned), pointer("", "s"))
	want := `
		[1] STRUCT 'hidden' size=4 vlen=0
		[2] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
		[3] PTR '(anon)' type_id=1`
	expect(t, convert(t, f.bytes(), Options{}), want)
	f.units = append(f.units, &testUnit{entries: []*entry{{tag: tagPointerType, attrs: []attr{{atType, formRefAddr, label("s")}}}}})
	expect(t, convert(t, f.bytes(), Options{}), want)
}

// What is written does not depend on which unit is done first: the first unit here
// takes longer than the others, which have less to say of the same types.
func TestPaceOfWorkers(t *testing.T) {
	types := func(more ...*entry) *testUnit {
		return &testUnit{entries: append([]*entry{integer(), base("l", "long", 8, ateSigned), pointer("xp", "x"), pointer("dp", "d"),
			structure("o", "outer", 16, member("x", "xp", 0), member("d", "dp", 8)),
			pointer("op", "o"), modifier("", tagTypedef, named("outer_t"), ref("op"))}, more...)}
	}
	unit := func(second string, known bool) *testUnit {
		x := declared("x", "inner")
		if known {
			x = structure("x", "inner", 8, member("d", "dp", 0), member("o", "op", 0))
		}
		return types(x, structure("d", "clash", 8, member("m", second, 0)))
	}
	// The last only declares: the class without refinement is written as well.
	last := types(declared("x", "inner"), declared("d", "clash"))
	for _, slow := range []bool{true, false} {
		f := &testFile{units: []*testUnit{unit("i", slow), unit("i", !slow), unit("l", true), unit("l", false), last}}
		for n := range 2000 {
			p := pointer(fmt.Sprint(n), "i")
			f.units[0].entries = append(f.units[0].entries, p, modifier("", tagTypedef, named(fmt.Sprintf("t%d", n)), ref(fmt.Sprint(n))))
		}
		raw := f.bytes()
		want, err := Convert(elffile.Bytes(raw), Options{Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 20 {
			if got, err := Convert(elffile.Bytes(raw), Options{Workers: 2 + n%4}); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("with %d workers, slow %v: the output is another, %v", 2+n%4, slow, err)
			}
		}
	}
}
