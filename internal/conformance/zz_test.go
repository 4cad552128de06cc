package conformance
import ("testing";"fmt";"os";"strconv";"github.com/btfgen/btfgen/core";"github.com/btfgen/btfgen/internal/conformance/randbtf";"github.com/btfgen/btfgen/btf")
func dump(raw []byte) {
	b, _ := btf.Parse(raw)
	for id := btf.ID(1); id < b.End(); id++ {
		s := fmt.Sprintf("[%d] %v %q size=%d ref=%d", id, b.Kind(id), b.Name(id), b.Size(id), b.Ref(id))
		if b.Kind(id)==btf.KindInt { s += fmt.Sprintf(" %+v", b.Int(id)) }
		if b.Kind(id)==btf.KindArray { s += fmt.Sprintf(" %+v", b.Array(id)) }
		if b.Kind(id).IsComposite() { for i := range b.Vlen(id) { m:=b.Member(id,i); s += fmt.Sprintf(" {%s %d @%d:%d}", b.String(m.NameOff), m.Type, m.BitOffset, m.BitSize) } }
		fmt.Println(s)
	}
}
func TestZZ(t *testing.T) {
	seed, _ := strconv.ParseUint(os.Getenv("SEED"),10,64)
	s, _ := randbtf.Make(1e6+seed, randbtf.Options{Tame: true, Relocs: 12})
	dump(s.Local); fmt.Println(); dump(s.Target)
	for _, r := range s.Relocs { fmt.Println(core.Kind(r.Kind), r.Type, r.Access) }
}
func TestXX(t *testing.T) {
	seed, _ := strconv.ParseUint(os.Getenv("SEED"),10,64)
	s, _ := randbtf.Make(1e6+seed, randbtf.Options{Tame: true, Relocs: 12})
	o := randomPrograms(t, s, make([]uint64, 12))
	p := planOf(t, o)
	r := resolve(t, p, s.Target)
	m := minimal(t, p, s.Target)
	dump(m)
	q := resolve(t, p, m)
	for i := range p.Len() { out := r.Outcome(i); o2 := q.Outcome(i); fmt.Println(p.Local(i).LocalPath(), "|", r.TargetPath(i,out), out.Status, out.New, r.Reason(i,out), "|",  q.TargetPath(i,o2), o2.Status, o2.New) }
}
