package difftest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/btfsample"
	"github.com/btfgen/btfgen/internal/need"
)

// A header of a kernel's types, compiled by clang for BPF, gives BTF in which
// every struct, union and enum with a name is what it is in the kernel: size,
// members, offsets, bitfields, and the types of members as far down as the next
// name.
func TestHeaderCompilesToTheSameTypes(t *testing.T) {
	need.Asked(t, "BTFGEN_DIFF", "diff")
	clang := need.Tool(t, "clang-19")
	someKernels(t, oneOfAKind(), func(t *testing.T, b *btf.BTF, _ string) {
		if n := compilesToTheSame(t, clang, b); n < 1000 {
			t.Errorf("only %d types compared", n)
		}
	})
	compared := 0
	t.Run("objects", func(t *testing.T) {
		eachObject(t, func(t *testing.T, b *btf.BTF, _ string) { compared += compilesToTheSame(t, clang, b) })
	})
	if compared == 0 {
		t.Error("no object has a type with a name")
	}
	for _, order := range byteOrders {
		t.Run(order.String(), func(t *testing.T) {
			w := btf.NewBuilder(order)
			btfsample.Awkward(w)
			raw, err := w.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			compilesToTheSame(t, clang, mustParse(t, raw, nil))
		})
	}
}

func compilesToTheSame(t *testing.T, clang string, b *btf.BTF) (types int) {
	t.Helper()
	names := cTags(b)
	var ids []btf.ID
	for id := b.Start(); id < b.End(); id++ {
		if names[id] != "" && defined(b, id) {
			ids = append(ids, id)
		}
	}
	// Of an undeduplicated BTF, where hundreds of types share a name, one in
	// so many that a single part remains.
	const part = 1200
	if len(ids) > 50_000 {
		all, stride := ids, (len(ids)+part-1)/part
		ids = nil
		for i := 0; i < len(all); i += stride {
			ids = append(ids, all[i])
		}
	}
	dir := t.TempDir()
	header(t, b, filepath.Join(dir, "kernel.h"))
	wrong := 0
	// In parts, because the time clang takes to write BTF grows with its square.
	for ids := range slices.Chunk(ids, part) {
		compiled := compile(t, clang, dir, names, ids)
		for i, id := range ids {
			if want := described(b, names, id); compiled[i] != want && wrong < 5 {
				wrong++
				t.Errorf("type %d, %s:\nis     %.3000s\nwanted %.3000s", id, names[id], compiled[i], want)
			}
		}
	}
	if wrong == 0 {
		t.Logf("%d types with a name are the same", len(ids))
	}
	return len(ids)
}

// compile compiles a file that uses types of the header, and describes them as
// they are in the object's BTF.
func compile(t *testing.T, clang, dir string, names []string, ids []btf.ID) []string {
	t.Helper()
	var src bytes.Buffer
	src.WriteString("#include \"kernel.h\"\nunion btfgen_uses {\n")
	for i, id := range ids {
		// By value: what only a pointer refers to, clang leaves out.
		fmt.Fprintf(&src, "%s m%d;\n", names[id], i)
	}
	src.WriteString("} btfgen_uses;\n")
	write(t, filepath.Join(dir, "use.c"), src.Bytes())
	object := filepath.Join(dir, "use.o")
	output(t, clang, "-target", "bpfel", "-g", "-O1", "-w", "-c", filepath.Join(dir, "use.c"), "-o", object)
	file, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := btf.FindELF(file)
	if err != nil {
		t.Fatal(err)
	}
	b := mustParse(t, raw, nil)
	found := make(map[string]btf.ID)
	tags := make([]string, b.End())
	for id := btf.ID(1); id < b.End(); id++ {
		if k := b.Kind(id); b.NameOff(id) != 0 && (k.IsComposite() || k.IsEnum() || k == btf.KindFwd) {
			tags[id] = keyword(b, id) + " " + b.Name(id)
			if k != btf.KindFwd {
				found[tags[id]] = id
			}
		}
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		if to, ok := found[names[id]]; ok {
			texts[i] = described(b, tags, to)
		}
	}
	return texts
}

// defined tells the types with a tag that are more than declared.
func defined(b *btf.BTF, id btf.ID) bool {
	return b.Kind(id).IsComposite() || b.Kind(id).IsEnum() && b.Vlen(id) > 0
}

func header(t *testing.T, b *btf.BTF, path string) {
	t.Helper()
	var text bytes.Buffer
	if err := b.DumpC(&text, nil); err != nil {
		t.Fatal(err)
	}
	write(t, path, text.Bytes())
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// cTags is what the header calls structs, unions and enums by the rule that
// DumpC documents; forward declarations go by what they declare.
func cTags(b *btf.BTF) []string {
	names := make([]string, b.End())
	count, real, first := make(map[string]int), make(map[string]bool), make(map[string]string)
	for id := btf.ID(1); id < b.End(); id++ {
		real[b.Name(id)] = true
	}
	next := func(name string) string {
		for {
			count[name]++
			if n := count[name]; n == 1 {
				return name
			} else if s := fmt.Sprintf("%s___%d", name, n); !real[s] {
				return s
			}
		}
	}
	for _, fwd := range []bool{false, true} {
		for id := btf.ID(1); id < b.End(); id++ {
			k := b.Kind(id)
			if b.NameOff(id) == 0 || !k.IsComposite() && !k.IsEnum() && k != btf.KindFwd || fwd != (k == btf.KindFwd) {
				continue
			}
			key := keyword(b, id) + " " + b.Name(id)
			if fwd && first[key] != "" {
				names[id] = first[key]
				continue
			}
			names[id] = keyword(b, id) + " " + next(b.Name(id))
			if first[key] == "" && !k.IsEnum() {
				first[key] = names[id]
			}
		}
	}
	return names
}

func keyword(b *btf.BTF, id btf.ID) string {
	switch k := b.Kind(id); {
	case k.IsEnum():
		return "enum"
	case k == btf.KindUnion, k == btf.KindFwd && b.KindFlag(id):
		return "union"
	}
	return "struct"
}

// described is a type with its items.
func described(b *btf.BTF, names []string, id btf.ID) string {
	var s strings.Builder
	describe(&s, b, names, id, 0)
	return s.String()
}

// madeUp is the suffix of a name that several have.
var madeUp = regexp.MustCompile(`___[0-9]+$`)

func describe(s *strings.Builder, b *btf.BTF, names []string, id btf.ID, depth int) {
	kind := b.Kind(id)
	fmt.Fprintf(s, "%s(%d){", keyword(b, id), b.Size(id))
	if kind.IsEnum() {
		for i := range b.Vlen(id) {
			// The name without a suffix that it may have got; the value
			// as many bits as the enum has.
			e := b.Enumerator(id, i)
			name := madeUp.ReplaceAllString(b.String(e.NameOff), "")
			fmt.Fprintf(s, "%s=%d ", name, e.Value<<(64-8*b.Size(id)))
		}
		s.WriteString("}")
		return
	}
	for i := range b.Vlen(id) {
		m := b.Member(id, i)
		name := b.String(m.NameOff)
		if strings.HasPrefix(name, "__btfgen_pad") {
			continue
		}
		to, _ := b.SkipModifiers(m.Type)
		if name == "" && b.Kind(to).IsComposite() {
			if names[to] == "" && b.Vlen(to) > 0 && !filler(b, to) {
				fmt.Fprintf(s, "@%d ", m.BitOffset)
				describe(s, b, names, to, depth+1)
			}
			continue
		}
		fmt.Fprintf(s, "%s@%d", name, m.BitOffset)
		if m.BitSize > 0 {
			fmt.Fprintf(s, ":%d", m.BitSize)
		} else if n := b.Int(to); b.Kind(to) == btf.KindInt && uint32(n.Bits) != b.Size(to)*8 {
			fmt.Fprintf(s, ":%d", n.Bits) // an old bitfield; its own offset is 0 in what is tested
		}
		s.WriteByte(' ')
		refer(s, b, names, m.Type, depth+1, nil)
		s.WriteString("; ")
	}
	s.WriteString("}")
}

// filler tells a struct that is only there to make a union larger.
func filler(b *btf.BTF, id btf.ID) bool {
	return b.Vlen(id) == 1 && strings.HasPrefix(b.String(b.Member(id, 0).NameOff), "__btfgen_pad")
}

// refer describes the type of a member. Typedefs do not count: one may have had
// to be renamed or unfolded. Of integers the size counts, because a char's sign
// is the machine's.
func refer(s *strings.Builder, b *btf.BTF, names []string, id btf.ID, depth int, quals []string) {
	if depth > 12 {
		s.WriteString("…")
		return
	}
	prefix := func() {
		slices.Sort(quals)
		for _, q := range slices.Compact(quals) {
			s.WriteString(q + " ")
		}
		quals = nil
	}
	switch kind := b.Kind(id); kind {
	case btf.KindTypedef:
		refer(s, b, names, b.Ref(id), depth, quals)
	case btf.KindConst, btf.KindVolatile, btf.KindRestrict, btf.KindTypeTag:
		word := strings.ToLower(kind.String())
		if kind == btf.KindTypeTag {
			word = "tag:" + b.Name(id)
		}
		refer(s, b, names, b.Ref(id), depth, append(quals, word))
	case btf.KindArray:
		a := b.Array(id)
		fmt.Fprintf(s, "[%d]", a.Nelems)
		refer(s, b, names, a.Elem, depth+1, quals)
	case btf.KindPtr:
		prefix()
		s.WriteString("*")
		refer(s, b, names, b.Ref(id), depth+1, nil)
	case btf.KindFuncProto:
		s.WriteString("(")
		for i := range b.Vlen(id) {
			refer(s, b, names, b.Param(id, i).Type, depth+1, nil)
			s.WriteString(", ")
		}
		s.WriteString(")")
		refer(s, b, names, b.Ref(id), depth+1, nil)
	case btf.KindStruct, btf.KindUnion, btf.KindFwd:
		prefix()
		if b.NameOff(id) == 0 {
			describe(s, b, names, id, depth+1)
		} else {
			s.WriteString(names[id])
		}
	case btf.KindEnum, btf.KindEnum64:
		prefix()
		switch {
		case b.Vlen(id) == 0: // an integer, where one is needed
			fmt.Fprintf(s, "int(%d)", b.Size(id))
		case b.NameOff(id) == 0:
			describe(s, b, names, id, depth+1)
		default:
			s.WriteString(names[id])
		}
	case btf.KindInt, btf.KindFloat:
		prefix()
		if n := b.Size(id); n&(n-1) != 0 { // C has none: an array of bytes
			fmt.Fprintf(s, "[%d]int(1)", n)
			return
		}
		fmt.Fprintf(s, "int(%d)", b.Size(id))
	default:
		prefix()
		s.WriteString(kind.String())
	}
}

// A header of a kernel's types means the same to gcc, and to clang for this
// machine: checked by the compiler, size by size and offset by offset.
func TestHeaderHasTheLayoutOfTheTypes(t *testing.T) {
	need.Asked(t, "BTFGEN_DIFF", "diff")
	compilers := [][]string{
		{need.Tool(t, "gcc"), "-std=gnu11", "-fsyntax-only", "-w", "-Werror=attributes"},
		{need.Tool(t, "clang-19"), "-fsyntax-only", "-w"},
	}
	eachKernel(t, func(t *testing.T, b *btf.BTF, _ string) {
		names := cTags(b)
		var src bytes.Buffer
		src.WriteString("#include \"kernel.h\"\n")
		checks := 0
		for id := b.Start(); id < b.End(); id++ {
			if names[id] == "" || !defined(b, id) {
				continue
			}
			checks++
			fmt.Fprintf(&src, "_Static_assert(sizeof(%s) == %d, \"\");\n", names[id], b.Size(id))
			checks += offsets(&src, b, names[id], id, 0)
		}
		dir := t.TempDir()
		header(t, b, filepath.Join(dir, "kernel.h"))
		write(t, filepath.Join(dir, "use.c"), src.Bytes())
		for _, c := range compilers {
			output(t, c[0], append(c[1:], filepath.Join(dir, "use.c"))...)
		}
		t.Logf("%d sizes and offsets", checks)
	})
}

// offsets writes an assertion for every member that offsetof can name.
func offsets(src *bytes.Buffer, b *btf.BTF, name string, id btf.ID, at uint32) (n int) {
	for i := range b.Vlen(id) {
		m := b.Member(id, i)
		to, _ := b.SkipModifiers(m.Type)
		switch {
		case m.NameOff == 0 && b.Kind(to).IsComposite():
			n += offsets(src, b, name, to, at+m.BitOffset)
		case m.BitSize == 0 && m.NameOff != 0 && !(b.Kind(to) == btf.KindInt && uint32(b.Int(to).Bits) != b.Size(to)*8):
			fmt.Fprintf(src, "_Static_assert(__builtin_offsetof(%s, %s) == %d, \"\");\n", name, b.String(m.NameOff), (at+m.BitOffset)/8)
			n++
		}
	}
	return n
}

// What C cannot say is at least said in a header that compiles, quietly where
// a compiler has a word for it.
func TestUnsayableHeaderCompiles(t *testing.T) {
	need.Asked(t, "BTFGEN_DIFF", "diff")
	clang, gcc := need.Tool(t, "clang-19"), need.Tool(t, "gcc")
	w := btf.NewBuilder(byteOrders[0])
	btfsample.Unsayable(w)
	raw, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kernel.h")
	header(t, mustParse(t, raw, nil), file)
	for _, c := range [][]string{
		{clang, "-target", "bpfel"}, {clang, "-target", "bpfeb"}, {clang, "-target", "bpfel", "-std=gnu23"},
		{clang, "-Wno-unknown-attributes"}, {gcc, "-std=gnu11", "-Wno-unknown-pragmas"},
	} {
		output(t, c[0], append(c[1:], "-Werror", "-fsyntax-only", "-x", "c", file)...)
	}
}
