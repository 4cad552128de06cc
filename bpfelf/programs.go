package bpfelf

import (
	"cmp"
	"debug/elf"
	"fmt"
	"slices"
)

// Program is one function of an object: an entry point, or a subprogram that
// the loader appends to the entry points that call it.
type Program struct {
	Name    string
	Section string
	Offset  uint64 // bytes, in the section
	Size    uint64 // bytes
	Insns   []byte // the instructions in the object's byte order; aliases the object

	// Subprogram tells the functions in .text: libbpf makes them no program of
	// their own.
	Subprogram bool
	Static     bool // its symbol is local to the object
	Weak       bool
}

// Programs lists the functions by section and offset, anew with each call.
// Without a symbol table there are none.
func (o *Object) Programs() ([]Program, error) {
	functions, err := o.functions()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	programs := make([]Program, len(functions))
	for i, f := range functions {
		s := &o.sections[f.section]
		programs[i] = Program{
			Name: f.name, Section: s.name, Offset: f.off, Size: f.size,
			Insns:      s.data[f.off : f.off+f.size : f.off+f.size],
			Subprogram: s.name == ".text",
			Static:     f.bind == elf.STB_LOCAL, Weak: f.bind == elf.STB_WEAK,
		}
	}
	return programs, nil
}

// function is a function symbol in a section that holds code.
type function struct {
	section   uint32 // index
	bind      elf.SymBind
	off, size uint64 // bytes, in the section; checked to be inside
	name      string
}

// functionList is sorted by section, offset and size: of those that start at
// one offset the largest is the last.
type functionList []function

// functions lists the function symbols. What libbpf refuses as malformed is an
// error here, too: one that leaves its section or is not aligned.
func (o *Object) functions() (functionList, error) {
	symbols, err := o.symbols()
	if err != nil {
		return nil, err
	}
	var list functionList
	for i := range symbols.len() {
		if typ, _ := symbols.info(i); typ != elf.STT_FUNC {
			continue
		}
		sym, err := symbols.at(i)
		if err != nil {
			return nil, err
		}
		if uint64(sym.section) >= uint64(len(o.sections)) || !o.sections[sym.section].isCode() {
			continue // undefined, or in no code: an extern, a kernel function
		}
		if sym.size == 0 {
			continue // contains nothing
		}
		s := &o.sections[sym.section]
		size := uint64(len(s.data))
		switch {
		case sym.value > size || sym.size > size-sym.value:
			return nil, fmt.Errorf("section %s: function %s at %s+%#x of %#x bytes leaves the section of %#x bytes",
				symbols.name, sym.name, s.name, sym.value, sym.size, size)
		case sym.value%InsnSize != 0 || sym.size%InsnSize != 0:
			return nil, fmt.Errorf("section %s: function %s at %s+%#x of %#x bytes: not multiples of %d",
				symbols.name, sym.name, s.name, sym.value, sym.size, InsnSize)
		}
		list = append(list, function{sym.section, sym.bind, sym.value, sym.size, sym.name})
	}
	slices.SortStableFunc(list, func(a, b function) int {
		return cmp.Or(cmp.Compare(a.section, b.section), cmp.Compare(a.off, b.off), cmp.Compare(a.size, b.size))
	})
	return list, nil
}

// in are the functions of one section, to be asked by instruction offset.
func (l functionList) in(section uint32) functionCursor {
	start, _ := slices.BinarySearchFunc(l, section, func(f function, s uint32) int { return cmp.Compare(f.section, s) })
	end, _ := slices.BinarySearchFunc(l, section+1, func(f function, s uint32) int { return cmp.Compare(f.section, s) })
	return functionCursor{list: l[start:end]}
}

// functionCursor remembers the last answer, as records come in order.
type functionCursor struct {
	list functionList
	last int
}

// name is the function that contains the instruction at insnOff, "" if none.
func (c *functionCursor) name(insnOff uint32) string {
	off := uint64(insnOff)
	if c.last < len(c.list) && c.list[c.last].contains(off) {
		return c.list[c.last].name
	}
	i, _ := slices.BinarySearchFunc(c.list, off+1, func(f function, off uint64) int { return cmp.Compare(f.off, off) })
	if i == 0 || !c.list[i-1].contains(off) {
		return ""
	}
	c.last = i - 1
	return c.list[c.last].name
}

func (f *function) contains(off uint64) bool { return off-f.off < f.size }
