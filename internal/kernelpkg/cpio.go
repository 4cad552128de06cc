package kernelpkg

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// The payload is a cpio archive in the format of SVR4, "newc": cpio(5). Where a
// file has 4 GiB or more, rpm writes a stripped format, in which a header has no
// more than the file's place in the RPM header (lib/cpio.c).
const (
	cpioMagic         = "070701"
	cpioMagicChecksum = "070702"
	cpioMagicStripped = "07070X"
	cpioHeaderSize    = 110
	cpioStrippedSize  = 14
	cpioTrailer       = "TRAILER!!!"
)

// cpioArchive is the payload of an RPM package.
type cpioArchive struct {
	name   string
	files  []cpioFile // by the RPM header's order
	byPath map[string]int
	cursor cursor
	end    int64  // of the file before
	before *entry // the file before, if it is one of the package's
}

// next finds where the bytes of the next file lie.
func (a *cpioArchive) next(p *Package) error {
	if a.before != nil {
		if err := p.capture(a.before); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		a.before = nil
	}
	a.cursor.at = a.end
	err := a.file()
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = errCut(a.cursor.at)
	}
	if err != nil && !errors.Is(err, errEnd) {
		return fmt.Errorf("%s: at offset %d of the archive: %w", a.name, a.end, err)
	}
	return err
}

func (a *cpioArchive) file() error {
	header := make([]byte, cpioHeaderSize)
	if _, err := io.ReadFull(&a.cursor, header[:cpioStrippedSize]); err != nil {
		return err
	}
	switch string(header[:6]) {
	case cpioMagicStripped:
		index, ok := hex(header[6:cpioStrippedSize])
		if !ok || index >= int64(len(a.files)) || a.files[index].entry == nil {
			return fmt.Errorf("%w: file %q of %d", ErrCorrupt, header[6:cpioStrippedSize], len(a.files))
		}
		return a.at(&a.files[index], a.files[index].size)
	case cpioMagic, cpioMagicChecksum:
	default:
		return fmt.Errorf("%w: header of a file begins with %q, expected %s", ErrCorrupt, header[:6], cpioMagic)
	}
	if _, err := io.ReadFull(&a.cursor, header[cpioStrippedSize:]); err != nil {
		return err
	}
	size, ok1 := hex(header[54:62])
	nameSize, ok2 := hex(header[94:102])
	if !ok1 || !ok2 || nameSize < 1 || nameSize > maxPath+3 {
		return fmt.Errorf("%w: header of a file with size %q and a name of size %q", ErrCorrupt, header[54:62], header[94:102])
	}
	name := make([]byte, nameSize)
	if _, err := io.ReadFull(&a.cursor, name); err != nil {
		return err
	}
	if name[nameSize-1] != 0 {
		return fmt.Errorf("%w: a name without an end", ErrCorrupt)
	}
	text := string(name[:nameSize-1])
	if text == cpioTrailer {
		return errEnd
	}
	return a.at(a.find(clean(text)), size)
}

// find returns the file of a path, nil if the RPM header has none.
func (a *cpioArchive) find(path string) *cpioFile {
	if a.byPath == nil {
		a.byPath = make(map[string]int, len(a.files))
		for i, f := range a.files {
			if f.entry != nil {
				a.byPath[f.entry.Path] = i
			}
		}
	}
	if i, ok := a.byPath[path]; ok {
		return &a.files[i]
	}
	return nil
}

// at takes note of a file whose size bytes lie behind the header that was read.
func (a *cpioArchive) at(f *cpioFile, size int64) error {
	at := (a.cursor.at + 3) &^ 3
	if size > math.MaxInt64-3-at {
		return fmt.Errorf("%w: a file of %d bytes", ErrCorrupt, size)
	}
	a.end = (at + size + 3) &^ 3
	if f == nil || !f.entry.Mode.IsRegular() {
		return nil
	}
	if size != f.size {
		return fmt.Errorf("%w: %s has %d bytes in the archive, %d by the RPM header", ErrCorrupt, f.entry.Path, size, f.size)
	}
	if f.entry.same == 0 {
		f.entry.offset, a.before = at, f.entry
	}
	return nil
}

// hex reads a number of 8 hexadecimal digits.
func hex(digits []byte) (int64, bool) {
	v, err := strconv.ParseUint(string(digits), 16, 32)
	return int64(v), err == nil
}
