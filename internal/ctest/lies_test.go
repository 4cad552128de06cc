package ctest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// small is a bundle of a few kernels, of all forms.
func small(t testing.TB) []byte {
	t.Helper()
	raw, _ := pack(t, map[string][]byte{
		"debian/12/x86_64/6.1.0-50-amd64": sample(t, binary.LittleEndian, "", true),
		"debian/12/s390x/6.1.0-50-s390x":  sample(t, binary.BigEndian, "", true),
		"debian/12/x86_64/6.1.0-47-amd64": sample(t, binary.LittleEndian, "x_", true),
		"centos/8/arm64/4.18.0":           sample(t, binary.LittleEndian, "", false),
	})
	return raw
}

// A lie is a bundle with right checksums that no writer makes.
type lie struct {
	name     string
	bundle   []byte
	segments [][]byte // what is inside, if that is where it lies
}

// truth is a bundle by hand: one kernel, one content, a pointer type of no name. Lies start from it.
func truth() [][]byte {
	return [][]byte{
		join(1, 1, 1, "a/1/x86_64", 1, 0, 0, 0, "6.1.0"),
		join("", "name"),
		group(content(1, 12, 1, pointer)),
	}
}

// The greatest number that there can be, and half of it.
const top, half uint64 = 1<<32 - 1, 1 << 31

// columns are those of forms 1 and 2, in their order.
type columns struct{ info, name, size, typ, value, offset []byte }

var pointer = columns{info: varints(2), name: varints(0), typ: varints(0)}

// content is a content with the sizes that it states.
func content(form byte, types, strings uint64, c columns) []byte {
	return join([]byte{form}, types, strings, len(c.info), len(c.name), len(c.size), len(c.typ), len(c.value), c.info, c.name, c.size, c.typ, c.value, c.offset)
}

// group puts contents behind each other.
func group(contents ...[]byte) []byte {
	var out []byte
	for _, c := range contents {
		out = append(append(out, varints(uint64(len(c)))...), c...)
	}
	return out
}

// lies are one wrong thing each: every reader refuses them.
func lies(t testing.TB) []lie {
	t.Helper()
	var all []lie
	in := func(name string, i int, s []byte) {
		segments := with(truth(), i, s)
		all = append(all, lie{name, packed(t, segments).bytes(), segments})
	}
	const dir = "a/1/x86_64"
	release := strings.Repeat("x", 255)

	in("map: empty", 0, nil)
	in("map: only a count", 0, join(1))
	in("map: more kernels than bytes", 0, join(1, half, 1, dir, half, 0, 0, 0, "6.1.0"))
	in("map: most kernels that there can be", 0, join(1, top, 1, dir, top, 0, 0, 0, "6.1.0"))
	in("map: more directories than bytes", 0, join(top, 1, 1, dir, 1, 0, 0, 0, "6.1.0"))
	in("map: one directory missing", 0, join(2, 1, 1, dir, 1, 0, 0, 0, "6.1.0"))
	in("map: directory with more kernels", 0, join(1, 1, 1, dir, 2, 0, 0, 0, "6.1.0"))
	in("map: directory with fewer kernels", 0, join(1, 1, 1, dir, 0, 0, 0, 0, "6.1.0"))
	in("map: kernels of directories overflow 32 bits", 0, join(3, 1, 1, dir, half, "b", half, "c", 1, 0, 0, 0, "6.1.0"))
	in("map: directory of 1024 bytes", 0, join(1, 1, 1, strings.Repeat("d", 1024), 1, 0, 0, 0, "6.1.0"))
	in("map: directory without an end", 0, join(1, 1, 1, []byte(dir)))
	in("map: no such content", 0, join(1, 1, 1, dir, 1, 0, 0, 1, "6.1.0"))
	in("map: content far off", 0, join(1, 1, 1, dir, 1, 0, 0, top, "6.1.0"))
	in("map: no contents", 0, join(1, 1, 0, dir, 1, 0, 0, 0, "6.1.0"))
	in("map: more contents than the group can hold", 0, join(1, 1, top, dir, 1, 0, 0, 0, "6.1.0"))
	in("map: prefix of the first kernel", 0, join(1, 1, 1, dir, 1, 1, 0, 0, "6.1.0"))
	in("map: suffix of the first kernel", 0, join(1, 1, 1, dir, 1, 0, 1, 0, "6.1.0"))
	in("map: prefix and suffix overlap", 0, join(1, 2, 1, dir, 2, 0, 3, 0, 3, 0, 0, "6.1.0", "x"))
	in("map: prefix and suffix overflow", 0, join(1, 2, 1, dir, 2, 0, top, 0, 2, 0, 0, "6.1.0", "x"))
	in("map: greatest prefix", 0, join(1, 2, 1, dir, 2, 0, top, 0, 0, 0, 0, "6.1.0", "x"))
	in("map: empty release", 0, join(1, 1, 1, dir, 1, 0, 0, 0, ""))
	in("map: empty release by prefix and suffix", 0, join(1, 2, 1, dir, 2, 0, 0, 0, 0, 0, 0, "6.1.0", ""))
	in("map: release of 256 bytes", 0, join(1, 1, 1, dir, 1, 0, 0, 0, release+"x"))
	in("map: release of 256 bytes with its prefix", 0, join(1, 2, 1, dir, 2, 0, 255, 0, 0, 0, 0, release, "x"))
	in("map: release of a million bytes", 0, join(1, 1, 1, dir, 1, 0, 0, 0, strings.Repeat("x", 1<<20)))
	in("map: release without an end", 0, join(1, 1, 1, dir, 1, 0, 0, 0, []byte("6.1.0")))
	in("map: more releases", 0, join(1, 1, 1, dir, 1, 0, 0, 0, "6.1.0", "6.1.1"))
	in("map: number of 6 bytes", 0, join(1, []byte{0x81, 0x80, 0x80, 0x80, 0x80, 0}, 1, dir, 1, 0, 0, 0, "6.1.0"))
	in("map: number above 32 bits", 0, join(1, 1, 1, dir, 1, []byte{0x80, 0x80, 0x80, 0x80, 0x10}, 0, 0, "6.1.0"))
	in("map: number without an end", 0, join(1, 1, 1, dir, 1, 0, 0, []byte{0x80}))

	named := group(content(1, 12, 6, columns{info: varints(2), name: varints(1), typ: varints(0)}))
	in2 := func(name string, strings, group []byte) {
		segments := with(with(truth(), 1, strings), 2, group)
		all = append(all, lie{name, packed(t, segments).bytes(), segments})
	}
	in2("strings: none", nil, named)
	in2("strings: the first is not empty", join("x", "name"), named)
	in2("strings: the last has no end", join("", []byte("name")), named)

	in("content: group is empty", 2, nil)
	in("content: longer than the group", 2, join(100, content(1, 12, 1, pointer)))
	in("content: greatest size", 2, join(top, content(1, 12, 1, pointer)))
	in("content: no bytes", 2, join(0, 0, 0))
	in("content: bytes after the last", 2, append(group(content(1, 12, 1, pointer)), 0))
	in("content: form 3", 2, group(content(3, 12, 1, pointer)))
	in("content: form 255", 2, group(content(255, 12, 1, pointer)))
	in("content: form alone", 2, group([]byte{1}))
	in("content: size of types no multiple of 4", 2, group(content(1, 13, 1, pointer)))
	in("content: more types than columns", 2, group(content(1, 16, 1, pointer)))
	in("content: most types that there can be", 2, group(content(1, top-3, 1, pointer)))
	in("content: no strings", 2, group(content(1, 12, 0, pointer)))
	in("content: more strings than there are", 2, group(content(1, 12, 7, pointer)))
	in("content: most strings that there can be", 2, group(content(1, 12, top, pointer)))
	in("content: string section longer than its strings", 2, group(content(1, 12, 6, pointer)))
	in("content: string section shorter than its strings", 2, group(content(1, 12, 5, columns{info: varints(2), name: varints(1), typ: varints(0)})))
	in("content: no such string", 2, group(content(1, 12, 1, columns{info: varints(2), name: varints(2), typ: varints(0)})))
	in("content: string far off", 2, group(content(1, 12, 1, columns{info: varints(2), name: varints(top), typ: varints(0)})))
	in("content: kind 0", 2, group(content(1, 12, 1, columns{info: varints(0), name: varints(0), typ: varints(0)})))
	in("content: kind 20", 2, group(content(1, 12, 1, columns{info: varints(20), name: varints(0), typ: varints(0)})))
	in("content: kind 31", 2, group(content(1, 12, 1, columns{info: varints(31), name: varints(0), typ: varints(0)})))
	in("content: more members than columns", 2, group(content(1, 12, 1, columns{info: varints(4 | 0xffff<<8), name: varints(0), size: varints(0)})))
	in("content: types end within one", 2, group(content(1, 8, 1, pointer)))
	in("content: types end before the columns", 2, group(content(1, 0, 1, pointer)))
	in("content: column is not used up", 2, group(content(1, 12, 1, columns{info: varints(2), name: varints(0), typ: varints(0), value: varints(0)})))
	in("content: offsets that nothing reads", 2, group(content(1, 12, 1, columns{info: varints(2), name: varints(0), typ: varints(0), offset: varints(0)})))
	in("content: column ends early", 2, group(content(1, 12, 1, columns{info: varints(2), name: varints(0), size: varints(0, 0)})))
	in("content: column longer than it", 2, group(join([]byte{1}, 12, 1, 1, 1, 0, 1, 100, 2, 0, 0)))
	in("content: columns overflow 32 bits", 2, group(join([]byte{1}, 12, 1, top, top, 4, top, 0, 2, 0, 0)))
	in("content: column size of 6 bytes", 2, group(join([]byte{1}, 12, 1, 1, 1, 0, 1, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0}, 2, 0, 0)))
	in("content: number of 6 bytes", 2, group(content(1, 12, 1, columns{info: varints(2), name: varints(0), typ: []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0}})))
	in("content: number without an end", 2, group(content(1, 12, 1, columns{info: varints(2), name: varints(0), typ: []byte{0x80}})))

	frames := func(name string, spoil func(f *frame)) {
		f := packed(t, truth())
		spoil(&f)
		all = append(all, lie{name, f.bytes(), nil})
	}
	for i, of := range []string{"map", "strings", "group"} {
		if of == "strings" {
			frames("frame: strings do not inflate", func(f *frame) {
				f.segments[2] = packed(t, with(truth(), 2, named)).segments[2]
				f.segments[1].packed = []byte{7, 7, 7}
			})
			continue // nothing of truth asks for them otherwise
		}
		frames("frame: "+of+" inflates to more", func(f *frame) { f.segments[i].size-- })
		frames("frame: "+of+" inflates to less", func(f *frame) { f.segments[i].size++ })
		frames("frame: "+of+" states a bomb", func(f *frame) { f.segments[i].size = 1 << 26 })
		frames("frame: "+of+" states 4 GiB", func(f *frame) { f.segments[i].size = uint32(top) })
		frames("frame: "+of+" does not inflate", func(f *frame) { f.segments[i].packed = []byte{7, 7, 7} })
		frames("frame: "+of+" is cut", func(f *frame) { f.segments[i].packed = f.segments[i].packed[:len(f.segments[i].packed)-1] })
		frames("frame: "+of+" goes on", func(f *frame) { f.segments[i].packed = append(f.segments[i].packed, 0) })
		frames("frame: "+of+" is not there", func(f *frame) { f.segments[i].packed = nil })
	}
	for i, most := range []int64{16 << 20, 16 << 20, 64 << 20} {
		frames(fmt.Sprintf("frame: segment %d is a byte too large", i), func(f *frame) {
			f.segments[i] = segment{deflate(t, zeros(most+1)), uint32(most) + 1}
		})
	}
	frames("frame: group more than the map knows", func(f *frame) { f.segments = append(f.segments, f.segments[1]) })
	frames("frame: no group", func(f *frame) { f.segments = f.segments[:2] })

	right := packed(t, truth()).bytes()
	header := func(name string, at int, b ...byte) {
		raw := slices.Clone(right)
		copy(raw[at:], b)
		end := 16 + 12*(2+int(binary.LittleEndian.Uint16(raw[10:])))
		if end+4 <= len(raw) {
			binary.LittleEndian.PutUint32(raw[end:], crc(raw[:end]))
		}
		all = append(all, lie{name, raw, nil})
	}
	header("header: version 0", 8, 0)
	header("header: version 2", 8, 2)
	header("header: version 257", 9, 1)
	header("header: 65535 groups", 10, 0xff, 0xff)
	header("header: size 0", 12, 0, 0, 0, 0)
	header("header: size 4 GiB", 12, 0xff, 0xff, 0xff, 0xff)
	header("header: packed size 4 GiB", 16, 0xff, 0xff, 0xff, 0xff)
	header("header: packed sizes that overflow 32 bits together", 16, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)
	return all
}

// Truths are strange, but allowed: both readers take them, and give the same.
func truths(t testing.TB) []lie {
	t.Helper()
	var all []lie
	in := func(name string, segments [][]byte) {
		all = append(all, lie{name, packed(t, segments).bytes(), segments})
	}
	in("the truth that lies start from", truth())
	in("no kernels", [][]byte{join(0, 0), join("")})
	in("empty folders", with(truth(), 0, join(3, 1, 1, "", 0, "a/1/x86_64", 1, "", 0, 0, 0, 0, "6.1.0")))
	in("kernel without a folder", with(truth(), 0, join(1, 1, 1, "", 1, 0, 0, 0, "6.1.0")))
	in("longest names", with(truth(), 0, join(1, 1, 1, strings.Repeat("d", 1023), 1, 0, 0, 0, strings.Repeat("x", 255))))
	in("suffix of the folder before", with(truth(), 0, join(2, 2, 1, "a/1/x86_64", 1, "b/1/x86_64", 1, 0, 1, 0, 4, 0, 0, "6.1.0", "")))
	in("content of no bytes", with(truth(), 2, group([]byte{0})))
	in("content of any bytes", with(truth(), 2, group([]byte("\x00hello"))))
	in("no types", with(truth(), 2, group(content(2, 0, 1, columns{}))))
	in("number with bytes to spare", with(truth(), 0, join(1, []byte{0x81, 0x80, 0x80, 0x80, 0}, 1, "a/1/x86_64", 1, 0, 0, 0, "6.1.0")))
	in("terminal codes in names", with(truth(), 0, join(1, 1, 1, "a\n/1/\x1b[31m", 1, 0, 0, 0, "6.1.0\r")))
	return all
}

// A bomb is small and large inside. It is taken or refused, but never at great cost.
type bomb struct {
	name   string
	bundle []byte
}

func bombs(t testing.TB) []bomb {
	t.Helper()
	const most, mostOfMap = 64 << 20, 16 << 20
	var all []bomb
	in := func(name string, segments [][]byte) {
		all = append(all, bomb{name, packed(t, segments).bytes()})
	}
	in("map of zeros", with(truth(), 0, make([]byte, mostOfMap)))
	in("strings of zeros", with(with(truth(), 1, make([]byte, mostOfMap)), 2, group(content(1, 12, 1, pointer))))
	in("group of zeros", with(truth(), 2, make([]byte, most)))

	// As many kernels as fit, of one release.
	n := (mostOfMap - 100) / 4
	first := func(b byte) []byte { return append([]byte{b}, bytes.Repeat([]byte{1 - b}, n-1)...) }
	in("millions of kernels", with(truth(), 0, join(1, n, 1, "a/1/x86_64", n, first(0), make([]byte, 2*n), "6", make([]byte, n-1))))

	// Each in a folder of its own, and contents that differ, so that all steps have to be taken.
	d := (mostOfMap - 200) / 22
	numbers := bytes.Repeat([]byte{1, 0}, d/2+1)[:d]
	in("millions of folders", [][]byte{
		join(d, d, 2, bytes.Repeat([]byte("suse/8.1/x86_64\x00\x01"), d), append([]byte{0}, bytes.Repeat([]byte{5}, d-1)...), make([]byte, d), numbers, "6.1.0", make([]byte, d-1)),
		join(""), group([]byte{0, 1}, []byte{0, 2}),
	})

	// The most types that columns can give.
	words := most/2 - 100
	words -= words%65535 + 65535
	protos := words / 65535
	info := bytes.Repeat(varints(13|0xffff<<8), protos)
	c := columns{info: info, name: make([]byte, words+protos), typ: make([]byte, words+protos)}
	for 12*protos+8*words > 4*(len(c.info)+len(c.name)+len(c.typ)) || len(c.info)+len(c.name)+len(c.typ) > most-100 {
		t.Fatal("the bomb's types do not fit")
	}
	in("millions of types", with(truth(), 2, group(content(1, uint64(12*protos+8*words), 1, c))))
	return all
}
