package btf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Magic opens every BTF, in its own byte order.
const Magic = 0xeb9f

// minHeader is the header every BTF has; longer ones are read by their length.
const minHeader = 24

// ErrFormat is wrapped by every error about malformed BTF.
var ErrFormat = errors.New("malformed BTF")

// BTF is an indexed view of one BTF blob. It is read-only and safe for
// concurrent use, Reset aside. A split BTF answers for its base's ids and
// strings too.
//
// All accessors take any id: one that is out of range, or of a kind that does
// not have what is asked for, gives the zero value.
type BTF struct {
	types []byte   // the type section, little-endian
	strs  []byte   // the string section
	offs  []uint32 // where in types each own record starts, in bytes

	base     *BTF
	start    ID     // the first own id
	startStr uint32 // the first own string offset

	order   binary.ByteOrder
	swapped []byte // owned; types of a big-endian blob
}

// Parse indexes a BTF that stands on its own. It keeps raw, which must not
// change while the BTF is in use. References between types are not checked:
// see Validate.
func Parse(raw []byte) (*BTF, error) { return ParseSplit(raw, nil) }

// ParseSplit indexes a split BTF, such as a kernel module's, whose ids and
// string offsets go on where base ends. A nil base is allowed.
func ParseSplit(raw []byte, base *BTF) (*BTF, error) {
	b := new(BTF)
	if err := b.Reset(raw, base); err != nil {
		return nil, err
	}
	return b, nil
}

// Reset makes b a view of another blob, reusing its buffers. On an error b is
// empty. base must be neither b nor a split BTF that stands on b.
func (b *BTF) Reset(raw []byte, base *BTF) error {
	_, err := b.ResetPick(raw, base, nil, nil)
	return err
}

// ResetPick is Reset, and in the same pass appends to ids those of the types
// whose name may be in names: every one that is, and a few that are not. Only
// kinds that CO-RE can name as the root of a relocation are looked at.
func (b *BTF) ResetPick(raw []byte, base *BTF, names *Names, ids []ID) ([]ID, error) {
	if err := b.open(raw, base); err != nil {
		*b = BTF{offs: b.offs[:0], swapped: b.swapped}
		return ids, err
	}
	picked, err := b.index(names, ids)
	if err != nil {
		*b = BTF{offs: b.offs[:0], swapped: b.swapped}
		return ids, err
	}
	return picked, nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// IsBTF tells by the magic whether raw begins as BTF does, in either order.
func IsBTF(raw []byte) bool {
	return len(raw) >= 2 && (raw[0] == 0x9f && raw[1] == 0xeb || raw[0] == 0xeb && raw[1] == 0x9f)
}

// open reads the header and sets the sections.
func (b *BTF) open(raw []byte, base *BTF) error {
	if len(raw) < minHeader {
		return malformed("%d bytes, shorter than a header of %d", len(raw), minHeader)
	}
	var order binary.ByteOrder
	switch {
	case raw[0] == 0x9f && raw[1] == 0xeb:
		order = binary.LittleEndian
	case raw[0] == 0xeb && raw[1] == 0x9f:
		order = binary.BigEndian
	default:
		return malformed("starts with %#02x %#02x, not with the magic 0xeb9f", raw[0], raw[1])
	}
	if raw[2] != 1 {
		return malformed("version %d, expected 1", raw[2])
	}
	if raw[3] != 0 {
		return malformed("flags %#x, expected none", raw[3])
	}
	hdrLen := order.Uint32(raw[4:])
	if hdrLen < minHeader || uint64(hdrLen) > uint64(len(raw)) {
		return malformed("header of %d bytes in %d bytes", hdrLen, len(raw))
	}
	typeOff, typeLen := uint64(order.Uint32(raw[8:])), uint64(order.Uint32(raw[12:]))
	strOff, strLen := uint64(order.Uint32(raw[16:])), uint64(order.Uint32(raw[20:]))
	body := raw[hdrLen:]
	switch n := uint64(len(body)); {
	case typeOff%4 != 0:
		return malformed("type section at offset %d, not a multiple of 4", typeOff)
	case typeLen%4 != 0:
		return malformed("type section of %d bytes, not a multiple of 4", typeLen)
	case typeOff+typeLen > n:
		return malformed("type section [%d, %d) outside of %d bytes", typeOff, typeOff+typeLen, n)
	case strOff+strLen > n:
		return malformed("string section [%d, %d) outside of %d bytes", strOff, strOff+strLen, n)
	case typeOff+typeLen > strOff:
		return malformed("type section [%d, %d) overlaps the strings at %d", typeOff, typeOff+typeLen, strOff)
	}
	strs := body[strOff : strOff+strLen]
	switch {
	case strLen > math.MaxInt32:
		return malformed("string section of %d bytes", strLen)
	case base == nil && (strLen == 0 || strs[0] != 0):
		return malformed("string section does not start with an empty string")
	case strLen > 0 && strs[strLen-1] != 0:
		return malformed("string section does not end with a zero byte")
	}
	start, startStr := ID(1), uint64(0)
	if base != nil {
		start, startStr = base.End(), uint64(base.startStr)+uint64(len(base.strs))
		switch {
		case base.order != order:
			return malformed("%v, but its base is %v", order, base.order)
		case startStr+strLen > math.MaxUint32:
			return malformed("string section of %d bytes after the base's %d: offsets have 32 bits", strLen, startStr)
		}
	}

	b.types, b.strs, b.order, b.base = body[typeOff:typeOff+typeLen], strs, order, base
	b.start, b.startStr = start, uint32(startStr)
	if order == binary.BigEndian {
		b.normalise()
	}
	return nil
}

// normalise copies the type section as little-endian words: a type section
// consists of 32-bit words alone.
func (b *BTF) normalise() {
	n := len(b.types)
	if cap(b.swapped) < n {
		b.swapped = make([]byte, n)
	}
	b.swapped = b.swapped[:n]
	src, dst := b.types, b.swapped
	for len(src) >= 8 && len(dst) >= 8 { // two words at a time
		v := bits.ReverseBytes64(binary.LittleEndian.Uint64(src))
		binary.LittleEndian.PutUint64(dst, bits.RotateLeft64(v, 32))
		src, dst = src[8:], dst[8:]
	}
	if len(src) >= 4 {
		binary.LittleEndian.PutUint32(dst, binary.BigEndian.Uint32(src))
	}
	b.types = b.swapped
}

// pickKinds are the kinds that a relocation can name: those that a local root
// type, or cilium/ebpf's any-kind search, can land on.
const pickKinds = 1<<KindInt | 1<<KindStruct | 1<<KindUnion | 1<<KindEnum | 1<<KindFwd |
	1<<KindTypedef | 1<<KindFunc | 1<<KindVar | 1<<KindDatasec | 1<<KindFloat | 1<<KindEnum64

// index walks the type section once. Where a record starts is known only when
// the one before has been read, and it is this chain that takes the time; so a
// record that is a header and no more is told by a branch, which the processor
// can guess, and what there is to do beside the chain has no branches.
func (b *BTF) index(names *Names, ids []ID) ([]ID, error) {
	types, offs := b.types, b.offs[:0]
	strEnd := b.startStr + uint32(len(b.strs))
	want := uint32(0)
	if names != nil {
		want = names.kinds & pickKinds
	}
	if guess := len(types)/typicalRecord + indexBlock; cap(offs) < guess {
		offs = make([]uint32, 0, guess+guess/4) // the next kernel may be larger
	}
	var named [indexBlock]namedType // those of the kinds asked for
	off, end := 0, len(types)-headerSize
	for off <= end {
		offs = slices.Grow(offs, indexBlock)
		at := (*[indexBlock]uint32)(offs[len(offs) : len(offs)+indexBlock])
		i, n := 0, 0
		for ; i < indexBlock && off <= end; i++ {
			head := binary.LittleEndian.Uint64(types[off:])
			name, kind := uint32(head), uint32(head>>56)&0x7f
			size := headerSize
			if kind >= 32 || bareKinds>>kind&1 == 0 {
				shape := shapes[kind]
				size = int(shape&0xff) + int(head>>32&0xffffff)*int(shape>>8)
				if shape == 0 || size > len(types)-off {
					return ids, b.badRecord(len(offs)+i, off, size, kind, name)
				}
			}
			if name >= strEnd {
				return ids, b.badRecord(len(offs)+i, off, size, kind, name)
			}
			named[n%indexBlock] = namedType{name, uint32(i)}
			n += int(want >> (kind & 31) & 1)
			at[i] = uint32(off)
			off += size
		}
		ids = b.pick(names, named[:n], b.start+ID(len(offs)), ids)
		offs = offs[:len(offs)+i]
	}
	if off != len(types) {
		return ids, malformed("type %d at offset %d: cut off", int(b.start)+len(offs), off)
	}
	b.offs = offs
	return ids, nil
}

// indexBlock is how many records are walked before their names are looked at.
const indexBlock = 256

// namedType is a type that is the i-th of a block.
type namedType struct{ name, i uint32 }

// pick appends the types that may have one of the names.
func (b *BTF) pick(names *Names, from []namedType, first ID, ids []ID) []ID {
	strs, start := b.strs, b.startStr
	for _, t := range from {
		if t.name == 0 {
			continue
		}
		var s []byte
		if t.name >= start {
			s = strs[t.name-start:]
		} else {
			s = b.base.from(t.name)
		}
		if names.mayHave(s) {
			ids = append(ids, first+ID(t.i))
		}
	}
	return ids
}

// bareKinds are those whose record is a header.
const bareKinds = 1<<KindPtr | 1<<KindFwd | 1<<KindTypedef | 1<<KindVolatile | 1<<KindConst | 1<<KindRestrict |
	1<<KindFunc | 1<<KindFloat | 1<<KindTypeTag

// typicalRecord is less than the bytes that a record of a kernel's BTF takes on
// average, about 28.
const typicalRecord = 24

// shapes has for every kind the size in bytes of a record without items, and
// from bit 8 on that of an item; 0 for an unknown kind.
var shapes = func() (t [128]uint16) {
	for k := KindInt; k <= lastKind; k++ {
		t[k] = headerSize + uint16(fixedSize[k]) + uint16(itemSize[k])<<8
	}
	return t
}()

func (b *BTF) badRecord(i, off, size int, kind, name uint32) error {
	id := int(b.start) + i
	switch {
	case kind-1 >= uint32(lastKind):
		return malformed("type %d at offset %d: unknown kind %d", id, off, kind)
	case size > len(b.types)-off:
		return malformed("type %d at offset %d: %v of %d bytes, but %d are left", id, off, Kind(kind), size, len(b.types)-off)
	}
	return malformed("type %d at offset %d: name at %d, past the strings' %d bytes", id, off, name, b.startStr+uint32(len(b.strs)))
}
