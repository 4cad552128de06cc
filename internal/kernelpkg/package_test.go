package kernelpkg

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/btfgen/btfgen/internal/elffile"
	"github.com/btfgen/btfgen/internal/memory"
)

func open(t testing.TB, file []byte, o Options) *Package {
	t.Helper()
	p, err := Open(file, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// content reads a file in one piece.
func content(p *Package, path string) ([]byte, error) {
	f, err := p.File(path)
	if err != nil {
		return nil, err
	}
	list, err := f.Slices([]elffile.Range{{Offset: 0, Size: f.Size()}})
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// expectFiles compares the list of files, and what is in them, forwards and backwards.
func expectFiles(t *testing.T, p *Package, want []sampleFile) {
	t.Helper()
	i := 0
	for e, err := range p.Files() {
		if err != nil {
			t.Fatal(err)
		}
		if i == len(want) {
			t.Fatalf("more files than there are: %+v", e)
		}
		w := want[i]
		if e.Path != w.path || e.Mode != w.mode || e.Link != w.link || e.Size != int64(len(w.content)) {
			t.Errorf("file %d is %+v, expected %s %v %s with %d bytes", i, e, w.path, w.mode, w.link, len(w.content))
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("%d files, expected %d", i, len(want))
	}
	for n := range 2 * len(want) {
		w := want[min(n, 2*len(want)-1-n)]
		if !w.mode.IsRegular() || w.link != "" {
			continue
		}
		got, err := content(p, w.path)
		if err != nil || !bytes.Equal(got, w.content) {
			t.Errorf("%s: %d bytes that differ from the %d packed ones (%v)", w.path, len(got), len(w.content), err)
		}
	}
}

func TestDeb(t *testing.T) {
	files := sampleFiles()
	files = append(files, sampleFile{path: "boot/vmlinuz.hard", mode: 0o644, link: "/boot/vmlinuz-" + release})
	packedFiles := append([]sampleFile(nil), files...)
	packedFiles[len(files)-1].link = "./boot/vmlinuz-" + release
	for ending := range packings {
		t.Run("data.tar"+ending, func(t *testing.T) {
			p := open(t, debOf(t, ending, tarOf(t, packedFiles)), Options{Workers: 2})
			want := Info{
				Format: "deb", Name: "linux-image-" + release, Version: "1:6.1.9-2", Arch: "amd64",
				Maintainer: "Nobody <nobody@example.org>", Source: "linux", Homepage: "https://example.org/",
			}
			if p.Info() != want {
				t.Errorf("%+v, expected %+v", p.Info(), want)
			}
			expectFiles(t, p, files)
			expectLinks(t, p, files)
			if got, err := content(p, "boot/vmlinuz.hard"); err != nil || !bytes.Equal(got, files[3].content) {
				t.Errorf("%d bytes behind a hard link, error %v", len(got), err)
			}
		})
	}
}

func expectLinks(t *testing.T, p *Package, files []sampleFile) {
	t.Helper()
	for path, want := range map[string][]byte{
		"usr/lib/debug/vmlinux-" + release:         files[6].content,
		"/vmlinuz":                                 files[3].content,
		"usr/" + files[4].path:                     files[4].content,
		"./boot/../boot//vmlinuz-" + release + "/": files[3].content,
	} {
		if got, err := content(p, path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, expected %d, error %v", path, len(got), len(want), err)
		}
	}
	for _, path := range []string{"boot/none", "", "boot/vmlinuz-" + release + "/x"} {
		if _, err := p.File(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: error %v, expected %v", path, err, fs.ErrNotExist)
		}
	}
	if _, err := p.File("boot"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder as a file: error %v", err)
	}
}

// TestFileBeforeTheList: a file is found without the list having been asked for.
func TestFileBeforeTheList(t *testing.T) {
	files := sampleFiles()
	for ending := range packings {
		p := open(t, debOf(t, ending, tarOf(t, files)), Options{})
		for _, i := range []int{6, 3} {
			if got, err := content(p, files[i].path); err != nil || !bytes.Equal(got, files[i].content) {
				t.Errorf("%s: %d bytes, error %v", files[i].path, len(got), err)
			}
		}
		expectFiles(t, p, files)
	}
}

// TestRanges asks for ranges that overlap, in any order.
func TestRanges(t *testing.T) {
	files := sampleFiles()
	w := files[6].content
	ranges := []elffile.Range{{Offset: 200_000, Size: 100_000}, {Offset: 0, Size: 64}, {Offset: 10, Size: 20}, {Offset: 50, Size: 70_000}, {Offset: 300_000, Size: 0}, {Offset: 60_000, Size: 30_000}, {Offset: 5, Size: 0}}
	for ending := range packings {
		p := open(t, debOf(t, ending, tarOf(t, files)), Options{Workers: 2})
		f, err := p.File(files[6].path)
		if err != nil {
			t.Fatal(err)
		}
		// As a file too large to be kept as a whole.
		p.mu.Lock()
		got, err := p.readRanges(f.(*file).entry, ranges, nil)
		p.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range ranges {
			if !bytes.Equal(got[i], w[r.Offset:r.Offset+r.Size]) {
				t.Errorf("data.tar%s: other bytes in %+v than were packed", ending, r)
			}
		}
		for _, r := range []elffile.Range{{Offset: -1, Size: 1}, {Offset: 300_000, Size: 1}, {Offset: 1, Size: 1 << 62}, {Offset: 1 << 62, Size: 1 << 62}} {
			if _, err := f.Slices([]elffile.Range{r}); !errors.Is(err, elffile.ErrOutside) {
				t.Errorf("%+v: error %v, expected %v", r, err, elffile.ErrOutside)
			}
		}
	}
}

// TestOnlyNeededBlocks: the blocks in the middle of a large file are not expanded.
func TestOnlyNeededBlocks(t *testing.T) {
	files := sampleFiles()
	p := open(t, debOf(t, ".xz", tarOf(t, files)), Options{})
	list, err := p.File(files[7].path) // beyond all large files
	if err != nil || list.Size() != int64(len(files[6].content)) {
		t.Fatal(err)
	}
	s := p.Stats()
	// 440,000 bytes in blocks of 30,000, of which those with headers are expanded.
	if s.Blocks < 14 || s.Used > 6 {
		t.Errorf("%+v: expected at most 6 blocks to be expanded of at least 14", s)
	}
}

// TestFileCutShortByOthers: the panic of a mapped file comes to who reads, not to a
// goroutine where nobody recovers from it.
func TestFileCutShortByOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // nothing is mapped there
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	for ending := range packings {
		deb := debOf(t, ending, tarOf(t, sampleFiles()))
		path := filepath.Join(t.TempDir(), "a.deb")
		if err := os.WriteFile(path, deb, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		file, err := memory.MapFile(f, int64(len(deb)))
		if err != nil {
			t.Fatal(err)
		}
		p := open(t, file, Options{Workers: 4})
		if err := f.Truncate(2 * int64(os.Getpagesize())); err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if _, ok := recover().(runtime.Error); !ok {
					t.Errorf("data.tar%s: no panic", ending)
				}
			}()
			_, err := content(p, "usr/lib/debug/boot/vmlinux-"+release)
			t.Logf("data.tar%s: error %v", ending, err)
		}()
	}
}
