package kernel

import (
	"strings"
)

// Signs is what a kernel's files say of it, as found there. Any field may be empty.
type Signs struct {
	// Release is what uname -r says, where the files tell: modules lie in a folder of that name. It goes before the banner's.
	Release string
	// Banner is the kernel's own line, as in /proc/version: "Linux version RELEASE (BUILDER) (COMPILER) #1 SMP …", or what
	// the header of an x86 image has of it: "RELEASE (BUILDER) #1 SMP …".
	Banner string
	// Arch is the architecture by any of its names.
	Arch string
	// Package is about the package that the kernel came in.
	Package PackageSigns
}

// PackageSigns are fields of a Debian or RPM package.
type PackageSigns struct {
	Version      string // of the package: "6.1.176-1"; of an RPM its release too: "4.18.0-147.5.1.el8_1"
	Vendor       string // an RPM's vendor, or a Debian package's maintainer
	Distribution string // an RPM's tag: "SUSE Linux Enterprise 15"
}

// Identify tells which distribution's kernel it is. Fields stay empty where the signs do not tell, which is so for all kernels
// that somebody built for himself: distributions differ in where they leave their name, and there is no rule but the
// list of those that are known.
func (s Signs) Identify() ID {
	release, builder, compiler, build := splitBanner(s.Banner)
	if s.Release != "" {
		release = s.Release
	}
	id := ID{Release: release}
	id.Arch, _ = NormalArch(s.Arch)
	if id.Release == "" {
		return id
	}
	who := lower(s.Package.Vendor + "\n" + s.Package.Distribution + "\n" + builder)
	id.Distro, id.Version = byRelease(lower(release+"\n"+s.Package.Version), who)
	switch {
	case id.Distro != "":
	case strings.Contains(who, "ubuntu") || strings.Contains(who, "canonical") || strings.Contains(build, "-Ubuntu") || strings.Contains(compiler, "(Ubuntu "):
		id.Distro, id.Version = "ubuntu", ubuntuVersion(release, s.Package.Version, build, compiler)
	case strings.Contains(who, "suse") || strings.Contains(compiler, "(SUSE "):
		id.Distro, id.Version = suse(lower(s.Package.Distribution), release)
	case strings.Contains(who, "debian") || strings.Contains(build, " Debian ") || strings.Contains(compiler, "(Debian "):
		id.Distro, id.Version = "debian", debianVersion(release, s.Package.Version, compiler)
	}
	return id
}

// Path is the kernel's place in an archive, distro/version/arch/release, and "" if the ID lacks one of them or one cannot be
// the name of a folder.
func (id ID) Path() string {
	parts := []string{id.Distro, id.Version, id.Arch, id.Release}
	for _, part := range parts {
		if part == "" || part == "." || part == ".." || len(part) > 255 || strings.ContainsAny(part, `/\`) || printable(part) != part {
			return ""
		}
	}
	return strings.Join(parts, "/")
}

// splitBanner takes a banner apart. Before Linux 5.8 the compiler is "gcc version 9.3.0 (Ubuntu 9.3.0-17ubuntu1~20.04)", with parentheses
// within those around it.
func splitBanner(banner string) (release, builder, compiler, build string) {
	banner = strings.TrimPrefix(strings.TrimSpace(banner), "Linux version ")
	release, rest, _ := strings.Cut(banner, " ")
	builder, rest = parenthesised(rest)
	compiler, rest = parenthesised(rest)
	return release, builder, compiler, rest
}

// parenthesised cuts what stands in the parentheses at the start of s, and what follows them.
func parenthesised(s string) (inside, rest string) {
	s = strings.TrimLeft(s, " ")
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			if i == 0 {
				return "", s
			}
			return s[1:i], s[i+1:]
		}
	}
	return "", s
}

// marks are how distributions mark the release of each of their packages, and so of their kernels. A version
// follows the mark.
var marks = []struct {
	mark, distro string
	version      func(digits string) string
}{
	{".fc", "fedora", asIs},
	{".amzn", "amzn", asIs},
	{".azl", "azurelinux", dotZero},
	{".cm", "mariner", dotZero},
	{".ky", "kylin", func(digits string) string { return "V" + digits }},
	{".ph", "photon", dotZero},
	{".an", "anolis", asIs},
	{".tl", "tencentos", asIs},
	{".al", "alinux", asIs},
}

func asIs(digits string) string    { return digits }
func dotZero(digits string) string { return digits + ".0" }

// rebuilders build the packages of Red Hat's distribution, whose mark all of them have. What tells them apart is who built it.
var rebuilders = []struct{ sign, distro string }{
	{"centos", "centos"}, {"rocky", "rocky"}, {"almalinux", "almalinux"}, {"oracle", "ol"}, {"cloudlinux", "cloudlinux"},
	{"redhat.com", "rhel"}, {"red hat", "rhel"},
}

// byRelease finds the mark of a distribution; text is in lower case.
func byRelease(text, who string) (distro, version string) {
	if strings.Contains(text, ".bclinux") {
		return "bclinux", "" // which of its versions, it does not say
	}
	if digits, rest := after(text, ".el"); digits != "" {
		if strings.HasPrefix(rest, "uek") {
			return "ol", digits
		}
		for _, r := range rebuilders {
			if strings.Contains(who, r.sign) {
				return r.distro, digits
			}
		}
		return "", ""
	}
	if digits, _ := after(text, ".oe"); digits != "" {
		if digits == "1" {
			return "openeuler", "20.03"
		}
		if len(digits) == 4 {
			return "openeuler", digits[:2] + "." + digits[2:]
		}
		return "openeuler", ""
	}
	for _, m := range marks {
		if digits, _ := after(text, m.mark); digits != "" {
			return m.distro, m.version(digits)
		}
	}
	return "", ""
}

// after returns the digits that follow the first mark that digits follow, and what comes after them.
func after(text, mark string) (digits, rest string) {
	for {
		_, tail, found := strings.Cut(text, mark)
		if !found {
			return "", ""
		}
		n := 0
		for n < len(tail) && '0' <= tail[n] && tail[n] <= '9' {
			n++
		}
		if n > 0 {
			return tail[:n], tail[n:]
		}
		text = tail
	}
}

// debianVersion is the distribution's version by what is built into names and numbers for it ("+deb12u1", "~bpo11", "0.deb10"),
// else by the compiler, else by the kernel's series.
func debianVersion(release, pkg, compiler string) string {
	for _, text := range []string{release, pkg, compiler} {
		for _, mark := range []string{"+deb", ".deb", "~deb", "bpo", "~bpo"} {
			if digits, _ := after(text, mark); digits != "" {
				return digits
			}
		}
	}
	if version := debianCompilers[major(compiler, "(Debian ")]; version != "" {
		return version
	}
	return debianSeries[series(release)]
}

// The compilers and kernels that Debian was released with.
var (
	debianCompilers = map[string]string{"6": "9", "8": "10", "10": "11", "12": "12", "14": "13"}
	debianSeries    = map[string]string{"3.16": "8", "4.9": "9", "4.19": "10", "5.10": "11", "6.1": "12", "6.12": "13"}
)

// ubuntuVersion is the distribution's version by what a package for an older one is marked with ("~20.04.1"), else by the
// kernel's series, of which each version has one to start with.
func ubuntuVersion(release, pkg, build, compiler string) string {
	for _, text := range []string{pkg, build, compiler} {
		for rest := text; ; {
			_, tail, found := strings.Cut(rest, "~")
			if !found {
				break
			}
			year, tail2 := after("~"+tail, "~")
			if month, _ := after(tail2, "."); len(year) == 2 && len(month) == 2 && strings.HasPrefix(tail2, ".") {
				return year + "." + month
			}
			rest = tail
		}
	}
	return ubuntuSeries[series(release)]
}

var ubuntuSeries = map[string]string{
	"3.13": "14.04", "4.4": "16.04", "4.15": "18.04", "5.4": "20.04", "5.8": "20.10", "5.11": "21.04", "5.13": "21.10",
	"5.15": "22.04", "5.19": "22.10", "6.2": "23.04", "6.5": "23.10", "6.8": "24.04", "6.11": "24.10", "6.14": "25.04", "6.17": "25.10",
}

// suse tells SUSE's distributions apart by the package's tag, and their versions by it or by the release, which has it in
// its third number: 150300 is 15.3.
func suse(distribution, release string) (distro, version string) {
	distro = "sles"
	switch {
	case strings.Contains(distribution, "tumbleweed"):
		return "opensuse-tumbleweed", "" // it has none
	case strings.Contains(distribution, "leap"):
		distro = "opensuse-leap"
	}
	if number, _ := after(release, "-"); len(number) == 6 && strings.HasSuffix(number, "00") {
		return distro, number[:2] + "." + strings.TrimPrefix(number[2:4], "0")
	}
	for field := range strings.FieldsSeq(distribution) {
		if digits, rest := after("\n"+field, "\n"); digits != "" && (rest == "" || rest[0] == '.' || rest[0] == '-') {
			return distro, strings.Replace(field, "-sp", ".", 1)
		}
	}
	return distro, ""
}

// series is the first two numbers of a release: "6.1".
func series(release string) string {
	first, rest := after("\n"+release, "\n")
	second, _ := after("\n"+strings.TrimPrefix(rest, "."), "\n")
	if first == "" || second == "" || !strings.HasPrefix(rest, ".") {
		return ""
	}
	return first + "." + second
}

// major is the number that follows mark.
func major(text, mark string) string {
	digits, _ := after(text, mark)
	return digits
}
