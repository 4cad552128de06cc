package dwarf2btf

import (
	"encoding/binary"
	"math"
)

// fixedSize is the size in bytes of a form's values, -1 if it varies from value to
// value, -2 if there is no such form.
func (u *unit) fixedSize(form uint64) int {
	switch form {
	case formFlagPresent, formImplicitConst:
		return 0
	case formData1, formFlag, formRef1, formStrx1, formAddrx1:
		return 1
	case formData2, formRef2, formStrx2, formAddrx2:
		return 2
	case formStrx3, formAddrx3:
		return 3
	case formData4, formRef4, formRefSup4, formStrx4, formAddrx4:
		return 4
	case formData8, formRef8, formRefSig8, formRefSup8:
		return 8
	case formData16:
		return 16
	case formAddr:
		return int(u.addrSize)
	case formRefAddr:
		if u.version <= 2 {
			return int(u.addrSize)
		}
		return int(u.offSize)
	case formStrp, formSecOffset, formStrpSup, formLineStrp, formGNURefAlt, formGNUStrpAlt:
		return int(u.offSize)
	case formBlock, formBlock1, formBlock2, formBlock4, formExprloc, formString, formSdata, formUdata,
		formRefUdata, formStrx, formAddrx, formLoclistx, formRnglistx, formGNUAddrIndex, formGNUStrIndex, formIndirect:
		return -1
	}
	return -2
}

// uleb reads an unsigned LEB128 number; next is -1 if it has no end in data, or no
// end within 10 bytes.
func uleb(data []byte, pos int) (v uint64, next int) {
	if pos < len(data) && data[pos] < 0x80 {
		return uint64(data[pos]), pos + 1
	}
	for shift := uint(0); shift < 70 && pos < len(data); shift += 7 {
		b := data[pos]
		pos++
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, pos
		}
	}
	return 0, -1
}

// sleb reads a signed LEB128 number.
func sleb(data []byte, pos int) (v int64, next int) {
	for shift := uint(0); shift < 70 && pos < len(data); {
		b := data[pos]
		pos++
		v |= int64(b&0x7f) << shift
		shift += 7
		if b < 0x80 {
			if b&0x40 != 0 && shift < 64 {
				v |= -1 << shift
			}
			return v, pos
		}
	}
	return 0, -1
}

// number reads size bytes, at most 8, that are known to be there.
func number(order binary.ByteOrder, data []byte, size int) uint64 {
	switch size {
	case 1:
		return uint64(data[0])
	case 2:
		return uint64(order.Uint16(data))
	case 4:
		return uint64(order.Uint32(data))
	case 8:
		return order.Uint64(data)
	}
	var v uint64
	for i := range size {
		b := data[i]
		if order == binary.ByteOrder(binary.LittleEndian) {
			v |= uint64(b) << (8 * i)
		} else {
			v = v<<8 | uint64(b)
		}
	}
	return v
}

// block finds the extent of a value of a form that says its own length.
func block(order binary.ByteOrder, data []byte, pos int, form uint64) (start, end int) {
	var n uint64
	switch form {
	case formBlock1, formBlock2, formBlock4:
		size := map[uint64]int{formBlock1: 1, formBlock2: 2, formBlock4: 4}[form]
		if pos+size > len(data) {
			return 0, -1
		}
		n = number(order, data[pos:], size)
		pos += size
	default:
		if n, pos = uleb(data, pos); pos < 0 {
			return 0, -1
		}
	}
	if n > uint64(len(data)-pos) {
		return 0, -1
	}
	return pos, pos + int(n)
}

// skipForm is where the value behind one of a form starts, -1 if that is not in data.
func (u *unit) skipForm(data []byte, pos int, form uint64) int {
	if n := u.fixedSize(form); n >= 0 {
		if n > len(data)-pos {
			return -1
		}
		return pos + n
	}
	switch form {
	case formBlock, formBlock1, formBlock2, formBlock4, formExprloc:
		_, end := block(u.order, data, pos, form)
		return end
	case formString:
		for pos < len(data) {
			if data[pos] == 0 {
				return pos + 1
			}
			pos++
		}
		return -1
	case formIndirect:
		actual, pos := uleb(data, pos)
		if pos < 0 || actual == formIndirect || actual == formImplicitConst {
			return -1
		}
		return u.skipForm(data, pos, actual)
	case formSdata, formUdata, formRefUdata, formStrx, formAddrx, formLoclistx, formRnglistx, formGNUAddrIndex, formGNUStrIndex:
		_, pos = uleb(data, pos)
		return pos
	}
	return -1
}

// readForm reads a value of any form: what the attribute is decides whether that is
// a number, a name (see names) or the place of an entry. next is -1 if it is not in
// data; ok is false for what the attribute cannot be.
func (d *decoder) readForm(slot uint8, pos int, form uint64, implicit int64) (v uint64, next int, ok bool) {
	u, data := d.unit, d.data
	if form == formIndirect {
		if form, pos = uleb(data, pos); pos < 0 || form == formIndirect || form == formImplicitConst {
			return 0, -1, false
		}
	}
	switch next = u.skipForm(data, pos, form); {
	case next < 0:
		return 0, -1, false
	case slotNames>>slot&1 != 0 || slot == slotConst && isStringForm(form):
		v, ok = d.readName(pos, form)
		return v, next, ok
	case slot == slotImport:
		// It has no part in what the unit's own types are.
		links := d.links
		v, ok = d.readRef(pos, form)
		d.links = links
		return v, next, ok
	case slotRefs>>slot&1 != 0:
		v, ok = d.readRef(pos, form)
		return v, next, ok
	}
	switch form {
	case formImplicitConst:
		return uint64(implicit), next, true
	case formFlagPresent:
		return 1, next, true
	case formSdata:
		s, _ := sleb(data, pos)
		return uint64(s), next, true
	case formUdata, formAddrx, formGNUAddrIndex:
		v, _ = uleb(data, pos)
		return v, next, true
	case formBlock, formBlock1, formBlock2, formBlock4, formExprloc:
		start, end := block(u.order, data, pos, form)
		if slot == slotAddress {
			v, ok = d.address(data[start:end])
			return v, next, ok
		}
		v, ok = expression(data[start:end])
		return v, next, ok
	case formData16, formRef1, formRef2, formRef4, formRef8, formRefUdata, formRefAddr, formRefSig8,
		formRefSup4, formRefSup8, formGNURefAlt:
		return 0, next, false // a bound that is in a variable, for one
	}
	if n := next - pos; n <= 8 && u.fixedSize(form) > 0 {
		return number(u.order, data[pos:], n), next, true
	}
	return 0, next, false
}

// expression evaluates a member's location, as DWARF 2 and 3 have them.
func expression(e []byte) (uint64, bool) {
	if len(e) < 2 || e[0] != opPlusUconst && e[0] != opConstu {
		return 0, false
	}
	v, next := uleb(e, 1)
	return v, next == len(e)
}

// readRef reads the place of an entry; 0 with ok false if there cannot be one.
func (d *decoder) readRef(pos int, form uint64) (v uint64, ok bool) {
	u := d.unit
	n := u.fixedSize(form)
	if n > 0 && n <= 8 {
		v = number(u.order, d.data[pos:], n)
	}
	switch form {
	case formRefUdata:
		v, _ = uleb(d.data, pos)
		fallthrough
	case formRef1, formRef2, formRef4, formRef8:
		if v >= uint64(u.end-u.start) {
			return 0, false
		}
		return uint64(u.place(u.start)) + v, true
	case formRefAddr:
		if v >= uint64(len(u.file.info)) {
			return 0, false
		}
		return d.linkTo(uint64(u.file.infoAt) + v), true
	case formRefSig8:
		p, ok := d.signatures[v]
		return d.linkTo(uint64(p)), ok
	case formGNURefAlt, formRefSup4, formRefSup8:
		alt := u.file.alt
		if alt == nil || v >= uint64(len(alt.info)) {
			return 0, false
		}
		return d.linkTo(uint64(alt.infoAt) + v), true
	}
	return 0, false
}

// linkTo notes a reference that may leave the unit.
func (d *decoder) linkTo(to uint64) uint64 {
	d.links = true
	if alt := d.file.alt; alt != nil && to >= uint64(alt.infoAt) {
		d.reached.add(d.unitIndex(place(to)))
	}
	return to
}

func isStringForm(form uint64) bool {
	switch form {
	case formString, formStrp, formLineStrp, formStrpSup, formGNUStrpAlt, formStrx, formStrx1, formStrx2, formStrx3, formStrx4, formGNUStrIndex:
		return true
	}
	return false
}

// readName reads a name's place among the strings.
func (d *decoder) readName(pos int, form uint64) (v uint64, ok bool) {
	u := d.unit
	f := u.file
	if n := u.fixedSize(form); n > 0 && n <= 8 {
		v = number(u.order, d.data[pos:], n)
	}
	switch form {
	case formString:
		return uint64(u.stringsAt) + uint64(pos), true
	case formStrp:
		return uint64(f.strAt) + v, v < uint64(len(f.str))
	case formLineStrp:
		return uint64(f.lineStrAt) + v, v < uint64(len(f.lineStr))
	case formStrpSup, formGNUStrpAlt:
		if f.alt == nil {
			return 0, false
		}
		return uint64(f.alt.strAt) + v, v < uint64(len(f.alt.str))
	case formStrx, formGNUStrIndex:
		v, _ = uleb(d.data, pos)
	case formStrx1, formStrx2, formStrx3, formStrx4:
	default:
		return 0, false
	}
	size := uint64(u.offSize)
	if v > math.MaxUint32 || d.strOffsetsBase > math.MaxUint32 {
		return 0, false
	}
	at := d.strOffsetsBase + v*size
	if at+size > uint64(len(f.strOffsets)) {
		return 0, false
	}
	v = number(u.order, f.strOffsets[at:], int(size))
	return uint64(f.strAt) + v, v < uint64(len(f.str))
}
