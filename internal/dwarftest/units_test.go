package dwarftest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/dwarf2btf"
	"github.com/btfgen/btfgen/internal/elffile"
	"github.com/btfgen/btfgen/internal/need"
)

// together are the definitions that one.c, two.c and three.c have together: of what differs each one, of what they share one.
var together = []string{
	"struct clash { int from_one @0; } 4",
	"struct clash { char *from_two @0; short int other @8; } 16",
	"struct holds_clash { struct clash embedded @0; struct clash *pointed @8; } 16",
	"struct holds_clash { struct clash embedded @0; struct clash *pointed @16; } 24",
	"struct here { struct same same @0; enum mode mode @24; } 32",
	"struct elsewhere { struct here *back @0; enum mode mode @8; } 16",
	"enum mode { MODE_ONE = 0, } 4",
	"enum mode { MODE_TWO = 2, } 4",
	"typedef long int changes",
	"typedef unsigned int changes",
	"forward struct clash",
	"struct undecided { struct clash *which @0; struct here *known @8; } 16",
	// It leads to different structs clash, so there are two of it, though they look the same.
	"struct same { struct elsewhere *far @0; struct holds_clash *clashes @8; int member @16; } 24",
	"struct same { struct elsewhere *far @0; struct holds_clash *clashes @8; int member @16; } 24",
}

// judgeTogether lists where a BTF has not just these definitions of the names that they have.
func judgeTogether(v variant, b *btf.BTF) (wrong []string) {
	count := map[string]int{}
	names := map[string]bool{}
	for _, text := range together {
		count[sameWords(text)]++
		words := strings.Fields(text)
		if words[0] == "typedef" || words[0] == "forward" {
			names[words[len(words)-1]] = true
		} else {
			names[words[1]] = true
		}
	}
	for id := b.Start(); id < b.End(); id++ {
		if k := b.Kind(id); names[b.Name(id)] && k != btf.KindVar && k != btf.KindFunc {
			count[sameWords(Text(b, id))]--
		}
	}
	for text, n := range count {
		if n == 1 && strings.HasPrefix(text, "struct same ") && slices.Contains(v.flags, "-fdebug-types-section") {
			continue // gcc's type units are known by a hash that stops at pointers: there is one
		}
		if n != 0 {
			wrong = append(wrong, fmt.Sprintf("%d fewer than there should be of %s", n, text))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// Units that disagree, and complete one another.
func TestUnits(t *testing.T) {
	need.Asked(t, askedBy, "dwarf")
	var ways []variant
	for _, c := range []compiler{gcc, clang, gccBig} {
		for _, version := range []string{"-gdwarf-3", "-gdwarf-4", "-gdwarf-5"} {
			ways = append(ways, linked(c, version), object(c, version), linked(c, version, "-fdebug-types-section"))
		}
		// Not clang's DWARF 5: dwz 0.15 does not know its .debug_addr.
		ways = append(ways, linked(c, "-gdwarf-4").then("dwz", "FILE"))
	}
	ways = append(ways, linked(gcc, "-g", "-flto"), linked(gcc, "-gdwarf-4", "-flto"), linked(gccBig, "-g", "-flto"),
		linked(gcc, "-g", "-gz=zlib"), linked(clang, "-g", "-gz=zlib"), linked(gcc, "-g", "-gdwarf64"))
	for _, v := range ways {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			judgeUnits(t, v, v.compile(t, source(t, "one.c"), source(t, "two.c"), source(t, "three.c")))
		})
	}
	// clang links its own intermediate code.
	t.Run("clang lto", func(t *testing.T) {
		dir := t.TempDir()
		for _, version := range []string{"-gdwarf-4", "-gdwarf-5"} {
			for _, name := range []string{"one", "two", "three"} {
				run(t, dir, "clang-19", version, "-c", "-emit-llvm", "-o", name+".bc", source(t, name+".c"))
			}
			run(t, dir, "llvm-link-19", "-o", "all.bc", "one.bc", "two.bc", "three.bc")
			run(t, dir, "clang-19", version, "-c", "-o", "all.o", "all.bc")
			judgeUnits(t, object(clang, version), filepath.Join(dir, "all.o"))
		}
	})
}

func judgeUnits(t *testing.T, v variant, file string) {
	t.Helper()
	ours := mustConvert(t, file, dwarf2btf.Options{})
	fail(t, judgeTogether(v, ours))
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var first []byte
	for _, workers := range []int{0, 1, 2, 7} {
		raw, err := dwarf2btf.Convert(elffile.Bytes(content), dwarf2btf.Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = raw
		} else if !bytes.Equal(raw, first) {
			t.Errorf("with %d workers the output is another", workers)
		}
	}
	if v.paholeSkipsUnits() {
		return
	}
	theirs, said, err := pahole(t, file, nil)
	if err != nil {
		t.Fatal(err, said)
	}
	compare(t, Two{Names: [2]string{"ours", "pahole's"}, BTF: [2]*btf.BTF{ours, theirs}, Of: TypesOnly()}, nil)
}

// paholeSkipsUnits tells of files whose types pahole does not find: in type units, and in partial units.
func (v variant) paholeSkipsUnits() bool {
	return slices.Contains(v.flags, "-fdebug-types-section") || len(v.after) > 0 && v.after[0][0] == "dwz"
}

// dwz moves what two files share to a third one; with that, or in vain without it, each is what it was before.
func TestAlternateFile(t *testing.T) {
	need.Asked(t, askedBy, "dwarf")
	for _, v := range []variant{linked(gcc, "-gdwarf-5"), linked(gcc, "-gdwarf-4"), linked(gccBig, "-gdwarf-5"), linked(clang, "-gdwarf-4")} {
		t.Run(v.String(), func(t *testing.T) {
			dir := t.TempDir()
			var files []string
			var before []*btf.BTF
			for _, name := range []string{"types.c", "types.c", "bits.c"} {
				made := v.compile(t, source(t, name))
				before = append(before, mustConvert(t, made, dwarf2btf.Options{}))
				file := filepath.Join(dir, fmt.Sprintf("%d.so", len(files)))
				if err := os.Rename(made, file); err != nil {
					t.Fatal(err)
				}
				files = append(files, file)
			}
			run(t, dir, "dwz", append([]string{"-m", "common.debug", "-M", "common.debug"}, files...)...)
			common, err := os.ReadFile(filepath.Join(dir, "common.debug"))
			if err != nil {
				t.Fatal(err)
			}
			asked := 0
			for i, file := range files {
				ours, err := convert(t, file, dwarf2btf.Options{Alternate: func(name string, buildID []byte) (elffile.File, error) {
					asked++
					if name != "common.debug" || len(buildID) != 20 {
						t.Errorf("asked for the file %q with build ID %x", name, buildID)
					}
					return elffile.Bytes(common), nil
				}})
				if err != nil {
					t.Fatal(err)
				}
				compare(t, Two{Names: [2]string{"of dwz's file", "of the plain one"}, BTF: [2]*btf.BTF{ours, before[i]}}, nil)
			}
			if asked < 2 {
				t.Fatalf("%d files with .gnu_debugaltlink, expected two", asked)
			}
			if _, err := convert(t, files[0], dwarf2btf.Options{}); err == nil || !strings.Contains(err.Error(), "common.debug") {
				t.Errorf("without the alternate file: %v, expected an error that names it", err)
			}
		})
	}
}

// What is not in the file is said to be missing, not left out in silence.
func TestElsewhere(t *testing.T) {
	need.Asked(t, askedBy, "dwarf")
	for _, c := range []compiler{gcc, clang, gccBig} {
		for _, version := range []string{"-gdwarf-4", "-gdwarf-5"} {
			split := object(c, version, "-gsplit-dwarf")
			if b, err := convert(t, split.compile(t, source(t, "types.c")), dwarf2btf.Options{}); err == nil {
				t.Errorf("%v: %d types and no error", split, b.End()-1)
			} else if t.Logf("%v: %v", split, err); !strings.Contains(err.Error(), "split") {
				t.Errorf("%v: %v", split, err)
			}
		}
		plain := object(c)
		if _, err := convert(t, plain.compile(t, source(t, "types.c")), dwarf2btf.Options{}); err == nil || !strings.Contains(err.Error(), dwarf2btf.ErrNoDWARF.Error()) {
			t.Errorf("%v: %v, expected %v", plain, err, dwarf2btf.ErrNoDWARF)
		}
	}
}

// Enums of 8 bytes for loaders that do not know their kind.
func TestNoEnum64(t *testing.T) {
	need.Asked(t, askedBy, "dwarf")
	for _, v := range []variant{linked(gcc, "-g"), linked(gccBig, "-g"), linked(clang, "-g")} {
		file := v.compile(t, source(t, "types.c"))
		ours := mustConvert(t, file, dwarf2btf.Options{NoEnum64: true})
		for id := ours.Start(); id < ours.End(); id++ {
			if ours.Kind(id) == btf.KindEnum64 {
				t.Errorf("%v: there is %s", v, Text(ours, id))
			}
		}
		theirs, said, err := pahole(t, file, nil, "--skip_encoding_btf_enum64")
		if err != nil {
			t.Fatal(err, said)
		}
		compare(t, Two{Names: [2]string{"ours", "pahole's"}, BTF: [2]*btf.BTF{ours, theirs}, Of: TypesOnly()}, nil)
	}
}

// Tags of types and declarations, which clang writes.
func TestTags(t *testing.T) {
	need.Asked(t, askedBy, "dwarf")
	for _, v := range []variant{linked(clang, "-gdwarf-4"), linked(clang, "-gdwarf-5"), object(clangFor("s390x-linux-gnu", 64, true), "-g")} {
		file := v.compile(t, source(t, "tags.c"))
		ours := mustConvert(t, file, dwarf2btf.Options{})
		theirs, said, err := pahole(t, file, nil)
		if err != nil {
			t.Fatal(err, said)
		}
		compare(t, Two{Names: [2]string{"ours", "pahole's"}, BTF: [2]*btf.BTF{ours, theirs}, Of: TypesOnly()}, nil)
	}
}
