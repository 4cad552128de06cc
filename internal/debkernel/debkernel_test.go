package debkernel

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestReleases(t *testing.T) {
	cloud := Wanted{Series: "6.1", Flavour: "cloud-amd64"}
	for release, want := range map[string]bool{
		"6.1.0-50-cloud-amd64":          true,
		"6.1.0-0.deb11.52-cloud-amd64":  false, // for Debian 11
		"6.12.90+deb12-cloud-amd64":     false, // another series
		"6.1.0-50-amd64":                false,
		"6.1.0-50-cloud-amd64-unsigned": false,
		"6.1-cloud-amd64":               false, // a package that depends on the newest
	} {
		if got := cloud.releases().MatchString(release); got != want {
			t.Errorf("%s: %v, want %v", release, got, want)
		}
	}
	for _, release := range []string{"6.12.90+deb12-cloud-amd64", "6.12.90+deb12.1-cloud-amd64"} {
		if w := (Wanted{Series: "6.12", Flavour: "cloud-amd64"}); !w.releases().MatchString(release) {
			t.Errorf("%s does not match", release)
		}
	}
}

func TestNewest(t *testing.T) {
	sorted := []string{"6.1.0-9-686", "6.1.0-47-686", "6.1.0-50-686", "6.12.9+deb12-686", "6.12.90+deb12-686", "6.12.90+deb12.1-686"}
	for i := range sorted {
		shuffled := slices.Clone(sorted[:i+1])
		slices.Reverse(shuffled[:i])
		if got := newest(shuffled); got != sorted[i] {
			t.Errorf("newest of %v is %s", shuffled, got)
		}
	}
	if got := newest(nil); got != "" {
		t.Errorf("newest of none is %q", got)
	}
}

func TestMirrorOf(t *testing.T) {
	const osRelease = "ID=debian\nVERSION_CODENAME=bookworm\n"
	for name, test := range map[string]struct{ table, want string }{
		"lists fetched":   {"Vendor|main|bookworm|http://vendor/\nDebian|main|bookworm|http://mirror/\nDebian|main|bookworm-security|http://security/\n", "http://mirror/"},
		"lists not there": {"$(ORIGIN)|stable|bookworm|http://vendor/\n$(ORIGIN)|main|bookworm|http://mirror/\n", "http://mirror/"},
		"none":            {"Debian|main|trixie|http://mirror/\n", ""},
	} {
		got, err := mirrorOf(test.table, osRelease)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: %q, %v, want %q", name, got, err, test.want)
		}
	}
}

// What is in the cache needs no network.
func TestCached(t *testing.T) {
	c := Cache{Dir: t.TempDir(), Log: t.Logf}
	w := Wanted{Suite: "bookworm", Series: "6.1", Flavour: "cloud-amd64", Arch: "amd64"}
	for _, release := range []string{"6.1.0-9-cloud-amd64", "6.1.0-47-cloud-amd64", "6.1.0-50-cloud-amd64", "6.1.0-60-amd64"} {
		k := c.kernel(w, release)
		if err := os.MkdirAll(k.Folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(k.Image(), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(c.kernel(w, "6.1.0-47-cloud-amd64").Vmlinux(), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		preferred []string
		debug     bool
		want      string
	}{
		"nothing preferred": {nil, false, "6.1.0-50-cloud-amd64"},
		"one preferred":     {[]string{"6.1.0-47-cloud-amd64", "6.1.0-47-amd64"}, false, "6.1.0-47-cloud-amd64"},
		"two preferred":     {[]string{"6.1.0-9-cloud-amd64", "6.1.0-47-cloud-amd64"}, false, "6.1.0-47-cloud-amd64"},
		"with vmlinux":      {nil, true, "6.1.0-47-cloud-amd64"},
	} {
		w.Debug = test.debug
		k, err := c.Get(context.Background(), w, test.preferred)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if k.Release != test.want || filepath.Base(filepath.Dir(k.Image())) != test.want {
			t.Errorf("%s: %s at %s, want %s", name, k.Release, k.Image(), test.want)
		}
	}
}

// What was fetched once is not fetched again.
func TestLacking(t *testing.T) {
	c := Cache{Dir: t.TempDir(), Log: t.Logf}
	k := c.kernel(Wanted{Series: "6.1", Flavour: "686", Arch: "i386", Debug: true}, "6.1.0-50-686")
	if got := lacking(k); !slices.Equal(got, []part{vmlinuz, vmlinux}) {
		t.Errorf("with nothing there %v is lacking", got)
	}
	if err := os.MkdirAll(k.Folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, have := range []struct {
		path string
		left []part
	}{{k.Image(), []part{vmlinux}}, {k.Vmlinux(), nil}} {
		if err := os.WriteFile(have.path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if got := lacking(k); !slices.Equal(got, have.left) {
			t.Errorf("with %s %v is lacking, expected %v", have.path, got, have.left)
		}
	}
}

// Modules come out of the package that vmlinux is in.
func TestDebugModules(t *testing.T) {
	w := Wanted{Series: "6.1", Flavour: "cloud-amd64", Arch: "amd64", DebugModules: []string{"kernel/fs/xfs/xfs.ko"}}
	want := part{name: "debug-xfs.ko", suffix: "-dbg", member: "./usr/lib/debug/lib/modules/RELEASE/kernel/fs/xfs/xfs.ko"}
	if got := w.parts(); !slices.Equal(got, []part{vmlinuz, want}) {
		t.Errorf("parts are %v, expected vmlinuz and %v", got, want)
	}
	c := Cache{Dir: t.TempDir(), Log: t.Logf}
	k := c.kernel(w, "6.1.0-50-cloud-amd64")
	if got := filepath.Base(k.DebugModule("kernel/fs/xfs/xfs.ko")); got != want.name {
		t.Errorf("the module is %s, expected %s", got, want.name)
	}
}

func TestComplete(t *testing.T) {
	const table = `linux-image-6.1.0-49-686-dbg | 6.1.175-1 | http://mirror bookworm/main i386 Packages
linux-image-6.1.0-50-686 | 6.1.176-1 | http://mirror bookworm/main i386 Packages
linux-image-6.1.0-50-686-dbg | 6.1.176-1 | http://mirror bookworm/main i386 Packages
linux-image-6.1.0-51-686:i386 | 6.1.177-1 | http://mirror bookworm/main i386 Packages
`
	releases := []string{"6.1.0-49-686", "6.1.0-50-686", "6.1.0-51-686"}
	for _, test := range []struct {
		w    Wanted
		want []string
	}{
		{Wanted{}, releases[1:]},
		{Wanted{Debug: true}, releases[1:2]},
	} {
		if got := complete(table, releases, test.w.parts()); !slices.Equal(got, test.want) {
			t.Errorf("%v: got %v, want %v", test.w.parts(), got, test.want)
		}
	}
}
