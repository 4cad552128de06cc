package btf

import "strconv"

// cLayout is how a struct or union is written. The alignment is that which
// the written form has for compilers that align a type to its size, up to 16
// bytes: those of 64-bit machines and of BPF.
type cLayout struct {
	align   uint8 // bytes, 0: not yet known
	packed  bool
	overlay bool // members overlap: each is placed on its own in a union
}

// placed is a member and where it has to be, in bits.
type placed struct {
	m         Member
	off, size uint64
	align     uint64 // that of its type
	bitfield  bool
	plain     string // the type of a bitfield, if not its own
	unnamed   ID     // the struct or union whose members it brings in
	absent    bool   // of a type without a size
}

func (p *placed) end() uint64 { return p.off + p.size }

// straddles tells a bitfield at a bit offset that lies in two units of its
// type, where C would have moved it on.
func (p *placed) straddles(off uint64) bool {
	return p.size > 0 && off/p.align != (off+p.size-1)/p.align
}

// maxBits caps sizes and offsets, so that hostile ones do not wrap around.
const maxBits = 1 << 48

// place gives the members that are to be written. One without a name that is
// no struct or union is left to padding.
func (d *cDumper) place(id ID) []placed {
	b, n := d.b, d.b.Vlen(id)
	members := make([]placed, 0, n)
	for i := range n {
		p := placed{m: b.Member(id, i)}
		var named bool
		if p.unnamed, named = d.unnamedMember(p.m); !named && p.m.NameOff == 0 {
			continue
		}
		p.off = uint64(p.m.BitOffset)
		size, align, ok := d.sizeAlign(p.m.Type)
		p.size, p.align, p.absent = size, align, !ok
		if to, ok := b.SkipModifiers(p.m.Type); ok {
			d.bitfield(&p, to)
		}
		if !p.bitfield && p.off%8 != 0 {
			p.align = maxBits // nowhere to be had: makes an overlay
		}
		members = append(members, p)
	}
	return members
}

// bitfield finds out whether a member is a bitfield; to is its type without
// modifiers. Before structs said so themselves, an INT did: by having fewer
// bits than its size, and an offset of its own.
func (d *cDumper) bitfield(p *placed, to ID) {
	b, kind := d.b, d.b.Kind(to)
	n := b.Int(to)
	legacy := kind == KindInt && (uint32(n.Bits) != b.Size(to)*8 || n.BitOffset != 0)
	switch {
	case p.m.BitSize > 0:
		p.size = uint64(p.m.BitSize)
	case legacy || kind == KindInt && p.off%8 != 0 && b.Size(to) <= 16:
		p.off += uint64(n.BitOffset)
		p.size = uint64(n.Bits)
	default:
		return
	}
	p.bitfield = true
	own := (kind == KindInt && powerOfTwo(b.Size(to)) || kind.IsEnum()) && uint64(b.Size(to))*8 >= p.size
	if own && n.Encoding&Bool != 0 && p.size > 1 {
		own = false
	}
	p.align = uint64(b.Size(to)) * 8
	if !own {
		for p.align = 8; p.align < p.size && p.align < 128; {
			p.align *= 2
		}
		p.plain = plainInt(uint32(p.align/8), n.Encoding&Signed != 0)
	}
}

// sizeAlign is the size and the alignment in bits of a value as it is written.
// ok is false for what has no size, which is written as an empty array.
func (d *cDumper) sizeAlign(id ID) (size, align uint64, ok bool) {
	b, count := d.b, uint64(1)
	for range maxModifiers {
		switch kind := b.Kind(id); {
		case kind.IsModifier():
			id = b.Ref(id)
		case kind == KindArray:
			a := b.Array(id)
			if count *= uint64(a.Nelems); count > maxBits/8 {
				count = maxBits / 8
			}
			id = a.Elem
		case kind == KindPtr:
			return bitsOf(count, d.pointer), uint64(d.pointer) * 8, true
		case kind.IsEnum():
			return bitsOf(count, b.Size(id)), uint64(b.Size(id)) * 8, true
		case kind == KindInt, kind == KindFloat:
			n := b.Size(id)
			align := uint64(n) * 8
			if !powerOfTwo(n) || n > 16 {
				align = 8
			}
			return bitsOf(count, n), align, true
		case kind.IsComposite():
			return bitsOf(count, b.Size(id)), uint64(d.layout(id).align) * 8, true
		default:
			return 0, 8, false
		}
	}
	return 0, 8, false
}

func bitsOf(count uint64, size uint32) uint64 {
	if size != 0 && count > maxBits/8/uint64(size) {
		return maxBits
	}
	return count * uint64(size) * 8
}

// layout decides how a struct or union is written: packed if C would by itself
// not put every member where it is, or give another size.
func (d *cDumper) layout(id ID) cLayout {
	if l := d.layouts[id]; l.align != 0 || !d.enter(id) {
		return cLayout{align: max(l.align, 1), packed: l.packed, overlay: l.overlay}
	}
	defer d.leave()
	l := d.layoutOf(id)
	d.layouts[id] = l
	return l
}

func (d *cDumper) layoutOf(id ID) cLayout {
	members := d.place(id)
	size, end, align := uint64(d.b.Size(id))*8, uint64(0), uint64(8)
	union := d.b.Kind(id) == KindUnion
	overlay, packed := false, false
	for i := range members {
		p := &members[i]
		if p.off < end && !union || union && p.off != 0 || p.align == maxBits {
			overlay = true
		}
		if !union {
			end = p.end()
		}
		align = max(align, p.align)
		if p.bitfield {
			packed = packed || p.straddles(p.off)
		} else {
			packed = packed || p.off%p.align != 0
		}
	}
	switch {
	case overlay:
		return cLayout{align: 1, packed: true, overlay: true}
	case packed || size%align != 0 || len(members) == 0:
		return cLayout{align: 1, packed: len(members) > 0 || size > 0}
	}
	return cLayout{align: uint8(align / 8)}
}

// composite appends the definition of a struct, union or enum, without what it
// declares.
func (d *cDumper) composite(out []byte, id ID, indent int) []byte {
	if d.b.Kind(id).IsEnum() {
		return d.enum(out, id, indent)
	}
	return d.body(d.tag(out, id), id, indent)
}

// body appends a struct's or union's members in their braces, and its
// attribute.
func (d *cDumper) body(out []byte, id ID, indent int) []byte {
	if !d.enter(id) {
		return out
	}
	defer d.leave()
	d.writing[id] = true
	defer delete(d.writing, id)
	l, members, size := d.layout(id), d.place(id), uint64(d.b.Size(id))*8
	start := len(out)
	out = append(out, " {\n"...)
	switch {
	case l.overlay:
		out = d.overlay(out, members, size, indent+1)
	case d.b.Kind(id) == KindUnion:
		out = d.union(out, members, size, uint64(l.align)*8, l.packed, indent+1)
	default:
		out = d.structure(out, members, size, uint64(l.align)*8, l.packed, indent+1)
	}
	if string(out[start:]) == " {\n" {
		out = append(out[:start], " {"...) // no members, no padding
		indent = 0
	}
	out = append(tabs(out, indent), '}')
	if l.packed {
		out = append(out, " __attribute__((packed))"...)
	}
	return out
}

// structure appends members one after the other, with padding wherever C by
// itself would not put the next one where it is.
func (d *cDumper) structure(out []byte, members []placed, size, align uint64, packed bool, indent int) []byte {
	at := uint64(0)
	for i := range members {
		p := &members[i]
		natural := at
		if !packed && (!p.bitfield || p.straddles(at)) {
			natural = roundUp(at, p.align)
		}
		if natural != p.off {
			out = d.pad(out, at, p.off, align, packed, indent)
		}
		out = d.memberLine(out, p, indent)
		at = p.end()
		if d.err != nil {
			return out
		}
	}
	if roundUp(at, align) < size {
		out = d.pad(out, at, size, align, packed, indent)
	}
	return out
}

// union appends members that all start at 0.
func (d *cDumper) union(out []byte, members []placed, size, align uint64, packed bool, indent int) []byte {
	end := uint64(0)
	for i := range members {
		out = d.memberLine(out, &members[i], indent)
		end = max(end, members[i].end())
		if d.err != nil {
			return out
		}
	}
	if packed {
		align = 8
	}
	if roundUp(end, align) < size {
		out = d.filler(out, size, indent)
	}
	return out
}

// overlay appends members that overlap: a union, in which each follows padding
// of its own up to where it is.
func (d *cDumper) overlay(out []byte, members []placed, size uint64, indent int) []byte {
	out = append(tabs(out, indent), "union {\n"...)
	for i := range members {
		p := &members[i]
		if p.off%8 != 0 && !p.bitfield {
			continue // a value that starts within a byte: C cannot say it
		}
		out = append(tabs(out, indent+1), "struct {\n"...)
		out = d.pad(out, 0, p.off, 8, true, indent+2)
		out = d.memberLine(out, p, indent+2)
		out = append(tabs(out, indent+1), "} __attribute__((packed));\n"...)
		if d.err != nil {
			return out
		}
	}
	out = d.filler(out, size, indent+1)
	return append(tabs(out, indent), "};\n"...)
}

// filler appends an anonymous struct that makes a union as large as it has to
// be.
func (d *cDumper) filler(out []byte, size uint64, indent int) []byte {
	out = append(tabs(out, indent), "struct {\n"...)
	out = d.pad(out, 0, size, 8, true, indent+1)
	return append(tabs(out, indent), "} __attribute__((packed));\n"...)
}

// memberLine appends one member.
func (d *cDumper) memberLine(out []byte, p *placed, indent int) []byte {
	if !d.step(p.m.Type) {
		return out
	}
	out = tabs(out, indent)
	name := d.member(p.m.NameOff)
	switch {
	case p.unnamed != 0:
		// Of a struct with a name too: C knows members without a name only
		// for structs without one.
		out = d.body(append(out, d.keyword(p.unnamed)...), p.unnamed, indent)
	case p.plain != "":
		out = append(append(append(out, p.plain...), ' '), name...)
	case p.absent || !d.usable(p.m.Type):
		out = append(append(append(out, "char "...), name...), "[0]"...)
	default:
		out = d.declaration(out, p.m.Type, name, indent)
	}
	if p.bitfield {
		out = append(out, ": "...)
		out = strconv.AppendUint(out, p.size, 10)
	}
	return append(out, ";\n"...)
}

const (
	maxPadRun   = 512     // lines of padding for one gap: a page
	maxPadLines = 1 << 20 // and for all of a dump
)

// pad appends bitfields without a name that fill the bits from at to to, or an
// array if they would be too many. No type larger than align is used: on some
// machines the type of a nameless bitfield counts for the struct's alignment.
func (d *cDumper) pad(out []byte, at, to, align uint64, packed bool, indent int) []byte {
	unit := min(align, 64)
	if packed {
		unit = 64
	}
	if lines := (to - at) / unit; lines > maxPadRun || d.padLines > maxPadLines {
		edge := roundUp(at, 8)
		if at < edge {
			out = d.padLine(out, "char", edge-at, indent)
		}
		d.pads++
		out = append(tabs(out, indent), "unsigned char __btfgen_pad"...)
		out = strconv.AppendInt(out, int64(d.pads), 10)
		out = append(out, '[')
		out = strconv.AppendUint(out, (to-edge)/8, 10)
		out = append(out, "];\n"...)
		at = edge + (to-edge)/8*8
	}
	for at < to {
		// The type that fills most, and the smallest of those: one that
		// crosses a boundary of its type would be moved on by C.
		var typ string
		var most uint64
		for _, t := range d.padTypes() {
			n := min(to-at, t.bits)
			if !packed {
				n = min(n, t.bits-at%t.bits)
			}
			if t.bits <= unit && n > most {
				typ, most = t.name, n
			}
		}
		out = d.padLine(out, typ, most, indent)
		at += most
	}
	return out
}

type padType struct {
	name string
	bits uint64
}

var (
	padTypes64 = []padType{{"char", 8}, {"short", 16}, {"int", 32}, {"long", 64}}
	padTypes32 = []padType{{"char", 8}, {"short", 16}, {"int", 32}, {"long long", 64}}
)

func (d *cDumper) padTypes() []padType {
	if d.pointer == 8 {
		return padTypes64
	}
	return padTypes32
}

func (d *cDumper) padLine(out []byte, typ string, bits uint64, indent int) []byte {
	d.padLines++
	out = append(append(tabs(out, indent), typ...), ": "...)
	out = strconv.AppendUint(out, bits, 10)
	return append(out, ";\n"...)
}

func roundUp(n, to uint64) uint64 { return (n + to - 1) / to * to }
