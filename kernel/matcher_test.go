package kernel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// parseKernels reads lines of a content's number, a digit, and a path.
func parseKernels(lines ...string) []bundled {
	var all []bundled
	for _, line := range lines {
		all = append(all, bundled{path: line[2:], content: int(line[0] - '0')})
	}
	return all
}

// What a support engineer reads where a kernel was found.
func TestRule(t *testing.T) {
	for _, c := range []struct {
		host    Host
		kernels []bundled
		want    string
	}{
		{
			Host{Release: "6.1.0-50-amd64", Machine: "x86_64"},
			parseKernels("1 debian/12/x86_64/6.1.0-50-amd64"),
			"release and architecture",
		}, {
			Host{Release: "6.1.0-50-amd64", Machine: "x86_64"},
			parseKernels("1 debian/12/x86_64/6.1.0-50-amd64", "1 kali/2024/x86_64/6.1.0-50-amd64"),
			"release and architecture; 2 kernels have it, with one and the same BTF",
		}, {
			Host{Release: "6.1.0-50-amd64", Machine: "x86_64"},
			parseKernels("1 6.1.0-50-amd64"),
			"release; the bundle does not tell its architecture",
		}, {
			Host{Release: "5.3.18-59.93-default", Machine: "x86_64"},
			parseKernels("1 sles/15.3/x86_64/5.3.18-59.93.1-default"),
			"release without SUSE's build counter, and architecture",
		}, {
			Host{Release: "1.2", Machine: "x86_64", OS: OSRelease{ID: "CentOS"}},
			parseKernels("1 centos/7/x86_64/1.2", "2 rhel/7/x86_64/1.2"),
			"release and architecture; of 2 different BTFs the one for this distribution (centos)",
		}, {
			Host{Release: "1.2", Machine: "x86_64", OS: OSRelease{ID: "rocky", Like: []string{"rhel", "centos"}}},
			parseKernels("1 centos/7/x86_64/1.2", "2 rhel/7/x86_64/1.2", "3 sles/7/x86_64/1.2"),
			"release and architecture; of 3 different BTFs the one for this distribution (rhel, by ID_LIKE)",
		}, {
			Host{Release: "1.2", Machine: "x86_64", OS: OSRelease{ID: "rhel", VersionID: "8.1"}},
			parseKernels("1 centos/8/x86_64/1.2", "2 rhel/7/x86_64/1.2", "3 rhel/8/x86_64/1.2"),
			"release and architecture; of 3 different BTFs the one for this distribution (rhel) and version (8.1)",
		}, {
			Host{Release: "5.3.18-59.93-default", Machine: "x86_64", OS: OSRelease{VersionID: "15.3", Codename: "x"}},
			parseKernels("1 sles/15.3/x86_64/5.3.18-59.93.1-default", "2 sles/X/x86_64/5.3.18-59.93.2-default", "2 sles/15.4/x86_64/5.3.18-59.93.1-default"),
			"release without SUSE's build counter, and architecture; of 2 different BTFs the one for this version (15.3)",
		}, {
			Host{Release: "1.2", Machine: "x86_64", OS: OSRelease{VersionID: "1", Codename: "Bookworm"}},
			parseKernels("1 sles/bookworm/x86_64/1.2", "2 sles/x/x86_64/1.2"),
			"release and architecture; of 2 different BTFs the one for this version (bookworm)",
		},
	} {
		if got, err := match(c.host, false, c.kernels); err != nil || got.Rule != c.want {
			t.Errorf("%v:\n got %s (%v)\nwant %s", c.kernels, got.Rule, err, c.want)
		}
	}

	var aws []bundled
	for n := 1009; n <= 1060; n += 3 {
		aws = append(aws, bundled{fmt.Sprintf("ubuntu/18.04/x86_64/5.4.0-%d-aws", n), 3})
	}
	got, err := match(Host{Release: "5.4.0-1037-aws", Machine: "x86_64"}, true, aws)
	want := "consensus: the 18 kernels 5.4.0-1009-aws … 5.4.0-1060-aws of this series and flavour have one and the same BTF"
	if err != nil || got.Rule != want {
		t.Errorf("\n got %s (%v)\nwant %s", got.Rule, err, want)
	}
}

// What a support engineer reads where none was.
func TestErrorText(t *testing.T) {
	debian := Host{Release: "6.1.0-99-amd64", Machine: "x86_64", OS: OSRelease{ID: "debian", VersionID: "12"}}
	inDocker := debian
	inDocker.Container = "docker"
	for _, c := range []struct {
		host      Host
		consensus bool
		kernels   []bundled
		want      string
	}{
		{
			debian, false, nil,
			"no BTF found for kernel version 6.1.0-99-amd64 (x86_64, debian 12): the bundle is empty",
		}, {
			debian, false, parseKernels("1 debian/12/arm64/6.1.0-99-amd64"),
			"no BTF found for kernel version 6.1.0-99-amd64 (x86_64, debian 12): none of the bundle's kernels is of this architecture (there are 1)",
		}, {
			debian, false, parseKernels("1 debian/12/arm64/6.1.0-99-arm64", "2 debian/12/x86_64/6.1.0-47-amd64", "2 debian/12/x86_64/6.1.0-98-amd64"),
			"no BTF found for kernel version 6.1.0-99-amd64 (x86_64, debian 12): none of the bundle's 3 kernels has this release; nearest: debian/12/x86_64/6.1.0-98-amd64, debian/12/x86_64/6.1.0-47-amd64",
		}, {
			debian, true, parseKernels("1 debian/12/x86_64/6.1.0-47-amd64"),
			"no BTF found for kernel version 6.1.0-99-amd64 (x86_64, debian 12): none of the bundle's 1 kernels has this release; nearest: debian/12/x86_64/6.1.0-47-amd64; no consensus: of its series and flavour the bundle has no newer kernel",
		}, {
			debian, true, parseKernels("1 debian/12/x86_64/6.1.0-101-amd64", "2 debian/12/x86_64/6.1.0-102-amd64"),
			"no BTF found for kernel version 6.1.0-99-amd64 (x86_64, debian 12): none of the bundle's 2 kernels has this release; nearest: debian/12/x86_64/6.1.0-101-amd64, debian/12/x86_64/6.1.0-102-amd64; no consensus: of its series and flavour the bundle has no older kernel",
		}, {
			debian, true, parseKernels("1 debian/12/x86_64/6.1.0-101-amd64", "2 debian/12/x86_64/6.1.0-98-amd64"),
			"no BTF found for kernel version 6.1.0-99-amd64 (x86_64, debian 12): none of the bundle's 2 kernels has this release; nearest: debian/12/x86_64/6.1.0-98-amd64, debian/12/x86_64/6.1.0-101-amd64; no consensus: the 2 kernels of its series and flavour have different BTFs",
		}, {
			debian, true, parseKernels("1 x86_64/6.2"),
			"no BTF found for kernel version 6.1.0-99-amd64 (x86_64, debian 12): none of the bundle's 1 kernels has this release; nearest: x86_64/6.2; no consensus: the bundle has no kernel of its series and flavour",
		}, {
			Host{Release: "custom", Machine: "x86_64"}, true, parseKernels("1 x86_64/6.2"),
			"no BTF found for kernel version custom (x86_64, no os-release): none of the bundle's 1 kernels has this release; nearest: x86_64/6.2; no consensus: the release has no two numbers, which would tell its series",
		}, {
			debian, false, parseKernels("1 centos/8/x86_64/6.1.0-99-amd64", "2 rhel/8/x86_64/6.1.0-99-amd64"),
			"no BTF found for kernel version 6.1.0-99-amd64 (x86_64, debian 12): the bundle has 2 different ones for it: centos/8/x86_64/6.1.0-99-amd64, rhel/8/x86_64/6.1.0-99-amd64; ID in os-release would have to name one of these distributions: name the file of the right BTF",
		}, {
			inDocker, false, parseKernels("1 centos/8/x86_64/6.1.0-99-amd64", "2 rhel/9/x86_64/6.1.0-99-amd64"),
			"no BTF found for kernel version 6.1.0-99-amd64 (x86_64, debian 12, in a container: docker): the bundle has 2 different ones for it: centos/8/x86_64/6.1.0-99-amd64, rhel/9/x86_64/6.1.0-99-amd64; the host's own os-release may decide, which this container does not see: mount it, or name the file of the right BTF",
		}, {
			debian, false, parseKernels("1 debian/8/x86_64/6.1.0-99-amd64", "2 debian/9/x86_64/6.1.0-99-amd64"),
			"no BTF found for kernel version 6.1.0-99-amd64 (x86_64, debian 12): the bundle has 2 different ones for it: debian/8/x86_64/6.1.0-99-amd64, debian/9/x86_64/6.1.0-99-amd64; VERSION_ID in os-release would have to name one of these versions: name the file of the right BTF",
		}, {
			inDocker, false, parseKernels("1 debian/12/amd64/6.1.0-99-amd64", "2 debian/12/x86_64/6.1.0-99-amd64"),
			"no BTF found for kernel version 6.1.0-99-amd64 (x86_64, debian 12, in a container: docker): the bundle has 2 different ones for it: debian/12/amd64/6.1.0-99-amd64, debian/12/x86_64/6.1.0-99-amd64; nothing in os-release tells these apart: name the file of the right BTF",
		}, {
			debian, false, parseKernels("1 debian/12\x1b/x86_64/6.1.0"),
			`no BTF found for kernel version 6.1.0-99-amd64 (x86_64, debian 12): none of the bundle's 1 kernels has this release; nearest: "debian/12\x1b/x86_64/6.1.0"`,
		},
	} {
		if _, err := match(c.host, c.consensus, c.kernels); err == nil || err.Error() != c.want {
			t.Errorf("\n got %v\nwant %s", err, c.want)
		}
	}

	var many []bundled
	for n := range 100 {
		many = append(many, bundled{fmt.Sprintf("d%02d/1/x86_64/6.1.0-99-amd64", n), n})
	}
	_, err := match(debian, false, many)
	if err == nil || !strings.Contains(err.Error(), "100 different ones") || !strings.Contains(err.Error(), ", d07/1/x86_64/6.1.0-99-amd64 and 92 more; ") || strings.Contains(err.Error(), "d08/") {
		t.Errorf("an error that names 8 of 100: %v", err)
	}
}

// release is the caller's: whoever reads a bundle decodes all of them into one buffer.
func TestAddKeepsNothing(t *testing.T) {
	for _, release := range []string{"6.1.0-50-amd64", "6.1.0-99-amd64", "6.1.0-50.1-amd64"} {
		m := NewMatcher(Host{Release: "6.1.0-50-amd64", Machine: "x86_64"})
		m.AllowConsensus()
		buffer := []byte(release)
		m.Add("debian/12/x86_64", buffer, 0)
		clear(buffer)
		got, err := m.Match()
		if text := fmt.Sprint(got.Path, err); !strings.Contains(text, "debian/12/x86_64/"+release) {
			t.Errorf("%s: %s", release, text)
		}
	}
}

// Match may be asked again, and after more kernels.
func TestMatchTwice(t *testing.T) {
	m := NewMatcher(Host{Release: "1.2", Machine: "x86_64", OS: OSRelease{ID: "b"}})
	m.Add("a/1/x86_64", []byte("1.1"), 1)
	for range 2 {
		if _, err := m.Match(); err == nil {
			t.Error("found")
		}
	}
	m.Add("a/1/x86_64", []byte("1.2"), 1)
	m.Add("b/1/x86_64", []byte("1.2"), 2)
	for range 2 {
		if got, err := m.Match(); err != nil || got.Path != "b/1/x86_64/1.2" {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// strangers returns the kernels of a large bundle, none of which is the host's, in the order of its map: 25 directories.
func strangers(n int) (dirs []string, releases [][]byte) {
	for d := range 25 {
		for i := range n / 25 {
			dirs = append(dirs, fmt.Sprintf("debian/%d/x86_64", d))
			releases = append(releases, fmt.Appendf(nil, "%d.%d.%d-%d-generic.x86_64", 3+d%4, i%20, i/7, 1000+i))
		}
	}
	return dirs, releases
}

var stranger = Host{Release: "5.4.0-1037-generic", Machine: "x86_64", OS: OSRelease{ID: "ubuntu", VersionID: "18.04"}}

func TestAddAllocates(t *testing.T) {
	dirs, releases := strangers(5000)
	for _, consensus := range []bool{false, true} {
		m := NewMatcher(stranger)
		if consensus {
			m.AllowConsensus()
		}
		add := func() {
			for i := range dirs {
				m.Add(dirs[i], releases[i], i)
			}
		}
		add() // memory for the kernels that an error names is taken once
		if n := testing.AllocsPerRun(5, add); n != 0 {
			t.Errorf("consensus %v: %v allocations for 5,000 kernels that do not match", consensus, n)
		}
	}
}

// A whole look-up in a bundle of 5,000 kernels that does not know the host's: the dearest case, since the nearest are kept.
func BenchmarkMatcher(b *testing.B) {
	dirs, releases := strangers(5000)
	for _, consensus := range []bool{false, true} {
		b.Run(fmt.Sprintf("kernels=5000/consensus=%v", consensus), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m := NewMatcher(stranger)
				if consensus {
					m.AllowConsensus()
				}
				for i := range dirs {
					m.Add(dirs[i], releases[i], i)
				}
				if _, err := m.Match(); err == nil {
					b.Fatal("found")
				}
			}
		})
	}
}

func FuzzMatcher(f *testing.F) {
	f.Add("6.1.0-50-amd64", "x86_64", "ID=debian\nVERSION_ID=12", false, "1 debian/12/x86_64/6.1.0-50-amd64\n2 debian/12/arm64/6.1.0-50-amd64")
	f.Add("5.3.18-59.93-default", "x86_64", "ID=sles\nID_LIKE=suse", true, "1 a/1/x86_64/5.3.18-59.93.1-default\n2 suse/1/x86_64/5.3.18-59.93.22-default.x86_64\n1 5.3.18-59.93")
	f.Add("5.4.0-1037-aws", "aarch64", "", true, "1 arm64/5.4.0-1035-aws\n1 u/1/arm64/5.4.0-1060-aws\n1 u/1/arm64/5.4.0-1060-aws.x64\n3 5.4.0-1-aws")
	f.Add("1.18446744073709551616.+x", "sparc64", "VERSION_CODENAME=x", true, "1 a//sparc64/1.2\n2 a/x/sparc64/1.2.x86")
	f.Fuzz(func(t *testing.T, release, machine, osRelease string, consensus bool, text string) {
		h := Host{Release: release, Machine: machine, OS: ParseOSRelease([]byte(osRelease))}
		var kernels []bundled
		for line := range strings.Lines(text) {
			number, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			k := bundled{path, len(number)}
			k.path = join(k.dir(), k.release()) // "/1.2" is in no folder: its path is "1.2"
			kernels = append(kernels, k)
		}
		got, err := match(h, consensus, kernels)
		wantPath, wantNear := reference(h, consensus, kernels)
		var notFound *NotFoundError
		var undecided *AmbiguousError
		switch {
		case err == nil:
			if !slices.Contains(kernels, bundled{got.Path, got.Content}) {
				t.Fatalf("%+v is not of the bundle", got)
			}
			arch, _ := NormalArch(machine)
			if of, _ := NormalArch(ParsePath(got.Path).Arch); of != "" && of != arch {
				t.Fatalf("%+v on %s", got, machine)
			}
			if got.Path != wantPath {
				t.Fatalf("%+v, want %q", got, wantPath)
			}
		case errors.As(err, &notFound):
			if wantPath != "" || notFound.Kernels != len(kernels) || !slices.Equal(notFound.Nearest, wantNear) {
				t.Fatalf("%+v\nwant path %q, nearest %q", notFound, wantPath, wantNear)
			}
		case errors.As(err, &undecided):
			if wantPath != ambiguous || len(undecided.Paths) < 2 {
				t.Fatalf("%+v\nwant path %q", undecided, wantPath)
			}
		default:
			t.Fatalf("an error of type %T", err)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "no BTF found for kernel version "+printable(release)) || strings.ContainsAny(err.Error(), "\n\r\x00\x1b")) {
			t.Fatalf("%q", err)
		}
	})
}
