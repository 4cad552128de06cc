package hub

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/btfgen/btfgen/btf"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	uxz "github.com/ulikunitz/xz"
)

// fakeBTF begins like BTF and has n bytes.
func fakeBTF(n int) []byte {
	b := []byte{0x9f, 0xeb}
	for i := 2; i < n; i++ {
		b = append(b, byte(i*i>>3))
	}
	return b
}

func packWith(t testing.TB, content []byte, writer func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := writer(&b)
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

func packXZ(t testing.TB, content []byte) []byte {
	return packWith(t, content, func(w io.Writer) (io.WriteCloser, error) { return uxz.NewWriter(w) })
}

func packGzip(t testing.TB, content []byte) []byte {
	return packWith(t, content, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
}

// packZstd writes no size into the frame, as zstd does from a pipe.
func packZstd(t testing.TB, content []byte) []byte {
	return packWith(t, content, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
}

// packZstdSized writes the size into the frame, as zstd does from a file.
func packZstdSized(t testing.TB, content []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(content, nil)
}

func packTar(t testing.TB, format tar.Format, entries ...tar.Header) []byte {
	return packTarContent(t, format, fakeBTF(700), entries...)
}

// packTarContent gives every regular file the same content.
func packTarContent(t testing.TB, format tar.Format, content []byte, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		h.Format, h.Mode = format, 0o644
		if h.Typeflag == 0 || h.Typeflag == tar.TypeReg {
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(content); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// load writes content to a file and loads it as a single-file source.
func load(t testing.TB, r *Reader, name string, content []byte) ([]byte, error) {
	t.Helper()
	return loadFile(t, r, write(t, t.TempDir(), name, content))
}

func loadFile(t testing.TB, r *Reader, file string) ([]byte, error) {
	t.Helper()
	kernels, _, err := open(t, file).Kernels()
	if err != nil {
		t.Fatal(err)
	}
	types, err := kernels[0].Load(r)
	return types.Vmlinux, err
}

func TestLoad(t *testing.T) {
	want := fakeBTF(700)
	tarred := packTar(t, tar.FormatGNU, tar.Header{Name: "k.btf"})
	long := strings.Repeat("long/", 60) + "k.btf"
	v7 := bytes.Clone(packTar(t, tar.FormatUSTAR, tar.Header{Name: "k.btf"}))
	copy(v7[257:], make([]byte, 8)) // no magic, as in archives before POSIX
	copy(v7[148:156], "        ")
	sum := 0
	for _, b := range v7[:512] {
		sum += int(b)
	}
	copy(v7[148:], fmt.Sprintf("%06o\x00 ", sum))
	r := NewReader() // one for all: what is left in its buffers must not show
	for _, test := range []struct {
		name    string
		content []byte
	}{
		{"k.btf", want},
		{"k.btf.xz", packXZ(t, want)},
		{"k.btf.gz", packGzip(t, want)},
		{"k.btf.zst", packZstd(t, want)},
		{"k.btf.zst", packZstdSized(t, want)},
		{"k.btf.tar", tarred},
		{"k.btf.tar.xz", packXZ(t, tarred)},
		{"k.btf.tar.gz", packGzip(t, tarred)},
		{"k.btf.tar.zst", packZstd(t, tarred)},
		{"misnamed.btf.tar.xz", packGzip(t, tarred)},
		{"misnamed.btf.xz", want},
		{"misnamed", packXZ(t, tarred)},
		{"v7.btf.tar", v7},
		{"members.btf.gz", append(packGzip(t, want[:300]), packGzip(t, want[300:])...)},
		{"streams.btf.xz", append(packXZ(t, want[:300]), packXZ(t, want[300:])...)},
		{"frames.btf.zst", append(packZstdSized(t, want[:300]), packZstdSized(t, want[300:])...)},
		{"other-name.btf.tar", packTar(t, tar.FormatUSTAR, tar.Header{Name: "k.btf"})},
		{"dot-dot.btf.tar", packTar(t, tar.FormatGNU, tar.Header{Name: "../../../etc/k.btf"})},
		{"absolute.btf.tar", packTar(t, tar.FormatGNU, tar.Header{Name: "/etc/k.btf"})},
		{"long-gnu.btf.tar", packTar(t, tar.FormatGNU, tar.Header{Name: long})},
		{"long-pax.btf.tar", packTar(t, tar.FormatPAX, tar.Header{Name: long, PAXRecords: map[string]string{"SCHILY.xattr.user.x": "y"}})},
		{"no-ext.btf.tar", packTar(t, tar.FormatGNU, tar.Header{Name: "vmlinux"})},
		{"mac.btf.tar", packTar(t, tar.FormatGNU, tar.Header{Name: "./._k.btf"}, tar.Header{Name: "./k.btf"})},
		{"others.btf.tar", packTar(t, tar.FormatGNU,
			tar.Header{Name: "d/", Typeflag: tar.TypeDir},
			tar.Header{Name: "d/README"},
			tar.Header{Name: "d/link.btf", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
			tar.Header{Name: "d/hard.btf", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"},
			tar.Header{Name: "d/dev.btf", Typeflag: tar.TypeChar},
			tar.Header{Name: "d/k.btf"},
			tar.Header{Name: "d/SHA256SUMS"})},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := load(t, r, test.name, test.content)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%d bytes, not those that were packed (%d)", len(got), len(want))
			}
		})
	}
	if got, err := load(t, r, "big-endian.btf", []byte{0xeb, 0x9f, 1}); err != nil || len(got) != 3 {
		t.Errorf("big-endian: %x, %v", got, err)
	}
}

func TestLoadErrors(t *testing.T) {
	r := NewReader()
	big := fakeBTF(700)
	for _, test := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"empty.btf", nil, "empty file"},
		{"empty.btf.tar.xz", nil, "empty file"},
		{"text.btf", []byte("hello"), "not BTF: starts with 68 65 6c 6c"},
		{"short.btf", []byte{0x9f}, "not BTF: starts with 9f"},
		{"text.btf.xz", []byte("hello, world"), "not xz: starts with 68 65"},
		{"text.btf.tar.gz", []byte("hello, world"), "not gzip: starts with 68 65"},
		{"text.btf.zst", []byte("hello, world"), "not zstd: starts with 68 65"},
		{"inner.btf.xz", packXZ(t, []byte("hello")), "not BTF: starts with 68 65"},
		{"nothing.btf.xz", packXZ(t, nil), "not BTF: empty"},
		{"nothing.btf.gz", packGzip(t, nil), "not BTF: empty"},
		{"nothing.btf.zst", packZstdSized(t, nil), "not BTF: empty"},
		{"two.btf.tar", packTar(t, tar.FormatGNU, tar.Header{Name: "a.btf"}, tar.Header{Name: "b.btf"}), `2 .btf files in it, expected one: "a.btf", "b.btf"`},
		{"none.btf.tar", packTar(t, tar.FormatGNU, tar.Header{Name: "a"}, tar.Header{Name: "b"}), `no .btf file among the 2 in it: "a", "b"`},
		{"links.btf.tar", packTar(t, tar.FormatGNU, tar.Header{Name: "k.btf", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}), "no regular file among its 1 entries"},
		{"zeros.btf.tar", make([]byte, 1024), "no regular file among its 0 entries"},
		{"cut.btf.tar", packTar(t, tar.FormatGNU, tar.Header{Name: "k.btf"})[:900], "truncated"},
		{"text-in.btf.tar", packTarContent(t, tar.FormatGNU, []byte("hello"), tar.Header{Name: "k.btf"}), "not BTF: starts with 68 65"},
		{"nested.btf.gz", packGzip(t, packGzip(t, big)), "not BTF: starts with 1f 8b"},
		{"trailing.btf.xz", append(packXZ(t, big), "junk"...), "xz: "},
		{"trailing.btf.gz", append(packGzip(t, big), "junk"...), "gzip: "},
		{"trailing.btf.zst", append(packZstdSized(t, big), "junk"...), "zstd: "},
		{"cut.btf.gz", packGzip(t, big)[:200], "gzip: truncated"},
		{"bad-elf", []byte("\x7fELF, or is it"), "ELF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := load(t, r, test.name, test.content)
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), string(filepath.Separator)+test.name) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, expected one line with %q and the file's name", err, test.want)
			}
		})
	}
	if _, err := loadFile(t, r, os.DevNull); err == nil || !strings.Contains(err.Error(), "empty file") {
		t.Errorf("%s: %v", os.DevNull, err)
	}
	kernel := &Kernel{Path: filepath.Join(t.TempDir(), "gone.btf")}
	if _, err := kernel.Load(r); err == nil || strings.Count(err.Error(), "gone.btf") != 1 {
		t.Errorf("a file that is gone: %v", err)
	}
	kernel.Path = t.TempDir() // became a directory since the tree was listed
	if _, err := kernel.Load(r); err == nil {
		t.Error("a directory: no error")
	}
}

// TestDamagedArchives cuts archives at every byte and flips every bit. None may
// panic; and as all formats but tar carry a checksum, none may yield other bytes.
func TestDamagedArchives(t *testing.T) {
	want := fakeBTF(300)
	tarred := packTarContent(t, tar.FormatGNU, want, tar.Header{Name: "k.btf"})
	r := NewReader(MaxBytes(1 << 20))
	var buf buffer
	unpack := func(name string, file []byte) ([]byte, error) {
		return r.unpack(name, file, packingOf(file), treeFile, &buf)
	}
	for name, file := range map[string][]byte{
		"k.btf.tar.xz":  packXZ(t, tarred),
		"k.btf.tar.gz":  packGzip(t, tarred),
		"k.btf.tar.zst": packZstdSized(t, tarred),
		"k.btf.zst":     packZstd(t, want),
		"k.btf.tar":     tarred,
	} {
		checked := name != "k.btf.tar"
		content := 512 + len(want) // in a tar: what follows may be missing
		for n := range file {
			if got, err := unpack(name, file[:n]); err == nil && (checked || n < content || !bytes.Equal(got, want)) {
				t.Errorf("%s: no error for the first %d of %d bytes", name, n, len(file))
			}
		}
		for i := range file {
			for bit := range 8 {
				damaged := bytes.Clone(file)
				damaged[i] ^= 1 << bit
				got, err := unpack(name, damaged)
				if err == nil && checked && !bytes.Equal(got, want) {
					t.Errorf("%s: other bytes for bit %d of byte %d", name, bit, i)
				}
			}
		}
		if got, err := unpack(name, file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the Reader is spoilt by damaged files: %v", name, err)
		}
	}
}

// TestBombs: what expands without end stops at the limit, and takes no more
// memory than the limit allows.
func TestBombs(t *testing.T) {
	const limit = 4 << 20
	zeros := make([]byte, 2<<20)
	bomb := append(packXZ(t, zeros), packXZ(t, zeros)...)
	for range 9 {
		bomb = append(bomb, bomb...) // 2 GiB
	}
	gz := packGzip(t, zeros)
	gz = bytes.Repeat(gz, 1024)
	unsized := bytes.Repeat(packZstd(t, zeros), 1024)
	for _, test := range []struct {
		name    string
		content []byte
	}{
		{"bomb.btf.xz", bomb},
		{"bomb.btf.tar.gz", gz},
		{"bomb.btf.zst", unsized},
		{"sized.btf.zst", packZstdSized(t, make([]byte, 16<<20))},
		{"plain.btf", fakeBTF(limit + 1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := NewReader(MaxBytes(limit))
			file := write(t, t.TempDir(), test.name, test.content)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := loadFile(t, r, file)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("larger than the limit of %d bytes", limit)) {
				t.Fatalf("error %v", err)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 6*limit {
				t.Errorf("allocated %d bytes for a limit of %d", took, limit)
			}
		})
	}
	for _, n := range []int{limit, limit - 1} {
		r := NewReader(MaxBytes(limit))
		for name, pack := range map[string]func(testing.TB, []byte) []byte{"k.btf.xz": packXZ, "k.btf.gz": packGzip, "k.btf.zst": packZstd, "k.btf": func(_ testing.TB, b []byte) []byte { return b }} {
			if got, err := load(t, r, name, pack(t, fakeBTF(n))); err != nil || len(got) != n {
				t.Errorf("%s of %d bytes, within the limit: %d, %v", name, n, len(got), err)
			}
		}
	}
}

// TestPipe: a file without a size.
func TestPipe(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	want := fakeBTF(300_000)
	go func() {
		_, err := out.Write(want)
		if err := errors.Join(err, out.Close()); err != nil {
			t.Error(err)
		}
	}()
	var buf buffer
	got, err := NewReader().readAll(in, nil, unpacked, &buf)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

// TestChangingFile: a file that is written to while it is read.
func TestChangingFile(t *testing.T) {
	var buf buffer
	for _, test := range []struct {
		size int
		want string // of the error
	}{{6, ""}, {5, "grew past its 5 bytes"}, {7, "shrank from 7 to 6 bytes"}} {
		got, err := buf.readSized(iotest.OneByteReader(strings.NewReader("cdef")), []byte("ab"), test.size)
		switch {
		case test.want == "" && (err != nil || string(got) != "abcdef"):
			t.Errorf("%q, %v", got, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("size %d: error %v, expected %q", test.size, err, test.want)
		}
	}
}

// elfWith makes an ELF file with the one section .BTF.
func elfWith(t *testing.T, content []byte) []byte {
	t.Helper()
	const names = "\x00.BTF\x00.shstrtab\x00"
	at := uint64(64)
	namesAt := at + uint64(len(content))
	header := elf.Header64{
		Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_BPF), Version: 1, Shoff: namesAt + uint64(len(names)),
		Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 2,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA], header.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	var b bytes.Buffer
	for _, part := range []any{
		header, content, []byte(names),
		[]elf.Section64{
			{},
			{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: at, Size: uint64(len(content)), Addralign: 1},
			{Name: 6, Type: uint32(elf.SHT_STRTAB), Off: namesAt, Size: uint64(len(names)), Addralign: 1},
		},
	} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestLoadELF(t *testing.T) {
	want := fakeBTF(100)
	r := NewReader()
	file := elfWith(t, want)
	for name, content := range map[string][]byte{"vmlinux": file, "ext4.ko.xz": packXZ(t, file)} {
		if got, err := load(t, r, name, content); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	// In a tree it is not what the name says.
	root := t.TempDir()
	write(t, root, "a/k.btf", file)
	kernels, _, err := open(t, root).Kernels()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kernels[0].Load(r); err == nil || !strings.Contains(err.Error(), "not BTF: starts with 7f 45 4c 46") {
		t.Errorf("ELF in a tree: %v", err)
	}
}

// TestReaderReuse: loading a kernel that fits the buffers allocates little, and
// nothing that grows with the kernel.
func TestReaderReuse(t *testing.T) {
	dir := t.TempDir()
	content := packTarContent(t, tar.FormatGNU, fakeBTF(3<<20), tar.Header{Name: "k.btf"})
	for name, packed := range map[string][]byte{"a.btf.tar.xz": packXZ(t, content), "b.btf.tar.gz": packGzip(t, content), "c.btf.tar.zst": packZstdSized(t, content), "d.btf.tar": content} {
		write(t, dir, name, packed)
	}
	kernels, _, err := open(t, dir).Kernels()
	if err != nil {
		t.Fatal(err)
	}
	r := NewReader()
	round := func() {
		for _, k := range kernels {
			if _, err := k.Load(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	round()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	round()
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 300<<10 {
		t.Errorf("a second round allocates %d bytes", took)
	}
}

// FuzzReader: any bytes under any name give BTF or an error, within the limit.
func FuzzReader(f *testing.F) {
	want := fakeBTF(200)
	tarred := packTarContent(f, tar.FormatGNU, want, tar.Header{Name: "../k.btf"}, tar.Header{Name: "README"})
	for kind, file := range [][]byte{
		want, tarred, packXZ(f, tarred), packGzip(f, tarred), packZstd(f, tarred), packZstdSized(f, want),
		packTarContent(f, tar.FormatPAX, want, tar.Header{Name: strings.Repeat("x", 200) + ".btf"}),
		[]byte("\x7fELF"),
	} {
		f.Add(file, uint8(kind))
	}
	const limit = 1 << 16
	names := []string{"k.btf", "k.btf.tar", "k.btf.tar.xz", "k.btf.tar.gz", "k.btf.tar.zst", "k.btf.xz"}
	r := NewReader(MaxBytes(limit))
	var buf buffer
	f.Fuzz(func(t *testing.T, file []byte, kind uint8) {
		got, err := r.unpack(names[int(kind)%len(names)], file, packingOf(file), fileKind(kind>>7), &buf)
		if err != nil {
			return
		}
		if !btf.IsBTF(got) {
			t.Fatalf("not BTF: % x", got[:min(len(got), 4)])
		}
		if len(got) > max(limit, len(file)) {
			t.Fatalf("%d bytes, more than the limit", len(got))
		}
	})
}
