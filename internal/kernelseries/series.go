package kernelseries

import (
	"fmt"
	"iter"
	"math/rand/v2"
)

// Base is a real kernel. Load gives its BTF, which is not kept.
type Base struct {
	Path string // distro/version/arch/release
	Load func() ([]byte, error)
}

// Kernel is a made one. The BTF is the receiver's.
type Kernel struct {
	Path string // distro/version/arch/release
	BTF  []byte
}

// The sizes of series: a release of a distribution gets updates for a year or two, in some flavours.
const (
	minUpdates, maxUpdates   = 10, 40
	minFlavours, maxFlavours = 1, 4
)

// Make gives n kernels, one series after the other, each of an own base as far as there are enough; a series has its updates in order, each in
// all flavours. A kernel is made when it is asked for. After an error there is no more. Fewer than n from the same seed are the
// first of them.
func Make(bases []Base, n int, seed uint64) iter.Seq2[Kernel, error] {
	return func(yield func(Kernel, error) bool) {
		if len(bases) == 0 {
			yield(Kernel{}, fmt.Errorf("no base to make kernels of"))
			return
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		var turn []int
		names := newNaming()
		for made := 0; made < n; {
			if len(turn) == 0 {
				turn = rng.Perm(len(bases))
			}
			from := bases[turn[0]]
			turn = turn[1:]
			s := &series{rng: rand.New(rand.NewPCG(rng.Uint64(), 0)), left: n - made}
			s.updates, s.flavours = between(s.rng, minUpdates, maxUpdates), between(s.rng, minFlavours, maxFlavours)
			s.name = names.series(from.Path, s.rng)
			count, more := s.yield(from, yield)
			if made += count; !more {
				return
			}
		}
	}
}

type series struct {
	rng               *rand.Rand
	updates, flavours int
	left              int // how many are wanted
	name              func(update, flavour int) string
}

// yield gives the kernels of a series, and tells whether to go on with the next.
func (s *series) yield(from Base, yield func(Kernel, error) bool) (made int, more bool) {
	raw, err := from.Load()
	if err == nil {
		var b *base
		if b, err = newBase(raw); err == nil {
			return s.kernels(newFamily(b, s.rng, s.flavours), yield)
		}
	}
	yield(Kernel{}, fmt.Errorf("%s: %w", from.Path, err))
	return made, false
}

func (s *series) kernels(f *family, yield func(Kernel, error) bool) (made int, more bool) {
	for update := range s.updates {
		if update > 0 {
			f.update(s.rng)
		}
		for i, k := range f.flavours {
			if made == s.left {
				return made, false
			}
			if !yield(Kernel{s.name(update, i), k.encode()}, nil) {
				return made, false
			}
			made++
		}
	}
	return made, true
}
