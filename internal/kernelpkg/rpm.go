package kernelpkg

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"strings"
)

// The layout is of rpm's own documentation of its format 4 (docs/manual/format.md),
// tags and types of include/rpm/rpmtag.h: a lead, a header of signatures, the
// header, the payload.
const (
	rpmMagic       = "\xed\xab\xee\xdb"
	rpmLeadSize    = 96
	rpmHeaderMagic = "\x8e\xad\xe8\x01"
	rpmHeaderStart = 16 // magic, 4 bytes reserved, count of entries, bytes of values
	rpmEntrySize   = 16 // tag, type, offset of the values, count of the values

	rpmInt16       = 3
	rpmInt32       = 4
	rpmInt64       = 5
	rpmString      = 6
	rpmStringArray = 8
	rpmI18NString  = 9

	tagName              = 1000
	tagVersion           = 1001
	tagRelease           = 1002
	tagEpoch             = 1003
	tagDistribution      = 1010
	tagVendor            = 1011
	tagPackager          = 1015
	tagURL               = 1020
	tagArch              = 1022
	tagOldFilenames      = 1027
	tagFileSizes         = 1028
	tagFileModes         = 1030
	tagFileLinkTos       = 1036
	tagFileFlags         = 1037
	tagSourceRPM         = 1044
	tagFileDevices       = 1095
	tagFileInodes        = 1096
	tagDirIndexes        = 1116
	tagBasenames         = 1117
	tagDirnames          = 1118
	tagPayloadFormat     = 1124
	tagPayloadCompressor = 1125
	tagLongFileSizes     = 5008

	rpmFileGhost = 1 << 6 // named in the header, but not in the payload
)

// rpmHeader is a header: entries sorted by nothing in particular, and their values.
type rpmHeader struct {
	entries []byte
	values  string
}

// parseRPMHeader reads the header at an offset and returns where it ends.
func parseRPMHeader(file []byte, at int) (rpmHeader, int, error) {
	if len(file)-at < rpmHeaderStart {
		return rpmHeader{}, 0, fmt.Errorf("%w: cut short at offset %d, in a header", ErrCorrupt, len(file))
	}
	start := file[at : at+rpmHeaderStart]
	if string(start[:4]) != rpmHeaderMagic {
		return rpmHeader{}, 0, fmt.Errorf("%w: no header at offset %d: it begins with % x", ErrCorrupt, at, start[:4])
	}
	count, size := int64(binary.BigEndian.Uint32(start[8:])), int64(binary.BigEndian.Uint32(start[12:]))
	rest := file[at+rpmHeaderStart:]
	if count*rpmEntrySize+size > int64(len(rest)) {
		return rpmHeader{}, 0, fmt.Errorf("%w: cut short: the header at offset %d has %d entries and %d bytes of values", ErrCorrupt, at, count, size)
	}
	n := int(count) * rpmEntrySize
	end := n + int(size)
	return rpmHeader{rest[:n], string(rest[n:end])}, at + rpmHeaderStart + end, nil
}

// find returns type, count and values of a tag; an empty type if there is no such tag.
func (h rpmHeader) find(tag uint32) (kind, count uint32, values string) {
	for e := h.entries; len(e) > 0; e = e[rpmEntrySize:] {
		if binary.BigEndian.Uint32(e) != tag {
			continue
		}
		at := binary.BigEndian.Uint32(e[8:])
		if uint64(at) > uint64(len(h.values)) {
			return 0, 0, ""
		}
		return binary.BigEndian.Uint32(e[4:]), binary.BigEndian.Uint32(e[12:]), h.values[at:]
	}
	return 0, 0, ""
}

// text returns a tag's first string.
func (h rpmHeader) text(tag uint32) string {
	if list := h.texts(tag, 1); len(list) > 0 {
		return list[0]
	}
	return ""
}

// texts returns up to limit strings of a tag. They are parts of one string.
func (h rpmHeader) texts(tag uint32, limit int) []string {
	kind, count, values := h.find(tag)
	if kind != rpmString && kind != rpmStringArray && kind != rpmI18NString {
		return nil
	}
	// A string takes a byte at least.
	count = uint32(min(uint64(count), uint64(limit), uint64(len(values))))
	list := make([]string, 0, count)
	for range count {
		value, rest, ok := strings.Cut(values, "\x00")
		if !ok {
			break
		}
		list, values = append(list, value), rest
	}
	return list
}

// numbers are a tag's values, read as they are asked for.
type numbers struct {
	width, count int
	values       string
}

func (h rpmHeader) numbers(tag uint32) numbers {
	kind, count, values := h.find(tag)
	n := numbers{width: map[uint32]int{rpmInt16: 2, rpmInt32: 4, rpmInt64: 8}[kind]}
	if n.width > 0 {
		n.count, n.values = int(min(int64(count), int64(len(values)/n.width))), values
	}
	return n
}

// at returns the i'th value, 0 if there is none.
func (n numbers) at(i int) uint64 {
	if i < 0 || i >= n.count {
		return 0
	}
	var v uint64
	for _, b := range []byte(n.values[i*n.width : (i+1)*n.width]) {
		v = v<<8 | uint64(b)
	}
	return v
}

// openRPM reads what is before the payload.
func (p *Package) openRPM(file []byte) error {
	if len(file) < rpmLeadSize {
		return fmt.Errorf("%w: cut short: %d bytes", ErrCorrupt, len(file))
	}
	_, at, err := parseRPMHeader(file, rpmLeadSize)
	if err != nil {
		return err
	}
	// The header of signatures is padded, the header is not.
	at = (at + 7) &^ 7
	h, at, err := parseRPMHeader(file, min(at, len(file)))
	if err != nil {
		return err
	}
	p.info = Info{
		Format: "rpm", Name: h.text(tagName), Version: h.text(tagVersion), Release: h.text(tagRelease), Arch: h.text(tagArch),
		Vendor: h.text(tagVendor), Distribution: h.text(tagDistribution), Maintainer: h.text(tagPackager),
		Source: h.text(tagSourceRPM), Homepage: h.text(tagURL),
	}
	if epoch := h.numbers(tagEpoch); epoch.count > 0 {
		p.info.Epoch = fmt.Sprint(epoch.at(0))
	}
	if format := h.text(tagPayloadFormat); format != "" && format != "cpio" {
		return fmt.Errorf("%w: payload in the format %.20q, expected cpio", ErrUnsupported, format)
	}
	a := &cpioArchive{name: "payload"}
	if a.files, err = p.listRPM(h); err != nil {
		return err
	}
	// The tag is not there for gzip, nor where nothing is compressed: what the
	// payload begins with says it, but for LZMA, which begins with nothing special.
	name := "payload.cpio"
	if h.text(tagPayloadCompressor) == "lzma" {
		name += ".lzma"
	}
	if p.stream, err = newStream(name, file[at:], p.options); err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	a.cursor.stream = p.stream
	p.archive, p.listed = a, true
	return nil
}

// cpioFile is a file as an RPM header lists it.
type cpioFile struct {
	entry *entry
	size  int64 // in the archive, where nothing else is said there
}

// listRPM fills the list of files from the header. What it returns is by the
// header's order, with nil for what is not in the payload.
func (p *Package) listRPM(h rpmHeader) ([]cpioFile, error) {
	names, dirs, dirOf := h.texts(tagBasenames, maxEntries+1), h.texts(tagDirnames, maxEntries+1), h.numbers(tagDirIndexes)
	if names == nil {
		names = h.texts(tagOldFilenames, maxEntries+1) // before rpm 4
		dirs, dirOf = []string{""}, numbers{}
	}
	sizes := h.numbers(tagLongFileSizes)
	if sizes.count == 0 {
		sizes = h.numbers(tagFileSizes)
	}
	modes, flags, links := h.numbers(tagFileModes), h.numbers(tagFileFlags), h.texts(tagFileLinkTos, maxEntries+1)
	devices, inodes := h.numbers(tagFileDevices), h.numbers(tagFileInodes)
	type inode struct{ device, inode uint64 }
	last := make(map[inode]int) // entries, by the file that they are
	files := make([]cpioFile, len(names))
	for i, name := range names {
		if flags.at(i)&rpmFileGhost != 0 {
			continue
		}
		dir := dirOf.at(i)
		if dir >= uint64(len(dirs)) {
			return nil, fmt.Errorf("%w: file %d is in folder %d of %d", ErrCorrupt, i, dir, len(dirs))
		}
		if len(dirs[dir])+len(name) > maxPath {
			return nil, fmt.Errorf("%w: a path of %d bytes, at most %d are possible", ErrCorrupt, len(dirs[dir])+len(name), maxPath)
		}
		e := &entry{Entry: Entry{Path: clean(dirs[dir] + name), Mode: unixMode(uint32(modes.at(i)))}, offset: -1}
		f := &files[i]
		f.entry, f.size = e, int64(sizes.at(i))
		if f.size < 0 {
			return nil, fmt.Errorf("%w: a size of %d bytes of %s", ErrCorrupt, sizes.at(i), e.Path)
		}
		switch {
		case e.Mode.IsRegular():
			e.Size = f.size
		case e.Mode&fs.ModeSymlink != 0:
			if i < len(links) {
				e.Link = links[i]
			}
		default:
			f.size = 0
		}
		if err := p.add(e); err != nil {
			return nil, err
		}
		if e.Mode.IsRegular() && inodes.at(i) != 0 {
			last[inode{devices.at(i), inodes.at(i)}] = len(p.entries)
		}
	}
	// Of files that are the same one, the last has the bytes.
	for i := range files {
		f := &files[i]
		if f.entry == nil || !f.entry.Mode.IsRegular() {
			continue
		}
		if at := last[inode{devices.at(i), inodes.at(i)}]; at > 0 && p.entries[at-1] != f.entry && p.entries[at-1].Size == f.size {
			f.entry.same, f.size = at, 0
		}
	}
	return files, nil
}

// unixMode translates a mode as stat(2) has it.
func unixMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	switch mode & 0o170000 {
	case 0o040000:
		m |= fs.ModeDir
	case 0o120000:
		m |= fs.ModeSymlink
	case 0o060000:
		m |= fs.ModeDevice
	case 0o020000:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case 0o010000:
		m |= fs.ModeNamedPipe
	case 0o140000:
		m |= fs.ModeSocket
	}
	if mode&0o4000 != 0 {
		m |= fs.ModeSetuid
	}
	if mode&0o2000 != 0 {
		m |= fs.ModeSetgid
	}
	if mode&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	return m
}
