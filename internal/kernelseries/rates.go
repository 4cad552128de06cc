package kernelseries

import (
	"math"
	"math/rand/v2"
)

// The rates are between pairs of real kernels; TestMeasuredRates (make store) prints them. New and absent definitions of named types, a
// reference to a named type counting as its kind and name:
//
//	6.12.43 → 57 → 73 → 90 +deb12-amd64   111, 97, 251 new; 79, 91, 203 absent
//	6.1.0-47 → 50-amd64                   227 new, 216 absent
//	5.10.0-30 → 32-amd64                  240 new, 75 absent
//	6.12.90 amd64 → rt-amd64              849 new, 1,004 absent
//	6.1.0-50 amd64 → cloud-amd64          2,607 new, 5,752 absent
//	6.12.90+deb12 → 6.12.107+deb13        1,342 new, 482 absent
//	6.1.0-47 → 6.12.43+deb12-amd64        13,541 new, 7,122 absent
//
// Against a set of many kernels less is new. Of an update's new definitions about half are functions, nearly all others structs, whose
// size goes on to those that embed them; and one is the section of per-CPU variables, which moves in every build.

// between is evenly distributed.
func between(rng *rand.Rand, low, high int) int { return low + rng.IntN(high-low+1) }

// spread is evenly distributed in its logarithm.
func spread(rng *rand.Rand, low, high float64) int {
	return int(math.Round(low * math.Pow(high/low, rng.Float64())))
}

// updateRate is how many definitions an update makes new.
func updateRate(rng *rand.Rand) int { return between(rng, 1, 250) }

// flavourRate is how many definitions another flavour of a kernel has new, and how many it lacks.
func flavourRate(rng *rand.Rand) (fresh, absent int) {
	return spread(rng, 430, 2600), spread(rng, 1000, 8500)
}

// seriesRate is the same of a kernel of another distribution, of about the same version or of one some years apart.
func seriesRate(rng *rand.Rand) (fresh, absent int) {
	return spread(rng, 1300, 13500), spread(rng, 480, 7100)
}
