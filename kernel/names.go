package kernel

import "strings"

// ID is what a kernel's path in an archive or a bundle says of it, as it is written there. A field is empty where the path
// does not tell.
type ID struct {
	Distro  string // "debian"
	Version string // "12"
	Arch    string // "x86_64"
	Release string // what uname -r says: "6.1.0-50-amd64"
}

// ParsePath takes apart a path such as "debian/12/x86_64/6.1.0-50-amd64". The release is what follows the last slash. Of the
// directory before it, the last three parts are distribution, version and architecture; with fewer than three, only the
// last one is looked at, and taken for an architecture if it is a known one.
func ParsePath(path string) ID {
	slash := strings.LastIndexByte(path, '/')
	if slash < 0 {
		return ID{Release: path}
	}
	id := parseDir(path[:slash])
	id.Release = path[slash+1:]
	return id
}

// parseDir is ParsePath for a kernel's directory, without the release.
func parseDir(dir string) ID {
	beforeArch, arch, twoParts := cutLast(dir)
	beforeVersion, version, threeParts := cutLast(beforeArch)
	if !twoParts || !threeParts {
		if _, known := NormalArch(arch); !known {
			return ID{}
		}
		return ID{Arch: arch}
	}
	_, distro, _ := cutLast(beforeVersion)
	return ID{Distro: distro, Version: version, Arch: arch}
}

// cutLast separates the last part of a directory's name from what comes before it. more is false where there is no slash.
func cutLast(dir string) (before, last string, more bool) {
	slash := strings.LastIndexByte(dir, '/')
	if slash < 0 {
		return "", dir, false
	}
	return dir[:slash], dir[slash+1:], true
}

// NormalArch returns the one name of an architecture that this project uses ("x86_64" for "amd64"), and whether it is a known
// one. The name of an unknown architecture is returned in lower case.
func NormalArch(s string) (arch string, known bool) {
	s = lower(s)
	if arch := knownArch(s); arch != "" {
		return arch, true
	}
	return s, false
}

// knownArch returns the one name of a known architecture, given in lower case, and "" for what is none. It never returns its
// argument, so that callers may pass bytes without a copy.
func knownArch(s string) string {
	switch s {
	case "x86_64", "amd64", "x64", "x86-64":
		return "x86_64"
	case "x86", "i386", "i486", "i586", "i686":
		return "x86"
	case "arm64", "aarch64", "aarch64_be",
		"armv8l", "armv8b": // what a 32-bit process is told on a 64-bit kernel
		return "arm64"
	case "arm", "armel", "armhf":
		return "arm"
	case "ppc64le", "ppc64el", "powerpc64le":
		return "ppc64le"
	case "ppc64", "powerpc64":
		return "ppc64"
	case "loongarch64", "loong64":
		return "loongarch64"
	case "s390x":
		return "s390x"
	case "riscv64":
		return "riscv64"
	case "mips":
		return "mips"
	case "mips64":
		return "mips64"
	case "mipsel":
		return "mipsel"
	case "mips64el":
		return "mips64el"
	}
	if strings.HasPrefix(s, "armv") {
		return "arm"
	}
	return ""
}

// NormalDistro returns the one name of a distribution that this project uses: the ID of its os-release, where that is not
// the name under which archives of kernels know it too ("sles" for "sle" and "suse").
func NormalDistro(s string) string {
	s = lower(withoutQuotes(s))
	switch s {
	case "redhat", "redhatenterpriseserver", "rhel-server":
		return "rhel"
	case "centos-stream", "centosstream":
		return "centos"
	case "oracle", "oraclelinux", "oracle-linux":
		return "ol"
	case "amazon", "amazonlinux", "amazon-linux":
		return "amzn"
	case "sle", "suse", "sles_sap", "sled", "sle-hpc", "sle_hpc", "sle-micro":
		return "sles"
	case "opensuse":
		return "opensuse-leap"
	case "alma":
		return "almalinux"
	case "rockylinux":
		return "rocky"
	}
	return s
}

// NormalVersion returns a distribution's version in lower case, without quotes, up to the first blank: "v10" for `"V10 (Tercel)"`.
func NormalVersion(s string) string {
	s = withoutQuotes(s)
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		s = s[:i]
	}
	return lower(s)
}

// NormalRelease returns a release without the architecture that some distributions put at its end:
// "4.18.0-80.el8" for "4.18.0-80.el8.x86_64".
func NormalRelease(s string) string {
	if dot := strings.LastIndexByte(s, '.'); dot >= 0 {
		if _, known := NormalArch(s[dot+1:]); known {
			return s[:dot]
		}
	}
	return s
}

// normalRelease is NormalRelease for bytes, and does not allocate.
func normalRelease(b []byte) []byte {
	dot := len(b) - 1
	for dot >= 0 && b[dot] != '.' {
		dot--
	}
	if dot < 0 {
		return b
	}
	// The longest known name has 11 bytes. Of those that start with armv, 16 tell as much as all.
	var name [16]byte
	n := copy(name[:], b[dot+1:])
	for i, c := range name[:n] {
		name[i] = lowerByte(c)
	}
	if knownArch(string(name[:n])) != "" {
		return b[:dot]
	}
	return b
}

// agree reports whether two normalised versions are the same as far as both go: equal, or one is the other up to a dot or a
// dash, as in "8" and "8.1". An archive often knows only a distribution's major version.
func agree(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return strings.HasPrefix(b, a) && (len(a) == len(b) || b[len(a)] == '.' || b[len(a)] == '-')
}

// lower is lower case for ASCII alone: what is behind it is compared bytewise, in C as well.
func lower(s string) string {
	for i := range len(s) {
		if lowerByte(s[i]) == s[i] {
			continue
		}
		b := []byte(s)
		for i, c := range b {
			b[i] = lowerByte(c)
		}
		return string(b)
	}
	return s
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// withoutQuotes drops quotes, which who reads os-release with a tool for lines leaves in names of directories.
func withoutQuotes(s string) string {
	// Not strings.NewReplacer, which made a small program 20 KB larger.
	return strings.ReplaceAll(strings.ReplaceAll(s, `"`, ""), "'", "")
}
