package kernel

import (
	"math/big"
	"regexp"
	"slices"
)

const ambiguous = "(ambiguous)"

// reference selects by the rules of docs/bundle-format.md in the plainest way, sentence by sentence and with all kernels at
// hand, for FuzzMatcher to compare with. It returns the path, "" or ambiguous, and the nearest kernels where there is none.
func reference(h Host, consensus bool, kernels []bundled) (path string, nearest []string) {
	arch, _ := NormalArch(h.Machine)
	release := NormalRelease(h.Release)
	var here []bundled
	for _, k := range kernels {
		if of, _ := NormalArch(ParsePath(k.path).Arch); of == "" || of == arch {
			here = append(here, k)
		}
	}
	set := where(here, func(k bundled) bool { return NormalRelease(k.release()) == release })
	if len(set) == 0 {
		counter := regexp.MustCompile(`(?s)^(.*)\.[0-9]+(-[A-Za-z][^-]*)$`)
		set = where(here, func(k bundled) bool {
			parts := counter.FindStringSubmatch(NormalRelease(k.release()))
			return parts != nil && parts[1]+parts[2] == release
		})
	}
	if len(set) > 0 {
		return referenceNarrow(h.OS, set), nil
	}
	if consensus {
		if path := referenceConsensus(arch, release, here); path != "" {
			return path, nil
		}
	}
	slices.SortStableFunc(here, func(a, b bundled) int {
		return sharedPrefix([]byte(NormalRelease(b.release())), release) - sharedPrefix([]byte(NormalRelease(a.release())), release)
	})
	for _, k := range here[:min(len(here), 5)] {
		nearest = append(nearest, join(k.dir(), k.release()))
	}
	return "", nearest
}

func referenceNarrow(os OSRelease, set []bundled) string {
	distro := func(k bundled) string { return NormalDistro(ParsePath(k.path).Distro) }
	version := func(k bundled) string { return NormalVersion(ParsePath(k.path).Version) }
	one := func() bool {
		return !slices.ContainsFunc(set, func(k bundled) bool { return k.content != set[0].content })
	}
	pass := func(passes func(bundled) bool) bool {
		few := where(set, passes)
		if len(few) > 0 {
			set = few
		}
		return len(few) > 0
	}
	if !one() {
		for _, id := range append([]string{os.ID}, os.Like...) {
			if id = NormalDistro(id); id != "" && pass(func(k bundled) bool { return distro(k) == id }) {
				break
			}
		}
	}
	if !one() {
		id, name := NormalVersion(os.VersionID), NormalVersion(os.Codename)
		_ = id != "" && pass(func(k bundled) bool { return version(k) == id }) ||
			name != "" && pass(func(k bundled) bool { return version(k) == name }) ||
			id != "" && pass(func(k bundled) bool { return agree(version(k), id) })
	}
	if !one() {
		return ambiguous
	}
	return set[0].path
}

func referenceConsensus(arch, release string, kernels []bundled) string {
	digits := regexp.MustCompile(`^[0-9]+$`)
	greatest := new(big.Int).SetUint64(1<<64 - 1)
	split := func(release string) (numbers []*big.Int, flavour []string) {
		for _, part := range regexp.MustCompile(`[-._+~]`).Split(NormalRelease(release), -1) {
			if !digits.MatchString(part) {
				flavour = append(flavour, part)
				continue
			}
			n, _ := new(big.Int).SetString(part, 10)
			if n.Cmp(greatest) > 0 {
				n = greatest
			}
			numbers = append(numbers, n)
		}
		return numbers, flavour
	}
	compare := func(a, b []*big.Int) int { return slices.CompareFunc(a, b, (*big.Int).Cmp) }
	numbers, flavour := split(release)
	if len(numbers) < 2 {
		return ""
	}
	set := where(kernels, func(k bundled) bool {
		n, f := split(k.release())
		of, known := NormalArch(ParsePath(k.path).Arch)
		return known && of == arch && len(n) >= 2 && compare(n[:2], numbers[:2]) == 0 && slices.Equal(f, flavour)
	})
	side := func(of int) []bundled {
		return where(set, func(k bundled) bool { n, _ := split(k.release()); return compare(n, numbers) == of })
	}
	below := side(-1)
	if len(below) == 0 || len(side(1)) == 0 || slices.ContainsFunc(set, func(k bundled) bool { return k.content != set[0].content }) {
		return ""
	}
	slices.SortStableFunc(below, func(a, b bundled) int {
		x, _ := split(a.release())
		y, _ := split(b.release())
		return compare(y, x)
	})
	return below[0].path
}

func where(kernels []bundled, is func(bundled) bool) []bundled {
	var some []bundled
	for _, k := range kernels {
		if is(k) {
			some = append(some, k)
		}
	}
	return some
}
