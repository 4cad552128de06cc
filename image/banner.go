package image

import (
	"bytes"
	"debug/elf"
	"fmt"
	"strings"

	"github.com/btfgen/btfgen/internal/elffile"
)

// maxBanner limits a banner's length in bytes; real ones have two to three
// hundred.
const maxBanner = 1 << 10

const bannerStart = "Linux version "

// findBanner returns the first banner in b, without the line's end, "" if there
// is none. Kernels have formats that begin like one, and what is compressed may
// have the beginning of one as it is.
//
// Since 6.1 there are two: one is made before the number of the build is known, and
// has none. It counts only if there is no other.
func findBanner(b []byte) string {
	unnumbered := ""
	for {
		i := bytes.Index(b, []byte(bannerStart))
		if i < 0 {
			return unnumbered
		}
		b = b[i:]
		line := b[:min(len(b), maxBanner)]
		if end := bytes.IndexAny(line, "\n\x00"); end > 0 && isVersion(line[len(bannerStart):end]) {
			if banner := string(line[:end]); isNumbered(banner) {
				return banner
			} else if unnumbered == "" {
				unnumbered = banner
			}
		}
		b = b[len(bannerStart):]
	}
}

// isNumbered reports whether a banner says the number of the build.
func isNumbered(banner string) bool {
	i := strings.LastIndex(banner, ") #") + len(") #")
	return i < len(banner) && '0' <= banner[i] && banner[i] <= '9'
}

// isVersion reports whether text is a banner from the release on: RELEASE
// (builder) … #N ….
func isVersion(text []byte) bool {
	release, rest, ok := bytes.Cut(text, []byte(" ("))
	if !ok || len(release) == 0 || release[0] < '0' || release[0] > '9' || bytes.IndexByte(release, '.') < 0 || !bytes.Contains(rest, []byte(") #")) {
		return false
	}
	for _, c := range text {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// findVersion returns a banner from the release on that stands in b for itself:
// so have it the start-up code of s390x and the setup code of x86.
func findVersion(b []byte) string {
	for at := 0; ; at++ {
		i := bytes.Index(b[at:], []byte(") #"))
		if i < 0 {
			return ""
		}
		at += i
		start := bytes.LastIndexFunc(b[max(0, at-maxBanner):at], func(r rune) bool { return r < ' ' || r > '~' }) + 1
		start += max(0, at-maxBanner)
		// A byte before it may look like a part of it: the release begins with a
		// digit and ends at the first space.
		end := bytes.IndexByte(b[at:min(len(b), at+maxBanner)], 0)
		if end < 0 {
			continue
		}
		for text := b[start : at+end]; len(text) > 0; text = text[1:] {
			if isVersion(text) {
				return string(text)
			}
			if text[0] == ' ' {
				break
			}
		}
	}
}

// banner looks for it in the order of what it costs.
func (i *Image) banner() (string, error) {
	start, err := i.start()
	if err != nil {
		return "", err
	}
	if version := versionX86(start); version != "" {
		return bannerStart + version, nil
	}
	if h := headerOf(start); h.wraps && i.inMemory {
		whole, err := i.file.Slices([]elffile.Range{{Size: i.file.Size()}})
		if err != nil {
			return "", err
		}
		if version := findVersion(whole[0]); version != "" && h.arch == "s390x" {
			return bannerStart + version, nil
		}
	}
	c, err := i.open()
	if err != nil {
		return "", err
	}
	banner, err := c.banner()
	if err == nil && banner == "" {
		err = fmt.Errorf("%w: %s", ErrNoBanner, c.described())
	}
	return banner, err
}

// banner looks through the parts of a kernel that have constants first.
func (c *content) banner() (string, error) {
	switch {
	case c.kind == Module || c.kind == RawBTF:
		return "", nil
	case c.elf == nil:
		return findBanner(c.bytes), nil
	}
	sections := c.elf.Sections
	unnumbered := ""
	for _, wanted := range []func(s *elffile.Section) bool{
		func(s *elffile.Section) bool { return s.Name == ".rodata" },
		func(s *elffile.Section) bool { return strings.HasPrefix(s.Name, ".rodata") || s.Name == ".init.rodata" },
		func(s *elffile.Section) bool { return true },
	} {
		for i := range sections {
			s := &sections[i]
			if s.Flags&elf.SHF_ALLOC == 0 || s.Type == elf.SHT_NOBITS || s.Size == 0 || s.Name == ".BTF" || !wanted(s) {
				continue
			}
			b, err := c.elf.Read(s)
			if err != nil {
				return "", fmt.Errorf("section %s: %w", s.Name, err)
			}
			if banner := findBanner(b[0]); isNumbered(banner) {
				return banner, nil
			} else if unnumbered == "" {
				unnumbered = banner
			}
		}
	}
	if len(sections) == 0 {
		return findBanner(c.bytes), nil
	}
	return unnumbered, nil
}

// modinfo reads the section .modinfo: texts KEY=VALUE that end with a zero.
func (c *content) modinfo() (m Modinfo, err error) {
	s := c.section(".modinfo")
	if s == nil {
		return m, fmt.Errorf("%s is no module: it has no section .modinfo", c.described())
	}
	b, err := c.elf.Read(s)
	if err != nil {
		return m, fmt.Errorf("section .modinfo: %w", err)
	}
	for text := range bytes.SplitSeq(b[0], []byte{0}) {
		key, value, _ := bytes.Cut(text, []byte("="))
		switch string(key) {
		case "name":
			m.Name = string(value)
		case "vermagic":
			m.Vermagic = string(value)
		}
	}
	return m, nil
}
