package dwarftest

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/internal/need"
)

// sources are compiled each by itself in every variant. The numbers are how many checks a compiler has to make at least of what
// a BTF says of them.
var sources = map[string]int{"types.c": 400, "bits.c": 70, "odd.c": 12, "one.c": 20, "two.c": 20, "atomic.c": 12, "complex.c": 6}

// paholeCannot says why pahole 1.24 is no yardstick for a variant of a source, "" where it is one.
func paholeCannot(v variant, file string) string {
	has := func(flag string) bool { return slices.Contains(v.flags, flag) }
	switch name := filepath.Base(file); {
	case name == "atomic.c":
		return "pahole does not know DW_TAG_atomic_type"
	case name == "complex.c":
		return "pahole refuses complex numbers"
	case has("-fdebug-types-section"):
		return "pahole does not find the types of type units"
	case strings.HasPrefix(v.name, "clang mips"):
		return "pahole does not apply the relocations of this machine's objects"
	}
	for _, a := range v.after {
		if slices.Contains(a, "--compress-debug-sections=zstd") {
			return "pahole does not read sections compressed with zstd"
		}
	}
	return ""
}

// The compilers agree with pahole's BTF where it is our yardstick; so what they say of ours counts.
func TestTruthOfPahole(t *testing.T) {
	need.Asked(t, askedBy, "dwarf")
	for name, least := range sources {
		for _, v := range variants() {
			if paholeCannot(v, name) != "" {
				continue
			}
			t.Run(name+" "+v.String(), func(t *testing.T) {
				t.Parallel()
				b, said, err := pahole(t, v.compile(t, source(t, name)))
				if err != nil {
					t.Fatal(err, said)
				}
				wrong, checks := judgeTruth(t, v, source(t, name), b)
				fail(t, wrong)
				if checks < least {
					t.Errorf("%d checks, expected %d", checks, least)
				}
			})
		}
	}
}
