package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

// use asks an image for everything.
func use(i *Image) ([]byte, error) {
	i.Kind()
	i.Arch()
	_, _ = i.Banner()
	_, _ = i.Modinfo()
	types, _, err := i.BTF(Options{})
	return types, err
}

// Cut short, a file gives its types whole or not at all.
func TestTruncated(t *testing.T) {
	all := samples(t)
	for _, name := range []string{"raw", "vmlinux", "vmlinux, mips", "module", "arm64", "ELF wrapper", "vmlinux.gzip", "vmlinux.xz", "vmlinux.lz4", "vmlinux.zst", "vmlinux.bz2", "vmlinux.lzo", "vmlinux.lzma",
		"bzImage vmlinux.xz", "bzImage vmlinux.lz4", "bzImage vmlinux.lzo", "bzImage vmlinux.bz2", "bzImage gzip", "bzImage zstd", "zboot gzip"} {
		want, ok := all[name]
		if !ok {
			t.Fatalf("no sample %s", name)
		}
		cuts := 2000
		if testing.Short() {
			cuts = 50 // the race detector makes it slow
		}
		for n := 0; n < len(want.file); n += 1 + len(want.file)/cuts {
			types, err := use(New(name, want.file[:n:n], MaxBytes(1<<20)))
			if err == nil && !bytes.Equal(types, want.types) {
				t.Fatalf("%s: %d of %d bytes give other types", name, n, len(want.file))
			}
		}
	}
}

// A damaged file gives an error or types, and never panics.
func TestDamaged(t *testing.T) {
	for name, s := range samples(t) {
		if len(s.file) > 8000 {
			continue
		}
		b := bytes.Clone(s.file)
		for at := 0; at < len(b); at += 1 + min(at, len(b)/30) { // headers thoroughly
			b[at] ^= 0xff
			_, _ = use(New(name, b, MaxBytes(1<<20)))
			b[at] ^= 0xff
		}
	}
}

func TestLyingHeaders(t *testing.T) {
	vmlinux := sampleVmlinux(t)
	word := func(b []byte, at int, v uint32) []byte {
		b = bytes.Clone(b)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	image := bzImage(compress(t, formatGzip, vmlinux))
	boot := zboot(compress(t, formatZstd, vmlinux), 0x8664)
	// A payload that the header places outside is still found by its magic.
	for name, file := range map[string][]byte{
		"offset of a bzImage": word(image, 0x248, 1<<31),
		"size of a bzImage":   word(image, 0x24c, 1<<31),
		"no payload":          word(image, 0x24c, 0),
		"offset of a zboot":   word(boot, 8, 1<<32-1),
		"size of a zboot":     word(boot, 12, 1<<32-1),
		"expanded size":       bzImage(withSize(compress(t, formatGzip, vmlinux), 1<<31-1)),
		"expanded size of 1":  bzImage(withSize(compress(t, formatZstd, vmlinux), 1)),
	} {
		if types, err := use(New(name, file)); err != nil || !bytes.Equal(types, sampleTypes(t, binary.LittleEndian)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The version is outside, or has no end.
	for _, at := range []uint32{0x0fff, 0x7fff0000, 0xfdff} {
		i := New("version", word(image, 0x20e, at|binary.LittleEndian.Uint32(image[0x20e:])&0xffff0000))
		if banner, err := i.Banner(); err != nil || banner != sampleBanner {
			t.Errorf("version at %#x: %q, %v", at, banner, err)
		}
	}
	lzo, err := os.ReadFile(filepath.Join("testdata", "vmlinux.lzo"))
	if err != nil {
		t.Fatal(err)
	}
	at, _, err := lzopHeader(lzo)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []uint32{1 << 26, 1<<26 + 1, 1<<32 - 1} {
		b := bytes.Clone(lzo)
		binary.BigEndian.PutUint32(b[at:], size)
		if _, err := use(New("lzo", b)); err == nil {
			t.Errorf("a block of %d bytes is accepted", size)
		}
	}
}

// zeros yields n zeros.
type zeros struct{ n int64 }

func (z *zeros) Read(b []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(b)), z.n)
	clear(b[:n])
	z.n -= n
	return int(n), nil
}

// What expands to far more than it may is given up, at a cost in step with the
// limit.
func TestBombs(t *testing.T) {
	const limit, size = 1 << 20, 20 << 20
	formats := written
	if testing.Short() {
		formats = []format{formatGzip, formatZstd} // lzma takes the race detector long to write
	}
	for _, f := range formats {
		bomb := writeFrom(t, f, &zeros{size})
		for name, file := range map[string][]byte{
			"file":    bomb,
			"payload": bzImage(withSize(bomb, size)),
			"scanned": decompressor(armMagic, "\x18\x28\x6f\x01", bytes.Repeat(bomb, 30)),
		} {
			before := allocated()
			start := time.Now()
			if _, err := use(New(name, file, MaxBytes(limit))); err == nil {
				t.Errorf("%v %s: accepted", f, name)
			}
			// Doubling a buffer takes twice its size, and an lz4 block 8 MiB.
			if n := allocated() - before; n > 3*limit*(maxDepth+1)+16<<20 {
				t.Errorf("%v %s: %d bytes allocated with a limit of %d", f, name, n, limit)
			}
			if d := time.Since(start); d > 20*time.Second {
				t.Errorf("%v %s: took %v", f, name, d)
			}
		}
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// Thousands of things that look like streams are not all tried.
func TestManyFalseStreams(t *testing.T) {
	for _, one := range [][]byte{
		compress(t, formatGzip, make([]byte, 100_000))[:60],
		compress(t, formatLZMA, make([]byte, 1<<20))[:30],
		append([]byte("\x28\xb5\x2f\xfd\xa4\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00"), 3, 0, 0),
		[]byte("BZh91AY&SY 0123456789"),
	} {
		start := time.Now()
		b := append([]byte("?"), bytes.Repeat(one, 1<<20/len(one))...)
		if _, err := use(New("many", b, MaxBytes(64<<20))); err == nil {
			t.Error("accepted")
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("took %v", d)
		}
	}
	// Nested ones neither.
	b := sampleVmlinux(t)
	for range 20 {
		b = compress(t, formatGzip, b)
	}
	if _, err := use(New("nested", b)); err == nil {
		t.Error("wrapped twenty times: accepted")
	}
}

// A file that is cut short while it is mapped is an error.
func TestChangedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vmlinux")
	file := append(sampleVmlinux(t), make([]byte, 2*mapFrom)...)
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	i, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if i.mapped == nil {
		return // this system maps nothing
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.BTF(Options{}); !errors.Is(err, ErrChanged) {
		t.Errorf("error %v, expected %v", err, ErrChanged)
	}
	if _, err := i.Banner(); !errors.Is(err, ErrChanged) {
		t.Errorf("banner: error %v, expected %v", err, ErrChanged)
	}
}

func FuzzOpen(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.file)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.CopyN(w, &zeros{1 << 20}, 1<<20); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(bzImage(b.Bytes()))
	f.Fuzz(func(t *testing.T, b []byte) {
		i := New("fuzz", b, MaxBytes(1<<20), Workers(1))
		types, err := use(i)
		if err == nil && len(types) == 0 {
			t.Fatal("no types, and no error")
		}
		// Asked again, it says the same.
		again, _, err2 := i.BTF(Options{})
		if (err == nil) != (err2 == nil) || !bytes.Equal(types, again) {
			t.Fatalf("%d bytes, %v; then %d bytes, %v", len(types), err, len(again), err2)
		}
	})
}

// FuzzLZO has blocks expanded whatever is in them.
func FuzzLZO(f *testing.F) {
	b, err := os.ReadFile(filepath.Join("testdata", "vmlinux.lzo"))
	if err != nil {
		f.Fatal(err)
	}
	if err := lzopBlocks(b, func(block []byte, n, _ int) error {
		f.Add(block, uint16(n))
		return nil
	}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(_ *testing.T, b []byte, n uint16) { lzo1x(make([]byte, n), b) })
}
