package dwarftest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/dwarf2btf"
	"github.com/btfgen/btfgen/internal/need"
)

// A maker writes C types at random.
type maker struct {
	*rand.Rand
	w     strings.Builder
	whole []string // types that are complete: of members and elements
	later []string // structs that are only pointed to as yet
	names int
}

func (m *maker) name(prefix string) string {
	m.names++
	return fmt.Sprintf("%s%d", prefix, m.names)
}

func (m *maker) pick(list []string) string { return list[m.IntN(len(list))] }

// member declares a member, or an element of a nested struct, by its depth.
func (m *maker) member(depth int) string {
	name := m.name("m")
	qualifier := ""
	if m.IntN(6) == 0 {
		qualifier = m.pick([]string{"const ", "volatile ", "const volatile "})
	}
	switch n := m.IntN(20); {
	case n < 5: // a bitfield
		kind := []struct {
			text string
			bits int
		}{{"_Bool", 1}, {"unsigned char", 8}, {"short", 16}, {"unsigned short", 16}, {"int", 32}, {"unsigned int", 32}, {"long long", 64}, {"unsigned long long", 64}}[m.IntN(8)]
		switch m.IntN(8) {
		case 0:
			return fmt.Sprintf("%s : %d;", kind.text, m.IntN(kind.bits+1))
		default:
			return fmt.Sprintf("%s%s %s : %d;", qualifier, kind.text, name, 1+m.IntN(kind.bits))
		}
	case n < 8:
		return fmt.Sprintf("%sstruct %s *%s;", qualifier, m.pick(m.later), name)
	case n < 10:
		return fmt.Sprintf("%s%s (*%s)(%s, struct %s *);", qualifier, m.pick(m.whole), name, m.pick(m.whole), m.pick(m.later))
	case n < 12:
		return fmt.Sprintf("%s%s %s[%d];", qualifier, m.pick(m.whole), name, 1+m.IntN(5))
	case n < 14 && depth < 3:
		return m.body(depth+1, m.pick([]string{"struct", "union"})) + ";"
	case n < 15 && depth < 3:
		return m.body(depth+1, m.pick([]string{"struct", "union"})) + " " + name + ";"
	case n < 16:
		return fmt.Sprintf("%s%s *const *%s;", qualifier, m.pick(m.whole), name)
	default:
		align := ""
		if m.IntN(8) == 0 {
			align = fmt.Sprintf(" __attribute__((aligned(%d)))", 1<<m.IntN(6))
		}
		return fmt.Sprintf("%s%s %s%s;", qualifier, m.pick(m.whole), name, align)
	}
}

// body is a struct or union without a name.
func (m *maker) body(depth int, word string) string {
	var w strings.Builder
	w.WriteString(word + m.attribute() + " {")
	for range 1 + m.IntN(6) {
		w.WriteString(" " + m.member(depth))
	}
	// Not only what has no name.
	fmt.Fprintf(&w, " int %s; }", m.name("m"))
	return w.String()
}

func (m *maker) attribute() string {
	switch m.IntN(12) {
	case 0, 1:
		return " __attribute__((packed))"
	case 2:
		return fmt.Sprintf(" __attribute__((packed, aligned(%d)))", 1<<m.IntN(4))
	case 3:
		return fmt.Sprintf(" __attribute__((aligned(%d)))", 1<<m.IntN(7))
	}
	return ""
}

// types writes a file with n structs and as many enums and typedefs, all of them used.
func (m *maker) types(n int) string {
	m.whole = []string{"char", "signed char", "unsigned char", "short", "unsigned short", "int", "unsigned int", "long", "unsigned long", "long long",
		"unsigned long long", "_Bool", "float", "double"}
	var used strings.Builder
	for i := range n {
		name := fmt.Sprintf("s%d", i)
		m.later = append(m.later, name)
		fmt.Fprintf(&m.w, "struct %s;\n", name) // so that a prototype does not declare another
	}
	for i := range n {
		enum := m.name("e")
		attribute := ""
		if m.IntN(3) == 0 {
			attribute = " __attribute__((packed))"
		}
		fmt.Fprintf(&m.w, "enum%s %s {", attribute, enum)
		for range 1 + m.IntN(4) {
			value := int64(m.Uint64()) >> m.IntN(64)
			fmt.Fprintf(&m.w, " %s = %d - 1ll,", strings.ToUpper(m.name("v")), max(value, -1<<62))
		}
		m.w.WriteString(" };\n")
		m.whole = append(m.whole, "enum "+enum)
		word := m.pick([]string{"struct", "struct", "struct", "union"})
		name := fmt.Sprintf("s%d", i)
		text := m.body(0, word)
		if word == "union" { // what is pointed to by the name is a struct
			name = m.name("u")
		}
		at := strings.Index(text, " {")
		fmt.Fprintf(&m.w, "%s %s%s;\n", text[:at], name, text[at:])
		m.whole = append(m.whole, word+" "+name)
		typedef := m.name("t")
		fmt.Fprintf(&m.w, "typedef %s %s;\n", m.pick(m.whole), typedef)
		m.whole = append(m.whole, typedef)
		fmt.Fprintf(&used, "%s %s *used_%d;\n%s *used_too_%d;\nenum %s used_enum_%d;\n", word, name, i, typedef, i, enum, i)
	}
	return m.w.String() + used.String()
}

// Types at random, judged by their compilers and by pahole.
func TestRandomTypes(t *testing.T) {
	need.Asked(t, askedBy, "dwarf")
	seed := rand.Uint64()
	for i := range uint64(8) {
		for _, v := range []variant{
			linked(gcc, "-gdwarf-5"), object(gcc, "-gdwarf-3"), linked(gccBig, "-gdwarf-5"), object(gccBig, "-gdwarf-3"), object(clang, "-gdwarf-5"),
			object(clangFor("s390x-linux-gnu", 64, true), "-gdwarf-3"), object(clangFor("i686-linux-gnu", 32, false), "-gdwarf-4"),
		} {
			t.Run(fmt.Sprintf("%d of %d %v", i, seed, v), func(t *testing.T) {
				t.Parallel()
				m := &maker{Rand: rand.New(rand.NewPCG(seed, i))}
				file := filepath.Join(t.TempDir(), "random.c")
				if err := os.WriteFile(file, []byte(m.types(30)), 0o600); err != nil {
					t.Fatal(err)
				}
				made := v.compile(t, file)
				ours := mustConvert(t, made, dwarf2btf.Options{})
				wrong, checks := judgeTruth(t, v, file, ours)
				fail(t, wrong)
				if checks < 300 {
					t.Errorf("%d checks, expected 300", checks)
				}
				theirs, said, err := pahole(t, made, nil)
				if err != nil {
					t.Fatal(err, said)
				}
				compare(t, Two{Names: [2]string{"ours", "pahole's"}, BTF: [2]*btf.BTF{ours, theirs}, Of: TypesOnly()}, nil)
			})
		}
	}
}
