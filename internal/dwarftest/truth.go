package dwarftest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/btfgen/btfgen/btf"
)

// A Truth is what a BTF claims of the types of a C file, said in C, for the compiler to judge: assertions about sizes, offsets,
// types and values, to be compiled at the end of that file; and variables with one bitfield set each, whose bytes show where
// it lies.
type Truth struct {
	Source     string
	Assertions int
	Bitfields  []bitfield

	b *btf.BTF
	w strings.Builder
	// pointer is the machine's size of pointers in bytes.
	pointer uint32
	// skipped are assertions that are left out, by what they are about; or members, by "struct.member", whose type C does not
	// have as BTF says it (arrays of arrays are one array in BTF): of them size and offset are asserted.
	skipped map[string]bool
}

// A bitfield is one that a variable of Truth.Source sets.
type bitfield struct {
	symbol, path   string
	offset, bits   uint32
	structSizeBits uint32
}

// NewTruth says in C what b claims. Types whose names begin with local_ are left out, being within functions, and so are names
// that b has several definitions of. pointer is the size of the machine's pointers in bytes.
func NewTruth(b *btf.BTF, pointer int, skipped []string) *Truth {
	t := &Truth{b: b, pointer: uint32(pointer), skipped: map[string]bool{}}
	for _, name := range skipped {
		t.skipped[name] = true
	}
	count := map[string]int{}
	for id := b.Start(); id < b.End(); id++ {
		if k := b.Kind(id); k != btf.KindFwd {
			count[tagOf(k)+b.Name(id)]++
		}
	}
	for id := b.Start(); id < b.End(); id++ {
		name := b.Name(id)
		kind := b.Kind(id)
		if strings.HasPrefix(name, "local_") || name != "" && count[tagOf(kind)+name] > 1 {
			continue
		}
		t.one(id, kind, name)
	}
	t.Source = t.w.String()
	return t
}

// tagOf is the space of names of a kind.
func tagOf(k btf.Kind) string {
	switch {
	case k.IsComposite(), k.IsEnum():
		return "tag "
	case k == btf.KindFunc, k == btf.KindVar:
		return "symbol "
	}
	return "type "
}

func (t *Truth) assert(what, format string, args ...any) {
	if t.skipped[what] {
		return
	}
	t.Assertions++
	fmt.Fprintf(&t.w, "_Static_assert(%s, %q);\n", fmt.Sprintf(format, args...), what)
}

func (t *Truth) one(id btf.ID, kind btf.Kind, name string) {
	b := t.b
	switch {
	case name == "__ARRAY_SIZE_TYPE__", strings.HasPrefix(name, "DW_ATE_"): // of array indices, and of expressions in DWARF; C does not have them
	case kind == btf.KindInt || kind == btf.KindFloat:
		c := inC(name)
		t.assert("size of "+name, "sizeof(%s) == %d", c, b.Size(id))
		if enc := b.Int(id).Encoding; kind == btf.KindInt && enc&btf.Bool == 0 && !strings.Contains(name, "omplex") {
			t.assert("sign of "+name, "((%s)-1 < 0) == %d", c, enc&btf.Signed)
		}
	case kind.IsComposite() && name != "":
		c := keyword(b, id) + " " + name
		t.assert("size of "+c, "sizeof(%s) == %d", c, b.Size(id))
		t.members(id, c, name, "", 0, b.Size(id))
	case kind.IsEnum():
		if name != "" {
			t.assert("size of enum "+name, "sizeof(enum %s) == %d", name, b.Size(id))
			t.assert("sign of enum "+name, "((enum %s)-1 < 0) == %v", name, map[bool]int{true: 1}[b.KindFlag(id)])
		}
		for i := range b.Vlen(id) {
			e := b.Enumerator(id, i)
			value := fmt.Sprintf("%#xull", e.Value)
			if b.KindFlag(id) {
				value = fmt.Sprintf("(long long)%#xull", e.Value)
			}
			if constant := b.String(e.NameOff); !strings.HasPrefix(constant, "LOCAL_") {
				t.assert("value of "+constant, "%s == %s", constant, value)
			}
		}
	case kind == btf.KindTypedef:
		to := b.Ref(id)
		if size, ok := b.Sizeof(to, t.pointer); ok {
			t.assert("size of "+name, "sizeof(%s) == %d", name, size)
		}
		t.sameType("type of "+name, name, to, name)
		if b.Kind(to).IsComposite() && b.NameOff(to) == 0 {
			t.members(to, name, name, "", 0, b.Size(to))
		}
	}
}

// members asserts of each member of a struct that stands at a bit offset within one that C can name. path leads there.
func (t *Truth) members(id btf.ID, c, name, path string, at, size uint32) {
	b := t.b
	for i := range b.Vlen(id) {
		m := b.Member(id, i)
		member := b.String(m.NameOff)
		offset := at + m.BitOffset
		of, _ := behindQualifiers(b, m.Type)
		if member == "" {
			if b.Kind(of).IsComposite() {
				t.members(of, c, name, path, offset, size)
			} else {
				t.assert("member without a name", "0 && \"%s\"", name)
			}
			continue
		}
		here := path + member
		if m.BitSize != 0 {
			symbol := fmt.Sprintf("truth_%d", len(t.Bitfields))
			fmt.Fprintf(&t.w, "%s %s = { .%s = -1 };\n", c, symbol, here)
			t.Bitfields = append(t.Bitfields, bitfield{symbol, name + "." + here, offset, m.BitSize, 8 * size})
			continue
		}
		what := name + "." + here
		t.assert("offset of "+what, "8 * __builtin_offsetof(%s, %s) == %d", c, here, offset)
		expression := fmt.Sprintf("((%s *)0)->%s", c, here)
		isArray := b.Kind(of) == btf.KindArray
		bytes, ok := b.Sizeof(m.Type, t.pointer)
		if !ok {
			t.assert("size of "+what, "0 && \"BTF has none\"")
		}
		// What has no size in C: a last member without a length.
		if bytes > 0 || !isArray {
			t.assert("size of "+what, "sizeof(%s) == %d", expression, bytes)
			t.sameType("type of "+what, expression, m.Type, what)
		}
		if isArray {
			elem, _ := behindQualifiers(b, b.Array(of).Elem)
			if b.Kind(elem).IsComposite() && b.NameOff(elem) == 0 && !t.skipped[what] {
				t.members(elem, c, name, here+"[0].", offset, size)
			}
		}
		if b.Kind(of).IsComposite() && b.NameOff(of) == 0 {
			t.members(of, c, name, here+".", offset, size)
		}
	}
}

// sameType asserts that what C has is of the type that BTF says, if C can say that type.
func (t *Truth) sameType(what, expression string, id btf.ID, name string) {
	if text := Declare(t.b, id, ""); !strings.Contains(text, "{") && !t.skipped[name] {
		t.assert(what+" is "+text, "__builtin_types_compatible_p(__typeof__(%s), __typeof__(%s))", expression, inC(text))
	}
}

// inC is the text of a type in words that C has where DWARF has others.
func inC(text string) string {
	text = strings.ReplaceAll(text, "(...)", "()")
	if rest, ok := strings.CutPrefix(text, "complex "); ok { // gcc's name for what C calls _Complex
		return "_Complex " + rest
	}
	return text
}

// Read lists the bitfields that do not lie where the BTF says, by the object that was compiled of the C file and Source.
func (t *Truth) Read(object []byte) (wrong []string, err error) {
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	symbols, err := f.Symbols()
	if err != nil {
		return nil, err
	}
	at := map[string]elf.Symbol{}
	for _, s := range symbols {
		at[s.Name] = s
	}
	for _, field := range t.Bitfields {
		s, ok := at[field.symbol]
		if !ok || int(s.Section) >= len(f.Sections) {
			return nil, fmt.Errorf("the compiled object has no variable %s", field.symbol)
		}
		section, err := f.Sections[s.Section].Data()
		if err != nil {
			return nil, err
		}
		if s.Value > uint64(len(section)) || s.Size > uint64(len(section))-s.Value {
			return nil, fmt.Errorf("variable %s is not within its section", field.symbol)
		}
		first, bits := ones(section[s.Value:s.Value+s.Size], f.ByteOrder)
		if 8*s.Size != uint64(field.structSizeBits) {
			wrong = append(wrong, fmt.Sprintf("%s: its struct has %d bits, in BTF %d", field.path, 8*s.Size, field.structSizeBits))
		}
		if first != int(field.offset) || bits != int(field.bits) {
			wrong = append(wrong, fmt.Sprintf("%s: %d bits at bit %d, in BTF %d at %d", field.path, bits, first, field.bits, field.offset))
		}
	}
	return wrong, nil
}

// ones finds the run of bits that are set: bit 0 is the first byte's lowest, its highest in big-endian order. If they are no run
// the answer is no bitfield's.
func ones(b []byte, order binary.ByteOrder) (first, bits int) {
	first = -1
	last := -1
	for i := range 8 * len(b) {
		shift := i % 8
		if order == binary.BigEndian {
			shift = 7 - shift
		}
		if b[i/8]>>shift&1 != 0 {
			if first < 0 {
				first = i
			}
			last = i
			bits++
		}
	}
	if last-first+1 != bits {
		return -1, 0
	}
	return first, bits
}
