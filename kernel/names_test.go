package kernel

import "testing"

func TestParsePath(t *testing.T) {
	for path, want := range map[string]ID{
		"debian/12/x86_64/6.1.0-50-amd64":         {"debian", "12", "x86_64", "6.1.0-50-amd64"},
		"kernels/debian/12/x86_64/6.1.0-50-amd64": {"debian", "12", "x86_64", "6.1.0-50-amd64"},
		"Debian/bookworm/AMD64/6.1.0-50-amd64":    {"Debian", "bookworm", "AMD64", "6.1.0-50-amd64"},
		"a/b/unknown/1.2.3":                       {"a", "b", "unknown", "1.2.3"},
		"debian/x86_64/1.2.3":                     {"", "", "x86_64", "1.2.3"},
		"debian/12/1.2.3":                         {"", "", "", "1.2.3"},
		"aarch64/1.2.3":                           {"", "", "aarch64", "1.2.3"},
		"debian/1.2.3":                            {"", "", "", "1.2.3"},
		"1.2.3":                                   {"", "", "", "1.2.3"},
		"/1.2.3":                                  {"", "", "", "1.2.3"},
		"//x86_64/1.2.3":                          {"", "", "x86_64", "1.2.3"},
		"/12/x86_64/1.2.3":                        {"", "12", "x86_64", "1.2.3"},
		"debian/12//1.2.3":                        {"debian", "12", "", "1.2.3"},
		"debian/12/x86_64/":                       {"debian", "12", "x86_64", ""},
		"":                                        {},
	} {
		if got := ParsePath(path); got != want {
			t.Errorf("%q: %+v, want %+v", path, got, want)
		}
	}
}

// The tables of docs/bundle-format.md, word for word, and what is next to them.
func TestNormalArch(t *testing.T) {
	for want, names := range map[string][]string{
		"x86_64":      {"x86_64", "amd64", "x64", "x86-64", "AMD64"},
		"x86":         {"x86", "i386", "i486", "i586", "i686"},
		"arm64":       {"arm64", "aarch64", "aarch64_be", "armv8l", "armv8b", "ARM64"},
		"arm":         {"arm", "armel", "armhf", "armv7l", "armv6l", "armv5tel", "armv", "armv8", "armv7-and-what-else-follows"},
		"ppc64le":     {"ppc64le", "ppc64el", "powerpc64le"},
		"ppc64":       {"ppc64", "powerpc64"},
		"loongarch64": {"loongarch64", "loong64"},
		"s390x":       {"s390x"}, "riscv64": {"riscv64"},
		"mips": {"mips"}, "mips64": {"mips64"}, "mipsel": {"mipsel"}, "mips64el": {"mips64el"},
	} {
		for _, name := range names {
			if got, known := NormalArch(name); got != want || !known {
				t.Errorf("%q: %q, %v; want %q, known", name, got, known, want)
			}
			release := "1.2.3." + name
			if got := NormalRelease(release); got != "1.2.3" {
				t.Errorf("%q: %q", release, got)
			}
			if got := string(normalRelease([]byte(release))); got != "1.2.3" {
				t.Errorf("bytes %q: %q", release, got)
			}
		}
	}
	for name, want := range map[string]string{"": "", "sparc64": "sparc64", "SPARC64": "sparc64", "arm64e": "arm64e", "i786": "i786", "x86_64 ": "x86_64 "} {
		if got, known := NormalArch(name); got != want || known {
			t.Errorf("%q: %q, %v; want %q, unknown", name, got, known, want)
		}
	}
}

func TestNormalRelease(t *testing.T) {
	for release, want := range map[string]string{
		"4.18.0-80.el8.x86_64": "4.18.0-80.el8", "4.18.0-80.el8": "4.18.0-80.el8", "4.18.0-80.el8.AARCH64": "4.18.0-80.el8",
		"4.18.0.x86_64.x86_64": "4.18.0.x86_64", "x86_64": "x86_64", ".x86_64": "", "1.": "1.", "": "",
		"1.x86_64-rt": "1.x86_64-rt", "1.loongarch64loongarch64": "1.loongarch64loongarch64",
	} {
		if got := NormalRelease(release); got != want {
			t.Errorf("%q: %q, want %q", release, got, want)
		}
		if got := string(normalRelease([]byte(release))); got != want {
			t.Errorf("bytes %q: %q, want %q", release, got, want)
		}
	}
}

func TestNormalDistro(t *testing.T) {
	for want, names := range map[string][]string{
		"rhel":          {"rhel", "redhat", "redhatenterpriseserver", "rhel-server", "RedHatEnterpriseServer", `"rhel"`},
		"centos":        {"centos", "centos-stream", "centosstream", `"CentOS"`, "'centos'"},
		"ol":            {"ol", "oracle", "oraclelinux", "oracle-linux"},
		"amzn":          {"amzn", "amazon", "amazonlinux", "amazon-linux"},
		"sles":          {"sles", "sle", "suse", "sles_sap", "sled", "sle-hpc", "sle_hpc", "sle-micro"},
		"opensuse-leap": {"opensuse-leap", "opensuse"},
		"almalinux":     {"almalinux", "alma"},
		"rocky":         {"rocky", "rockylinux"},
		"debian":        {"debian", "Debian"},
		// Lower case means ASCII: a reader in C must come to the same.
		"\u00c4ndix": {"\u00c4NDIX"},
		"":           {"", `""`},
	} {
		for _, name := range names {
			if got := NormalDistro(name); got != want {
				t.Errorf("%q: %q, want %q", name, got, want)
			}
		}
	}
}

func TestNormalVersion(t *testing.T) {
	for version, want := range map[string]string{
		"8.1": "8.1", `"8.1"`: "8.1", "'7'": "7", "V10": "v10", `"V10 (Tercel)"`: "v10", "9\t(Plow)": "9", " 9": "", "": "",
	} {
		if got := NormalVersion(version); got != want {
			t.Errorf("%q: %q, want %q", version, got, want)
		}
	}
}

func TestAgree(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"8", "8", true}, {"8", "8.1", true}, {"8.1", "8", true}, {"12", "12-sp5", true}, {"12-sp5", "12", true},
		{"8", "80", false}, {"8.1", "8.10", false}, {"8", "9", false}, {"8.", "8.1", false}, {"8", "8_1", false},
	} {
		if got := agree(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}
