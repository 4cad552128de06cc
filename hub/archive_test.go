package hub

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// archiveOf packs entries, those that are files with the content in Linkname's place.
func archiveOf(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range entries {
		content := ""
		h.Mode = 0o644
		if h.Typeflag == tar.TypeReg {
			content, h.Linkname = h.Linkname, ""
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A tree that is packed as a whole has the kernels that the tree has.
func TestArchive(t *testing.T) {
	one, two := string(fakeBTF(40)), string(fakeBTF(60))
	content := archiveOf(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "./ubuntu/"},
		tar.Header{Typeflag: tar.TypeReg, Name: "./ubuntu/20.04/x86_64/5.4.0-1-generic.btf", Linkname: "not BTF: an older one"},
		tar.Header{Typeflag: tar.TypeReg, Name: "./ubuntu/20.04/x86_64/5.4.0-1-generic.btf", Linkname: one},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "ubuntu/20.04/x86_64/5.4.0-2-generic.btf", Linkname: "5.4.0-1-generic.btf"},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "ubuntu/18.04/x86_64/5.4.0-2-generic.btf", Linkname: "../../20.04/x86_64/5.4.0-2-generic.btf"},
		tar.Header{Typeflag: tar.TypeLink, Name: "ubuntu/20.04/x86_64/5.4.0-3-generic.btf", Linkname: "./ubuntu/20.04/x86_64/5.4.0-1-generic.btf"},
		tar.Header{Typeflag: tar.TypeReg, Name: "ubuntu/20.04/x86_64/5.4.0-4-generic.btf.gz", Linkname: string(packGzip(t, []byte(two)))},
		tar.Header{Typeflag: tar.TypeReg, Name: "ubuntu/20.04/x86_64/._5.4.0-4-generic.btf", Linkname: "what macOS adds"},
		tar.Header{Typeflag: tar.TypeReg, Name: "README", Linkname: "text"},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "loop/a/b/c.btf", Linkname: "c.btf"},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "dangling/a/b/c.btf", Linkname: "/etc/passwd"},
		tar.Header{Typeflag: tar.TypeReg, Name: "../../outside/a/b/c.btf", Linkname: one},
	)
	want := map[string]string{
		"ubuntu/18.04/x86_64/5.4.0-2-generic": one,
		"ubuntu/20.04/x86_64/5.4.0-1-generic": one,
		"ubuntu/20.04/x86_64/5.4.0-2-generic": one,
		"ubuntu/20.04/x86_64/5.4.0-3-generic": one,
		"ubuntu/20.04/x86_64/5.4.0-4-generic": two,
	}
	dir := t.TempDir()
	for name, packed := range map[string][]byte{
		"a.tar": content, "a.tar.gz": packGzip(t, content), "a.tar.xz": packXZ(t, content), "a.tar.zst": packZstd(t, content), "a.tgz": packGzip(t, content),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, packed, 0o666); err != nil {
			t.Fatal(err)
		}
		source, err := OpenArchive(path)
		if err != nil {
			t.Fatal(err)
		}
		kernels, problems, err := source.Kernels()
		if err != nil {
			t.Fatal(err)
		}
		reader := NewReader()
		var names []string
		for _, k := range kernels {
			names = append(names, k.Name)
			types, err := k.Load(reader)
			if err != nil || string(types.Vmlinux) != want[k.Name] {
				t.Errorf("%s: %s: %d bytes, %v", name, k.Name, len(types.Vmlinux), err)
			}
		}
		if len(names) != len(want) || !slices.IsSorted(names) {
			t.Errorf("%s: kernels %q", name, names)
		}
		var about []string
		for _, p := range problems {
			about = append(about, p.Error())
		}
		all := strings.Join(about, "\n")
		if len(problems) != 3 || !strings.Contains(all, "outside") || !strings.Contains(all, "dangling") || !strings.Contains(all, "loop") {
			t.Errorf("%s: problems %q", name, about)
		}
	}
}

func TestArchiveErrors(t *testing.T) {
	dir := t.TempDir()
	whole := archiveOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "a/b/c/d.btf", Linkname: string(fakeBTF(2000))})
	for name, content := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "btf": fakeBTF(1000), "short.tar": whole[:1000], "short.tar.gz": packGzip(t, whole)[:60], "named.tar": bytes.Repeat([]byte("x"), 600),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenArchive(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenArchive(filepath.Join(dir, "none")); err == nil {
		t.Error("no error for no file")
	}
	// A member that is no BTF is that kernel's failure.
	path := filepath.Join(dir, "member.tar")
	if err := os.WriteFile(path, archiveOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "a/b/c/d.btf", Linkname: "hello"}), 0o666); err != nil {
		t.Fatal(err)
	}
	source, err := OpenArchive(path)
	if err != nil {
		t.Fatal(err)
	}
	kernels, _, err := source.Kernels()
	if err != nil || len(kernels) != 1 {
		t.Fatal(kernels, err)
	}
	if _, err := kernels[0].Load(NewReader()); err == nil || !strings.Contains(err.Error(), "member.tar:a/b/c/d.btf") {
		t.Errorf("a member that is not BTF: %v", err)
	}
}
