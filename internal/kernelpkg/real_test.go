package kernelpkg

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/internal/elffile"
	"github.com/btfgen/btfgen/internal/need"
)

// The tests in this file make packages with dpkg-deb and rpmbuild and compare what
// is read of them with what dpkg-deb, rpm2cpio and rpm say.
func realTools(t *testing.T, tools ...string) []string {
	t.Helper()
	need.Asked(t, "BTFGEN_IMAGE", "image")
	var paths []string
	for _, tool := range tools {
		paths = append(paths, need.Tool(t, tool))
	}
	return paths
}

func run(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

// realTree writes a tree of files with a vmlinux too large to be read at once.
func realTree(t *testing.T, root string) {
	t.Helper()
	large := make([]byte, wholeFile+30<<20)
	rnd := rand.New(rand.NewPCG(7, 8))
	for i := 0; i < len(large); i += 64 {
		large[i] = byte(rnd.Uint32())
	}
	files := append(sampleFiles(), sampleFile{path: "usr/lib/debug/lib/modules/" + release + "/vmlinux", mode: 0o755, content: large})
	for _, f := range files {
		path := filepath.Join(root, f.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case f.mode.IsDir():
			err = os.MkdirAll(path, f.mode.Perm())
		case f.mode&fs.ModeSymlink != 0:
			err = os.Symlink(f.link, path)
		default:
			err = os.WriteFile(path, f.content, f.mode.Perm())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"vmlinuz-hard", "a-hard"} {
		if err := os.Link(filepath.Join(root, "boot/vmlinuz-"+release), filepath.Join(root, "boot", name)); err != nil {
			t.Fatal(err)
		}
	}
}

// treeOf says what is in a folder: for each path its kind, and what is in it. Folders are left out: a package
// need not name all.
func treeOf(t *testing.T, root string) map[string]string {
	t.Helper()
	list := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(path)
			list[name] = "-> " + to
			return err
		}
		content, err := os.ReadFile(path)
		info, _ := d.Info()
		list[name] = fmt.Sprintf("%v %d %x", info.Mode(), len(content), sha256.Sum256(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// expectTree compares all files of a package with those that another program has unpacked.
func expectTree(t *testing.T, p *Package, root string) {
	t.Helper()
	want := treeOf(t, root)
	found := 0
	for e, err := range p.Files() {
		if err != nil {
			t.Fatal(err)
		}
		if e.Mode.IsDir() {
			continue
		}
		found++
		got := "-> " + e.Link
		if e.Mode.IsRegular() {
			b, err := content(p, e.Path)
			if err != nil {
				t.Error(err)
			}
			got = fmt.Sprintf("%v %d %x", e.Mode, len(b), sha256.Sum256(b))
		}
		if got != want[e.Path] {
			t.Errorf("%s is %s, expected %s", e.Path, got, want[e.Path])
		}
	}
	if found != len(want) {
		t.Errorf("%d files, expected %d", found, len(want))
	}
}

// expectPasses asks for a large file as a reader of ELF files does, after the list was asked for: header, section
// table, names, sections. It must not take more than two passes.
func expectPasses(t *testing.T, file []byte) {
	t.Helper()
	p := open(t, file, Options{Workers: 2})
	var name string
	for k, err := range p.KernelFiles() {
		if err != nil {
			t.Fatal(err)
		}
		if k.Kind == Kernel && k.Size > wholeFile {
			name = k.Path
		}
	}
	f, err := p.File(name)
	if err != nil {
		t.Fatal(err)
	}
	size := f.Size()
	for _, ranges := range [][]elffile.Range{{{Offset: 0, Size: 64}}, {{Offset: size - 2000, Size: 2000}}, {{Offset: size - 9000, Size: 700}}, {{Offset: 5 << 20, Size: 1 << 20}, {Offset: size / 2, Size: size / 4}}} {
		if _, err := f.Slices(ranges); err != nil {
			t.Fatal(err)
		}
	}
	s := p.Stats()
	t.Logf("%+v for a file of %d bytes", s, size)
	if s.Expanded > 2*(size+2<<20) {
		t.Errorf("%d bytes were expanded, more than twice the archive", s.Expanded)
	}
}

func TestRealDeb(t *testing.T) {
	tools := realTools(t, "dpkg-deb")
	tree := t.TempDir()
	realTree(t, tree)
	if err := os.Mkdir(filepath.Join(tree, "DEBIAN"), 0o755); err != nil {
		t.Fatal(err)
	}
	control := strings.ReplaceAll(sampleControl, " Version: not", " Not")
	if err := os.WriteFile(filepath.Join(tree, "DEBIAN/control"), []byte(control), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, options := range []string{"-Zxz -z0 --threads-max=2", "-Zxz -z0 --threads-max=1", "-Zzstd", "-Zgzip -z1", "-Znone", "-Zxz -z0 --no-uniform-compression"} {
		t.Run(options, func(t *testing.T) {
			out := t.TempDir()
			deb := filepath.Join(out, "a.deb")
			run(t, nil, tools[0], append(append([]string{"--root-owner-group"}, strings.Fields(options)...), "-b", tree, deb)...)
			run(t, nil, tools[0], "-x", deb, filepath.Join(out, "x"))
			file, err := os.ReadFile(deb)
			if err != nil {
				t.Fatal(err)
			}
			p := open(t, file, Options{Workers: 2})
			i := p.Info()
			for field, got := range map[string]string{"Package": i.Name, "Version": i.Version, "Architecture": i.Arch, "Maintainer": i.Maintainer, "Homepage": i.Homepage} {
				if want := strings.TrimSpace(string(run(t, nil, tools[0], "-f", deb, field))); got != want {
					t.Errorf("%s %q, dpkg-deb says %q", field, got, want)
				}
			}
			expectDebTree(t, p, filepath.Join(out, "x"))
			expectPasses(t, file)
		})
	}
}

// expectDebTree is expectTree where hard links are entries of their own.
func expectDebTree(t *testing.T, p *Package, root string) {
	t.Helper()
	want := treeOf(t, root)
	for e, err := range p.Files() {
		if err != nil {
			t.Fatal(err)
		}
		if !e.Mode.IsRegular() {
			if e.Link != "" && want[e.Path] != "-> "+e.Link {
				t.Errorf("%s is a link to %s, expected %s", e.Path, e.Link, want[e.Path])
			}
			delete(want, e.Path)
			continue
		}
		b, err := content(p, e.Path)
		if got := fmt.Sprintf("%v %d %x", e.Mode, len(b), sha256.Sum256(b)); err != nil || got != want[e.Path] {
			t.Errorf("%s is %s, expected %s (%v)", e.Path, got, want[e.Path], err)
		}
		delete(want, e.Path)
	}
	if len(want) != 0 {
		t.Errorf("not found: %v", want)
	}
}

const sampleSpec = `Name: kernel-made-up
Epoch: 2
Version: 6.1.0
Release: 9.made.up
Summary: a kernel
License: none
Vendor: Nobody
Distribution: None
Packager: Somebody <somebody@example.org>
URL: https://example.org/
AutoReqProv: no
%%global __os_install_post %%{nil}
%%global debug_package %%{nil}
%%description
A kernel.
%%install
cp -a %s/. %%{buildroot}
touch %%{buildroot}/boot/ghost
%%files
/boot
/lib
/usr
/vmlinuz
%%ghost /boot/ghost
`

func TestRealRPM(t *testing.T) {
	tools := realTools(t, "rpmbuild", "rpm", "rpm2cpio", "cpio")
	tree := t.TempDir()
	realTree(t, tree)
	for _, payload := range []string{"w1.gzdio", "w0.xzdio", "w0T2.xzdio", "w3.zstdio", "w3T2.zstdio", "w1.lzdio", "w.ufdio", "w1.bzdio"} {
		t.Run(payload, func(t *testing.T) {
			top := t.TempDir()
			spec := filepath.Join(top, "kernel.spec")
			if err := os.WriteFile(spec, fmt.Appendf(nil, sampleSpec, tree), 0o644); err != nil {
				t.Fatal(err)
			}
			run(t, nil, tools[0], "-bb", "--define", "_topdir "+top, "--define", "_binary_payload "+payload, "--define", "_dbpath "+top, spec)
			found, err := filepath.Glob(filepath.Join(top, "RPMS/*/*.rpm"))
			if err != nil || len(found) != 1 {
				t.Fatalf("%d packages were built (%v)", len(found), err)
			}
			file, err := os.ReadFile(found[0])
			if err != nil {
				t.Fatal(err)
			}
			p := open(t, file, Options{Workers: 2})
			i := p.Info()
			got := strings.Join([]string{i.Name, i.Epoch, i.Version, i.Release, i.Arch, i.Vendor, i.Distribution, i.Maintainer, i.Source, i.Homepage}, "\n")
			want := run(t, nil, tools[1], "--dbpath", top, "-qp", "--qf", strings.Join([]string{"%{NAME}", "%{EPOCH}", "%{VERSION}", "%{RELEASE}", "%{ARCH}", "%{VENDOR}", "%{DISTRIBUTION}", "%{PACKAGER}", "%{SOURCERPM}", "%{URL}"}, `\n`), found[0])
			if got != string(want) {
				t.Errorf("%q, rpm says %q", got, want)
			}
			root := filepath.Join(top, "x")
			if err := os.Mkdir(root, 0o755); err != nil {
				t.Fatal(err)
			}
			archive := run(t, nil, tools[2], found[0])
			run(t, archive, tools[3], "-idm", "--quiet", "--no-absolute-filenames", "-D", root)
			expectTree(t, p, root)
			expectPasses(t, file)
		})
	}
}
