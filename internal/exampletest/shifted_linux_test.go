package exampletest

import (
	"testing"

	"github.com/btfgen/btfgen/btf"
)

// shifted is a minimal BTF with the members of task_struct 64 bytes further on, as another kernel may have them.
func shifted(t *testing.T, raw []byte) []byte {
	t.Helper()
	src, err := btf.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	w := btf.NewBuilder(src.ByteOrder())
	w.WholeStrings()
	for id := src.Start(); id < src.End(); id++ {
		if src.Name(id) != "task_struct" {
			if _, err := w.Copy(src, id, btf.Copied{All: true}, func(id btf.ID) btf.ID { return id }); err != nil {
				t.Fatal(err)
			}
			continue
		}
		var members []btf.BuildMember
		for i := range src.Vlen(id) {
			m := src.Member(id, i)
			members = append(members, btf.BuildMember{Name: src.String(m.NameOff), Type: m.Type, BitOffset: m.BitOffset + 64*8, BitSize: m.BitSize})
		}
		w.Struct(src.Name(id), src.Size(id), members...)
	}
	out, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
