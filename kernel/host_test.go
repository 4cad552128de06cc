package kernel

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

func TestHostString(t *testing.T) {
	debian := OSRelease{ID: "debian", VersionID: "12"}
	for _, c := range []struct {
		host Host
		want string
	}{
		{Host{Release: "6.1.0-50-amd64", Machine: "x86_64", OS: debian}, "6.1.0-50-amd64 (x86_64, debian 12)"},
		{Host{Release: "6.1.0-50-amd64", Machine: "x86_64", OS: debian, Container: "docker"}, "6.1.0-50-amd64 (x86_64, debian 12, in a container: docker)"},
		{Host{Release: "6.9.7-arch1-1", Machine: "x86_64", OS: OSRelease{ID: "arch"}}, "6.9.7-arch1-1 (x86_64, arch)"},
		{Host{Release: "6.1.0", Machine: "aarch64"}, "6.1.0 (aarch64, no os-release)"},
		{Host{Release: "6.1.0\n", Machine: "\x1b[0m", OS: OSRelease{ID: "a\xffb"}}, `"6.1.0\n" ("\x1b[0m", "a\xffb")`},
		{Host{}, " (no os-release)"},
	} {
		if got := c.host.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestThisHost(t *testing.T) {
	h, err := ThisHost()
	if runtime.GOOS != "linux" {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v, want an error that wraps errors.ErrUnsupported", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, known := NormalArch(h.Machine); !known {
		t.Errorf("machine %q is no known architecture", h.Machine)
	}
	if h.Release == "" || strings.ContainsAny(h.Release, "\x00\n ") {
		t.Errorf("release %q", h.Release)
	}
}

// container is asked by files and variables alone, so that every hint can be shown.
func TestContainer(t *testing.T) {
	type files = map[string]string
	for name, c := range map[string]struct {
		files files
		env   map[string]string
		want  string
	}{
		"a host":                      {files{"/proc/1/environ": "HOME=/\x00TERM=linux\x00", "/proc/1/cgroup": "0::/init.scope\n"}, nil, ""},
		"nothing to be read":          {nil, nil, ""},
		"docker":                      {files{"/.dockerenv": ""}, nil, "docker"},
		"podman":                      {files{"/run/.containerenv": "engine=\"podman-4.3\"\n", "/proc/1/environ": "PATH=/bin\x00"}, nil, "podman"},
		"podman with variable":        {files{"/run/.containerenv": "", "/proc/1/environ": "PATH=/bin\x00container=oci"}, nil, "oci"},
		"kubernetes on docker":        {files{"/.dockerenv": ""}, map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"},
		"systemd-nspawn":              {files{"/run/systemd/container": "systemd-nspawn\n"}, nil, "systemd-nspawn"},
		"lxc":                         {files{"/proc/1/environ": "container=lxc\x00"}, nil, "lxc"},
		"another variable":            {files{"/proc/1/environ": "mycontainer=lxc\x00container=\x00"}, nil, ""},
		"a name that is none":         {files{"/proc/1/environ": "container=a\nb\x00", "/run/systemd/container": strings.Repeat("x", 65)}, nil, ""},
		"cgroup of docker":            {files{"/proc/1/cgroup": "1:name=systemd:/docker/0123\n"}, nil, "docker"},
		"cgroup of kubernetes":        {files{"/proc/1/cgroup": "0::/kubepods/besteffort/pod1/docker-2\n"}, nil, "kubernetes"},
		"cgroup of podman":            {files{"/proc/1/cgroup": "0::/machine.slice/libpod-0123.scope\n"}, nil, "podman"},
		"cgroup of lxc":               {files{"/proc/1/cgroup": "4:cpu:/lxc.payload.a\n"}, nil, "lxc"},
		"what is said before what is": {files{"/run/systemd/container": "lxc", "/.dockerenv": ""}, nil, "lxc"},
	} {
		got := container(
			func(path string) ([]byte, bool) { b, ok := c.files[path]; return []byte(b), ok },
			func(name string) string { return c.env[name] })
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func BenchmarkThisHost(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ThisHost(); err != nil && runtime.GOOS == "linux" {
			b.Fatal(err)
		}
	}
}
