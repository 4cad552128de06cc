package bundle

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/btfgen/btfgen/kernel"
)

// readAll asks a bundle everything and returns the first error.
func readAll(raw []byte) error {
	b, err := Open(raw)
	if err != nil {
		return err
	}
	kernels, err := b.Kernels()
	if err != nil {
		return err
	}
	if _, err := b.All(); err != nil {
		return err
	}
	for i, k := range kernels {
		if i == 20 {
			break
		}
		if _, err := b.BTF(k.Path); err != nil {
			return err
		}
	}
	return nil
}

func small(t testing.TB) []byte {
	raw, _ := build(t, map[string][]byte{
		"debian/12/x86_64/6.1.0-50-amd64": types(t, binary.LittleEndian, true, ""),
		"debian/12/x86_64/6.1.0-47-amd64": types(t, binary.LittleEndian, true, "x_"),
		"centos/8/arm64/4.18.0":           types(t, binary.LittleEndian, false, ""),
	})
	return raw
}

// Whatever bit is flipped and wherever it is cut, a bundle is refused: each bit is covered by a checksum.
func TestDamageIsRefused(t *testing.T) {
	raw := small(t)
	if err := readAll(raw); err != nil {
		t.Fatal(err)
	}
	for n := range raw {
		if readAll(raw[:n]) == nil {
			t.Errorf("cut to %d of %d bytes, it is taken", n, len(raw))
		}
	}
	if readAll(append(slices.Clone(raw), 0)) == nil {
		t.Error("a byte too much is taken")
	}
	for bit := range 8 * len(raw) {
		raw[bit/8] ^= 1 << (bit % 8)
		if readAll(raw) == nil {
			t.Errorf("taken with bit %d of byte %d flipped", bit%8, bit/8)
		}
		raw[bit/8] ^= 1 << (bit % 8)
	}
}

// segments inflates all segments.
func segments(t testing.TB, raw []byte) [][]byte {
	b, err := Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	f := new(inflater)
	for i := range firstGroup + b.groups {
		s, err := f.segment(b, i)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// reframe is what an attacker does: a bundle of arbitrary segments with right checksums. They are stored, which is quicker than packing them.
func reframe(segments [][]byte) []byte {
	var stored [][]byte
	var sizes []uint32
	for _, s := range segments {
		sizes = append(sizes, uint32(len(s)))
		var out []byte
		for ok := true; ok; ok = len(s) > 0 {
			n := min(len(s), 1<<16-1)
			final := byte(0)
			if n == len(s) {
				final = 1
			}
			out = append(out, final)
			out = binary.LittleEndian.AppendUint16(out, uint16(n))
			out = binary.LittleEndian.AppendUint16(out, ^uint16(n))
			out = append(out, s[:n]...)
			s = s[n:]
		}
		stored = append(stored, out)
	}
	return framePacked(stored, sizes)
}

// Every change of one byte of what is inside, and every cut, with right checksums: an error or another valid bundle, never a panic.
func TestChangedSegments(t *testing.T) {
	all := segments(t, small(t))
	refused := 0
	for s := range all {
		for i := range all[s] {
			old := all[s][i]
			for _, c := range []byte{old + 1, old ^ 0x80, 0, 0xff} {
				all[s][i] = c
				if readAll(reframe(all)) != nil {
					refused++
				}
			}
			all[s][i] = old
		}
		whole := all[s]
		for n := range whole {
			all[s] = whole[:n]
			if readAll(reframe(all)) == nil {
				t.Errorf("segment %d is taken with %d of %d bytes", s, n, len(whole))
			}
		}
		all[s] = append(slices.Clone(whole), 0)
		if s != stringSegment && readAll(reframe(all)) == nil {
			t.Errorf("segment %d is taken with a byte too much", s)
		}
		all[s] = whole
	}
	if refused == 0 {
		t.Error("no change of a byte was ever refused")
	}
}

// deflated is a segment of n zero bytes, packed.
func deflated(t testing.TB, n int) []byte {
	var packed bytes.Buffer
	z, err := flate.NewWriter(&packed, flate.BestCompression)
	if err == nil {
		_, err = io.CopyN(z, zeros{}, int64(n))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// framePacked makes a bundle of packed segments and what their records say of their sizes.
func framePacked(packed [][]byte, sizes []uint32) []byte {
	head := append([]byte(magic), version, 0)
	head = binary.LittleEndian.AppendUint16(head, uint16(len(packed)-firstGroup))
	total := headSize + recordSize*len(packed) + 4
	for _, p := range packed {
		total += len(p)
	}
	head = binary.LittleEndian.AppendUint32(head, uint32(total))
	for i, p := range packed {
		head = binary.LittleEndian.AppendUint32(head, uint32(len(p)))
		head = binary.LittleEndian.AppendUint32(head, sizes[i])
		head = binary.LittleEndian.AppendUint32(head, crc32.ChecksumIEEE(p))
	}
	head = binary.LittleEndian.AppendUint32(head, crc32.ChecksumIEEE(head))
	return slices.Concat(append([][]byte{head}, packed...)...)
}

// Lies with right checksums: each an error, or an answer, within bounded time and memory.
func TestLies(t *testing.T) {
	whole := small(t)
	all := segments(t, whole)
	varints := func(v ...uint64) []byte {
		var out []byte
		for _, n := range v {
			out = binary.AppendUvarint(out, n)
		}
		return out
	}
	with := func(s int, content []byte) []byte {
		changed := slices.Clone(all)
		changed[s] = content
		return reframe(changed)
	}
	const mega = 1 << 20
	// One kernel a directory, all of them with the same name and release: K kernels, and 2 bytes for each directory.
	manyKernels := func(k int) []byte {
		m := varints(1, uint64(k), 1, 'd')
		m = append(m, 0)
		m = append(m, varints(uint64(k))...)
		m = append(m, make([]byte, 3*k)...) // prefix, suffix, content
		m = append(m, bytes.Repeat([]byte("r\x00"), k)...)
		return m
	}
	cases := []struct {
		name string
		raw  []byte
		ok   bool // may be taken
	}{
		{"a map of 4 million kernels that are not there", with(mapSegment, varints(1, 4<<20, 3)), false},
		{"2³² - 1 kernels", with(mapSegment, varints(1, 1<<32-1, 3)), false},
		{"2³² - 1 directories", with(mapSegment, varints(1<<32-1, 0, 3)), false},
		{"2³² - 1 contents", with(mapSegment, varints(0, 0, 1<<32-1)), false},
		{"2³¹ - 1 contents, not there", with(mapSegment, varints(0, 0, 1<<31-1)), false},
		{"a million kernels of the same name", with(mapSegment, manyKernels(mega)), true},
		{"a map of 16 MiB of zero bytes", framePacked([][]byte{deflated(t, maxIndex), deflated(t, 1)}, []uint32{maxIndex, 1}), false},
		{"a map of 17 MiB", framePacked([][]byte{deflated(t, 17*mega), deflated(t, 1)}, []uint32{17 * mega, 1}), false},
		{"16 MiB of empty strings", with(stringSegment, make([]byte, maxIndex)), false},
		{"a group of 64 MiB of zero bytes", framePacked(
			[][]byte{packed(t, all[0]), packed(t, all[1]), deflated(t, maxGroup)}, []uint32{uint32(len(all[0])), uint32(len(all[1])), maxGroup}), false},
		{"a segment larger than it says", framePacked(
			[][]byte{packed(t, all[0]), packed(t, all[1]), deflated(t, maxGroup)}, []uint32{uint32(len(all[0])), uint32(len(all[1])), 100}), false},
		{"a segment smaller than it says", framePacked(
			[][]byte{packed(t, all[0]), packed(t, all[1]), packed(t, all[2])}, []uint32{uint32(len(all[0])), uint32(len(all[1])), uint32(len(all[2]) + 1)}), false},
		{"bytes behind a segment's stream", framePacked(
			[][]byte{append(packed(t, all[0]), 0), packed(t, all[1]), packed(t, all[2])}, []uint32{uint32(len(all[0])), uint32(len(all[1])), uint32(len(all[2]))}), false},
		{"sizes that no DEFLATE stream gives", framePacked([][]byte{{3, 0}, {3, 0}, {3, 0}}, []uint32{mega, mega, mega}), false},
		{"65,535 empty groups", framePacked(
			append([][]byte{packed(t, make([]byte, 2+maxGroups)), packed(t, []byte{0})}, slices.Repeat([][]byte{{3, 0}}, maxGroups)...),
			append([]uint32{2 + maxGroups, 1}, make([]uint32, maxGroups)...)), true},
		{"a content that claims 4 GiB of types", with(firstGroup, append(varints(12, formLittleEndian), varints(1<<32-4, 1, 0, 0, 0, 0, 0)...)), false},
		{"a content that claims 4 GiB of strings", with(firstGroup, append(varints(12, formLittleEndian), varints(0, 1<<32-1, 0, 0, 0, 0, 0)...)), false},
		{"columns longer than the content", with(firstGroup, append(varints(14, formLittleEndian), varints(0, 1, 0, 1<<32-1, 1, 0, 0)...)), false},
		{"a content of no bytes", with(firstGroup, varints(0, 0, 0)), false},
		{"an unknown form", with(firstGroup, varints(1, 3, 1, 3, 1, 3)), false},
		{"a varint of six bytes", with(mapSegment, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0, 0, 0}), false},
		{"another version", func() []byte { r := slices.Clone(whole); r[8] = 2; return r }(), false},
	}
	for _, c := range cases {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		err := readAll(c.raw)
		b, openErr := Open(c.raw)
		if openErr == nil {
			_, findErr := b.Find(kernel.Host{Release: "r", Machine: "x86_64"}, true)
			_ = findErr
		}
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if err == nil && !c.ok {
			t.Errorf("%s: taken", c.name)
		}
		// Listing a million kernels takes most. Even that is no more than a bundle of this size can hold.
		if took > 10*time.Second {
			t.Errorf("%s: took %v", c.name, took)
		}
		if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 512 {
			t.Errorf("%s: allocated %d MiB", c.name, mb)
		}
	}
}

func packed(t testing.TB, segment []byte) []byte {
	var out bytes.Buffer
	z, err := flate.NewWriter(&out, flate.BestCompression)
	if err == nil {
		_, err = z.Write(segment)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
