package dwarftest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/dwarf2btf"
	"github.com/btfgen/btfgen/internal/elffile"
	"github.com/btfgen/btfgen/internal/need"
)

// convert has dwarf2btf convert a file.
func convert(t testing.TB, file string, o dwarf2btf.Options) (*btf.BTF, error) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := dwarf2btf.Convert(elffile.Bytes(content), o)
	if err != nil {
		return nil, err
	}
	return btf.ParseSplit(raw, o.Base)
}

// mustConvert is convert for a file that has to be one that can be converted, to BTF that is valid.
func mustConvert(t testing.TB, file string, o dwarf2btf.Options) *btf.BTF {
	t.Helper()
	b, err := convert(t, file, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Validate(); err != nil {
		t.Fatal(err)
	}
	return b
}

// compare fails the test where two BTFs differ in their types. pardon, if not nil, says which differences have a reason.
func compare(t testing.TB, two Two, pardon func(Difference) bool) {
	t.Helper()
	kinds, differences, err := NewJudge().Compare(two)
	if err != nil {
		t.Fatal(err)
	}
	if pardon != nil {
		differences = slices.DeleteFunc(differences, pardon)
	}
	fail(t, differences)
	if len(kinds) < 3 {
		t.Errorf("only types of the kinds %v", kinds)
	}
}

// same tells whether two BTFs have the same types.
func same(a, b *btf.BTF) bool {
	_, differences, err := NewJudge().Compare(Two{BTF: [2]*btf.BTF{a, b}, Of: TypesOnly()})
	return err == nil && len(differences) == 0
}

// Each source in each variant: what the compiler says of the BTF, what is written down by hand, and what pahole makes of it.
func TestFixtures(t *testing.T) {
	need.Asked(t, askedBy, "dwarf")
	for name, least := range sources {
		for _, v := range variants() {
			t.Run(name+" "+v.String(), func(t *testing.T) {
				t.Parallel()
				file := v.compile(t, source(t, name))
				ours := mustConvert(t, file, dwarf2btf.Options{})
				wrong, checks := judgeTruth(t, v, source(t, name), ours)
				fail(t, wrong)
				if checks < least {
					t.Errorf("the compiler made %d checks, expected %d", checks, least)
				}
				fail(t, judgeWanted(t, v, name, ours))
				theirs, said, err := pahole(t, file, nil)
				if why := paholeCannot(v, name); why != "" {
					if err == nil && same(ours, theirs) {
						t.Errorf("pahole agrees, though it is said of it: %s", why)
					}
					return
				}
				if err != nil {
					t.Fatal(err, said)
				}
				compare(t, Two{Names: [2]string{"ours", "pahole's"}, BTF: [2]*btf.BTF{ours, theirs}, Of: TypesOnly()}, nil)
			})
		}
	}
}

// judgeWanted lists the types of a .want file that a BTF does not have.
func judgeWanted(t testing.TB, v variant, name string, b *btf.BTF) (lacking []string) {
	t.Helper()
	say := func(text string) string {
		text = sameWords(text)
		if !v.isX86() {
			text = layout.ReplaceAllString(text, "$1")
		}
		if slices.Contains(v.flags, "-gdwarf-2") { // which does not have it
			text = strings.ReplaceAll(text, "restrict ", "")
		}
		return text
	}
	have := map[string]bool{}
	for id := b.Start(); id < b.End(); id++ {
		have[say(Text(b, id))] = true
	}
	content, err := os.ReadFile(source(t, strings.TrimSuffix(name, filepath.Ext(name))+".want"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		line, x86 := strings.CutPrefix(line, "x86-64: ")
		line, wide := strings.CutPrefix(line, "lp64: ")
		unsaid := slices.ContainsFunc(v.unsaid(), func(what string) bool { return strings.HasPrefix(line, strings.TrimPrefix(what, "sign of ")+" ") })
		if x86 && !v.isX86() || wide && v.bits != 64 || unsaid {
			continue
		}
		if !have[say(line)] {
			lacking = append(lacking, fmt.Sprintf("there is no %s; of that name there is %q", say(line), ofName(b, line)))
		}
	}
	return lacking
}

func (v variant) isX86() bool { return v.name == "gcc" || v.name == "clang" }

// layout is what differs between machines in a type's text.
var layout = regexp.MustCompile(` @[0-9.]+|(}) \d+\b|: \d+ bytes`)

// words are names of types that compilers have different ones for, and modifiers whose order says nothing.
var words = strings.NewReplacer(
	"unsigned long long", "long long unsigned int", "unsigned __int128", "__int128 unsigned", "unsigned short", "short unsigned int",
	"unsigned long", "long unsigned int", "volatile const", "const volatile", "const const", "const", "__float128", "_Float128",
	"(...)", "(void)", "complex float", "complex", "complex double", "complex", "complex int", "complex",
)

// shortNames are those of gcc for which clang leaves out "int".
var shortNames = regexp.MustCompile(`\b(long|short)( unsigned)? int\b`)

func sameWords(text string) string {
	return shortNames.ReplaceAllString(words.Replace(text), "$1$2")
}

// ofName are the texts of a BTF's types that have the name of a wanted one.
func ofName(b *btf.BTF, wanted string) (texts []string) {
	for id := b.Start(); id < b.End(); id++ {
		if name := b.Name(id); name != "" && slices.Contains(strings.FieldsFunc(wanted, notInName), name) && b.Kind(id) != btf.KindInt {
			if text := Text(b, id); strings.HasPrefix(text, strings.SplitN(wanted, " ", 2)[0]) {
				texts = append(texts, sameWords(text))
			}
		}
	}
	return texts
}

func notInName(r rune) bool {
	return r != '_' && (r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z')
}
