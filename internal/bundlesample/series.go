package bundlesample

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/btfgen/btfgen/btf"
)

// A Kernel is a path and its BTF.
type Kernel struct {
	Path string
	BTF  []byte
}

// fleet is how releases are named by distributions that have most kernels in archives.
var fleet = []struct {
	dir     string
	release func(series, update, flavour int) string
}{
	{"ubuntu/18.04/x86_64", func(s, u, f int) string { return fmt.Sprintf("4.%d.0-%d-%s", 15+s%4, 1000+u, flavours[f]) }},
	{"ubuntu/20.04/x86_64", func(s, u, f int) string { return fmt.Sprintf("5.%d.0-%d-%s", 4+s%12, 1000+u, flavours[f]) }},
	{"ubuntu/20.04/arm64", func(s, u, f int) string { return fmt.Sprintf("5.%d.0-%d-%s", 4+s%12, 1000+u, flavours[f]) }},
	{"centos/7/x86_64", func(s, u, f int) string { return fmt.Sprintf("3.10.0-%d.%d.%d.el7.x86_64", 693+s*100, u, f) }},
	{"ol/8/x86_64", func(s, u, f int) string {
		return fmt.Sprintf("5.4.17-%d.%d.%d.el8uek.x86_64", 2011+s, u, 1+f)
	}},
	{"amzn/2/x86_64", func(s, u, f int) string { return fmt.Sprintf("4.14.%d-%d.%d.amzn2.x86_64", 100+u, 97+s, 400+u*3+f) }},
	{"sles/15.3/x86_64", func(s, u, f int) string { return fmt.Sprintf("5.3.18-%d.%d.%d-default", 57+s, u, 1+f) }},
	{"debian/10/arm64", func(s, u, f int) string { return fmt.Sprintf("4.19.0-%d-%s-arm64", 1+u+100*s, flavours[f]) }},
}

var flavours = []string{"generic", "lowlatency", "aws", "azure", "gcp"}

// Series makes n kernels, with release names as distributions give them and about n/8 distinct BTFs: in a series of kernels the types that a
// program needs change every few updates, and then little. The same seed makes the same kernels.
func Series(n int, seed uint64) ([]Kernel, error) {
	rng := rand.New(rand.NewPCG(seed, seed))
	seen := map[string]bool{}
	kernels := make([]Kernel, 0, n)
	for series := 0; len(kernels) < n; series++ {
		d := fleet[series%len(fleet)]
		types := newTypes(rng)
		for update := 0; update < 40 && len(kernels) < n; update++ {
			if update%2 == 1 {
				types.change(rng)
			}
			raw, err := types.encode()
			if err != nil {
				return nil, err
			}
			for flavour := 0; flavour < len(flavours) && len(kernels) < n; flavour++ {
				path := d.dir + "/" + d.release(series/len(fleet), update, flavour)
				if !seen[path] {
					seen[path] = true
					kernels = append(kernels, Kernel{path, raw})
				}
			}
		}
	}
	return kernels, nil
}

// types is some structs with members.
type types struct{ structs []structure }

type structure struct {
	name    string
	members []member
}

type member struct {
	name   string
	typ    int    // of the few in encode
	offset uint32 // bytes
}

func newTypes(rng *rand.Rand) *types {
	t := new(types)
	for i := range 60 {
		s := structure{name: fmt.Sprintf("structure_%d", i)}
		offset := uint32(0)
		for m := range 1 + rng.IntN(6) {
			offset += uint32(8 * (1 + rng.IntN(20)))
			s.members = append(s.members, member{fmt.Sprintf("member_%d_of_%d", m, i), rng.IntN(4), offset})
		}
		t.structs = append(t.structs, s)
	}
	return t
}

// change moves the members of a few structs, as an update does that adds a field before them.
func (t *types) change(rng *rand.Rand) {
	for range 2 {
		s := &t.structs[rng.IntN(len(t.structs))]
		from := rng.IntN(len(s.members))
		for m := from; m < len(s.members); m++ {
			s.members[m].offset += 8
		}
	}
}

func (t *types) encode() ([]byte, error) {
	w := btf.NewBuilder(binary.LittleEndian)
	w.WholeStrings()
	ids := []btf.ID{w.Int("int", 4, btf.Signed), w.Int("unsigned int", 4, 0), w.Int("char", 1, btf.Signed)}
	ids = append(ids, w.Ptr(0), w.Array(ids[2], ids[0], 16))
	for _, s := range t.structs {
		var members []btf.BuildMember
		for _, m := range s.members {
			members = append(members, btf.BuildMember{Name: m.name, Type: ids[m.typ], BitOffset: 8 * m.offset})
		}
		w.Struct(s.name, s.members[len(s.members)-1].offset+16, members...)
	}
	return w.Bytes()
}
