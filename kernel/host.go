package kernel

import (
	"strconv"
	"strings"
	"unicode"
)

// Host is what decides which kernel this is.
type Host struct {
	Release string    // uname -r
	Machine string    // uname -m
	OS      OSRelease // zero where there is no os-release

	// Container says what tells that OS is a container's and not the host's: "docker", "podman", "kubernetes", "lxc",
	// "systemd-nspawn", …; empty if nothing does. It is a hint for people: no rule looks at it.
	Container string
}

// String describes the host on one line: "6.1.0-50-amd64 (x86_64, debian 12)".
func (h Host) String() string {
	var about []string
	if h.Machine != "" {
		about = append(about, printable(h.Machine))
	}
	if h.OS.ID != "" {
		about = append(about, printable(strings.TrimRight(h.OS.ID+" "+h.OS.VersionID, blanks)))
	} else {
		about = append(about, "no os-release")
	}
	if h.Container != "" {
		about = append(about, "in a container: "+printable(h.Container))
	}
	return printable(h.Release) + " (" + strings.Join(about, ", ") + ")"
}

// printable quotes a name that would not stay on its line, or not show. Names come from files that nobody checked.
func printable(s string) string {
	for _, r := range s {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}
