package dwarf2btf

import (
	"debug/elf"
	"errors"
	"fmt"
	"slices"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/elffile"
)

// Functions and variables by the rules of pahole 1.24:
//
//   - A function is written if a function symbol has its name, it is no declaration,
//     and all of its parameters have names. Of several of one name the first is
//     written, static or not, inlined or not. Without a symbol table every external
//     function is.
//   - A variable is written if it lies where an object symbol of the section
//     .data..percpu does, is not of size 0, and, at address 0, has the symbol's name:
//     variables that were dropped are said to be there.
//
// Later versions leave out functions whose parameters are not where a caller puts
// them, and those of several prototypes.

const perCPU = ".data..percpu"

// symbols are what functions and variables are picked by.
type symbols struct {
	functions map[uint64]struct{} // hashes of the names of functions; nil: there are no symbols
	variables map[uint64]variable // by address
	from, to  uint64              // addresses of the section of variables
}

// variable is a symbol of a variable that exists once a CPU.
type variable struct {
	name   uint32 // a place among the strings
	offset uint32 // in the section, bytes
	size   uint32 // bytes
}

// readSymbols reads the symbol table. names is the contents of its string table, which
// is at stringsAt among the strings.
func readSymbols(e *elffile.ELF, table, names []byte, stringsAt uint32) (symbols, error) {
	var s symbols
	size := 24
	if e.Class == elf.ELFCLASS32 {
		size = 16
	}
	section := -1
	bases := addresses(e)
	var base uint64
	for i := range e.Sections {
		if e.Sections[i].Name == perCPU {
			section = i
			base = e.Sections[i].Addr + bases[i]
			s.from, s.to = base, base+uint64(max(0, e.Sections[i].Size))
		}
	}
	s.variables = map[uint64]variable{}
	for ; len(table) >= size; table = table[size:] {
		name := e.Order.Uint32(table)
		var info byte
		var in uint16
		var value, length uint64
		if size == 24 {
			info, in = table[4], e.Order.Uint16(table[6:])
			value, length = e.Order.Uint64(table[8:]), e.Order.Uint64(table[16:])
		} else {
			value, length = uint64(e.Order.Uint32(table[4:])), uint64(e.Order.Uint32(table[8:]))
			info, in = table[12], e.Order.Uint16(table[14:])
		}
		if int64(name) >= int64(len(names)) {
			return s, fmt.Errorf("name of a symbol at offset %d of %d", name, len(names))
		}
		switch elf.ST_TYPE(info) {
		case elf.STT_FUNC:
			if s.functions == nil {
				s.functions = map[uint64]struct{}{}
			}
			text := names[name:]
			if end := slices.Index(text[:min(len(text), maxName)], 0); end > 0 {
				s.functions[hashName(text[:end])] = struct{}{}
			}
		case elf.STT_OBJECT:
			if int(in) != section || length == 0 {
				continue
			}
			if e.Type == elf.ET_REL {
				value += base
			}
			if value < s.from || value >= s.to || length > s.to-value || s.to-s.from > 1<<31 {
				continue
			}
			if _, ok := s.variables[value]; !ok {
				s.variables[value] = variable{stringsAt + name, uint32(value - s.from), uint32(length)}
			}
		}
	}
	return s, nil
}

// rawFunction is a function as it was read, its origin not looked up yet.
type rawFunction struct {
	name        uint32
	ref, origin place
	first, last int32 // parameters
	n           uint32
	external    bool
	varargs     bool
}

// rawVariable is a variable that lies in the section of those that exist once a CPU.
type rawVariable struct {
	name                   uint32
	ref, origin, specified place
	address                uint64
	external               bool
}

// functionEntry takes in what was read of a function.
func (d *decoder) functionEntry() int32 {
	if d.get(slotDeclaration) != 0 {
		return parentOther
	}
	f := rawFunction{name: uint32(d.get(slotName)), ref: place(d.get(slotType)), first: -1, external: d.set>>slotExternal&1 != 0}
	if f.origin = place(d.get(slotOrigin)); f.origin == 0 {
		f.origin = place(d.get(slotSpecification))
	}
	if f.name != 0 && !d.picked(&f) || f.name == 0 && f.origin == 0 {
		return parentOther
	}
	d.functions = append(d.functions, f)
	return parentFunction - int32(len(d.functions)-1)
}

// picked tells whether a symbol has the function's name.
func (d *decoder) picked(f *rawFunction) bool {
	if d.symbols.functions == nil {
		return f.external
	}
	_, ok := d.symbols.functions[hashName(d.name(f.name))]
	return ok
}

// parameter adds what was read of a parameter to a function.
func (d *decoder) parameter(parent int32) {
	f := &d.functions[parentFunction-parent]
	id := int32(len(d.items))
	it := item{name: uint32(d.get(slotName)), ref: place(d.get(slotType)), value: d.get(slotOrigin), next: -1}
	d.items = append(d.items, it)
	if f.first < 0 {
		f.first = id
	} else {
		d.items[f.last].next = id
	}
	f.last = id
	f.n++
}

// variableEntry takes in what was read of a variable.
func (d *decoder) variableEntry() {
	if d.set>>slotAddress&1 == 0 || d.get(slotDeclaration) != 0 && d.get(slotSpecification) == 0 {
		return
	}
	address := d.vals[slotAddress]
	if _, ok := d.symbols.variables[address]; !ok {
		return
	}
	d.variables = append(d.variables, rawVariable{name: uint32(d.get(slotName)), ref: place(d.get(slotType)), origin: place(d.get(slotOrigin)),
		specified: place(d.get(slotSpecification)), address: address, external: d.set>>slotExternal&1 != 0})
}

var errOrigin = errors.New("malformed origin of a function or variable")

// read reads the attributes of the entry at a place, of whichever unit, into vals.
func (d *decoder) readAt(at place) error {
	if u := d.unit; at < u.place(u.first) || at >= u.place(u.end) {
		if u = d.unitAt(at); u == nil {
			return fmt.Errorf("%w: 0x%x is in no unit", errOrigin, at)
		}
		if err := d.begin(u); err != nil {
			return err
		}
	}
	u := d.unit
	start := int(at - u.at)
	code, pos := uleb(d.data, start)
	var ab *abbrev
	if pos > 0 {
		ab = d.abbr.find(code)
	}
	if ab == nil {
		return fmt.Errorf("%w: there is no entry at 0x%x", errOrigin, start)
	}
	if d.attributes(d.abbr.steps[ab.read:ab.readEnd], pos) < 0 {
		return d.entryError(start)
	}
	return nil
}

// begin sets the unit that is read.
func (d *decoder) begin(u *unit) (err error) {
	d.unit, d.data = u, u.data[:u.end]
	if d.abbr, err = d.cache.get(u); err != nil {
		return err
	}
	_, err = d.unitEntry()
	return err
}

// maxOrigins limits how often an origin has an origin.
const maxOrigins = 8

// named looks up what the entries of origin say: a name and a type.
func (d *decoder) origin(at place, name *uint32, ref *place) error {
	for n := 0; at != 0 && (*name == 0 || *ref == 0) && n < maxOrigins; n++ {
		if err := d.readAt(at); err != nil {
			return err
		}
		if *name == 0 {
			*name = uint32(d.get(slotName))
		}
		if *ref == 0 {
			*ref = place(d.get(slotType))
		}
		if at = place(d.get(slotOrigin)); at == 0 {
			at = place(d.get(slotSpecification))
		}
	}
	return nil
}

// finish makes types of the functions and variables of the unit that was read.
func (d *decoder) finish() error {
	u := d.unit
	for i := range d.functions {
		if err := d.function(&d.functions[i]); err != nil {
			return err
		}
	}
	for i := range d.variables {
		if err := d.variable(&d.variables[i]); err != nil {
			return err
		}
	}
	d.functions, d.variables = d.functions[:0], d.variables[:0]
	d.unit = u
	return nil
}

func (d *decoder) function(f *rawFunction) error {
	if f.name == 0 {
		if err := d.origin(f.origin, &f.name, &f.ref); err != nil {
			return err
		}
		if f.name == 0 || !d.picked(f) {
			return nil
		}
	}
	for i := f.first; i >= 0; i = d.items[i].next {
		p := d.items[i]
		if err := d.origin(place(p.value), &p.name, &p.ref); err != nil {
			return err
		}
		if p.name == 0 || len(d.name(p.name)) == 0 {
			return nil
		}
		p.value = 0
		d.items[i] = p
	}
	proto := typ{kind: btf.KindFuncProto, ref: f.ref, first: f.first, last: f.last, n: f.n, flags: flagOfFunction}
	if f.varargs {
		proto.flags |= flagVarargs
	}
	// Not in the index: nothing refers to these but the one to the one in front.
	d.types = append(d.types, proto, typ{kind: btf.KindFunc, name: f.name, hash: hashName(d.name(f.name)), first: -1})
	return nil
}

// prototype is a function's type: the one in front of it, but in a base, where there are
// references.
func (d *decoder) prototype(id int32) (int32, error) {
	if at := d.types[id].ref; at != 0 {
		proto := d.find(at)
		if proto < 0 || d.types[proto].kind != btf.KindFuncProto {
			return 0, d.typeError(&d.types[id], errReference)
		}
		return proto, nil
	}
	return id - 1, nil
}

func (d *decoder) variable(v *rawVariable) error {
	symbol := d.symbols.variables[v.address]
	if v.address == 0 && (v.name == 0 || string(d.name(v.name)) != string(d.name(symbol.name))) {
		return nil // also if only the declaration has the name, as pahole does
	}
	external := v.external
	if v.specified != 0 {
		if err := d.readAt(v.specified); err != nil {
			return err
		}
		external = d.set>>slotExternal&1 != 0
	}
	at := v.origin
	if at == 0 {
		at = v.specified
	}
	if err := d.origin(at, &v.name, &v.ref); err != nil {
		return err
	}
	if v.ref == 0 {
		return nil // pahole gives up
	}
	t := typ{kind: btf.KindVar, name: symbol.name, hash: hashName(d.name(symbol.name)), ref: v.ref, size: symbol.offset, first: -1}
	if external {
		t.flags = flagGlobal
	}
	d.types = append(d.types, t)
	return nil
}

// empty tells whether values of a type take no memory.
func (d *decoder) empty(at place) (bool, error) {
	for range maxModifiers {
		id, err := d.resolve(at)
		if err != nil || id < 0 {
			return true, err
		}
		switch t := &d.types[id]; t.kind {
		case btf.KindTypedef, btf.KindConst, btf.KindVolatile, btf.KindRestrict:
			at = t.ref
		case btf.KindArray:
			if t.size == 0 || t.flags&flagZero != 0 {
				return true, nil
			}
			at = t.ref
		case btf.KindPtr, btf.KindFuncProto:
			return false, nil
		default:
			return t.size == 0, nil
		}
	}
	return false, errCycle
}

// address evaluates the location of a variable: whether it has an address, and which.
func (d *decoder) address(e []byte) (uint64, bool) {
	u := d.unit
	n := int(u.addrSize)
	if len(e) == 0 {
		return 0, false
	}
	switch e[0] {
	case opAddr:
		if len(e) < 1+n {
			return 0, false
		}
		return number(u.order, e[1:], n), true
	case opAddrx, opGNUAddrx:
		index, next := uleb(e, 1)
		if next < 0 || index > uint64(len(u.file.addr)) {
			return 0, false
		}
		at := d.addrBase + index*uint64(n)
		if at > uint64(len(u.file.addr)) || uint64(n) > uint64(len(u.file.addr))-at {
			return 0, false
		}
		return number(u.order, u.file.addr[at:], n), true
	}
	return 0, false
}

// datasec writes the section that has the variables, which have to be in order of
// their offsets.
func (w *writer) datasec(order []class, ids []uint32) {
	var vars []class
	for _, c := range order {
		if w.t.record(c).kind() == btf.KindVar {
			vars = append(vars, c)
		}
	}
	if len(vars) == 0 {
		return
	}
	slices.SortStableFunc(vars, func(a, b class) int { return int(int64(w.t.record(a)[recordSize]) - int64(w.t.record(b)[recordSize])) })
	symbol := func(c class) variable {
		return w.in.symbols.variables[w.in.symbols.from+uint64(w.t.record(c)[recordSize])]
	}
	last := symbol(vars[len(vars)-1])
	w.word(w.strings.addBytes([]byte(perCPU)), uint32(btf.KindDatasec)<<24|uint32(len(vars)), last.offset+last.size)
	for _, c := range vars {
		s := symbol(c)
		w.word(ids[c], s.offset, s.size)
	}
}
