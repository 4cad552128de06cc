package bundle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/kernel"
)

// The order of Choose: the user's file, the kernel's own, the bundle, an error.
func TestChoose(t *testing.T) {
	mine, other := types(t, binary.LittleEndian, true, ""), types(t, binary.LittleEndian, true, "x_")
	_, b := build(t, map[string][]byte{
		"debian/12/x86_64/6.1.0-50-amd64":  mine,
		"debian/12/x86_64/6.1.0-47-amd64":  other,
		"ubuntu/20.04/x86_64/5.4.0-1-aws":  mine,
		"ubuntu/20.04/x86_64/5.4.0-3-aws":  mine,
		"centos/8/x86_64/4.18.0-80.x86_64": mine,
		"rhel/8/x86_64/4.18.0-80.x86_64":   other,
	})
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	own, user := write("vmlinux", other), write("user.btf", other)
	none := filepath.Join(dir, "none")
	host := &kernel.Host{Release: "6.1.0-50-amd64", Machine: "x86_64", OS: kernel.OSRelease{ID: "debian", VersionID: "12"}}

	for _, c := range []struct {
		name   string
		b      *Bundle
		o      Options
		source Source
		path   string
		btf    []byte
	}{
		{"file wins over all", b, Options{File: user, KernelBTF: own, Host: host}, FromFile, user, other},
		{"file without bundle", nil, Options{File: user, KernelBTF: none, Host: host}, FromFile, user, other},
		{"kernel's own", b, Options{KernelBTF: own, Host: host}, FromKernel, own, nil},
		{"kernel's own without bundle", nil, Options{KernelBTF: own}, FromKernel, own, nil},
		{"bundle", b, Options{KernelBTF: none, Host: host}, FromBundle, "debian/12/x86_64/6.1.0-50-amd64", mine},
		{"bundle, as if there were none", b, Options{KernelBTF: "-", Host: host}, FromBundle, "debian/12/x86_64/6.1.0-50-amd64", mine},
		{"an empty file is none", b, Options{KernelBTF: write("empty", nil), Host: host}, FromBundle, "debian/12/x86_64/6.1.0-50-amd64", mine},
		{"consensus", b, Options{KernelBTF: "-", Consensus: true, Host: &kernel.Host{Release: "5.4.0-2-aws", Machine: "x86_64"}}, FromBundle, "ubuntu/20.04/x86_64/5.4.0-1-aws", mine},
	} {
		got, err := Choose(c.b, c.o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.Source != c.source || got.Path != c.path || !bytes.Equal(got.BTF, c.btf) || got.Why == "" {
			t.Errorf("%s: %s", c.name, got)
		}
		if s := got.String(); !strings.HasPrefix(s, "BTF: ") || !strings.Contains(s, c.path) || !strings.Contains(s, got.Why) || strings.Contains(s, "\n") {
			t.Errorf("%s: String() is %q", c.name, s)
		}
	}

	for _, c := range []struct {
		name string
		b    *Bundle
		o    Options
		as   any // the error's kind
		says []string
	}{
		{"no bundle", nil, Options{KernelBTF: none, Host: host}, new(*kernel.NotFoundError), []string{"no BTF found for kernel version 6.1.0-50-amd64", "this program brings none"}},
		{"not in the bundle", b, Options{KernelBTF: none, Host: &kernel.Host{Release: "6.1.0-51-amd64", Machine: "x86_64"}}, new(*kernel.NotFoundError),
			[]string{"no BTF found for kernel version 6.1.0-51-amd64", "debian/12/x86_64/6.1.0-50-amd64", "name a file"}},
		{"consensus is opt-in", b, Options{KernelBTF: none, Host: &kernel.Host{Release: "5.4.0-2-aws", Machine: "x86_64"}}, new(*kernel.NotFoundError), []string{"5.4.0-2-aws"}},
		{"another architecture", b, Options{KernelBTF: none, Host: &kernel.Host{Release: "6.1.0-50-amd64", Machine: "aarch64"}}, new(*kernel.NotFoundError), nil},
		{"two that differ", b, Options{KernelBTF: none, Host: &kernel.Host{Release: "4.18.0-80.x86_64", Machine: "x86_64"}}, new(*kernel.AmbiguousError), []string{"centos/8", "rhel/8"}},
		{"file that is not there", b, Options{File: none}, new(*fs.PathError), []string{none}},
		{"file that is not BTF", b, Options{File: write("text", []byte("hello, world"))}, nil, []string{filepath.Join(dir, "text"), "expected BTF"}},
		{"empty file", b, Options{File: write("nothing", nil)}, nil, []string{"nothing", "expected BTF"}},
		{"folder", b, Options{File: dir}, nil, []string{dir}},
	} {
		got, err := Choose(c.b, c.o)
		if err == nil {
			t.Errorf("%s: no error but %s", c.name, got)
			continue
		}
		if c.as != nil && !errors.As(err, c.as) {
			t.Errorf("%s: %T: %v", c.name, err, err)
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %q does not say %q in one line", c.name, err, s)
			}
		}
	}
}

func TestChooseAsksThisHost(t *testing.T) {
	host, err := kernel.ThisHost()
	if runtime.GOOS != "linux" {
		if _, err := Choose(nil, Options{KernelBTF: "-"}); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("not on Linux: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	mine := types(t, binary.LittleEndian, true, "")
	_, b := build(t, map[string][]byte{"this/host/" + host.Machine + "/" + host.Release: mine})
	got, err := Choose(b, Options{KernelBTF: "-"})
	if err != nil || !bytes.Equal(got.BTF, mine) {
		t.Errorf("%v, %v", got, err)
	}
}
