package btf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Builder makes BTF. Types get ids in order of adding, from 1, or from where
// the base ends. A reference may be to a type that is yet to be added. The
// zero Builder is not ready: see NewBuilder.
type Builder struct {
	order    binary.ByteOrder
	start    ID
	startStr uint32

	words   []uint32 // the type section; names are indices into strings
	at      []uint32 // where in words each type's record starts
	pins    []uint32 // per type: see Pin
	strings stringTable
	canon   canonicaliser
	err     error // the first thing that was added and cannot be encoded

	wholeStrings bool // see WholeStrings
}

// BuildMember is a member for Struct and Union; offset and size are in bits.
// A BitSize of 0 is an ordinary member. One member with a BitSize makes all
// of the struct's be encoded with bitfield sizes.
type BuildMember struct {
	Name      string
	Type      ID
	BitOffset uint32
	BitSize   uint32
}

// BuildEnumerator is a value for Enum and Enum64.
type BuildEnumerator struct {
	Name  string
	Value uint64
}

// BuildParam is a parameter for FuncProto.
type BuildParam struct {
	Name string
	Type ID
}

// BuildSecinfo is a variable for Datasec; offset and size are in bytes.
type BuildSecinfo struct {
	Type   ID
	Offset uint32
	Size   uint32
}

// NewBuilder makes a builder of BTF that stands on its own.
func NewBuilder(order binary.ByteOrder) *Builder {
	w := new(Builder)
	w.Reset(order)
	return w
}

// NewSplitBuilder makes a builder of split BTF on base.
func NewSplitBuilder(base *BTF) *Builder {
	w := NewBuilder(base.order)
	w.start, w.startStr = base.End(), base.startStr+uint32(len(base.strs))
	return w
}

// Reset empties the builder, to be used again; its buffers stay.
func (w *Builder) Reset(order binary.ByteOrder) {
	w.order, w.start, w.startStr = order, 1, 0
	w.words, w.at, w.pins, w.err = w.words[:0], w.at[:0], w.pins[:0], nil
	if w.strings.reset() {
		w.canon.nameHash = w.canon.nameHash[:0]
	}
}

// WholeStrings makes Bytes share equal strings only, so that each name starts
// behind a zero byte. The kernel and libbpf do not mind a name that is another's
// end; cilium/ebpf refuses the whole BTF ("offset 118 is not the beginning of a
// string", as of 0.22). It outlasts Reset.
func (w *Builder) WholeStrings() { w.wholeStrings = true }

// Len is the number of types added.
func (w *Builder) Len() int { return len(w.at) }

func (w *Builder) add(kind Kind, name string, flag bool, vlen int, sizeOrType uint32) ID {
	return w.record(kind, w.strings.index(name), flag, vlen, sizeOrType)
}

func (w *Builder) record(kind Kind, name uint32, flag bool, vlen int, sizeOrType uint32) ID {
	id := w.start + ID(len(w.at))
	w.at = append(w.at, uint32(len(w.words)))
	w.pins = append(w.pins, 0)
	if vlen > maxVlen {
		w.refuse("type %d: %v with %d items, at most 65535 fit", id, kind, vlen)
		vlen = maxVlen
	}
	info := uint32(kind)<<24 | uint32(vlen)
	if flag {
		info |= 1 << 31
	}
	w.words = append(w.words, name, info, sizeOrType)
	return id
}

// maxVlen is the most items that a record's header has the bits for.
const maxVlen = 0xffffff

// refuse keeps the first error until Bytes can return it.
func (w *Builder) refuse(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("%w: %s", ErrTooLarge, fmt.Sprintf(format, args...))
	}
}

// Int adds an INT of as many bits as its size has.
func (w *Builder) Int(name string, size uint32, enc IntEncoding) ID {
	return w.IntBits(name, size, Int{Encoding: enc, Bits: uint8(size * 8)})
}

// IntBits adds an INT with its bits said, as legacy bitfields have them.
func (w *Builder) IntBits(name string, size uint32, n Int) ID {
	id := w.add(KindInt, name, false, 0, size)
	w.words = append(w.words, uint32(n.Encoding)<<24|uint32(n.BitOffset)<<16|uint32(n.Bits))
	return id
}

// Ptr adds a pointer.
func (w *Builder) Ptr(ref ID) ID { return w.add(KindPtr, "", false, 0, uint32(ref)) }

// Array adds an array.
func (w *Builder) Array(elem, index ID, nelems uint32) ID {
	id := w.add(KindArray, "", false, 0, 0)
	w.words = append(w.words, uint32(elem), uint32(index), nelems)
	return id
}

// Struct adds a struct of size bytes.
func (w *Builder) Struct(name string, size uint32, members ...BuildMember) ID {
	return w.composite(KindStruct, name, size, members)
}

// Union adds a union of size bytes.
func (w *Builder) Union(name string, size uint32, members ...BuildMember) ID {
	return w.composite(KindUnion, name, size, members)
}

func (w *Builder) composite(kind Kind, name string, size uint32, members []BuildMember) ID {
	flag := false
	for _, m := range members {
		flag = flag || m.BitSize != 0
	}
	id := w.add(kind, name, flag, len(members), size)
	for _, m := range members {
		off := m.BitOffset
		if flag {
			if off > 0xffffff || m.BitSize > 0xff {
				w.refuse("type %d: member %q of %d bits at bit %d, beside bitfields 24 bits of offset and 8 of size fit",
					id, m.Name, m.BitSize, off)
			}
			off |= m.BitSize << 24
		}
		w.words = append(w.words, w.strings.index(m.Name), uint32(m.Type), off)
	}
	return id
}

// Enum adds an ENUM of size bytes; of the values 32 bits are kept.
func (w *Builder) Enum(name string, size uint32, signed bool, vals ...BuildEnumerator) ID {
	id := w.add(KindEnum, name, signed, len(vals), size)
	for _, v := range vals {
		w.words = append(w.words, w.strings.index(v.Name), uint32(v.Value))
	}
	return id
}

// Enum64 adds an ENUM64 of size bytes.
func (w *Builder) Enum64(name string, size uint32, signed bool, vals ...BuildEnumerator) ID {
	id := w.add(KindEnum64, name, signed, len(vals), size)
	for _, v := range vals {
		w.words = append(w.words, w.strings.index(v.Name), uint32(v.Value), uint32(v.Value>>32))
	}
	return id
}

// Fwd adds a forward declaration.
func (w *Builder) Fwd(name string, union bool) ID { return w.add(KindFwd, name, union, 0, 0) }

// Typedef adds a typedef.
func (w *Builder) Typedef(name string, ref ID) ID {
	return w.add(KindTypedef, name, false, 0, uint32(ref))
}

// Const adds a const modifier.
func (w *Builder) Const(ref ID) ID { return w.add(KindConst, "", false, 0, uint32(ref)) }

// Volatile adds a volatile modifier.
func (w *Builder) Volatile(ref ID) ID { return w.add(KindVolatile, "", false, 0, uint32(ref)) }

// Restrict adds a restrict modifier.
func (w *Builder) Restrict(ref ID) ID { return w.add(KindRestrict, "", false, 0, uint32(ref)) }

// Func adds a function.
func (w *Builder) Func(name string, proto ID, linkage uint32) ID {
	return w.add(KindFunc, name, false, int(min(linkage, maxVlen+1)), uint32(proto))
}

// FuncProto adds a function's type.
func (w *Builder) FuncProto(ret ID, params ...BuildParam) ID {
	id := w.add(KindFuncProto, "", false, len(params), uint32(ret))
	for _, p := range params {
		w.words = append(w.words, w.strings.index(p.Name), uint32(p.Type))
	}
	return id
}

// Var adds a variable.
func (w *Builder) Var(name string, ref ID, linkage uint32) ID {
	id := w.add(KindVar, name, false, 0, uint32(ref))
	w.words = append(w.words, linkage)
	return id
}

// Datasec adds a section's variables.
func (w *Builder) Datasec(name string, size uint32, vars ...BuildSecinfo) ID {
	id := w.add(KindDatasec, name, false, len(vars), size)
	for _, v := range vars {
		w.words = append(w.words, uint32(v.Type), v.Offset, v.Size)
	}
	return id
}

// Float adds a floating-point type of size bytes.
func (w *Builder) Float(name string, size uint32) ID {
	return w.add(KindFloat, name, false, 0, size)
}

// DeclTag adds a tag to a declaration; component is -1 for the whole.
func (w *Builder) DeclTag(name string, ref ID, component int32) ID {
	id := w.add(KindDeclTag, name, false, 0, uint32(ref))
	w.words = append(w.words, uint32(component))
	return id
}

// TypeTag adds a tag to a type.
func (w *Builder) TypeTag(name string, ref ID) ID {
	return w.add(KindTypeTag, name, false, 0, uint32(ref))
}

// Pin marks a type as one that Canonicalise must not merge with a type of
// another pin, and that it puts before those of a higher pin and before those
// that are not pinned, whose pin is 0.
func (w *Builder) Pin(id ID, pin uint32) { w.pins[id-w.start] = pin }

// Copy adds a type of src. ref turns ids of src into the builder's; it is
// called for each reference that is kept, void's 0 too, in the record's order.
// It may itself add to the builder.
func (w *Builder) Copy(src *BTF, id ID, c Copied, ref func(ID) ID) (ID, error) {
	rec := src.rec(id)
	if rec == nil {
		return 0, fmt.Errorf("copy of type %d: not in the BTF", id)
	}
	info := le(rec, 4)
	kind := Kind(info >> 24 & 0x7f)
	vlen := int(info & 0xffffff)
	if listKinds>>kind&1 != 0 && !c.All {
		for _, i := range c.Items {
			if i >= uint32(vlen) {
				return 0, fmt.Errorf("copy of type %d: item %d of %d", id, i, vlen)
			}
		}
		vlen = len(c.Items)
	}
	name := uint32(0)
	if !c.Nameless {
		name = w.strings.indexBytes(src.NameBytes(id))
	}
	at := len(w.words)
	out := w.record(kind, name, info>>31 != 0, vlen, le(rec, 8))
	for o := headerSize; o < headerSize+int(fixedSize[kind]); o += 4 {
		w.words = append(w.words, le(rec, o))
	}
	if n := int(itemSize[kind]); n > 0 {
		for j := range vlen {
			i := j
			if !c.All {
				i = int(c.Items[j])
			}
			w.item(src, kind, rec[headerSize+i*n:][:n])
		}
	}
	w.eachRef(at, func(pos int) {
		to := ref(ID(w.words[pos])) // may grow words
		w.words[pos] = uint32(to)
	})
	return out, nil
}

// Copied says what Copy keeps of a type.
type Copied struct {
	All      bool     // every member, enumerator, parameter or variable
	Items    []uint32 // otherwise those of these indices, which ascend
	Nameless bool     // drop the type's own name
}

// item adds an item's words, references still src's.
func (w *Builder) item(src *BTF, kind Kind, it []byte) {
	first := le(it, 0)
	if kind != KindDatasec {
		first = w.strings.indexBytes(src.StringBytes(first))
	}
	w.words = append(w.words, first)
	for o := 4; o < len(it); o += 4 {
		w.words = append(w.words, le(it, o))
	}
}

// ErrTooLarge says that what was built does not fit BTF's 32-bit sizes.
var ErrTooLarge = errors.New("BTF too large")

// Bytes encodes what was added: a 24-byte header, the types in order of
// adding, and the strings, each once and, but for WholeStrings, as a suffix of
// another where it is one. The result is the caller's.
func (w *Builder) Bytes() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	for i, at := range w.at {
		if kind := Kind(w.words[at+1] >> 24 & 0x7f); w.vlenLimit(i) {
			return nil, fmt.Errorf("%w: type %d: %v with %d items, at most 65535 fit", ErrTooLarge, int(w.start)+i, kind, w.words[at+1]&0xffffff)
		}
	}
	w.strings.begin()
	for _, at := range w.at {
		w.eachName(int(at), func(pos int) { w.strings.use(w.words[pos]) })
	}
	strLen, err := w.strings.place(w.startStr, w.start > 1, !w.wholeStrings)
	if err != nil {
		return nil, err
	}
	if size := minHeader + uint64(len(w.words))*4 + uint64(strLen); size > math.MaxInt32 {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, size)
	}
	typeLen := uint32(len(w.words) * 4)
	out := make([]byte, minHeader+typeLen+strLen)
	o := w.order
	o.PutUint16(out, Magic)
	out[2] = 1
	o.PutUint32(out[4:], minHeader)
	o.PutUint32(out[12:], typeLen)
	o.PutUint32(out[16:], typeLen)
	o.PutUint32(out[20:], strLen)
	dst := out[minHeader:]
	for i, v := range w.words {
		o.PutUint32(dst[i*4:], v)
	}
	for _, at := range w.at {
		w.eachName(int(at), func(pos int) { o.PutUint32(dst[pos*4:], w.strings.offs[w.words[pos]]) })
	}
	w.strings.write(dst[typeLen:], w.startStr)
	return out, nil
}

// vlenLimit tells whether type i has more items than the 16 bits that every
// reader knows.
func (w *Builder) vlenLimit(i int) bool { return w.words[w.at[i]+1]&0xffffff > 0xffff }

// eachName calls f with where in words a record keeps names.
func (w *Builder) eachName(at int, f func(pos int)) {
	f(at)
	kind, n := w.header(at)
	switch kind {
	case KindStruct, KindUnion, KindEnum, KindFuncProto, KindEnum64:
		for i := range n {
			f(at + 3 + i*int(itemSize[kind])/4)
		}
	}
}

// eachRef calls f with where in words a record keeps type ids.
func (w *Builder) eachRef(at int, f func(pos int)) {
	kind, n := w.header(at)
	if refKinds>>kind&1 != 0 {
		f(at + 2)
	}
	switch kind {
	case KindArray:
		f(at + 3)
		f(at + 4)
	case KindStruct, KindUnion, KindFuncProto:
		for i := range n {
			f(at + 3 + i*int(itemSize[kind])/4 + 1)
		}
	case KindDatasec:
		for i := range n {
			f(at + 3 + i*3)
		}
	}
}

// header is the kind of the record at a place in words, and its item count.
func (w *Builder) header(at int) (Kind, int) {
	info := w.words[at+1]
	kind := Kind(info >> 24 & 0x7f)
	if listKinds>>kind&1 == 0 {
		return kind, 0
	}
	return kind, int(info & 0xffffff)
}

// recordLen is the length of the record at a place in words, in words.
func (w *Builder) recordLen(at int) int {
	kind, n := w.header(at)
	return (headerSize + int(fixedSize[kind]) + n*int(itemSize[kind])) / 4
}
