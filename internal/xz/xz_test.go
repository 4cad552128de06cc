package xz

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	mxz "github.com/mikelolasagasti/xz"
	uxz "github.com/ulikunitz/xz"
	ulzma "github.com/ulikunitz/xz/lzma"

	"github.com/btfgen/btfgen/internal/need"
)

// sample makes bytes with long and short matches at short and long distances,
// and stretches that do not compress.
func sample(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	var b []byte
	for len(b) < n {
		switch k := rnd.IntN(4); {
		case k == 0 || len(b) == 0:
			for range 1 + rnd.IntN(60) {
				b = append(b, byte(rnd.Uint32()))
			}
		case k == 1:
			b = append(b, bytes.Repeat([]byte{byte(k)}, 1+rnd.IntN(900))...)
		default:
			at := rnd.IntN(len(b))
			b = append(b, b[at:min(len(b), at+2+rnd.IntN(400))]...)
		}
	}
	return b[:n]
}

func pack(t testing.TB, config uxz.WriterConfig, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := config.NewWriter(&b)
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

func expand(d *Decoder, file []byte) ([]byte, error) {
	size, err := d.Size(file)
	if err != nil {
		return nil, err
	}
	if size > 64<<20 {
		return nil, errors.New("too large for a test")
	}
	dst := make([]byte, size)
	return dst, d.Expand(dst, file)
}

func TestExpand(t *testing.T) {
	var d Decoder
	text := sample(300_000)
	random := make([]byte, 200_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)
	plain := pack(t, uxz.WriterConfig{}, text)
	for _, test := range []struct {
		name       string
		file, want []byte
	}{
		{"mixed", plain, text},
		{"empty", pack(t, uxz.WriterConfig{}, nil), nil},
		{"one byte", pack(t, uxz.WriterConfig{}, []byte{7}), []byte{7}},
		{"zeros", pack(t, uxz.WriterConfig{}, make([]byte, 5_000_000)), make([]byte, 5_000_000)},
		{"incompressible", pack(t, uxz.WriterConfig{}, random), random},
		{"CRC32", pack(t, uxz.WriterConfig{CheckSum: uxz.CRC32}, text), text},
		{"SHA-256", pack(t, uxz.WriterConfig{CheckSum: uxz.SHA256}, text), text},
		{"no check", pack(t, uxz.WriterConfig{NoCheckSum: true}, text), text},
		{"no check, tiny", pack(t, uxz.WriterConfig{NoCheckSum: true}, []byte("abc")), []byte("abc")},
		{"blocks", pack(t, uxz.WriterConfig{BlockSize: 10_001}, text), text},
		{"small dictionary", pack(t, uxz.WriterConfig{DictCap: 4096}, text), text},
		{"streams", append(bytes.Clone(plain), plain...), append(bytes.Clone(text), text...)},
		{"streams with padding", append(append(append(bytes.Clone(plain), 0, 0, 0, 0), plain...), make([]byte, 8)...), append(bytes.Clone(text), text...)},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := expand(&d, test.file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, test.want) {
				t.Fatal("other bytes than were packed")
			}
		})
	}
}

// TestXZ expands what the xz program writes with its more unusual settings.
func TestXZ(t *testing.T) {
	xz := need.Tool(t, "xz")
	content := sample(200_000)
	var d Decoder
	for _, test := range []struct {
		args        string
		unsupported bool
	}{
		{args: "-0"},
		{args: "-9e"},
		{args: "--lzma2=dict=4KiB"},
		{args: "--lzma2=dict=1GiB"}, // costs nothing: the output is the dictionary
		{args: "--lzma2=lc=0,lp=4,pb=0"},
		{args: "--lzma2=lc=4,lp=0,pb=4"},
		{args: "--lzma2=lc=1,lp=2,pb=1,nice=5,mf=hc3,mode=fast"},
		{args: "--block-size=30000 -T2"},
		{args: "--check=none"},
		{args: "--delta=dist=4 --lzma2", unsupported: true},
		{args: "--x86 --lzma2"},
		{args: "--ia64 --lzma2", unsupported: true},
	} {
		t.Run(test.args, func(t *testing.T) {
			cmd := exec.Command(xz, append(strings.Fields(test.args), "-c", "--no-warn")...)
			cmd.Stdin = bytes.NewReader(content)
			file, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			got, err := expand(&d, file)
			if test.unsupported {
				if !errors.Is(err, ErrUnsupported) {
					t.Fatalf("error %v, expected %v", err, ErrUnsupported)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, content) {
				t.Fatal("other bytes than were packed")
			}
		})
	}
}

func TestDamaged(t *testing.T) {
	content := sample(3000)
	file := pack(t, uxz.WriterConfig{BlockSize: 1700}, content)
	var d Decoder
	for n := range file {
		if _, err := expand(&d, file[:n]); err == nil {
			t.Errorf("no error for the first %d of %d bytes", n, len(file))
		}
	}
	for i := range file {
		for bit := range 8 {
			damaged := bytes.Clone(file)
			damaged[i] ^= 1 << bit
			got, err := expand(&d, damaged)
			// The dictionary size is under the header's checksum, so no
			// flipped bit may pass.
			if err == nil {
				t.Errorf("no error for bit %d of byte %d (same content: %t)", bit, i, bytes.Equal(got, content))
			}
		}
	}
	if got, err := expand(&d, file); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("the decoder is spoilt by damaged files: %v", err)
	}
}

// TestExpandNoAllocation holds for a decoder that has seen a file before.
func TestExpandNoAllocation(t *testing.T) {
	file := pack(t, uxz.WriterConfig{}, sample(10_000))
	var d Decoder
	dst, err := expand(&d, file)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { err = d.Expand(dst, file) }); n != 0 || err != nil {
		t.Errorf("%v allocations, error %v", n, err)
	}
}

// FuzzExpand: no panic, and what is accepted is what another decoder gives.
func FuzzExpand(f *testing.F) {
	for _, config := range []uxz.WriterConfig{{}, {NoCheckSum: true}, {CheckSum: uxz.SHA256}, {BlockSize: 100}} {
		f.Add(pack(f, config, sample(300)))
		f.Add(pack(f, config, make([]byte, 2000)))
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, file []byte) {
		if size, err := d.Size(file); err != nil || size > 1<<20 {
			return
		}
		got, err := expand(&d, file)
		if err != nil {
			return
		}
		z, err := mxz.NewReader(bytes.NewReader(file), 0)
		if errors.Is(err, mxz.ErrMemlimit) {
			return // we need no dictionary
		}
		if err != nil {
			t.Fatalf("accepted, but: %v", err)
		}
		want, err := io.ReadAll(z)
		if errors.Is(err, mxz.ErrMemlimit) {
			return
		}
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, another decoder says %d and %v", len(got), len(want), err)
		}
	})
}

// FuzzLZMA2 goes past the checksums that keep FuzzExpand out: no panic, and
// what is accepted is what another decoder gives.
func FuzzLZMA2(f *testing.F) {
	for _, content := range [][]byte{sample(300), make([]byte, 2000), sample(70_000)[65_000:]} {
		var b bytes.Buffer
		w, err := ulzma.NewWriter2(&b)
		if err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			f.Fatal(err)
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes(), uint16(len(content)))
	}
	var d Decoder
	const dictSize = 8 << 20
	f.Fuzz(func(t *testing.T, file []byte, size uint16) {
		got := make([]byte, size)
		if d.expandChunks(got, file, 0, int64(len(file)), dictSize, &sum{}) != nil {
			return
		}
		r, err := ulzma.Reader2Config{DictCap: dictSize}.NewReader2(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, another decoder says %d and %v", len(got), len(want), err)
		}
	})
}

func BenchmarkExpand(b *testing.B) {
	content := sample(4 << 20)
	file := pack(b, uxz.WriterConfig{}, content)
	dst := make([]byte, len(content))
	b.Run("this", func(b *testing.B) {
		var d Decoder
		b.SetBytes(int64(len(dst)))
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Expand(dst, file); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("mikelolasagasti", func(b *testing.B) {
		z, err := mxz.NewReader(bytes.NewReader(file), 0)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(dst)))
		b.ReportAllocs()
		for b.Loop() {
			if err := z.Reset(bytes.NewReader(file)); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(z, dst); err != nil {
				b.Fatal(err)
			}
			if _, err := z.Read(dst[:1]); !errors.Is(err, io.EOF) {
				b.Fatal(err)
			}
		}
	})
}
