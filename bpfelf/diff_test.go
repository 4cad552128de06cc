package bpfelf

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/btfgen/btfgen/internal/need"
)

// packaged lists the programs and objects that a Debian package installs.
func packaged(t testing.TB, name string) (paths []string) {
	t.Helper()
	out, err := exec.Command("dpkg", "-L", name).Output()
	if err != nil {
		t.Fatalf("the Debian package %s is not installed: %v", name, err)
	}
	for path := range strings.Lines(string(out)) {
		path = strings.TrimSuffix(path, "\n")
		if filepath.Base(filepath.Dir(path)) != "sbin" && filepath.Base(filepath.Dir(path)) != "bin" && !strings.HasSuffix(path, ".o") {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		t.Fatalf("the Debian package %s has no programs", name)
	}
	return paths
}

// TestPackages opens every program of Debian's libbpf-tools and xdp-tools and
// compares what is in its objects with what debug/elf and cilium/ebpf read.
// BTFGEN_DIFF=1 asks for it.
func TestPackages(t *testing.T) {
	need.Asked(t, "BTFGEN_DIFF", "diff")
	for _, name := range []string{"libbpf-tools", "xdp-tools"} {
		t.Run(name, func(t *testing.T) {
			paths := packaged(t, name)
			objects, relos := 0, 0
			for _, path := range paths {
				opened, err := Open(path)
				if err != nil {
					t.Error(err)
					continue
				}
				objects += len(opened)
				for _, o := range opened {
					relos += len(o.Relocs)
					t.Run(o.Name, func(t *testing.T) {
						compareELF(t, o)
						compareCilium(t, o)
					})
				}
			}
			t.Logf("%d programs, %d objects, %d CO-RE relocations", len(paths), objects, relos)
		})
	}
}

// BenchmarkPackages opens them all.
func BenchmarkPackages(b *testing.B) {
	need.Asked(b, "BTFGEN_DIFF", "diff")
	paths := append(packaged(b, "libbpf-tools"), packaged(b, "xdp-tools")...)
	b.ReportAllocs()
	for b.Loop() {
		for _, path := range paths {
			if _, err := Open(path); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(len(paths)), "programs")
}

// compareELF compares sections, functions and ELF relocations with debug/elf.
func compareELF(t *testing.T, o *Object) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(o.Raw))
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string]int{}
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Size > 0 {
			functions[f.Sections[s.Section].Name+" "+s.Name]++
		}
	}
	programs, err := o.Programs()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, p := range programs {
		got[p.Section+" "+p.Name]++
	}
	diff(t, "functions", got, functions)

	type place struct {
		section, symbol string
		offset, value   uint64
		typ             uint32
	}
	var want, have []place
	for _, s := range f.Sections {
		if s.Type != elf.SHT_REL {
			continue
		}
		raw, err := s.Data()
		if err != nil {
			t.Fatal(err)
		}
		for ; len(raw) > 0; raw = raw[16:] {
			info := f.ByteOrder.Uint64(raw[8:])
			sym := symbols[info>>32-1]
			name := sym.Name
			if elf.ST_TYPE(sym.Info) == elf.STT_SECTION {
				name = f.Sections[sym.Section].Name
			}
			want = append(want, place{f.Sections[s.Info].Name, name, f.ByteOrder.Uint64(raw), sym.Value, uint32(info)})
		}
	}
	relocs, err := o.ELFRelocs()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range relocs {
		switch r.Type {
		case RelocNone, Reloc64x64, RelocAbs64, RelocAbs32, RelocNoDyld32, Reloc64x32:
		default:
			t.Errorf("unknown type: %+v", r)
		}
		have = append(have, place{r.Section, r.Symbol, r.Offset, r.SymbolValue, uint32(r.Type)})
	}
	if len(want) != len(have) {
		t.Fatalf("%d ELF relocations, debug/elf reads %d", len(have), len(want))
	}
	for i := range want {
		if want[i] != have[i] {
			t.Errorf("ELF relocation %d: %+v, debug/elf reads %+v", i, have[i], want[i])
		}
	}
}

// ciliumRefuses are the objects that cilium/ebpf 0.22 cannot read, and why:
// libbpf's USDT support declares its maps weak.
var ciliumRefuses = map[string]string{"javagc#0": "unsupported binding: STB_WEAK"}

// compareCilium compares each function's CO-RE relocations, source lines, and
// the maps with what cilium/ebpf makes of the object.
func compareCilium(t *testing.T, o *Object) {
	t.Helper()
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(o.Raw))
	if reason := ciliumRefuses[o.Name]; reason != "" {
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("cilium/ebpf: got %v, expected %q", err, reason)
		}
		return
	}
	if err != nil {
		t.Fatalf("cilium/ebpf: %v", err)
	}
	type counts struct{ relos, lines int }
	want := map[string]counts{}
	for _, p := range spec.Programs {
		// The functions that a program calls follow it, each under its symbol.
		each := map[string]counts{}
		name := p.Name
		for _, insn := range p.Instructions {
			if fn := btf.FuncMetadata(&insn); fn != nil {
				name = insn.Symbol()
			}
			c := each[name]
			if btf.CORERelocationMetadata(&insn) != nil {
				c.relos++
			}
			if insn.Source() != nil {
				c.lines++
			}
			each[name] = c
		}
		for name, c := range each {
			want[name] = c
		}
	}
	got := map[string]counts{}
	for name := range want {
		got[name] = counts{}
	}
	for _, r := range o.Relocs {
		c, ok := got[r.Program]
		if !ok {
			continue // a function that no program calls
		}
		c.relos++
		got[r.Program] = c
		if r.Program == "" || r.Insn[0] == 0 || r.Section == "" || r.Access == "" {
			t.Errorf("relocation %+v", r)
		}
	}
	programs, err := o.Programs()
	if err != nil {
		t.Fatal(err)
	}
	lines, err := o.Lines()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		for _, p := range programs {
			if p.Section == l.Section && uint64(l.InsnOff)-p.Offset < p.Size {
				if c, ok := got[p.Name]; ok {
					c.lines++
					got[p.Name] = c
				}
			}
		}
	}
	for name := range want {
		if want[name] != got[name] {
			t.Errorf("function %s: %+v, cilium/ebpf reads %+v", name, got[name], want[name])
		}
	}

	maps, err := o.Maps()
	if err != nil {
		t.Fatal(err)
	}
	found := 0 // more than cilium/ebpf
	for _, m := range maps {
		if m.Kind != MapBTF {
			continue
		}
		found++
		s := spec.Maps[m.Name]
		if s == nil {
			t.Errorf("map %s: cilium/ebpf has none", m.Name)
			continue
		}
		if s.Type == ebpf.PerfEventArray && s.ValueSize == 0 {
			m.ValueSize = 0 // cilium/ebpf drops the declared size of a __type(value, …), which libbpf keeps
		}
		if uint32(s.Type) != m.Type || s.KeySize != m.KeySize || s.ValueSize != m.ValueSize || s.MaxEntries != m.MaxEntries ||
			s.Flags != m.Flags || uint32(s.Pinning) != m.Pinning {
			t.Errorf("map %+v, cilium/ebpf reads %+v", m, *s)
		}
	}
	for name := range spec.Maps {
		if !strings.HasPrefix(name, ".") {
			found--
		}
	}
	if found != 0 {
		t.Errorf("%d maps more than cilium/ebpf", found)
	}
}
