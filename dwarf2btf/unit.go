package dwarf2btf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// place is where an entry is: its offset in bytes in all sections of entries, one
// behind another, the alternate file's too. 0 is none: there is always a header.
type place = uint32

// unit is the header of a unit of .debug_info or .debug_types.
type unit struct {
	file      *file
	data      []byte // the section
	section   string
	at        place  // of the section
	stringsAt uint32 // of the section as one of strings, see names
	order     binary.ByteOrder
	// Offsets in bytes in the section: of the header, the first entry and the end.
	start, first, end int
	version           uint16
	kind              uint8 // a unit type of DWARF 5, of older ones too
	addrSize, offSize uint8 // bytes
	abbrevAt          uint64
	signature         uint64 // of a type unit
	typeAt            uint64 // of a type unit: its type's offset in bytes from start
}

func (u *unit) place(offset int) place { return u.at + place(offset) }

func (u *unit) wrap(err error) error {
	return fmt.Errorf("unit at offset 0x%x of %s: %w", u.start, u.section, err)
}

// units reads the headers of a section's units.
func (f *file) units(all []unit, section string, data []byte, at place, stringsAt uint32) ([]unit, error) {
	for pos := 0; pos < len(data); {
		u := unit{file: f, data: data, section: section, at: at, stringsAt: stringsAt, order: f.order, start: pos}
		if err := u.header(section == ".debug_types"); err != nil {
			return nil, u.wrap(err)
		}
		pos = u.end
		all = append(all, u)
	}
	return all, nil
}

func (u *unit) header(types bool) error {
	b := u.data[u.start:]
	short := func(n int) error {
		if len(b) < n {
			return fmt.Errorf("header is %w: %d bytes are left, %d expected", errCut, len(b), n)
		}
		return nil
	}
	if err := short(4); err != nil {
		return err
	}
	length, pos := uint64(u.order.Uint32(b)), 4
	u.offSize = 4
	switch {
	case length == math.MaxUint32:
		if err := short(12); err != nil {
			return err
		}
		length, pos, u.offSize = u.order.Uint64(b[4:]), 12, 8
	case length >= 0xfffffff0:
		return fmt.Errorf("length 0x%x is reserved", length)
	}
	if length > uint64(len(b)-pos) {
		return fmt.Errorf("%w: %d bytes are left, %d expected", errCut, len(b)-pos, length)
	}
	b = b[:pos+int(length)]
	u.end = u.start + len(b)
	if length == 0 { // padding
		u.first = u.end
		return nil
	}
	if err := short(pos + 2); err != nil {
		return err
	}
	u.version = u.order.Uint16(b[pos:])
	pos += 2
	if u.version < 2 || u.version > 5 {
		return fmt.Errorf("DWARF version %d, expected 2 to 5", u.version)
	}
	if err := short(pos + 2 + int(u.offSize)); err != nil {
		return err
	}
	u.kind = utCompile
	if types {
		u.kind = utType
	}
	if u.version >= 5 {
		u.kind, u.addrSize = b[pos], b[pos+1]
		pos += 2
	}
	u.abbrevAt = number(u.order, b[pos:], int(u.offSize))
	pos += int(u.offSize)
	if u.version < 5 {
		if err := short(pos + 1); err != nil {
			return err
		}
		u.addrSize = b[pos]
		pos++
	}
	switch u.kind {
	case utCompile, utPartial:
	case utSkeleton, utSplitCompile:
		pos += 8
	case utType, utSplitType:
		if err := short(pos + 8 + int(u.offSize)); err != nil {
			return err
		}
		u.signature = u.order.Uint64(b[pos:])
		u.typeAt = number(u.order, b[pos+8:], int(u.offSize))
		pos += 8 + int(u.offSize)
	default:
		return fmt.Errorf("unit type 0x%x is not known", u.kind)
	}
	if u.addrSize == 0 || u.addrSize > 8 {
		return fmt.Errorf("addresses of %d bytes, expected 1 to 8", u.addrSize)
	}
	if err := short(pos); err != nil {
		return err
	}
	u.first = u.start + pos
	return nil
}

var errSplit = errors.New("split DWARF is not supported, build without -gsplit-dwarf")

// unitEntry reads the first entry, and says whether the rest is to be left out.
func (d *decoder) unitEntry() (skip bool, err error) {
	u := d.unit
	d.strOffsetsBase, d.addrBase = 0, 0
	if u.version >= 5 {
		// Behind the header of the only contribution.
		d.strOffsetsBase, d.addrBase = 2*uint64(u.offSize), 2*uint64(u.offSize)
	}
	code, pos := uleb(d.data, u.first)
	if pos < 0 {
		return false, d.entryError(u.first)
	}
	if code == 0 {
		return true, nil
	}
	ab := d.abbr.find(code)
	if ab == nil {
		return false, fmt.Errorf("%w at offset 0x%x: abbreviation %d is not there", errEntry, u.first, code)
	}
	switch ab.tag {
	case tagCompileUnit, tagPartialUnit, tagTypeUnit, tagSkeletonUnit:
	default:
		return false, fmt.Errorf("%w at offset 0x%x: tag 0x%x, expected a unit's", errEntry, u.first, ab.tag)
	}
	steps := d.abbr.steps[ab.read:ab.readEnd]
	if d.attributes(steps, pos) < 0 {
		return false, d.entryError(u.first)
	}
	if d.set>>slotAddrBase&1 != 0 {
		d.addrBase = d.vals[slotAddrBase]
	}
	if d.set>>slotStrOffsets&1 != 0 {
		// What depends on it may be in front of it.
		d.strOffsetsBase = d.vals[slotStrOffsets]
		if d.attributes(steps, pos) < 0 {
			return false, d.entryError(u.first)
		}
	}
	if u.kind == utSkeleton || ab.tag == tagSkeletonUnit || d.set>>slotDwoName&1 != 0 {
		return false, fmt.Errorf("its types are in the file %q: %w", d.name(uint32(d.get(slotDwoName))), errSplit)
	}
	language := d.get(slotLanguage)
	return language == langRust || language == langRustOld || !ab.children, nil
}

// unitAt is the unit that has the entry at a place, nil if none has.
func (in *input) unitAt(at place) *unit {
	if i := in.unitIndex(at); i >= 0 {
		return &in.units[i]
	}
	return nil
}

// unitIndex is the number of the unit that has the entry at a place, -1 if none has.
func (in *input) unitIndex(at place) int {
	i, ok := slices.BinarySearchFunc(in.units, at, func(u unit, at place) int {
		switch {
		case at < u.place(u.first):
			return 1
		case at >= u.place(u.end):
			return -1
		}
		return 0
	})
	if !ok {
		return -1
	}
	return i
}
