package kernel

import (
	"fmt"
	"strings"
)

// Match is the kernel of the bundle that is the host's.
type Match struct {
	Path    string
	Content int
	Rule    string // that selected it, in words: "release and architecture"
}

// Matcher selects this host's kernel from those of a bundle, by the rules of docs/bundle-format.md. It sees each kernel once and
// keeps only those that may be it or that an error would name.
type Matcher struct {
	host    Host
	arch    string // normalised
	release string // normalised

	// The release around the place where a build counter may have been dropped: "5.3.18-150300.59.93" and "-default".
	// tail is empty where there is no such place.
	stem, tail string

	// Of the directory of the kernel before, since kernels come directory by directory.
	dir       string
	fits      bool // it is of the host's architecture, or of none
	knownArch bool // and that is a known one

	kernels   int
	exact     []candidate // with the host's release
	rebuilt   []candidate // with the host's release after dropping a build counter; not kept up once there are exact ones
	nearest   nearest
	agreeing  bool // consensus is allowed
	consensus *consensus
}

// candidate is a kernel that may be the host's.
type candidate struct {
	dir, release    string // as written in the bundle
	content         int
	distro, version string // normalised; set by Match
}

// NewMatcher returns a Matcher for a host that has seen no kernel yet.
func NewMatcher(h Host) *Matcher {
	m := &Matcher{host: h, release: NormalRelease(h.Release)}
	m.arch, _ = NormalArch(h.Machine)
	if dash := strings.LastIndexByte(m.release, '-'); dash >= 0 && startsWithLetter(m.release[dash+1:]) {
		m.stem, m.tail = m.release[:dash], m.release[dash:]
	}
	m.enter("")
	return m
}

// AllowConsensus lets Match choose, for a release that is not in the bundle, what all kernels of its series and flavour have
// in common, if there are some on both sides of it. It is called before the first Add.
func (m *Matcher) AllowConsensus() {
	m.agreeing = true
	m.consensus = newConsensus(m.release)
}

// Add takes in a kernel of the bundle: the name of its directory ("debian/12/x86_64", or ""), its release, and the number of its
// content. Kernels come in the order of the bundle's map. release is the caller's and is not kept. Nothing is allocated for a
// kernel that Match will neither choose nor name.
func (m *Matcher) Add(dir string, release []byte, content int) {
	m.kernels++
	if dir != m.dir {
		m.enter(dir)
	}
	if !m.fits {
		return
	}
	shared := sharedPrefix(release, m.release)
	// Taking an architecture off costs more than all the rest, and few kernels come this far.
	if shared == len(m.release) || (m.tail != "" && shared >= len(m.stem)) {
		normal := normalRelease(release)
		if string(normal) == m.release {
			m.exact = append(m.exact, newCandidate(m.exact, dir, release, content))
			return
		}
		if len(m.exact) == 0 && m.isRebuild(normal) {
			m.rebuilt = append(m.rebuilt, newCandidate(m.rebuilt, dir, release, content))
			return
		}
	}
	if len(m.exact) > 0 || len(m.rebuilt) > 0 {
		return // the host's kernel is known: no error will name the nearest
	}
	if m.nearest.wants(shared) {
		// What is shared of the architecture at a release's end does not count.
		if shared = min(shared, len(normalRelease(release))); m.nearest.wants(shared) {
			m.nearest.add(shared, dir, release)
		}
	}
	if m.consensus != nil && m.knownArch {
		m.consensus.add(dir, release, content)
	}
}

// enter notes what the name of a directory says about all kernels in it.
func (m *Matcher) enter(dir string) {
	m.dir = dir
	arch, known := NormalArch(parseDir(dir).Arch)
	m.fits = arch == "" || arch == m.arch
	m.knownArch = m.fits && known
}

// newCandidate returns a kernel with a release of its own, which it shares with the one before where that is the same.
func newCandidate(before []candidate, dir string, release []byte, content int) candidate {
	c := candidate{dir: dir, content: content}
	if n := len(before); n > 0 && before[n-1].release == string(release) {
		c.release = before[n-1].release
	} else {
		c.release = string(release)
	}
	return c
}

// isRebuild reports whether a normalised release is the host's with a build counter before its last part, which SUSE's packages
// have: 5.3.18-150300.59.93.1-default calls itself 5.3.18-150300.59.93-default.
func (m *Matcher) isRebuild(normal []byte) bool {
	counter := len(normal) - len(m.stem) - len(m.tail)
	if m.tail == "" || counter < 2 ||
		string(normal[:len(m.stem)]) != m.stem || string(normal[len(m.stem)+counter:]) != m.tail {
		return false
	}
	_, digits := number(normal[len(m.stem)+1 : len(m.stem)+counter])
	return digits && normal[len(m.stem)] == '.'
}

// Match returns the host's kernel. The error is a *NotFoundError, or an *AmbiguousError where several kernels may be it and
// differ in content. It changes nothing: more kernels may be added after it.
func (m *Matcher) Match() (Match, error) {
	set, rule := m.exact, "release and architecture"
	if len(set) == 0 {
		set, rule = m.rebuilt, "release without SUSE's build counter, and architecture"
	}
	if len(set) == 0 {
		err := &NotFoundError{Host: m.host, Kernels: m.kernels, Nearest: m.nearest.paths()}
		if m.agreeing {
			match, missing := m.consensus.match()
			if missing == "" {
				return match, nil
			}
			err.consensus = missing
		}
		return Match{}, err
	}
	if same(set) {
		if len(set) > 1 {
			rule += fmt.Sprintf("; %d kernels have it, with one and the same BTF", len(set))
		} else if parseDir(set[0].dir).Arch == "" {
			rule = strings.TrimSuffix(strings.TrimSuffix(rule, " and architecture"), ",") + "; the bundle does not tell its architecture"
		}
		return m.chosen(set, rule), nil
	}

	all := len(firsts(set))
	set = append([]candidate(nil), set...)
	for i := range set {
		id := parseDir(set[i].dir)
		set[i].distro, set[i].version = NormalDistro(id.Distro), NormalVersion(id.Version)
	}
	set, distro := m.ofDistro(set)
	version := ""
	if !same(set) {
		set, version = m.ofVersion(set)
	}
	if !same(set) {
		err := &AmbiguousError{Host: m.host}
		for _, c := range firsts(set) {
			err.Paths = append(err.Paths, join(c.dir, c.release))
		}
		return Match{}, err
	}
	words := strings.Join(nonEmpty(distro, version), " and ")
	return m.chosen(set, fmt.Sprintf("%s; of %d different BTFs the one for this %s", rule, all, words)), nil
}

func (m *Matcher) chosen(set []candidate, rule string) Match {
	return Match{Path: join(set[0].dir, set[0].release), Content: set[0].content, Rule: rule}
}

// ofDistro narrows candidates to those of the host's distribution, or else of the nearest one it is derived from. words is empty
// if there are none of these, and then set is what it was.
func (m *Matcher) ofDistro(set []candidate) (_ []candidate, words string) {
	there := make(map[string]bool)
	for _, c := range set {
		there[c.distro] = true
	}
	of := func(distro string) []candidate {
		return narrow(set, func(c candidate) bool { return c.distro == distro })
	}
	if id := NormalDistro(m.host.OS.ID); id != "" && there[id] {
		return of(id), fmt.Sprintf("distribution (%s)", printable(id))
	}
	for _, like := range m.host.OS.Like {
		if id := NormalDistro(like); id != "" && there[id] {
			return of(id), fmt.Sprintf("distribution (%s, by ID_LIKE)", printable(id))
		}
	}
	return set, ""
}

// ofVersion is ofDistro for the distribution's version.
func (m *Matcher) ofVersion(set []candidate) (_ []candidate, words string) {
	version, codename := NormalVersion(m.host.OS.VersionID), NormalVersion(m.host.OS.Codename)
	for _, step := range []struct {
		of     string
		passes func(version string) bool
	}{
		{version, func(v string) bool { return v == version }},
		{codename, func(v string) bool { return v == codename }},
		{version, func(v string) bool { return agree(v, version) }},
	} {
		if step.of == "" {
			continue // not known: nothing is equal to it
		}
		if few := narrow(set, func(c candidate) bool { return step.passes(c.version) }); len(few) > 0 {
			return few, fmt.Sprintf("version (%s)", printable(step.of))
		}
	}
	return set, ""
}

// narrow returns the candidates that pass.
func narrow(set []candidate, passes func(candidate) bool) []candidate {
	var few []candidate
	for _, c := range set {
		if passes(c) {
			few = append(few, c)
		}
	}
	return few
}

// same reports whether all candidates have the same content.
func same(set []candidate) bool {
	for _, c := range set {
		if c.content != set[0].content {
			return false
		}
	}
	return true
}

// firsts returns the first candidate of each content.
func firsts(set []candidate) []candidate {
	seen := make(map[int]bool)
	return narrow(set, func(c candidate) bool {
		first := !seen[c.content]
		seen[c.content] = true
		return first
	})
}

func nonEmpty(words ...string) []string {
	var some []string
	for _, w := range words {
		if w != "" {
			some = append(some, w)
		}
	}
	return some
}

// sharedPrefix returns how many bytes a release shares with the start of the host's.
func sharedPrefix(release []byte, host string) int {
	n := min(len(release), len(host))
	for i := range n {
		if release[i] != host[i] {
			return i
		}
	}
	return n
}

func startsWithLetter(s string) bool {
	return s != "" && 'a' <= lowerByte(s[0]) && lowerByte(s[0]) <= 'z'
}
