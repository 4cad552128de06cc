package kernelpkg

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
	uxz "github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// sampleFile is a file of a package that is made up.
type sampleFile struct {
	path    string
	mode    fs.FileMode
	link    string
	content []byte
}

const release = "6.1.0-9-made-up"

// sampleFiles has what kernel packages have.
func sampleFiles() []sampleFile {
	rnd := rand.New(rand.NewPCG(5, 6))
	bytesOf := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rnd.IntN(20))
		}
		return b
	}
	return []sampleFile{
		{path: "boot", mode: fs.ModeDir | 0o755},
		{path: "boot/System.map-" + release, mode: 0o600, content: bytesOf(3)},
		{path: "boot/empty", mode: 0o600},
		{path: "boot/vmlinuz-" + release, mode: 0o644, content: bytesOf(100_001)},
		{path: "lib/modules/" + release + "/kernel/drivers/net/dummy-net.ko", mode: 0o644, content: bytesOf(40_000)},
		{path: "lib/modules/" + release + "/kernel/fs/very/long/name/" + string(bytes.Repeat([]byte("n"), 90)) + "/long.ko.xz", mode: 0o644, content: bytesOf(512)},
		{path: "usr/lib/debug/boot/vmlinux-" + release, mode: 0o755, content: bytesOf(300_000)},
		{path: "usr/lib/debug/vmlinux-" + release, mode: fs.ModeSymlink | 0o777, link: "boot/vmlinux-" + release},
		{path: "vmlinuz", mode: fs.ModeSymlink | 0o777, link: "/boot/vmlinuz-" + release},
	}
}

// packings are the compressions by the endings of file names, as Go can write them.
var packings = map[string]func(w io.Writer) (io.WriteCloser, error){
	"":     func(w io.Writer) (io.WriteCloser, error) { return keepOpen{w}, nil },
	".gz":  func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
	".zst": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
	".xz": func(w io.Writer) (io.WriteCloser, error) {
		return uxz.WriterConfig{BlockSize: 30_000}.NewWriter(w)
	},
	".lzma": func(w io.Writer) (io.WriteCloser, error) { return lzma.NewWriter(w) },
}

type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

func packed(t testing.TB, ending string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := packings[ending](&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// arMember is one file of a Unix archive.
func arMember(name string, content []byte) []byte {
	b := fmt.Appendf(nil, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", len(content))
	b = append(b, content...)
	if len(content)%2 != 0 {
		b = append(b, '\n')
	}
	return b
}

func tarOf(t testing.TB, files []sampleFile) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: "./" + f.path, Mode: int64(f.mode.Perm()), Size: int64(len(f.content)), Typeflag: tar.TypeReg, Linkname: f.link}
		switch {
		case f.mode.IsDir():
			h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
		case f.mode&fs.ModeSymlink != 0:
			h.Typeflag = tar.TypeSymlink
		case f.link != "":
			h.Typeflag = tar.TypeLink
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const sampleControl = `Package: linux-image-` + release + `
Source: linux (6.1.9-1)
Version: 1:6.1.9-2
Architecture: amd64
Maintainer: Nobody <nobody@example.org>
Description: a kernel
 Version: not this one
Homepage: https://example.org/
`

func debOf(t testing.TB, ending string, data []byte) []byte {
	t.Helper()
	control := tarOf(t, []sampleFile{{path: "md5sums", mode: 0o644}, {path: "control", mode: 0o644, content: []byte(sampleControl)}})
	controlEnding := ending
	if ending == ".lzma" {
		controlEnding = ".gz" // dpkg never wrote another with it
	}
	return bytes.Join([][]byte{
		[]byte(arMagic),
		arMember(debMember, []byte("2.0\n")),
		arMember("control.tar"+controlEnding, packed(t, controlEnding, control)),
		arMember("data.tar"+ending+"/", packed(t, ending, data)),
	}, nil)
}
