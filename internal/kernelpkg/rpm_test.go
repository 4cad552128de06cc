package kernelpkg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"testing"

	"github.com/btfgen/btfgen/internal/need"
)

// rpmTag is a value of an RPM header that is made up: a string, or a list of
// strings or of numbers.
type rpmTag struct {
	tag   uint32
	value any
}

// rpmHeaderOf is an RPM header.
func rpmHeaderOf(tags []rpmTag) []byte {
	var entries, values []byte
	for _, t := range tags {
		var kind, count uint32
		var b []byte
		align := 1
		switch v := t.value.(type) {
		case string:
			kind, count, b = rpmString, 1, append([]byte(v), 0)
		case []string:
			kind, count = rpmStringArray, uint32(len(v))
			for _, s := range v {
				b = append(append(b, s...), 0)
			}
		case []uint16:
			kind, count, align = rpmInt16, uint32(len(v)), 2
			for _, n := range v {
				b = binary.BigEndian.AppendUint16(b, n)
			}
		case []uint32:
			kind, count, align = rpmInt32, uint32(len(v)), 4
			for _, n := range v {
				b = binary.BigEndian.AppendUint32(b, n)
			}
		case []uint64:
			kind, count, align = rpmInt64, uint32(len(v)), 8
			for _, n := range v {
				b = binary.BigEndian.AppendUint64(b, n)
			}
		}
		for len(values)%align != 0 {
			values = append(values, 0)
		}
		for _, n := range []uint32{t.tag, kind, uint32(len(values)), count} {
			entries = binary.BigEndian.AppendUint32(entries, n)
		}
		values = append(values, b...)
	}
	head := append([]byte(rpmHeaderMagic), 0, 0, 0, 0)
	head = binary.BigEndian.AppendUint32(head, uint32(len(tags)))
	head = binary.BigEndian.AppendUint32(head, uint32(len(values)))
	return slices.Concat(head, entries, values)
}

// rpmSample says how an RPM package is made.
type rpmSample struct {
	ending   string // of packings
	stripped bool   // the format for large files
	long     bool   // sizes of 64 bits
	hard     map[int]int
}

func unix(mode fs.FileMode) uint16 {
	m := uint16(mode.Perm())
	switch {
	case mode.IsDir():
		return m | 0o040000
	case mode&fs.ModeSymlink != 0:
		return m | 0o120000
	}
	return m | 0o100000
}

func padded(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func rpmTags(files []sampleFile, s rpmSample) []rpmTag {
	var names, dirs, links []string
	var dirOf, flags, inodes, devices, sizes []uint32
	var long []uint64
	var modes []uint16
	for i, f := range files {
		dir := "/" + path.Dir(f.path) + "/"
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
		size := len(f.content)
		if f.mode&fs.ModeSymlink != 0 {
			size = len(f.link)
		}
		inode := uint32(i + 1)
		if other, ok := s.hard[i]; ok {
			inode = uint32(other + 1)
		}
		names, links = append(names, path.Base(f.path)), append(links, f.link)
		dirOf, inodes, devices = append(dirOf, uint32(slices.Index(dirs, dir))), append(inodes, inode), append(devices, 1)
		sizes, long, modes = append(sizes, uint32(size)), append(long, uint64(size)), append(modes, unix(f.mode))
		flags = append(flags, uint32(0))
		if f.path == "boot/ghost" {
			flags[i] = rpmFileGhost
		}
	}
	tags := []rpmTag{
		{tagName, "kernel"}, {tagVersion, "6.1.0"}, {tagRelease, "9.made.up"}, {tagEpoch, []uint32{3}}, {tagArch, "x86_64"},
		{tagVendor, "Nobody"}, {tagDistribution, "None"}, {tagPackager, "Somebody"}, {tagURL, "https://example.org/"},
		{tagSourceRPM, "kernel-6.1.0-9.made.up.src.rpm"}, {tagPayloadFormat, "cpio"},
		{tagFileModes, modes}, {tagFileLinkTos, links}, {tagFileFlags, flags}, {tagFileInodes, inodes}, {tagFileDevices, devices},
		{tagBasenames, names}, {tagDirnames, dirs}, {tagDirIndexes, dirOf},
	}
	if s.long {
		tags = append(tags, rpmTag{tagLongFileSizes, long})
	} else {
		tags = append(tags, rpmTag{tagFileSizes, sizes})
	}
	if s.ending == ".lzma" {
		tags = append(tags, rpmTag{tagPayloadCompressor, "lzma"})
	}
	return tags
}

func cpioOf(files []sampleFile, s rpmSample) []byte {
	var b []byte
	newc := func(name string, mode uint16, size int) {
		b = fmt.Appendf(b, "%s%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", cpioMagic, 7, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name)+1, 0)
		b = padded(append(append(b, name...), 0))
	}
	first := make(map[int]bool) // files that another has the bytes of
	for i, other := range s.hard {
		first[other] = i > other
	}
	for i, f := range files {
		if f.path == "boot/ghost" {
			continue
		}
		data := f.content
		if f.mode&fs.ModeSymlink != 0 {
			data = []byte(f.link)
		}
		if first[i] {
			data = nil
		}
		if s.stripped {
			b = padded(fmt.Appendf(b, "%s%08x", cpioMagicStripped, i))
		} else {
			newc("./"+f.path, unix(f.mode), len(data))
		}
		b = padded(append(b, data...))
	}
	newc(cpioTrailer, 0, 0)
	return b
}

func rpmOf(t testing.TB, files []sampleFile, s rpmSample) []byte {
	t.Helper()
	return rpmWith(rpmTags(files, s), packed(t, s.ending, cpioOf(files, s)))
}

// rpmWith is a package of a header and a payload.
func rpmWith(tags []rpmTag, payload []byte) []byte {
	b := append([]byte(rpmMagic), make([]byte, rpmLeadSize-len(rpmMagic))...)
	b = append(b, rpmHeaderOf([]rpmTag{{1000, []uint32{1}}, {269, "checksum"}})...)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return slices.Concat(b, rpmHeaderOf(tags), payload)
}

func TestRPM(t *testing.T) {
	need.Long(t)
	files := sampleFiles()
	// A hard link has the bytes, the one before it none.
	files = append(files,
		sampleFile{path: "boot/ghost", mode: 0o600},
		sampleFile{path: "boot/vmlinuz-hard", mode: 0o644, content: files[3].content})
	hard := map[int]int{len(files) - 1: 3}
	listed := slices.Delete(slices.Clone(files), len(files)-2, len(files)-1)
	for ending := range packings {
		for _, s := range []rpmSample{{ending: ending, hard: hard}, {ending: ending, hard: hard, stripped: true}, {ending: ending, stripped: true, long: true}} {
			t.Run(fmt.Sprintf("payload%s stripped=%t long=%t", s.ending, s.stripped, s.long), func(t *testing.T) {
				p := open(t, rpmOf(t, files, s), Options{Workers: 2})
				want := Info{
					Format: "rpm", Name: "kernel", Epoch: "3", Version: "6.1.0", Release: "9.made.up", Arch: "x86_64", Vendor: "Nobody",
					Distribution: "None", Maintainer: "Somebody", Source: "kernel-6.1.0-9.made.up.src.rpm", Homepage: "https://example.org/",
				}
				if p.Info() != want {
					t.Errorf("%+v, expected %+v", p.Info(), want)
				}
				if p.Stats().Expanded != 0 {
					t.Errorf("%+v before anything was asked for", p.Stats())
				}
				expectFiles(t, p, listed)
				expectLinks(t, p, listed)
			})
		}
	}
}

// TestRPMOldNames is about packages of rpm 3, with whole paths.
func TestRPMOldNames(t *testing.T) {
	files := sampleFiles()[3:4]
	tags := slices.DeleteFunc(rpmTags(files, rpmSample{}), func(t rpmTag) bool {
		return t.tag == tagBasenames || t.tag == tagDirnames || t.tag == tagDirIndexes
	})
	tags = append(tags, rpmTag{tagOldFilenames, []string{"/" + files[0].path}})
	expectFiles(t, open(t, rpmWith(tags, packed(t, ".gz", cpioOf(files, rpmSample{}))), Options{}), files)
}

func TestRPMDisagrees(t *testing.T) {
	files := sampleFiles()
	short := slices.Clone(files)
	short[3].content = short[3].content[1:]
	for name, file := range map[string][]byte{
		"other size":      rpmWith(rpmTags(files, rpmSample{}), cpioOf(short, rpmSample{})),
		"file missing":    rpmWith(rpmTags(files, rpmSample{}), cpioOf(files[4:], rpmSample{})),
		"cut short":       rpmWith(rpmTags(files, rpmSample{}), cpioOf(files, rpmSample{})[:1000]),
		"index outside":   rpmWith(rpmTags(files, rpmSample{}), bytes.Replace(cpioOf(files, rpmSample{stripped: true}), []byte("07070X00000003"), []byte("07070Xffffffff"), 1)),
		"no cpio":         rpmWith(rpmTags(files, rpmSample{}), bytes.Repeat([]byte("0707070"), 100)),
		"name of 4 GiB":   rpmWith(rpmTags(files, rpmSample{}), bytes.Replace(cpioOf(files, rpmSample{}), fmt.Appendf(nil, "%08x00000000./boot/vm", len(files[3].path)+3), []byte("ffffffff00000000./boot/vm"), 1)),
		"size, not a hex": rpmWith(rpmTags(files, rpmSample{}), bytes.Replace(cpioOf(files, rpmSample{}), fmt.Appendf(nil, "%08x", len(files[3].content)), []byte("0000-001"), 1)),
	} {
		p := open(t, file, Options{})
		if _, err := content(p, files[3].path); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}
