package kernelseries

import (
	"math/rand/v2"
	"strings"

	"github.com/btfgen/btfgen/btf"
)

// diverge makes another flavour of a kernel: what belongs to some areas is gone, and some of the rest differs.
func (k *kernel) diverge(rng *rand.Rand, fresh, absent int) {
	k.remove(rng, absent)
	k.changeTo(rng, fresh)
	k.moveSections(rng)
}

// remove removes about so many definitions: functions whose names begin alike, as those of a driver do, and what nothing needs
// then; without functions, structs that nothing needs.
func (k *kernel) remove(rng *rand.Rand, absent int) {
	areas := make(map[string][]uint32)
	roots := k.funcs
	for _, id := range roots {
		area := k.area(id)
		areas[area] = append(areas[area], id)
	}
	if len(roots) == 0 {
		for _, id := range k.structs {
			if k.base.refs[id] == 0 {
				area := k.area(id)
				areas[area], roots = append(areas[area], id), append(roots, id)
			}
		}
	}
	gone := 0
	for tries := 0; gone < absent && tries < 2000 && len(roots) > 0; tries++ {
		area := areas[k.area(pick(rng, roots))]
		if len(area) > absent/4+1 {
			continue
		}
		for _, id := range area {
			if k.records[id] != nil && k.refs[id] == 0 && gone < absent {
				k.put(id, nil)
				gone++
			}
		}
		if tries%16 == 15 {
			gone += k.sweep(absent - gone)
		}
	}
}

// area is what a name of the real kernel begins with.
func (k *kernel) area(id uint32) string {
	area, _, _ := strings.Cut(k.strs.list[k.base.records[id][0]], "_")
	return area
}

// sweep removes named types that something referred to in the real kernel and nothing does any more, at most so many.
func (k *kernel) sweep(most int) (removed int) {
	for id := len(k.base.records) - 1; id > 0 && removed < most; id-- {
		r := k.records[id]
		if r == nil || k.refs[id] != 0 || k.base.refs[id] == 0 {
			continue
		}
		if kind := r.kind(); kind.IsComposite() || kind.IsEnum() || kind == btf.KindTypedef || kind == btf.KindFwd {
			k.put(uint32(id), nil)
			removed++
		}
	}
	return removed
}

// family is a kernel in its flavours, of which the first is the one that changes are drawn for.
type family struct{ flavours []*kernel }

func newFamily(b *base, rng *rand.Rand, flavours int) *family {
	k := newKernel(b)
	fresh, absent := seriesRate(rng)
	k.diverge(rng, fresh, absent)
	f := &family{flavours: []*kernel{k}}
	for range flavours - 1 {
		c := k.clone()
		fresh, absent := flavourRate(rng)
		c.diverge(rng, fresh, absent)
		f.flavours = append(f.flavours, c)
	}
	return f
}

// update brings all flavours to the next release.
func (f *family) update(rng *rand.Rand) {
	list := f.flavours[0].changeTo(rng, max(updateRate(rng)-1, 0))
	for _, k := range f.flavours[1:] {
		for _, m := range list {
			k.apply(m)
		}
	}
	for _, k := range f.flavours {
		k.moveSections(rng)
	}
}
