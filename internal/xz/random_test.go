package xz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	uxz "github.com/ulikunitz/xz"

	"github.com/btfgen/btfgen/internal/need"
)

// readRandomly compares ranges of the expanded bytes with want, again and again,
// so that blocks are gone on in, started again, and thrown out for others.
func readRandomly(t *testing.T, r *Reader, want []byte, rounds int) {
	t.Helper()
	if r.Size() != int64(len(want)) {
		t.Fatalf("size %d, expected %d", r.Size(), len(want))
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range rounds {
		parts := make([]Part, 1+rnd.IntN(4))
		for i := range parts {
			at := rnd.IntN(len(want) + 1)
			n := rnd.IntN(len(want) - at + 1)
			if rnd.IntN(2) == 0 {
				n = min(n, 600)
			}
			parts[i] = Part{int64(at), make([]byte, n)}
		}
		if err := r.Read(parts...); err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			if !bytes.Equal(p.Dst, want[p.Offset:p.Offset+int64(len(p.Dst))]) {
				t.Fatalf("other bytes than were packed in %d at offset %d", len(p.Dst), p.Offset)
			}
		}
	}
}

func TestRead(t *testing.T) {
	text := sample(300_000)
	plain := pack(t, uxz.WriterConfig{}, text)
	for _, test := range []struct {
		name       string
		file, want []byte
	}{
		{"one block", plain, text},
		{"blocks", pack(t, uxz.WriterConfig{BlockSize: 20_001}, text), text},
		{"SHA-256", pack(t, uxz.WriterConfig{BlockSize: 70_000, CheckSum: uxz.SHA256}, text), text},
		{"no check", pack(t, uxz.WriterConfig{BlockSize: 70_000, NoCheckSum: true}, text), text},
		{"empty", pack(t, uxz.WriterConfig{}, nil), nil},
		{"streams with padding", append(append(append(bytes.Clone(plain), 0, 0, 0, 0), plain...), make([]byte, 8)...), append(bytes.Clone(text), text...)},
		{"streams, one empty", append(append(bytes.Clone(plain), pack(t, uxz.WriterConfig{}, nil)...), plain...), append(bytes.Clone(text), text...)},
	} {
		for _, workers := range []int{1, 3} {
			t.Run(test.name, func(t *testing.T) {
				r, err := NewReader(test.file, workers)
				if err != nil {
					t.Fatal(err)
				}
				readRandomly(t, r, test.want, 30)
			})
		}
	}
}

// TestReadWindow is about blocks too large to be kept whole.
func TestReadWindow(t *testing.T) {
	text := sample(1 << 19)
	// Longer than the window, and with matches from far behind.
	want := bytes.Repeat(append(text, make([]byte, 5<<19)...), 11)
	for _, config := range []uxz.WriterConfig{{DictCap: 8 << 20}, {DictCap: 2 << 20, CheckSum: uxz.SHA256}} {
		r, err := NewReader(pack(t, config, want), 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.blocks) != 1 {
			t.Fatalf("%d blocks, expected one", len(r.blocks))
		}
		r.whole = 1 << 20
		at, n := len(want)-len(text)/2, 5000
		p := Part{int64(at), make([]byte, n)}
		near := Part{int64(at - 1<<18), make([]byte, n)}
		for range 2 {
			if err := r.Read(p); err != nil || !bytes.Equal(p.Dst, want[at:at+n]) {
				t.Fatalf("other bytes than were packed, error %v", err)
			}
			if err := r.Read(near); err != nil || !bytes.Equal(near.Dst, want[at-1<<18:][:n]) {
				t.Fatalf("other bytes than were packed, error %v", err)
			}
		}
		if r.stats.Expanded > int64(len(want)) {
			t.Errorf("%d bytes expanded for what lies in the window", r.stats.Expanded)
		}
		for _, s := range r.slots {
			if len(s.own) > 24<<20 {
				t.Errorf("a buffer of %d bytes", len(s.own))
			}
		}
		// Back to where there was a mark, and not to the beginning.
		r.Mark(int64(at))
		if err := r.Read(Part{0, make([]byte, 10)}); err != nil {
			t.Fatal(err)
		}
		before := r.stats.Expanded
		for range 2 {
			if err := r.Read(Part{int64(len(want) - 10), make([]byte, 10)}); err != nil {
				t.Fatal(err)
			}
			if err := r.Read(near); err != nil || !bytes.Equal(near.Dst, want[at-1<<18:][:n]) {
				t.Fatalf("other bytes than were packed, error %v", err)
			}
			if err := r.Read(Part{0, make([]byte, 10)}); err != nil {
				t.Fatal(err)
			}
		}
		if again := r.stats.Expanded - before; again > int64(len(text))+3*2*maxChunk {
			t.Errorf("%d bytes expanded after the mark", again)
		}
		readRandomly(t, r, want, 5)
	}
}

// TestReadOnlyWhatIsNeeded counts what is expanded.
func TestReadOnlyWhatIsNeeded(t *testing.T) {
	const size = 5 << 20
	text := bytes.Repeat(sample(size/5), 20)
	r, err := NewReader(pack(t, uxz.WriterConfig{BlockSize: size}, text), 2)
	if err != nil {
		t.Fatal(err)
	}
	part := func(at int64, n int) Part { return Part{at, make([]byte, n)} }
	for _, step := range []struct {
		parts []Part
		want  Stats // Expanded is an upper bound, in whole chunks
	}{
		{[]Part{part(0, 0)}, Stats{Blocks: 4}},
		{[]Part{part(size, 10)}, Stats{4, 1, maxChunk}},
		{[]Part{part(size+100, 10), part(size, 100)}, Stats{4, 1, maxChunk}},
		{[]Part{part(2*size-10, 20)}, Stats{4, 2, size + maxChunk}},
		{[]Part{part(2*size-10, 10), part(2*size, 10)}, Stats{4, 2, size + maxChunk}},
		{[]Part{part(3*size+1<<20, 10)}, Stats{4, 3, size + maxChunk + 1<<20 + maxChunk}},
	} {
		if err := r.Read(step.parts...); err != nil {
			t.Fatal(err)
		}
		got := r.Stats()
		if got.Blocks != step.want.Blocks || got.Used != step.want.Used || got.Expanded > step.want.Expanded {
			t.Errorf("%+v, expected no more than %+v", got, step.want)
		}
	}
}

// TestReadXZ reads what the xz program writes on several threads and on one.
func TestReadXZ(t *testing.T) {
	xz := need.Tool(t, "xz")
	content := sample(400_000)
	for _, args := range []string{"-0 -T1", "-T2 --block-size=30000", "--lzma2=lc=0,lp=4,pb=0 -T2 --block-size=100000"} {
		cmd := exec.Command(xz, append(strings.Fields(args), "-c", "--no-warn")...)
		cmd.Stdin = bytes.NewReader(content)
		file, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(file, 2)
		if err != nil {
			t.Fatal(err)
		}
		readRandomly(t, r, content, 20)
	}
}

func TestReadDamaged(t *testing.T) {
	content := sample(3000)
	file := pack(t, uxz.WriterConfig{BlockSize: 1700}, content)
	all := make([]byte, len(content))
	for i := range file {
		for bit := range 8 {
			damaged := bytes.Clone(file)
			damaged[i] ^= 1 << bit
			r, err := NewReader(damaged, 2)
			if err != nil || r.Size() != int64(len(all)) {
				continue
			}
			// In two steps, so that the blocks are gone on in.
			_ = r.Read(Part{10, make([]byte, 10)}, Part{2000, make([]byte, 10)})
			if err := r.Read(Part{0, all}); err == nil {
				t.Errorf("no error for bit %d of byte %d", bit, i)
			}
		}
	}
	r, err := NewReader(file, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []Part{{-1, nil}, {0, make([]byte, 3001)}, {3001, nil}, {1 << 62, make([]byte, 1)}} {
		if r.Read(p) == nil {
			t.Errorf("no error for %d bytes at offset %d", len(p.Dst), p.Offset)
		}
	}
}

// FuzzRead: whatever Expand accepts, random access reads the same, and what it
// refuses is refused here when all of it is read.
func FuzzRead(f *testing.F) {
	for _, config := range []uxz.WriterConfig{{}, {NoCheckSum: true}, {CheckSum: uxz.SHA256}, {BlockSize: 100}} {
		f.Add(pack(f, config, sample(300)), uint16(7), uint16(150))
		f.Add(pack(f, config, make([]byte, 2000)), uint16(1000), uint16(900))
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, file []byte, at, n uint16) {
		r, err := NewReader(file, 2)
		if size, sizeErr := d.Size(file); err == nil && (sizeErr != nil || size != r.Size()) {
			t.Fatalf("%d bytes, expected %d (%v)", r.Size(), size, sizeErr)
		}
		if err != nil || r.Size() > 1<<20 {
			return
		}
		want, wantErr := expand(&d, file)
		if int64(at) > r.Size() {
			at = uint16(r.Size())
		}
		n = uint16(min(int64(n), r.Size()-int64(at)))
		part := Part{int64(at), make([]byte, n)}
		partErr := r.Read(part)
		if errors.Is(partErr, ErrUnsupported) {
			return // a branch converter, which Expand knows
		}
		if wantErr == nil && (partErr != nil || !bytes.Equal(part.Dst, want[at:][:n])) {
			t.Fatalf("%d bytes at %d are others than Expand's (%v)", n, at, partErr)
		}
		all := make([]byte, r.Size())
		allErr := r.Read(Part{0, all})
		if errors.Is(allErr, ErrUnsupported) {
			return
		}
		if wantErr == nil && (allErr != nil || !bytes.Equal(all, want)) {
			t.Fatalf("all bytes are others than Expand's (%v)", allErr)
		}
		empty := false // a block of no bytes is never looked at
		for _, b := range r.blocks {
			empty = empty || b.expanded == 0
		}
		if wantErr != nil && allErr == nil && !empty {
			t.Fatalf("accepted what Expand refuses: %v", wantErr)
		}
	})
}

// TestReadAhead goes through a file in small steps. What is expanded before it is
// asked for must be the same, and must not be expanded twice.
func TestReadAhead(t *testing.T) {
	text := sample(300_000)
	file := pack(t, uxz.WriterConfig{BlockSize: 10_000}, text)
	for _, workers := range []int{1, 2, 5} {
		r, err := NewReader(file, workers)
		if err != nil {
			t.Fatal(err)
		}
		p := Part{0, make([]byte, 600)}
		ahead := 0
		for ; p.Offset < int64(len(text)); p.Offset += 600 {
			if err := r.Read(p); err != nil || !bytes.Equal(p.Dst, text[p.Offset:][:600]) {
				t.Fatalf("other bytes than were packed at offset %d, error %v", p.Offset, err)
			}
			ahead = max(ahead, r.stats.Used-1-int(p.Offset+599)/10_000)
		}
		if ahead != workers-1 {
			t.Errorf("%d blocks ahead at most with %d workers", ahead, workers)
		}
		if r.stats.Expanded != int64(len(text)) {
			t.Errorf("%d bytes were expanded of %d", r.stats.Expanded, len(text))
		}
	}
	// A block that is damaged is nobody's fault before it is wanted.
	r, err := NewReader(file, 5)
	if err != nil {
		t.Fatal(err)
	}
	const bad = 20
	damaged := bytes.Clone(file)
	damaged[r.blocks[bad].offset+300] ^= 1
	r.file = damaged
	p := Part{0, make([]byte, 500)}
	for ; p.Offset < bad*10_000; p.Offset += 500 {
		if err := r.Read(p); err != nil || !bytes.Equal(p.Dst, text[p.Offset:][:500]) {
			t.Fatalf("other bytes than were packed at offset %d, error %v", p.Offset, err)
		}
	}
	if err := r.Read(Part{bad * 10_000, make([]byte, 10_000)}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("error %v, expected %v", err, ErrCorrupt)
	}
}

// TestReadLies: an index that claims more than LZMA2 can hold.
func TestReadLies(t *testing.T) {
	file := pack(t, uxz.WriterConfig{NoCheckSum: true}, make([]byte, 1000))
	r, err := NewReader(file, 1)
	if err != nil {
		t.Fatal(err)
	}
	b := r.blocks[0]
	end := b.offset + (b.unpadded+3)&^3
	index := []byte{0, 1, byte(b.unpadded), 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f} // 2^42-1 bytes
	index = append(index, make([]byte, -len(index)&3)...)
	index = binary.LittleEndian.AppendUint32(index, crc32.ChecksumIEEE(index))
	footer := binary.LittleEndian.AppendUint32(nil, uint32(len(index)/4-1))
	footer = append(footer, file[6], file[7])
	footer = append(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(footer)), footer...)
	lie := append(append(append(bytes.Clone(file[:end]), index...), footer...), footerMagic...)
	if _, err := NewReader(lie, 1); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "claims") {
		t.Errorf("error %v, expected %v", err, ErrCorrupt)
	}
}
