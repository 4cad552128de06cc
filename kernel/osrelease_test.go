package kernel

import (
	"reflect"
	"strings"
	"testing"
)

// What the files of testdata/os-release say, the fields that decide.
func TestParseOSReleaseFiles(t *testing.T) {
	for name, want := range map[string]OSRelease{
		"debian-10":           {ID: "debian", VersionID: "10", Codename: "buster", PrettyName: "Debian GNU/Linux 10 (buster)"},
		"debian-11":           {ID: "debian", VersionID: "11", Codename: "bullseye", PrettyName: "Debian GNU/Linux 11 (bullseye)"},
		"debian-12":           {ID: "debian", VersionID: "12", Codename: "bookworm", PrettyName: "Debian GNU/Linux 12 (bookworm)"},
		"debian-13":           {ID: "debian", VersionID: "13", Codename: "trixie", PrettyName: "Debian GNU/Linux 13 (trixie)"},
		"ubuntu-16.04":        {ID: "ubuntu", VersionID: "16.04", Codename: "xenial", PrettyName: "Ubuntu 16.04.7 LTS", Like: []string{"debian"}},
		"ubuntu-18.04":        {ID: "ubuntu", VersionID: "18.04", Codename: "bionic", PrettyName: "Ubuntu 18.04.6 LTS", Like: []string{"debian"}},
		"ubuntu-20.04":        {ID: "ubuntu", VersionID: "20.04", Codename: "focal", PrettyName: "Ubuntu 20.04.6 LTS", Like: []string{"debian"}},
		"ubuntu-22.04":        {ID: "ubuntu", VersionID: "22.04", Codename: "jammy", PrettyName: "Ubuntu 22.04.4 LTS", Like: []string{"debian"}},
		"ubuntu-24.04":        {ID: "ubuntu", VersionID: "24.04", Codename: "noble", PrettyName: "Ubuntu 24.04.1 LTS", Like: []string{"debian"}},
		"rhel-7.9":            {ID: "rhel", VersionID: "7.9", PrettyName: "Red Hat Enterprise Linux Server 7.9 (Maipo)", Like: []string{"fedora"}},
		"rhel-8.1":            {ID: "rhel", VersionID: "8.1", PrettyName: "Red Hat Enterprise Linux 8.1 (Ootpa)", Like: []string{"fedora"}},
		"rhel-9.4":            {ID: "rhel", VersionID: "9.4", PrettyName: "Red Hat Enterprise Linux 9.4 (Plow)", Like: []string{"fedora"}},
		"centos-7":            {ID: "centos", VersionID: "7", PrettyName: "CentOS Linux 7 (Core)", Like: []string{"rhel", "fedora"}},
		"centos-8":            {ID: "centos", VersionID: "8", PrettyName: "CentOS Linux 8", Like: []string{"rhel", "fedora"}},
		"centos-stream-8":     {ID: "centos", VersionID: "8", PrettyName: "CentOS Stream 8", Like: []string{"rhel", "fedora"}},
		"centos-stream-9":     {ID: "centos", VersionID: "9", PrettyName: "CentOS Stream 9", Like: []string{"rhel", "fedora"}},
		"centos-stream-10":    {ID: "centos", VersionID: "10", PrettyName: "CentOS Stream 10 (Coughlan)", Like: []string{"rhel", "fedora"}},
		"rocky-9.5":           {ID: "rocky", VersionID: "9.5", PrettyName: "Rocky Linux 9.5 (Blue Onyx)", Like: []string{"rhel", "centos", "fedora"}},
		"almalinux-8.9":       {ID: "almalinux", VersionID: "8.9", PrettyName: "AlmaLinux 8.9 (Midnight Oncilla)", Like: []string{"rhel", "centos", "fedora"}},
		"ol-7.9":              {ID: "ol", VersionID: "7.9", PrettyName: "Oracle Linux Server 7.9", Like: []string{"fedora"}},
		"ol-8.10":             {ID: "ol", VersionID: "8.10", PrettyName: "Oracle Linux Server 8.10", Like: []string{"fedora"}},
		"amzn-2018.03":        {ID: "amzn", VersionID: "2018.03", PrettyName: "Amazon Linux AMI 2018.03", Like: []string{"rhel", "fedora"}},
		"amzn-2":              {ID: "amzn", VersionID: "2", PrettyName: "Amazon Linux 2", Like: []string{"centos", "rhel", "fedora"}},
		"amzn-2023":           {ID: "amzn", VersionID: "2023", PrettyName: "Amazon Linux 2023.6.20241010", Like: []string{"fedora"}},
		"sles-12.5":           {ID: "sles", VersionID: "12.5", PrettyName: "SUSE Linux Enterprise Server 12 SP5"},
		"sles-15.3":           {ID: "sles", VersionID: "15.3", PrettyName: "SUSE Linux Enterprise Server 15 SP3", Like: []string{"suse"}},
		"opensuse-leap-15.3":  {ID: "opensuse-leap", VersionID: "15.3", PrettyName: "openSUSE Leap 15.3", Like: []string{"suse", "opensuse"}},
		"opensuse-tumbleweed": {ID: "opensuse-tumbleweed", VersionID: "20240101", PrettyName: "openSUSE Tumbleweed", Like: []string{"opensuse", "suse"}},
		"fedora-40":           {ID: "fedora", VersionID: "40", PrettyName: "Fedora Linux 40 (Workstation Edition)"},
		"kylin-v10":           {ID: "kylin", VersionID: "V10", PrettyName: "Kylin Linux Advanced Server V10 (Lance)"},
		"alpine-3.19":         {ID: "alpine", VersionID: "3.19.1", PrettyName: "Alpine Linux v3.19"},
		"bottlerocket-1.12":   {ID: "bottlerocket", VersionID: "1.12.0", PrettyName: "Bottlerocket OS 1.12.0 (aws-k8s-1.25)"},
		"flatcar-3033":        {ID: "flatcar", VersionID: "3033.2.0", PrettyName: "Flatcar Container Linux by Kinvolk 3033.2.0 (Oklo)", Like: []string{"coreos"}},
		"talos-1.4":           {ID: "talos", VersionID: "v1.4.5", PrettyName: "Talos (v1.4.5)"},
		"cos-125":             {ID: "cos", VersionID: "125", PrettyName: "Container-Optimized OS from Google"},
		"arch":                {ID: "arch", PrettyName: "Arch Linux"},
	} {
		text := string(osReleaseFile(t, name))
		for how, text := range map[string]string{
			"":                      text,
			" with CRLF":            strings.ReplaceAll(text, "\n", "\r\n"),
			" with CR":              strings.ReplaceAll(text, "\n", "\r"),
			" with BOM":             "\ufeff" + text,
			" without last newline": strings.TrimSpace(text),
		} {
			if got := ParseOSRelease([]byte(text)); !reflect.DeepEqual(got, want) {
				t.Errorf("%s%s:\n got %+v\nwant %+v", name, how, got, want)
			}
		}
	}
}

// ID is what a shell, or systemd where a shell would not take it, makes of these lines.
func TestParseOSReleaseQuoting(t *testing.T) {
	for text, want := range map[string]string{
		`ID=debian`:                   "debian",
		`ID="debian"`:                 "debian",
		`ID='debian'`:                 "debian",
		`ID=`:                         "",
		`ID=""`:                       "",
		`ID="a b"`:                    "a b",
		`ID=" a "`:                    " a ",
		`ID="a\"b\$c\\d\` + "`" + `"`: "a\"b$c\\d`",
		`ID="a\b"`:                    `a\b`,
		`ID='a\"b'`:                   `a\"b`,
		`ID='a"b'`:                    `a"b`,
		`ID="a'b"`:                    "a'b",
		`ID=a\ b\"`:                   `a b"`,
		`ID=a\`:                       `a\`,
		`ID="a`:                       "a",
		"ID=\"a\nVERSION_ID=1":        "a",
		`ID="a"'b'c`:                  "abc",
		`ID="a" # comment`:            "a",
		`ID=a # comment`:              "a",
		`ID=a#b`:                      "a#b",
		`ID="a # b"`:                  "a # b",
		`ID=# comment`:                "# comment",
		`ID= # comment`:               "",
		`#ID=a`:                       "",
		` # ID=a`:                     "",
		"  ID = a \t":                 "a",
		"\tID=a":                      "a",
		"ID=a\nID=b":                  "b",
		"ID=a\nID=":                   "",
		"ID=b\n#ID=a":                 "b",
		"id=a":                        "",
		"XID=a":                       "",
		"ID":                          "",
		"=a":                          "",
		"\n\n\r\n=\n\x00\nID=a":       "a",
		"garbage\nID=a\n\xff\xfe":     "a",
		"ID=a=b":                      "a=b",
		"export ID=a":                 "",
		"\ufeffID=a":                  "a",
	} {
		if got := ParseOSRelease([]byte(text)).ID; got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestParseOSReleaseLike(t *testing.T) {
	got := ParseOSRelease([]byte("ID_LIKE=\"  rhel\tcentos  fedora \"")).Like
	if want := []string{"rhel", "centos", "fedora"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzParseOSRelease(f *testing.F) {
	for _, text := range []string{"", "ID=debian\n", "ID=\"a\\\"b\" # c\nID_LIKE='a b'\r\nVERSION_ID=1\\", "\ufeffPRETTY_NAME=\"x", "VERSION_CODENAME=a 'b' \\ "} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		os := ParseOSRelease(b)
		if n := len(os.ID) + len(os.VersionID) + len(os.Codename) + len(os.PrettyName) + len(strings.Join(os.Like, " ")); n > len(b) {
			t.Fatalf("%d bytes out of %d", n, len(b))
		}
		for _, value := range append(os.Like, os.ID, os.VersionID, os.Codename, os.PrettyName) {
			if strings.ContainsAny(value, "\r\n") {
				t.Fatalf("%q goes on behind its line", value)
			}
		}
		// A value that is quoted as a writer should comes back.
		quoted := `ID="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(os.ID) + `"`
		if again := ParseOSRelease([]byte(quoted)); again.ID != os.ID {
			t.Fatalf("%q: written as %s it comes back as %q", os.ID, quoted, again.ID)
		}
		if again := ParseOSRelease(append(append([]byte(nil), b...), "\nID=last"...)); again.ID != "last" || again.PrettyName != os.PrettyName {
			t.Fatalf("the last assignment does not count: %+v", again)
		}
	})
}
