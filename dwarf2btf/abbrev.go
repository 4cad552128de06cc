package dwarf2btf

import (
	"errors"
	"fmt"
	"math"
)

// What to do with an entry, by its tag.
const (
	classEnter    = iota // nothing of its own, but there may be types within
	classLeaf            // nothing, and nothing within
	classType            // a type
	classBase            // a base type
	classMember          // a member of a struct
	classValue           // an enumerator
	classRange           // a dimension of an array, or a type that is another's range
	classParam           // a parameter, of a function's type if that is where it is
	classVarargs         // further parameters
	classTag             // a BTF tag of the type or member that it is in
	classFunction        // a function, if functions are asked for
	classVariable        // a variable, likewise
	classImport          // all that another unit has
)

// An attribute that is asked for has a slot. What is read of an entry stands in an
// array with an element for each.
const (
	slotName = iota
	slotType
	slotSize
	slotDeclaration
	slotEncoding
	slotConst
	slotUpper
	slotCount
	slotLocation // of a member
	slotDataBit
	slotBitOffset
	slotBitSize
	slotSibling
	slotSignature
	slotLanguage
	slotStrOffsets
	slotAddrBase
	slotOrigin // an abstract one
	slotSpecification
	slotExternal
	slotAddress // the location of a variable, if it is an address
	slotDwoName // the file that has a unit's entries
	slotImport  // a unit
	slots
)

// slotNames are the slots that hold a name.
const slotNames = 1<<slotName | 1<<slotDwoName

// slotRefs are the slots that hold the place of an entry.
const slotRefs = 1<<slotType | 1<<slotSibling | 1<<slotSignature | 1<<slotOrigin | 1<<slotSpecification | 1<<slotImport

// slotOf has slot+1 by attribute, 0 for those that nobody asks for.
var slotOf = slotsByAttribute(map[uint64]uint8{
	atName: slotName, atType: slotType, atByteSize: slotSize, atDeclaration: slotDeclaration,
	atEncoding: slotEncoding, atConstValue: slotConst, atUpperBound: slotUpper, atCount: slotCount,
	atDataMemberLocation: slotLocation, atDataBitOffset: slotDataBit, atBitOffset: slotBitOffset,
	atBitSize: slotBitSize, atSibling: slotSibling, atSignature: slotSignature,
	atLanguage: slotLanguage, atStrOffsetsBase: slotStrOffsets, atAddrBase: slotAddrBase,
	atAbstractOrigin: slotOrigin, atSpecification: slotSpecification, atExternal: slotExternal, atLocation: slotAddress,
	atDwoName: slotDwoName, atImport: slotImport,
})

func slotsByAttribute(m map[uint64]uint8) (t [0x80]uint8) {
	for at, slot := range m {
		t[at] = slot + 1
	}
	return t
}

// wanted are the slots that a class of entries asks for, as bits.
var wanted = [...]uint32{
	classType:     1<<slotName | 1<<slotType | 1<<slotSize | 1<<slotDeclaration | 1<<slotSignature,
	classBase:     1<<slotName | 1<<slotSize | 1<<slotEncoding,
	classMember:   1<<slotName | 1<<slotType | 1<<slotSize | 1<<slotLocation | 1<<slotDataBit | 1<<slotBitOffset | 1<<slotBitSize,
	classValue:    1<<slotName | 1<<slotConst,
	classRange:    1<<slotType | 1<<slotUpper | 1<<slotCount,
	classParam:    1<<slotName | 1<<slotType | 1<<slotOrigin,
	classFunction: 1<<slotName | 1<<slotType | 1<<slotOrigin | 1<<slotSpecification | 1<<slotDeclaration | 1<<slotExternal,
	classVariable: 1<<slotName | 1<<slotType | 1<<slotOrigin | 1<<slotSpecification | 1<<slotDeclaration | 1<<slotExternal | 1<<slotAddress,
	classTag:      1<<slotName | 1<<slotConst,
	classImport:   1 << slotImport,
	classEnter:    0, classLeaf: 0, classVarargs: 0,
}

func classOf(tag uint64, functions bool) uint8 {
	switch tag {
	case tagSubprogram:
		if functions {
			return classFunction
		}
	case tagVariable:
		if functions {
			return classVariable
		}
	case tagBaseType:
		return classBase
	case tagArrayType, tagClassType, tagEnumerationType, tagPointerType, tagReferenceType, tagStructureType,
		tagSubroutineType, tagTypedef, tagUnionType, tagPtrToMemberType, tagConstType, tagPackedType,
		tagVolatileType, tagRestrictType, tagInterfaceType, tagUnspecifiedType, tagSharedType,
		tagRvalueReferenceType, tagTemplateAlias, tagAtomicType, tagImmutableType:
		return classType
	case tagMember:
		return classMember
	case tagEnumerator:
		return classValue
	case tagSubrangeType:
		return classRange
	case tagFormalParameter:
		return classParam
	case tagUnspecifiedParams:
		return classVarargs
	case tagLLVMAnnotation:
		return classTag
	case tagImportedUnit:
		return classImport
	case tagInlinedSubroutine, tagCallSite, tagGNUCallSite, tagDwarfProcedure:
		// What is inlined has its types where it is from.
		return classLeaf
	}
	return classEnter
}

// step is a part of reading an entry: some bytes to pass over, or a value to keep.
type step struct {
	code uint8
	slot uint8
	form uint16
	n    uint32 // bytes to pass over, or an index of consts
}

const (
	stepSkip   = iota // n bytes
	stepBlock         // a block with its length as LEB128 in front
	stepLEB           // a LEB128 number
	stepPass          // a value of any other form
	stepRef4          // keep the place of an entry of this unit
	stepStrp4         // keep a name in .debug_str
	stepU1            // keep a number
	stepU2            // keep a number
	stepU4            // keep a number
	stepUleb          // keep a number
	stepConst         // keep consts[n]
	stepFlag          // keep 1
	stepAny           // keep a value of any form
	stepString        // keep a name that stands here
)

// abbrev is an abbreviation as a recipe for reading entries.
type abbrev struct {
	tag      uint16
	class    uint8 // see class…
	known    bool
	children bool
	fixed    int32 // the size in bytes of all that is passed over, if it is all and always the same; else -1
	// Parts of steps: to read what is asked for, and to pass over everything.
	read, readEnd, pass, passEnd uint32
}

// abbrevs are the abbreviations of a unit.
type abbrevs struct {
	dense  []abbrev          // by code
	sparse map[uint64]abbrev // codes far beyond the number of abbreviations
	steps  []step
	consts []int64
}

var (
	errCut    = errors.New("cut short")
	errAbbrev = errors.New("malformed abbreviations")
)

func (a *abbrevs) reset() {
	clear(a.dense)
	a.dense, a.sparse, a.steps, a.consts = a.dense[:0], nil, a.steps[:0], a.consts[:0]
}

// find returns the abbreviation of a code, nil if there is none.
func (a *abbrevs) find(code uint64) *abbrev {
	if code < uint64(len(a.dense)) {
		if ab := &a.dense[code]; ab.known {
			return ab
		}
		return nil
	}
	if ab, ok := a.sparse[code]; ok {
		return &ab
	}
	return nil
}

func (a *abbrevs) put(code uint64, ab abbrev, count int) {
	if code < uint64(2*count+64) {
		for uint64(len(a.dense)) <= code {
			a.dense = append(a.dense, abbrev{})
		}
		if !a.dense[code].known {
			a.dense[code] = ab
		}
		return
	}
	if a.sparse == nil {
		a.sparse = map[uint64]abbrev{}
	}
	if _, ok := a.sparse[code]; !ok {
		a.sparse[code] = ab
	}
}

// parse reads the abbreviations at an offset of .debug_abbrev, for a unit with
// addresses and offsets of u's size, and returns how many bytes that were.
func (a *abbrevs) parse(u *unit, data []byte, at uint64, functions bool) (int, error) {
	a.reset()
	if at >= uint64(len(data)) {
		return 0, fmt.Errorf("%w: at offset 0x%x of %d bytes", errAbbrev, at, len(data))
	}
	pos := int(at)
	for count := 0; ; count++ {
		var code, tag uint64
		if code, pos = uleb(data, pos); pos < 0 {
			return 0, fmt.Errorf("%w: the list at 0x%x is %w", errAbbrev, at, errCut)
		}
		if code == 0 {
			break
		}
		if tag, pos = uleb(data, pos); pos < 0 || pos >= len(data) || tag > math.MaxUint16 {
			return 0, fmt.Errorf("%w: abbreviation %d of the list at 0x%x", errAbbrev, code, at)
		}
		ab := abbrev{tag: uint16(tag), class: classOf(tag, functions), known: true, children: data[pos] != 0}
		want := wanted[ab.class]
		if ab.class == classLeaf && ab.children {
			want = 1 << slotSibling
		}
		switch tag {
		case tagCompileUnit, tagPartialUnit, tagTypeUnit, tagSkeletonUnit:
			want = 1<<slotLanguage | 1<<slotStrOffsets | 1<<slotAddrBase | 1<<slotDwoName
		}
		start := pos + 1
		var err error
		ab.read = uint32(len(a.steps))
		if pos, err = a.compile(u, data, start, want); err != nil {
			return 0, fmt.Errorf("%w of abbreviation %d of the list at 0x%x", err, code, at)
		}
		ab.readEnd = uint32(len(a.steps))
		ab.pass, ab.passEnd = ab.read, ab.readEnd
		if want != 0 {
			ab.pass = ab.readEnd
			if _, err = a.compile(u, data, start, 0); err != nil {
				return 0, err
			}
			ab.passEnd = uint32(len(a.steps))
		}
		switch pass := a.steps[ab.pass:ab.passEnd]; {
		case len(pass) == 0:
		case len(pass) == 1 && pass[0].code == stepSkip:
			ab.fixed = int32(pass[0].n)
		default:
			ab.fixed = -1
		}
		a.put(code, ab, count)
	}
	return pos - int(at), nil
}

// compile turns a list of attributes into steps, and returns where the list ends.
func (a *abbrevs) compile(u *unit, data []byte, pos int, want uint32) (int, error) {
	first := len(a.steps)
	for {
		var at, form uint64
		var implicit int64
		if at, pos = uleb(data, pos); pos >= 0 {
			form, pos = uleb(data, pos)
		}
		if pos >= 0 && form == formImplicitConst {
			implicit, pos = sleb(data, pos)
		}
		if pos < 0 {
			return 0, fmt.Errorf("%w: attributes are %w", errAbbrev, errCut)
		}
		if at == 0 && form == 0 {
			return pos, nil
		}
		size := u.fixedSize(form)
		if size == -2 {
			return 0, fmt.Errorf("%w: form 0x%x of attribute 0x%x is of no known size", errAbbrev, form, at)
		}
		if at == atGNUDwoName {
			at = atDwoName
		}
		slot := uint8(0)
		if want != 0 && at < uint64(len(slotOf)) {
			slot = slotOf[at]
		}
		if slot--; slot < slots && want>>slot&1 != 0 && !(slot == slotAddress && size >= 0) {
			want &^= 1 << slot // of several of one kind the first counts, and the others take no time
			s := step{code: stepAny, slot: slot, form: uint16(form)}
			switch {
			case form == formImplicitConst:
				s.code, s.n = stepConst, uint32(len(a.consts))
				a.consts = append(a.consts, implicit)
			case form == formFlagPresent:
				s.code = stepFlag
			case form == formRef4 && slotRefs>>slot&1 != 0:
				s.code = stepRef4
			case form == formStrp && slot == slotName && u.offSize == 4:
				s.code = stepStrp4
			case form == formString && slot == slotName:
				s.code = stepString
			case (slotNames|slotRefs)>>slot&1 != 0:
			case form == formData1 || form == formFlag:
				s.code = stepU1
			case form == formData2:
				s.code = stepU2
			case form == formData4:
				s.code = stepU4
			case form == formUdata:
				s.code = stepUleb
			}
			a.steps = append(a.steps, s)
			continue
		}
		if size >= 0 {
			if last := len(a.steps) - 1; last >= first && a.steps[last].code == stepSkip {
				a.steps[last].n += uint32(size)
			} else if size > 0 {
				a.steps = append(a.steps, step{code: stepSkip, n: uint32(size)})
			}
			continue
		}
		s := step{code: stepPass, form: uint16(form)}
		switch form {
		case formExprloc, formBlock:
			s.code = stepBlock
		case formUdata, formSdata, formRefUdata, formStrx, formAddrx, formLoclistx, formRnglistx:
			s.code = stepLEB
		}
		a.steps = append(a.steps, s)
	}
}
