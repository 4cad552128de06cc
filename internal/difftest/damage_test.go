package difftest

import (
	"encoding/binary"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/internal/oracle"
)

// damaged copies a BTF; one struct, or a member of it, becomes another.
func damaged(t *testing.T, raw []byte, structName string, change func(members []btf.BuildMember) []btf.BuildMember, again bool) []byte {
	t.Helper()
	src, err := btf.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	w := btf.NewBuilder(src.ByteOrder())
	w.WholeStrings()
	same := func(id btf.ID) btf.ID { return id }
	var changed []btf.BuildMember
	var size uint32
	for id := src.Start(); id < src.End(); id++ {
		if src.Kind(id) != btf.KindStruct || src.Name(id) != structName || src.Vlen(id) == 0 {
			if _, err := w.Copy(src, id, btf.Copied{All: true}, same); err != nil {
				t.Fatal(err)
			}
			continue
		}
		var members []btf.BuildMember
		for i := range src.Vlen(id) {
			m := src.Member(id, i)
			members = append(members, btf.BuildMember{Name: src.String(m.NameOff), Type: m.Type, BitOffset: m.BitOffset, BitSize: m.BitSize})
		}
		size = src.Size(id)
		changed = change(append([]btf.BuildMember(nil), members...))
		if again { // a second definition, behind all others
			w.Struct(structName, size, members...)
		} else {
			w.Struct(structName, size, changed...)
		}
	}
	if changed == nil {
		t.Fatalf("the minimal BTF has no struct %s to be damaged", structName)
	}
	if again {
		w.Struct(structName, size, changed...)
	}
	out, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// damages are small. That the undamaged copy passes shows that it is the damage
// which is detected.
var damages = []struct {
	name   string
	change func([]btf.BuildMember) []btf.BuildMember
	again  bool
	none   bool
}{
	{name: "none", none: true, change: func(m []btf.BuildMember) []btf.BuildMember { return m }},
	{name: "a member's offset", change: func(m []btf.BuildMember) []btf.BuildMember {
		m[memberNamed(m, "tgid")].BitOffset += 64
		return m
	}},
	{name: "a member dropped", change: func(m []btf.BuildMember) []btf.BuildMember {
		i := memberNamed(m, "tgid")
		return append(m[:i], m[i+1:]...)
	}},
	{name: "a second definition", again: true, change: func(m []btf.BuildMember) []btf.BuildMember {
		m[memberNamed(m, "tgid")].BitOffset += 64
		return m
	}},
}

func memberNamed(members []btf.BuildMember, name string) int {
	for i, m := range members {
		if m.Name == name {
			return i
		}
	}
	return 0
}

// TestDamageIsDetected gives every check of TestPrograms a damaged minimal BTF.
func TestDamageIsDetected(t *testing.T) {
	need.Asked(t, "BTFGEN_DIFF", "diff")
	w := newWorker(t, newSet(t))
	k := firstNative(t, w.reader)
	c, err := w.check(t, "kernel", k)
	if err != nil {
		t.Fatal(err)
	}
	verdicts, err := w.verdicts(c.fullFile)
	if err != nil {
		t.Fatal(err)
	}
	ofMinimal, err := w.verdicts(c.minFile)
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := oracle.NewCiliumKernel(w.plan.ByteOrder(), c.full)
	if err != nil {
		t.Fatal(err)
	}
	for _, damage := range damages {
		t.Run(damage.name, func(t *testing.T) {
			raw := damaged(t, c.min, "task_struct", damage.change, damage.again)
			file := w.write(t, "damaged", raw)
			types, err := btf.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			expect := func(check string, differences []string, err error) {
				t.Helper()
				switch {
				case err != nil:
					t.Errorf("%s: %v", check, err)
				case damage.none && len(differences) > 0:
					t.Errorf("%s: an undamaged copy is another BTF: %s", check, differences[0])
				case !damage.none && len(differences) == 0:
					t.Errorf("%s: the damage is not detected", check)
				case !damage.none:
					t.Logf("%s detects it %d times: %s", check, len(differences), differences[0])
				}
			}
			_, _, differences, err := w.checkBpftool(c.fullFile, file)
			expect("bpftool", differences, err)

			min, err := w.verdicts(file)
			if err != nil {
				t.Fatal(err)
			}
			_, _, differences = compareVerdicts(verdicts, min, c.fullTypes, types)
			expect("libbpf", differences, nil)

			// Ours on the damaged BTF, libbpf's on the minimal one, whose ids are the same.
			r := core.NewResolver(w.plan)
			if err := r.Load(raw); err != nil {
				t.Fatal(err)
			}
			r.Resolve(nil)
			_, _, differences = w.compareAllOurs(r, ofMinimal)
			expect("ours", differences, nil)

			_, differences, err = w.compareCilium(kernel, raw)
			expect("cilium", differences, err)
		})
	}
}

// firstNative is the BTF of the first little-endian kernel.
func firstNative(t *testing.T, r *hub.Reader) []byte {
	t.Helper()
	for _, k := range largeSet(t) {
		types, err := k.Load(r)
		if err != nil {
			t.Fatal(err)
		}
		if blobOrder(types.Vmlinux) == binary.ByteOrder(binary.LittleEndian) {
			return types.Vmlinux
		}
	}
	t.Fatal("no little-endian kernel")
	return nil
}
