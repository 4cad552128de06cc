package dwarf2btf

import (
	"errors"
	"fmt"
	"math"

	"github.com/btfgen/btfgen/btf"
)

// maxDepth limits how deep entries are nested; compilers stay below a hundred.
const maxDepth = 4096

// What an open entry is, beside a type.
const (
	parentOther    = -1
	parentMember   = -2
	parentFunction = -1 << 30 // less the index of the function
)

// decoder reads units. Its arrays are used again from unit to unit.
type decoder struct {
	*input
	unit *unit
	data []byte // of the section up to the unit's end
	abbr *abbrevs

	vals           [slots]uint64 // of the entry that was read last
	set            uint32        // which of them, as bits
	strOffsetsBase uint64
	addrBase       uint64
	links          bool // there was a reference that may leave the unit
	everything     bool // also look where types are not expected
	reached        reachedUnits

	types []typ
	items []item
	index placeIndex

	functions []rawFunction // of the unit that is read
	variables []rawVariable
	stack     []int32 // of entries that are open: a type, or -2 - an item, or -1
}

// reset forgets types and items.
func (d *decoder) reset() {
	d.types, d.items = d.types[:0], d.items[:0]
	d.functions, d.variables = d.functions[:0], d.variables[:0]
}

// attributes reads an entry's attributes at pos and returns where they end, -1 if
// they do not.
func (d *decoder) attributes(steps []step, pos int) int {
	data := d.data
	d.set = 0
	for i := range steps {
		s := &steps[i]
		switch s.code {
		case stepSkip:
			if pos += int(s.n); pos > len(data) {
				return -1
			}
			continue
		case stepBlock:
			n, next := uleb(data, pos)
			if next < 0 || n > uint64(len(data)-next) {
				return -1
			}
			pos = next + int(n)
			continue
		case stepLEB:
			if _, pos = uleb(data, pos); pos < 0 {
				return -1
			}
			continue
		case stepPass:
			if pos = d.unit.skipForm(data, pos, uint64(s.form)); pos < 0 {
				return -1
			}
			continue
		case stepRef4:
			if len(data)-pos < 4 {
				return -1
			}
			v := d.unit.order.Uint32(data[pos:])
			if int(v) >= d.unit.end-d.unit.start {
				return -1
			}
			d.vals[s.slot] = uint64(d.unit.place(d.unit.start) + v)
			pos += 4
		case stepStrp4:
			if len(data)-pos < 4 {
				return -1
			}
			v := d.unit.order.Uint32(data[pos:])
			if int(v) >= len(d.unit.file.str) {
				return -1
			}
			d.vals[s.slot] = uint64(d.unit.file.strAt + v)
			pos += 4
		case stepString:
			d.vals[s.slot] = uint64(d.unit.stringsAt) + uint64(pos)
			for {
				if pos >= len(data) {
					return -1
				}
				pos++
				if data[pos-1] == 0 {
					break
				}
			}
		case stepU1:
			if pos >= len(data) {
				return -1
			}
			d.vals[s.slot] = uint64(data[pos])
			pos++
		case stepU2:
			if len(data)-pos < 2 {
				return -1
			}
			d.vals[s.slot] = uint64(d.unit.order.Uint16(data[pos:]))
			pos += 2
		case stepU4:
			if len(data)-pos < 4 {
				return -1
			}
			d.vals[s.slot] = uint64(d.unit.order.Uint32(data[pos:]))
			pos += 4
		case stepUleb:
			var v uint64
			if v, pos = uleb(data, pos); pos < 0 {
				return -1
			}
			d.vals[s.slot] = v
		case stepConst:
			d.vals[s.slot] = uint64(d.abbr.consts[s.n])
		case stepFlag:
			d.vals[s.slot] = 1
		default:
			v, next, ok := d.readForm(s.slot, pos, uint64(s.form), 0)
			if next < 0 {
				return -1
			}
			if pos = next; !ok {
				if slotRefs>>s.slot&1 != 0 || s.slot == slotName {
					return -1
				}
				continue // as if it were not there: the bound of an array is a variable
			}
			d.vals[s.slot] = v
		}
		d.set |= 1 << s.slot
	}
	return pos
}

// get is a slot's value of the entry that was read last, 0 if it has none.
func (d *decoder) get(slot uint8) uint64 {
	if d.set>>slot&1 != 0 {
		return d.vals[slot]
	}
	return 0
}

var errEntry = errors.New("malformed entry")

func (d *decoder) entryError(pos int) error {
	return fmt.Errorf("%w at offset 0x%x: cut short, or a reference or name outside", errEntry, pos)
}

// decode adds a unit's types to types and items.
func (d *decoder) decode(u *unit) error {
	d.unit, d.data = u, u.data[:u.end]
	switch {
	case u.first == u.end:
		return nil
	case u.kind == utSplitCompile || u.kind == utSplitType:
		return fmt.Errorf("it is a unit of a .dwo file: %w", errSplit)
	}
	var err error
	if d.abbr, err = d.cache.get(u); err != nil {
		return err
	}
	skip, err := d.unitEntry()
	if err != nil || skip {
		return err
	}
	if err := d.walk(); err != nil {
		return err
	}
	return d.finish()
}

// walk goes through a unit's entries.
func (d *decoder) walk() error {
	data, pos := d.data, d.unit.first
	abbr := d.abbr
	d.stack = d.stack[:0]
	parent := int32(parentOther)
	for pos < len(data) {
		at := pos
		code := uint64(data[pos])
		if pos++; code >= 0x80 {
			if code, pos = uleb(data, at); pos < 0 {
				return d.entryError(at)
			}
		}
		if code == 0 {
			n := len(d.stack) - 1
			if n < 0 {
				continue // padding
			}
			parent, d.stack = d.stack[n], d.stack[:n]
			if n == 0 {
				return nil
			}
			continue
		}
		ab := abbr.find(code)
		if ab == nil {
			return fmt.Errorf("%w at offset 0x%x: abbreviation %d is not there", errEntry, at, code)
		}
		own := int32(parentOther)
		switch ab.class {
		case classEnter, classVarargs:
			if ab.fixed >= 0 {
				pos += int(ab.fixed)
			} else if pos = d.attributes(abbr.steps[ab.pass:ab.passEnd], pos); pos < 0 {
				return d.entryError(at)
			}
			if ab.class == classVarargs {
				d.variadic(parent)
			}
		case classParam:
			if parent > parentFunction && (parent < 0 || d.types[parent].kind != btf.KindFuncProto) {
				if ab.fixed >= 0 {
					pos += int(ab.fixed)
				} else if pos = d.attributes(abbr.steps[ab.pass:ab.passEnd], pos); pos < 0 {
					return d.entryError(at)
				}
				break
			}
			if pos = d.attributes(abbr.steps[ab.read:ab.readEnd], pos); pos < 0 {
				return d.entryError(at)
			}
			if parent <= parentFunction {
				d.parameter(parent)
				break
			}
			d.item(parent, item{name: uint32(d.get(slotName)), ref: place(d.get(slotType))})
		default:
			if pos = d.attributes(abbr.steps[ab.read:ab.readEnd], pos); pos < 0 {
				return d.entryError(at)
			}
			if ab.class == classLeaf {
				if to := d.get(slotSibling); to != 0 && ab.children && !d.everything {
					next := int(to) - int(d.unit.at)
					if next <= at || next > len(data) {
						return fmt.Errorf("%w at offset 0x%x: the next is said to be at 0x%x", errEntry, at, next)
					}
					pos = next
					continue
				}
				break
			}
			var err error
			if own, err = d.entry(ab, parent, at); err != nil {
				return fmt.Errorf("%w at offset 0x%x: %w", errEntry, at, err)
			}
		}
		if ab.children {
			if len(d.stack) == maxDepth {
				return fmt.Errorf("%w at offset 0x%x: nested deeper than %d", errEntry, at, maxDepth)
			}
			d.stack = append(d.stack, parent)
			parent = own
		} else if len(d.stack) == 0 {
			return nil
		}
	}
	if pos > len(data) {
		return d.entryError(len(data))
	}
	return nil // a unit may end without the zeros that close its entries
}

// entry takes in what was read of an entry, and returns what its children belong to.
func (d *decoder) entry(ab *abbrev, parent int32, at int) (own int32, err error) {
	switch ab.class {
	case classType:
		return d.typeEntry(ab, at)
	case classBase:
		return d.baseType(at)
	case classMember:
		if parent >= 0 && (d.types[parent].kind == btf.KindStruct || d.types[parent].kind == btf.KindUnion) {
			return d.member(parent)
		}
	case classValue:
		if parent >= 0 && d.types[parent].kind == btf.KindEnum {
			d.item(parent, item{name: uint32(d.get(slotName)), value: d.get(slotConst)})
		}
	case classRange:
		if parent >= 0 && d.types[parent].kind == btf.KindArray {
			return parentOther, d.dimension(&d.types[parent])
		}
		return d.add(at, typ{kind: kindAlias, ref: place(d.get(slotType))}), nil
	case classTag:
		return parentOther, d.tag(parent, at)
	case classFunction:
		return d.functionEntry(), nil
	case classVariable:
		d.variableEntry()
	}
	return parentOther, nil
}

// variadic notes that a function takes further parameters.
func (d *decoder) variadic(parent int32) {
	switch {
	case parent <= parentFunction:
		d.functions[parentFunction-parent].varargs = true
	case parent >= 0 && d.types[parent].kind == btf.KindFuncProto:
		d.types[parent].flags |= flagVarargs
	}
}

// add adds a type.
func (d *decoder) add(at int, t typ) int32 {
	t.at, t.first = d.unit.place(at), -1
	if t.name != 0 {
		name := d.name(t.name)
		if len(name) == 0 {
			t.name = 0
		} else {
			t.hash = hashName(name)
		}
	}
	id := int32(len(d.types))
	d.types = append(d.types, t)
	d.index.add(t.at, id)
	return id
}

// item adds an item to a type.
func (d *decoder) item(of int32, it item) int32 {
	id := int32(len(d.items))
	it.next = -1
	d.items = append(d.items, it)
	t := &d.types[of]
	if t.first < 0 {
		t.first = id
	} else {
		d.items[t.last].next = id
	}
	t.last = id
	t.n++
	return id
}

func (d *decoder) typeEntry(ab *abbrev, at int) (int32, error) {
	t := typ{kind: kindOf(ab.tag), name: uint32(d.get(slotName)), ref: place(d.get(slotType))}
	switch t.kind {
	case btf.KindStruct, btf.KindUnion, btf.KindEnum:
		if d.set>>slotSignature&1 != 0 {
			return d.add(at, typ{kind: kindAlias, ref: place(d.vals[slotSignature])}), nil
		}
		size := d.get(slotSize)
		if size > math.MaxUint32 {
			return 0, fmt.Errorf("a size of %d bytes is more than BTF has room for", size)
		}
		t.size = uint32(size)
		if d.get(slotDeclaration) != 0 {
			t.flags |= flagDeclared
		}
		switch {
		case t.kind != btf.KindEnum:
			if d.set>>slotSize&1 == 0 {
				t.flags |= flagUnsized
			}
		case t.size == 0:
			t.size = 4
		case t.size > 8 || t.size&(t.size-1) != 0:
			return 0, fmt.Errorf("an enum of %d bytes", t.size)
		}
	case btf.KindTypedef:
		if t.name == 0 || len(d.name(t.name)) == 0 {
			t.kind, t.name = kindAlias, 0 // BTF has none without a name
		}
	case kindAlias:
		t.name = 0
	case btf.KindArray:
		t.name, t.size = 0, 1
	default:
		t.name = 0
	}
	return d.add(at, t), nil
}

// baseType maps a base type as the reference does: characters are numbers, and a
// number of a size that no register has (a compiler's own, for location
// expressions) gets a name that says so.
func (d *decoder) baseType(at int) (int32, error) {
	t := typ{kind: btf.KindInt, name: uint32(d.get(slotName))}
	size := d.get(slotSize)
	switch d.get(slotEncoding) {
	case ateSigned, ateSignedChar:
		t.flags = flagSigned
	case ateBoolean:
		t.flags = flagBool
	case ateFloat:
		switch size {
		case 2, 4, 8, 12, 16:
			t.kind = btf.KindFloat
		}
	}
	if t.kind == btf.KindInt && (size == 0 || size > 16 || size&(size-1) != 0) {
		t.name, size = d.fakeInt, 4
	}
	if t.name == 0 {
		t.name = d.fakeInt
	}
	t.size = uint32(size)
	return d.add(at, t), nil
}

// dimension multiplies an array's number of elements: arrays of arrays are one.
func (d *decoder) dimension(t *typ) error {
	n := d.get(slotCount)
	if d.set>>slotUpper&1 != 0 {
		n = d.vals[slotUpper] + 1 // -1 of old compilers is no element
		if t := d.vals[slotUpper]; t == math.MaxUint32 {
			n = 0
		}
	}
	switch {
	case n == 0:
		t.flags |= flagZero
	case n*uint64(t.size) > math.MaxUint32 || n > math.MaxUint32:
		t.flags |= flagHuge
	default:
		t.size *= uint32(n)
	}
	return nil
}

// member adds a member. Where bitfields are, DWARF 2 and 3 say by bits from the
// most significant bit of a storage unit, later ones by bits from the start.
func (d *decoder) member(parent int32) (int32, error) {
	it := item{name: uint32(d.get(slotName)), ref: place(d.get(slotType))}
	size := d.get(slotBitSize)
	if size > math.MaxUint8 {
		return 0, fmt.Errorf("a bitfield of %d bits", size)
	}
	it.bits = uint8(size)
	switch {
	case d.set>>slotDataBit&1 != 0:
		it.value = d.vals[slotDataBit]
	case d.set>>slotLocation&1 == 0 && d.types[parent].kind == btf.KindStruct:
		return parentOther, nil // static
	default:
		it.value = d.get(slotLocation) * 8
		if size == 0 {
			break
		}
		if !d.little {
			it.value += d.get(slotBitOffset)
			break
		}
		it.value -= d.get(slotBitOffset) + size
		if storage := d.get(slotSize); storage != 0 {
			it.value += storage * 8
		} else {
			it.flags = itemAddStorage
		}
	}
	d.item(parent, it)
	return parentMember, nil
}

// tag adds a type between a pointer and what it points to, or a tag to a type or member.
func (d *decoder) tag(parent int32, at int) error {
	if parent < 0 && parent != parentMember || d.set>>slotName&1 == 0 || d.set>>slotConst&1 == 0 || d.vals[slotConst] > math.MaxUint32 || len(d.name(uint32(d.vals[slotConst]))) == 0 {
		return nil
	}
	value := uint32(d.vals[slotConst])
	component := uint32(math.MaxUint32)
	if parent == parentMember {
		if parent = d.stack[len(d.stack)-1]; parent < 0 {
			return nil
		}
		component = d.types[parent].n - 1 // the member that is open is the last
	}
	t := &d.types[parent]
	switch string(d.name(uint32(d.vals[slotName]))) {
	case "btf_type_tag":
		if t.kind == btf.KindPtr {
			ref := t.ref
			t.ref = d.unit.place(at)
			d.add(at, typ{kind: btf.KindTypeTag, name: value, ref: ref})
		}
	case "btf_decl_tag":
		switch t.kind {
		case btf.KindStruct, btf.KindUnion, btf.KindTypedef:
			d.add(at, typ{kind: btf.KindDeclTag, name: value, ref: t.at, size: component})
		}
	}
	return nil
}

// placeIndex finds types by place: for each stretch of 32 bytes the first type that
// begins in it. Types are added in order of their places.
type placeIndex struct {
	from place
	at   []int32 // -1: none
}

const stretch = 5

func (x *placeIndex) reset(from place, size int) {
	n := size>>stretch + 1
	if cap(x.at) < n {
		x.at = make([]int32, n+n/4)
	}
	x.from, x.at = from, x.at[:n]
	for i := range x.at {
		x.at[i] = -1
	}
}

func (x *placeIndex) add(at place, id int32) {
	if i := (at - x.from) >> stretch; x.at[i] < 0 {
		x.at[i] = id
	}
}

// find returns the type at a place, -1 if there is none.
func (d *decoder) find(at place) int32 {
	i := uint64(at-d.index.from) >> stretch
	if at < d.index.from || i >= uint64(len(d.index.at)) {
		return -1
	}
	id := d.index.at[i]
	if id < 0 {
		return -1
	}
	for ; int(id) < len(d.types) && d.types[id].at <= at; id++ {
		if d.types[id].at == at {
			return id
		}
	}
	return -1
}
