package dwarftest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/need"
)

// sources are compiled each by itself in every variant. The numbers are how many checks a compiler has to make at least of what
// a BTF says of them.
var sources = map[string]int{"types.c": 400, "bits.c": 70, "odd.c": 12, "one.c": 20, "two.c": 20, "atomic.c": 12, "complex.c": 6}

// paholeCannot says why pahole 1.24 is no yardstick for a variant of a source, "" where it is one.
func paholeCannot(v variant, file string) string {
	has := func(flag string) bool { return slices.Contains(v.flags, flag) }
	switch name := filepath.Base(file); {
	case name == "atomic.c" && v.dwarf() == 5:
		return "pahole does not know DW_TAG_atomic_type"
	case name == "complex.c":
		return "pahole refuses complex numbers"
	case has("-fdebug-types-section") && strings.HasPrefix(v.name, "gcc"):
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

// dwarf is the version of DWARF that a variant has.
func (v variant) dwarf() int {
	for _, flag := range v.flags {
		if version, ok := strings.CutPrefix(flag, "-gdwarf-"); ok {
			return int(version[0] - '0')
		}
	}
	return 5 // what gcc 12 and clang 19 take for -g
}

// pahole has pahole convert a file, a module if base is not nil. said is what it printed.
func pahole(t testing.TB, file string, base *btf.BTF, flags ...string) (b *btf.BTF, said string, err error) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "pahole.btf")
	said, err = try("", need.Tool(t, "pahole"), slices.Concat([]string{"--btf_gen_floats", "--btf_encode_detached=" + out}, flags, []string{file})...)
	if err != nil {
		return nil, said, err
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		return nil, said, fmt.Errorf("pahole wrote no BTF: %w: %s", err, said)
	}
	b, err = btf.ParseSplit(raw, base)
	return b, said, err
}
