package dwarf2btf

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/elffile"
)

// refused expects an error with a text in it, within a second.
func refused(t *testing.T, name string, raw []byte, want string) {
	t.Helper()
	start := time.Now()
	out, err := Convert(elffile.Bytes(raw), Options{Workers: 1})
	switch {
	case err == nil:
		b, _ := btf.Parse(out)
		t.Errorf("%s: accepted:\n%s", name, dump(t, b))
	case !strings.Contains(err.Error(), want):
		t.Errorf("%s: %v, expected %q", name, err, want)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("%s: took %v", name, d)
	}
}

func TestHostile(t *testing.T) {
	chain := func(n int, tag uint64) *testFile {
		f := one(integer())
		to := "i"
		for i := range n {
			l := strings.Repeat("x", i%7) + string(rune('a'+i%26)) + time.Duration(i).String()
			f.units[0].entries = append(f.units[0].entries, modifier(l, tag, ref(to)))
			to = l
		}
		// The first is the one that leads to all the others.
		e := f.units[0].entries
		for i, j := 0, len(e)-1; i < j; i, j = i+1, j-1 {
			e[i], e[j] = e[j], e[i]
		}
		return f
	}
	deep := &entry{tag: 0x0b}
	for range maxDepth + 1 {
		deep = &entry{tag: 0x0b, children: []*entry{deep}}
	}
	lots := []attr{{atUpperBound, formUdata, uint64(1) << 60}}
	for name, c := range map[string]struct {
		file *testFile
		want string
	}{
		"a reference that ends outside":     {one(modifier("", tagConstType, attr{atType, formRef4, 0x7fffffff})), "unit at offset 0x0 of .debug_info: malformed entry"},
		"a reference to no entry":           {one(modifier("", tagConstType, attr{atType, formRef4, 1})), "not a type"},
		"a reference to another file":       {one(modifier("", tagConstType, attr{atType, formGNURefAlt, 12})), "malformed entry"},
		"an unknown signature":              {one(modifier("", tagConstType, attr{atType, formRefSig8, 12})), "malformed entry"},
		"a name outside":                    {one(modifier("", tagTypedef, attr{atName, formStrp, 0x7fffffff})), "malformed entry"},
		"an index of a name outside":        {one(modifier("", tagTypedef, attr{atName, formStrx, uint64(math.MaxUint64)})), "malformed entry"},
		"an array of 2^60":                  {one(integer(), array("i", lots)), "more than BTF has room for"},
		"an array of 2^120":                 {one(integer(), array("i", lots, lots)), "more than BTF has room for"},
		"a struct of 2^60 bytes":            {one(&entry{tag: tagStructureType, attrs: []attr{{atByteSize, formData8, uint64(1) << 60}}}), "more than BTF has room for"},
		"a member at 2^60":                  {one(integer(), structure("", "s", 4, &entry{tag: tagMember, attrs: []attr{ref("i"), {atDataMemberLocation, formUdata, uint64(1) << 60}}})), "more than BTF has room for"},
		"a bitfield of 300 bits":            {one(integer(), structure("", "s", 4, member("m", "i", 0, attr{atBitSize, formData2, 300}))), "300 bits"},
		"a typedef of itself":               {one(modifier("t", tagTypedef, named("t"), ref("t"))), "contains itself"},
		"qualifiers in a circle":            {one(modifier("a", tagConstType, ref("b")), modifier("b", tagAtomicType, ref("a"))), "contains itself"},
		"_Atomic of itself":                 {one(modifier("b", tagAtomicType, ref("b")), modifier("", tagConstType, ref("b"))), "contains itself"},
		"an array of itself":                {one(&entry{label: "a", tag: tagArrayType, attrs: []attr{ref("a")}}), "contains itself"},
		"a nameless struct within itself":   {one(structure("s", "", 4, member("m", "s", 0))), "contains itself"},
		"a million pointers to pointers":    {chain(20000, tagPointerType), "contains itself"},
		"a chain of what BTF does not know": {chain(20000, tagAtomicType), ""},
		"blocks within blocks":              {one(deep), "nested deeper"},
		"an abbreviation that is not there": {&testFile{units: []*testUnit{{}}, replace: map[string]func([]byte) []byte{".debug_abbrev": func(b []byte) []byte { b[0] = 9; return b }}}, "abbreviation 1 is not there"},
		"a form within a form":              {&testFile{units: []*testUnit{{root: []attr{{0x2000, formIndirect, uint64(formIndirect) << 8}}}}, replace: map[string]func([]byte) []byte{".debug_info": func(b []byte) []byte { b[len(b)-3] = formIndirect; return b }}}, "malformed entry"},
		"an unknown form":                   {&testFile{units: []*testUnit{{root: []attr{{0x2000, formData1, 1}}}}, replace: map[string]func([]byte) []byte{".debug_abbrev": func(b []byte) []byte { b[7] = 0x7f; return b }}}, "form 0x7f"},
		"an enum of 3 bytes":                {one(enum("e", 3, "")), "an enum of 3 bytes"},
		"a member behind its struct":        {one(integer(), structure("", "s", 4, member("m", "i", 5))), "a member at bit 40 of 4 bytes"},
		"version 6":                         {&testFile{units: []*testUnit{{version: 6}}}, "version 6"},
		"addresses of 9 bytes":              {&testFile{units: []*testUnit{{addrSize: 9}}}, "addresses of 9 bytes"},
		"a unit of an unknown type":         {&testFile{units: []*testUnit{{kind: 0x55}}}, "unit type 0x55"},
		"no abbreviations":                  {&testFile{units: []*testUnit{{}}, replace: map[string]func([]byte) []byte{".debug_abbrev": func([]byte) []byte { return nil }}}, "malformed abbreviations"},
		"a sibling in front":                {one(&entry{tag: tagInlinedSubroutine, attrs: []attr{{atSibling, formRef4, 1}}, children: []*entry{integer()}}), "the next is said to be"},
	} {
		raw := c.file.bytes()
		if c.want == "" {
			if _, err := Convert(elffile.Bytes(raw), Options{}); err != nil && !strings.Contains(err.Error(), "contains itself") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		refused(t, name, raw, c.want)
	}
}

// By value, a named struct can contain itself only in a file that lies. The output
// would be refused by all readers.
func TestStructWithinItself(t *testing.T) {
	refused(t, "directly", one(structure("s", "s", 4, member("m", "s", 0))).bytes(), "contains itself")
	refused(t, "in turn", one(structure("s", "s", 4, member("m", "u", 0)), structure("u", "u", 4, member("m", "t", 0)),
		modifier("t", tagTypedef, named("t"), ref("s"))).bytes(), "contains itself")
}

// Cut off anywhere, a section gives an error or a part of the types.
func TestCutAnywhere(t *testing.T) {
	for section, all := range map[string]bool{".debug_info": true, ".debug_abbrev": true, ".debug_str": false, ".debug_str_offsets": false} {
		f := sample()
		n := 0
		f.replace = map[string]func([]byte) []byte{section: func(b []byte) []byte { n = len(b); return b }}
		f.bytes()
		for cut := range n {
			f.replace[section] = func(b []byte) []byte { return b[:cut] }
			out, err := Convert(elffile.Bytes(f.bytes()), Options{Workers: 1})
			// A file without its last unit is whole.
			if err == nil && all && cut > 0 && cut != f.units[1].start {
				t.Errorf("%s: %d of %d bytes are accepted", section, cut, n)
			}
			if err == nil {
				valid(t, out)
			}
		}
	}
}

func valid(t *testing.T, out []byte) {
	t.Helper()
	b, err := btf.Parse(out)
	if err == nil {
		err = b.Validate()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// sample has something of everything.
func sample() *testFile {
	f := &testFile{units: []*testUnit{
		{entries: []*entry{
			{label: "p", tag: tagPointerType, attrs: []attr{ref("s")}}, base("i", "int", 4, ateSigned), base("f", "float", 4, ateFloat),
			structure("s", "s", 16, member("p", "p", 0), member("b", "i", 8, attr{atBitSize, formData1, 3}, attr{atBitOffset, formData1, 29}),
				member("a", "a", 12)),
			{label: "a", tag: tagArrayType, attrs: []attr{ref("f")}, children: []*entry{{tag: tagSubrangeType, attrs: []attr{{atUpperBound, formData1, 3}}}}},
			enum("e", 4, "i", attr{atConstValue, formSdata, -1}), enum("e8", 8, "", attr{atConstValue, formData8, uint64(1) << 40}),
			{tag: tagSubroutineType, attrs: []attr{ref("i")}, children: []*entry{{tag: tagFormalParameter, attrs: []attr{ref("p")}}, {tag: tagUnspecifiedParams}}},
			{tag: tagSubprogram, attrs: []attr{{atName, formStrp, "f"}, {atLocation, formExprloc, []byte{1, 2}}}, children: []*entry{structure("", "inner", 4)}},
			declared("", "elsewhere"), structure("", "twice", 4),
			{tag: tagTypedef, attrs: []attr{{atName, formStrx1, "t"}, ref("s")}},
		}},
		{version: 4, entries: []*entry{structure("", "elsewhere", 4), structure("tw", "twice", 8), modifier("", tagConstType, ref("tw"))}},
	}}
	return f
}

// FuzzConvert changes the sections within an ELF file that stays as it is: internal/elffile
// has a target of its own.
func FuzzConvert(f *testing.F) {
	add := func(file *testFile) {
		file.bytes()
		var s [4][]byte
		keep := func(i int) func([]byte) []byte { return func(b []byte) []byte { s[i] = b; return b } }
		file.replace = map[string]func([]byte) []byte{".debug_info": keep(0), ".debug_abbrev": keep(1), ".debug_str": keep(2), ".debug_types": keep(3)}
		file.bytes()
		f.Add(s[0], s[1], s[2], s[3], file.big)
	}
	add(sample())
	big := sample()
	big.big = true
	add(big)
	linked := sample()
	linked.units = append(linked.units, &testUnit{tag: tagPartialUnit, kind: utPartial, entries: []*entry{
		{tag: tagPointerType, attrs: []attr{{atType, formRefAddr, label("s")}}}}})
	add(linked)
	typed := sample()
	typed.types = []*testUnit{{version: 4, kind: utType, tag: tagTypeUnit, signature: 7, typeLabel: "x", entries: []*entry{structure("x", "x", 4)}}}
	typed.units[0].entries = append(typed.units[0].entries, &entry{tag: tagPointerType, attrs: []attr{{atType, formRefSig8, 7}}})
	add(typed)
	several := &testFile{}
	for i, name := range []string{"x", "y", ""} {
		other := declared("o", "other")
		if name != "" {
			other = structure("o", "other", 4, member(name, "i", 0))
		}
		several.units = append(several.units, unitOf(string(rune('1'+i))+"/", integer(), other, pointer("p", "o"), structure("", "holder", 8, member("p", "p", 0)),
			function("", "f", []attr{{atExternal, formFlagPresent, 0}}, parameterOf("p", "p"))))
	}
	add(several)
	f.Fuzz(func(t *testing.T, info, abbrev, str, types []byte, big bool) {
		file := testFile{big: big}
		raw := file.elf([]testSection{{name: ".debug_info", data: info}, {name: ".debug_abbrev", data: abbrev},
			{name: ".debug_str", data: str}, {name: ".debug_types", data: types}, {name: ".debug_str_offsets", data: str}})
		o := Options{Workers: 1, Functions: len(str)%2 == 0}
		out, err := Convert(elffile.Bytes(raw), o)
		if err != nil {
			return
		}
		valid(t, out)
		o.Workers = 2
		again, err := Convert(elffile.Bytes(raw), o)
		if err != nil || string(again) != string(out) {
			t.Fatalf("another number of workers: %v", err)
		}
	})
}
