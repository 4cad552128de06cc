package hub

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write makes a file and the directories above it.
func write(t testing.TB, root, name string, content []byte) string {
	t.Helper()
	file := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func link(t *testing.T, root, target, name string) {
	t.Helper()
	if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, path string, opts ...Option) Source {
	t.Helper()
	source, err := Open(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// list returns the names of a source's kernels and its problems as text.
func list(t testing.TB, source Source) (names, problems []string) {
	t.Helper()
	kernels, found, err := source.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kernels {
		names = append(names, k.Name)
	}
	for _, p := range found {
		problems = append(problems, p.Error())
	}
	return names, problems
}

func expect(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// expectProblems wants each problem to hold all the words of its line.
func expectProblems(t *testing.T, got []string, want ...[]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("problems %q, want %d", got, len(want))
	}
	for i, words := range want {
		for _, word := range words {
			if !strings.Contains(got[i], word) {
				t.Errorf("problem %q does not name %q", got[i], word)
			}
		}
	}
}

func TestTree(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{
		"debian/12/x86_64/6.1.0-50.btf.tar.xz", "debian/12/x86_64/6.1.0-5.btf", "debian/12/x86_64/6.1.0-6.btf.gz",
		"debian/12/x86_64/6.1.0-7.btf.zst", "debian/12/x86_64/6.1.0-8.btf.xz", "debian/12/x86_64/6.1.0-9.btf.tar.gz",
		"debian/12/x86_64/6.1.0-10.btf.tar.zst", "debian/12/x86_64/6.1.0-11.btf.tar",
		"debian/9/arm64/4.9.btf", "top.btf",
		"debian/bullseye", "README.md", "debian/12/x86_64/.btf", "debian/12/x86_64/x.btf.bz2", // none of these
	} {
		write(t, root, name, nil)
	}
	names, problems := list(t, open(t, root))
	expectProblems(t, problems)
	expect(t, "names", names, []string{
		"debian/12/x86_64/6.1.0-10", "debian/12/x86_64/6.1.0-11", "debian/12/x86_64/6.1.0-5", "debian/12/x86_64/6.1.0-50",
		"debian/12/x86_64/6.1.0-6", "debian/12/x86_64/6.1.0-7", "debian/12/x86_64/6.1.0-8", "debian/12/x86_64/6.1.0-9",
		"debian/9/arm64/4.9", "top",
	})
}

func TestTreeLinksInside(t *testing.T) {
	root := t.TempDir()
	write(t, root, "debian/12/x86_64/a.btf", nil)
	link(t, root, "12", "debian/bookworm")
	link(t, root, "debian", "aaa")                     // sorts before what it leads to
	link(t, root, "../..", "debian/12/loop")           // to the root
	link(t, root, ".", "debian/self")                  // to itself
	link(t, root, "nowhere", "debian/dangling")        // no kernel
	link(t, root, "a.btf", "debian/12/x86_64/b.btf")   // the same types for another release
	link(t, root, "nowhere", "debian/12/x86_64/c.btf") // a kernel that is missing
	names, problems := list(t, open(t, root))
	expect(t, "names", names, []string{"debian/12/x86_64/a", "debian/12/x86_64/b"})
	expectProblems(t, problems, []string{"debian/12/x86_64/c: ", "no such file"})

	// The root itself may be a link.
	link(t, root, ".", "root")
	names, _ = list(t, open(t, filepath.Join(root, "root")))
	expect(t, "names through a link", names, []string{"debian/12/x86_64/a", "debian/12/x86_64/b"})
}

func TestTreeLinksOutside(t *testing.T) {
	outside, root := t.TempDir(), t.TempDir()
	write(t, outside, "ubuntu/22.04/x86_64/u.btf", nil)
	link(t, outside, "22.04", "ubuntu/jammy")
	link(t, outside, "..", "ubuntu/up")
	link(t, outside, root, "back")
	write(t, root, "debian/12/d.btf", nil)
	link(t, root, filepath.Join(outside, "ubuntu"), "ubuntu")
	link(t, root, filepath.Join(outside, "ubuntu"), "ubuntu-again")
	link(t, root, filepath.Join(outside, "ubuntu", "22.04"), "xubuntu") // below one that is followed
	names, problems := list(t, open(t, root))
	expectProblems(t, problems)
	expect(t, "names", names, []string{"debian/12/d", "ubuntu/22.04/x86_64/u"})

	// A link that leads above the root finds what else is there.
	above := t.TempDir()
	write(t, above, "hub/debian/d.btf", nil)
	write(t, above, "other/o.btf", nil)
	link(t, above, "..", "hub/up")
	names, _ = list(t, open(t, filepath.Join(above, "hub")))
	expect(t, "names with a link above", names, []string{"debian/d", "up/other/o"})
}

func TestTreeDuplicates(t *testing.T) {
	root, second := t.TempDir(), t.TempDir()
	plain := write(t, root, "d/k.btf", []byte("\x9f\xebplain"))
	packed := write(t, root, "d/k.btf.tar.xz", nil)
	other := write(t, second, "d/k.btf", nil)
	write(t, second, "d/l.btf", nil)
	source := Merge(open(t, root), open(t, second))
	names, problems := list(t, source)
	expect(t, "names", names, []string{"d/k", "d/l"})
	expectProblems(t, problems, []string{"d/k: duplicate", packed, plain}, []string{"d/k: duplicate", other, plain})
	kernels, _, err := source.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	types, err := kernels[0].Load(NewReader())
	if err != nil || string(types.Vmlinux) != "\x9f\xebplain" {
		t.Errorf("the first does not win: %q, %v", types.Vmlinux, err)
	}
}

func TestTreeModules(t *testing.T) {
	root := t.TempDir()
	write(t, root, "d/6.1.btf", []byte("\x9f\xebvmlinux"))
	first := write(t, root, "d/6.1.modules/ext4.btf", []byte("\x9f\xebext4"))
	second := write(t, root, "d/6.1.modules/ext4.btf.xz", []byte("\x9f\xebagain"))
	write(t, root, "d/6.1.modules/ext4-a.btf.gz", packGzip(t, []byte("\x9f\xebext4-a")))
	write(t, root, "d/6.1.modules/modules.dep", nil)
	orphans := filepath.Dir(write(t, root, "d/6.2.modules/ext4.btf", nil))
	source := open(t, root)
	names, problems := list(t, source)
	expect(t, "names", names, []string{"d/6.1"})
	expectProblems(t, problems, []string{"d/6.1: duplicate module", second, first}, []string{"d/6.2: ", orphans, "6.2.btf"})
	kernels, _, err := source.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	k := kernels[0]
	expect(t, "modules", k.Modules(), []string{"ext4", "ext4-a"})
	types, err := k.Load(NewReader())
	if err != nil {
		t.Fatal(err)
	}
	got := []string{string(types.Vmlinux)}
	for _, m := range types.Modules {
		got = append(got, m.Name, string(m.BTF))
	}
	expect(t, "types", got, []string{"\x9f\xebvmlinux", "ext4", "\x9f\xebext4", "ext4-a", "\x9f\xebext4-a"})
}

func TestSingleFile(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct{ file, name string }{
		{"vmlinux", "vmlinux"},
		{"6.1.0-47-amd64.btf", "6.1.0-47-amd64"},
		{"6.1.0.btf.tar.xz", "6.1.0"},
		{"ext4.ko.xz", "ext4"},
		{".btf", ".btf"},
	} {
		names, _ := list(t, open(t, write(t, dir, test.file, nil)))
		expect(t, test.file, names, []string{test.name})
	}
	base, m1, m2 := write(t, dir, "base.btf", []byte("\x9f\xeb0")), write(t, dir, "z.ko", []byte("\x9f\xeb1")), write(t, dir, "a.btf", []byte("\x9f\xeb2"))
	kernels, _, err := open(t, base, WithModules(m1, m2)).Kernels()
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "modules", kernels[0].Modules(), []string{"a", "z"})
	types, err := kernels[0].Load(NewReader())
	if err != nil || string(types.Modules[0].BTF) != "\x9f\xeb2" || string(types.Modules[1].BTF) != "\x9f\xeb1" {
		t.Errorf("%+v, %v", types, err)
	}
	if _, err := Open(base, WithModules(m1, write(t, dir, "sub/z.btf", nil))); err == nil || !strings.Contains(err.Error(), m1) {
		t.Errorf("a module given twice: %v", err)
	}
	if _, err := Open(dir, WithModules(m1)); err == nil {
		t.Error("modules for a tree: no error")
	}
	if _, err := Open(filepath.Join(dir, "nothing")); err == nil {
		t.Error("a path that is not there: no error")
	}
}
