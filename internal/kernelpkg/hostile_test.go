package kernelpkg

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/internal/elffile"
	"github.com/btfgen/btfgen/internal/need"
)

// readAll does with a package all that can be done, and returns the first error.
func readAll(file []byte, o Options) error {
	p, err := Open(file, o)
	if err != nil {
		return err
	}
	defer p.Close()
	_ = p.Info()
	var first error
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	for k, err := range p.KernelFiles() {
		note(err)
		_ = k
	}
	for e, err := range p.Files() {
		note(err)
		if err != nil || e.Mode.IsDir() {
			continue
		}
		f, err := p.File(e.Path)
		note(err)
		if err != nil {
			continue
		}
		_, err = f.Slices([]elffile.Range{{Offset: f.Size() / 2, Size: f.Size() - f.Size()/2}, {Offset: 0, Size: f.Size() / 3}})
		note(err)
	}
	return first
}

// bounded runs f and fails if that takes long or much memory.
func bounded(t *testing.T, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 400<<20 {
		t.Errorf("%d MiB were allocated", grown>>20)
	}
	if took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestCutShort(t *testing.T) {
	files := sampleFiles()
	for i := range files {
		files[i].content = files[i].content[:min(len(files[i].content), 700)]
	}
	for ending := range packings {
		for _, file := range [][]byte{debOf(t, ending, tarOf(t, files)), rpmOf(t, files, rpmSample{ending: ending}), rpmOf(t, files, rpmSample{ending: ending, stripped: true})} {
			if err := readAll(file, Options{Workers: 2}); err != nil {
				t.Fatal(err)
			}
			// The last bytes are padding or checksums that need not be read.
			step := 1 + len(file)/300
			for n := 0; n < len(file)*3/4; n += step {
				if readAll(file[:n], Options{}) == nil {
					t.Errorf("%s: no error for the first %d of %d bytes", ending, n, len(file))
				}
			}
		}
	}
}

// TestBombs: what is small and says, or becomes, much.
func TestBombs(t *testing.T) {
	need.Long(t)
	zeros := make([]byte, 150<<20)
	claims := func(size int64) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&tar.Header{Name: "boot/vmlinux-1", Mode: 0o644, Size: size}); err != nil {
			t.Fatal(err)
		}
		return append(b.Bytes(), make([]byte, 5000)...)
	}
	vmlinux := sampleFile{path: "boot/vmlinux-1", mode: 0o644}
	rpmClaims := func(ending string, size uint64) []byte {
		tags := slices.DeleteFunc(rpmTags([]sampleFile{vmlinux}, rpmSample{ending: ending}), func(t rpmTag) bool { return t.tag == tagFileSizes })
		tags = append(tags, rpmTag{tagLongFileSizes, []uint64{size}})
		return rpmWith(tags, packed(t, ending, cpioOf([]sampleFile{vmlinux}, rpmSample{stripped: true})))
	}
	many := []rpmTag{{tagDirnames, []string{"/"}}, {tagBasenames, strings.Split(strings.Repeat("/", maxEntries+1), "/")}}
	for _, test := range []struct {
		name string
		file func() []byte
		want error
	}{
		{"gzip", func() []byte { return debOf(t, ".gz", zeros) }, nil},
		{"gzip, one large file", func() []byte {
			return debOf(t, ".gz", tarOf(t, []sampleFile{{path: "boot/vmlinux-1", mode: 0o644, content: zeros}}))
		}, ErrTooLarge},
		{"zstd, one large file", func() []byte {
			return debOf(t, ".zst", tarOf(t, []sampleFile{{path: "boot/vmlinux-1", mode: 0o644, content: zeros}}))
		}, ErrTooLarge},
		{"tar that claims 7 TiB", func() []byte { return debOf(t, "", claims(7<<40)) }, ErrCorrupt},
		{"tar.xz that claims 7 TiB", func() []byte { return debOf(t, ".xz", claims(7<<40)) }, ErrCorrupt},
		{"tar.gz that claims 7 TiB", func() []byte { return debOf(t, ".gz", claims(7<<40)) }, ErrCorrupt},
		{"tar that claims 8 EiB", func() []byte { return debOf(t, ".gz", claims(1<<63-1)) }, ErrCorrupt},
		{"tar.zst that claims 60 MiB", func() []byte { return debOf(t, ".zst", claims(60<<20)) }, ErrCorrupt},
		{"rpm that claims 8 EiB", func() []byte { return rpmClaims(".zst", 1<<63-1) }, ErrCorrupt},
		{"rpm that claims 1 TiB", func() []byte { return rpmClaims(".gz", 1<<40) }, ErrCorrupt},
		{"rpm of a negative size", func() []byte { return rpmClaims(".gz", 1<<63) }, ErrCorrupt},
		{"rpm with too many files", func() []byte { return rpmWith(many, packed(t, ".gz", nil)) }, ErrTooLarge},
		{"rpm with a long path", func() []byte {
			return rpmWith([]rpmTag{{tagDirnames, []string{strings.Repeat("/x", maxPath)}}, {tagBasenames, []string{"y"}}}, packed(t, ".gz", nil))
		}, ErrCorrupt},
		{"rpm with 4 G entries", func() []byte {
			return append(append(append([]byte(rpmMagic), make([]byte, rpmLeadSize-4)...), rpmHeaderMagic...), bytes.Repeat([]byte{255}, 100)...)
		}, ErrCorrupt},
		{"large dictionary", func() []byte {
			return rpmWith([]rpmTag{{tagPayloadCompressor, "lzma"}, {tagBasenames, []string{"y"}}, {tagDirnames, []string{"/"}}, {tagFileModes, []uint16{0o100644}}, {tagFileSizes, []uint32{5}}},
				append([]byte{0x5d, 0xff, 0xff, 0xff, 0xff}, make([]byte, 50)...))
		}, ErrUnsupported},
		{"a member that claims too much", func() []byte {
			return []byte(arMagic + fmt.Sprintf("%-48s%-10d`\n2.0\n", debMember, int64(9999999999)))
		}, ErrCorrupt},
		{"a long list of members", func() []byte {
			return append([]byte(arMagic), bytes.Repeat(arMember(debMember, []byte("2.0\n")), 1000)...)
		}, ErrCorrupt},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := test.file()
			bounded(t, func() {
				err := readAll(file, Options{Workers: 2})
				if !errors.Is(err, test.want) {
					t.Errorf("error %v, expected %v", err, test.want)
				}
				if err != nil && strings.Contains(err.Error(), "\n") {
					t.Errorf("an error of several lines: %q", err)
				}
			})
		})
	}
}

// TestLimits: what the caller allows.
func TestLimits(t *testing.T) {
	need.Long(t)
	files := sampleFiles()
	data := tarOf(t, files)
	for ending := range packings {
		deb := debOf(t, ending, data)
		if err := readAll(deb, Options{MaxRead: 200_000}); !errors.Is(err, ErrTooLarge) && ending != "" {
			t.Errorf("%s: a limit for one call: error %v, expected %v", ending, err, ErrTooLarge)
		}
		if err := readAll(deb, Options{MaxBytes: 400_000}); !errors.Is(err, ErrTooLarge) && ending != "" {
			t.Errorf("%s: a limit for the archive: error %v, expected %v", ending, err, ErrTooLarge)
		}
		if err := readAll(deb, Options{MaxRead: 250_000, MaxBytes: int64(len(data))}); err != nil {
			t.Errorf("%s: within the limits: %v", ending, err)
		}
	}
}

func TestLinkLoops(t *testing.T) {
	link := func(path, to string) sampleFile {
		return sampleFile{path: path, mode: fs.ModeSymlink | 0o777, link: to}
	}
	files := []sampleFile{link("a", "b"), link("b", "a"), link("self", "self"), link("up", "../../../../etc/passwd"), link("none", ""), {path: "hard", mode: 0o644, link: "hard"}}
	for i := range maxLinks + 1 {
		files = append(files, link(fmt.Sprint("l", i), fmt.Sprint("l", i+1)))
	}
	p := open(t, debOf(t, ".gz", tarOf(t, files)), Options{})
	for _, path := range []string{"a", "self", "hard", "l0"} {
		if _, err := p.File(path); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: error %v, expected %v", path, err, ErrCorrupt)
		}
	}
	for _, path := range []string{"up", fmt.Sprint("l", maxLinks-1)} {
		if _, err := p.File(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: error %v, expected %v", path, err, fs.ErrNotExist)
		}
	}
}

func TestNoPackage(t *testing.T) {
	for name, file := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "other archive": append([]byte(arMagic), arMember("x.o/", []byte("y"))...), "magic": []byte(arMagic),
	} {
		if _, err := Open(file, Options{}); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: error %v, expected %v", name, err, ErrFormat)
		}
		if Is(file) {
			t.Errorf("%s: taken for a package", name)
		}
	}
	for name, file := range map[string][]byte{
		"old": slices.Concat([]byte(arMagic), arMember(debMember, []byte("0.939000\n")), arMember("data.tar.gz", nil)),
		"unknown": slices.Concat([]byte(arMagic), arMember(debMember, []byte("2.0\n")), arMember("control.tar.gz", packed(t, ".gz", tarOf(t, []sampleFile{{path: "control"}}))),
			arMember("data.tar.what", []byte("what?"))),
		"delta": rpmWith([]rpmTag{{tagPayloadFormat, "drpm"}}, nil),
	} {
		if _, err := Open(file, Options{}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: error %v, expected %v", name, err, ErrUnsupported)
		}
		if !Is(file) {
			t.Errorf("%s: not taken for a package", name)
		}
	}
}

func TestSparse(t *testing.T) {
	b := tarOf(t, []sampleFile{{path: "boot/vmlinux-1", mode: 0o644, content: []byte("x")}})
	b[156] = tar.TypeGNUSparse
	copy(b[257:], "ustar  \x00") // GNU's magic
	sum := 0
	copy(b[148:], "        ")
	for _, c := range b[:512] {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	p := open(t, debOf(t, "", b), Options{})
	if _, err := p.File("boot/vmlinux-1"); !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrCorrupt) {
		t.Errorf("error %v, expected %v", err, ErrUnsupported)
	}
}
