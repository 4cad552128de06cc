package dwarftest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/dwarf2btf"
	"github.com/btfgen/btfgen/internal/debkernel"
	"github.com/btfgen/btfgen/internal/need"
)

// compareFunctions compares everything in two BTFs of a kernel: functions, variables and sections too.
func compareFunctions(t *testing.T, ours, theirs blob) {
	t.Helper()
	kinds, differences, err := NewJudge().Compare(Two{Names: [2]string{"ours", "pahole's"}, BTF: [2]*btf.BTF{ours.BTF, theirs.BTF}})
	if err != nil {
		t.Fatal(err)
	}
	fail(t, differences)
	t.Logf("compared: %v", kinds)
	for kind, least := range map[btf.Kind]int{btf.KindFunc: 30000, btf.KindVar: 200, btf.KindDatasec: 1} {
		if kinds[kind] < least {
			t.Errorf("%d of kind %v, expected %d", kinds[kind], kind, least)
		}
	}
}

// modules are those of the debug package that are converted on the kernel's types: of one unit, of a few, of many.
var modules = []string{"kernel/drivers/net/tun.ko", "kernel/net/netfilter/nf_conntrack.ko", "kernel/fs/xfs/xfs.ko"}

// compareModules makes split BTF of modules, on what the kernel carries.
func compareModules(t *testing.T, k *debkernel.Kernel, own []byte) {
	base, err := btf.Parse(own)
	if err != nil {
		t.Fatal(err)
	}
	baseFile := filepath.Join(t.TempDir(), "vmlinux.btf")
	if err := os.WriteFile(baseFile, own, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range modules {
		t.Run(filepath.Base(name), func(t *testing.T) {
			file := k.DebugModule(name)
			theirs, said, err := pahole(t, file, base, "--btf_base="+baseFile)
			if err != nil {
				t.Fatal(err, said)
			}
			repeated, err := NewJudge().Repeated(theirs)
			if err != nil {
				t.Fatal(err)
			}
			texts := map[string]bool{}
			for id := range repeated {
				texts[Text(theirs, id)] = true
			}
			for _, functions := range []bool{false, true} {
				ours := mustConvert(t, file, dwarf2btf.Options{Base: base, Functions: functions})
				two := Two{Names: [2]string{"ours", "pahole's"}, BTF: [2]*btf.BTF{ours, theirs}}
				if !functions {
					two.Of = TypesOnly()
				}
				pardoned := 0
				compare(t, two, func(d Difference) bool {
					// libbpf's deduplication sometimes repeats a type that the kernel has, all it leads to being the kernel's.
					repeats := d.Count[0] < d.Count[1] && texts[d.Text]
					if repeats {
						t.Logf("pahole repeats what the kernel has: %s", d.Text)
						pardoned++
					}
					return repeats
				})
				if pardoned > 4 {
					t.Errorf("%d types pardoned, expected 4 at most", pardoned)
				}
			}
		})
	}
}

// Functions and variables of a file of our own.
func TestFunctions(t *testing.T) {
	need.Asked(t, askedBy, "dwarf")
	for _, v := range []variant{
		linked(gcc, "-g"), linked(gcc, "-g", "-O2"), object(gcc, "-gdwarf-5"), object(gcc, "-gdwarf-4", "-O2"), linked(clang, "-g", "-O1"), object(clang, "-gdwarf-4"),
		linked(gccBig, "-g"), object(gccBig, "-g", "-O2"),
	} {
		t.Run(v.String(), func(t *testing.T) {
			file := v.compile(t, source(t, "calls.c"))
			ours := mustConvert(t, file, dwarf2btf.Options{Functions: true})
			theirs, said, err := pahole(t, file, nil)
			if err != nil {
				t.Fatal(err, said)
			}
			compare(t, Two{Names: [2]string{"ours", "pahole's"}, BTF: [2]*btf.BTF{ours, theirs}}, nil)
			var names []string
			for id := ours.Start(); id < ours.End(); id++ {
				if ours.Kind(id) == btf.KindFunc {
					names = append(names, ours.Name(id))
				}
			}
			for _, name := range []string{"global_function", "variadic", "no_parameters", "returns_function", "caller", "uses"} {
				if !slices.Contains(names, name) {
					t.Errorf("no function %s, only %v", name, names)
				}
			}
			for _, name := range []string{"declared_only", "inlined"} {
				if slices.Contains(names, name) {
					t.Errorf("a function %s, which is not in the file", name)
				}
			}
		})
	}
}
