package btf

import (
	"errors"
	"fmt"
	"io"
)

// ErrTooDeep is wrapped when types nest too deeply, or unfold to too much, to
// be written as C.
var ErrTooDeep = errors.New("types nest too deeply")

// DumpC writes the types as a C header in the manner of vmlinux.h, which
// clang and gcc compile (GNU C11 or later) to structs of the same size, with
// every member at its offset. ids says which types; what they need comes with
// them, before them. nil is all of b's own types: those of a base only come
// where they are needed.
//
// The order is that of the ids, but for what a type needs. Types that share a
// name get ___2, ___3 and so on from the second on, in the order of their ids
// in b and its base, so that a type has one name whatever ids are asked for.
// Functions and variables are left out.
//
// A name that is no C identifier has its other characters replaced by _.
// What C has no way to say is said by what has the same layout: a recursive
// type without a name by void *, an integer that C does not have by one that it
// has, members that overlap by a union.
//
// The BTF is validated first; a BTF that is valid and cannot be written is an
// ErrTooDeep.
func (b *BTF) DumpC(w io.Writer, ids []ID) error {
	if err := b.haveTypes(ids); err != nil {
		return err
	}
	for v := b; v != nil; v = v.base {
		if err := v.Validate(); err != nil {
			return err
		}
	}
	d := newCDumper(b, w)
	d.p.str(cHeader)
	if d.tagged() {
		d.p.str(cTypeTag)
	}
	b.each(ids, func(id ID) bool {
		d.root(id, ids != nil)
		return d.err == nil && d.p.err == nil
	})
	if ids == nil {
		d.loneEnums()
	}
	if d.err != nil {
		return d.err
	}
	d.p.str(cFooter)
	return d.p.flush()
}

const (
	cHeader = `#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

`
	cFooter = `#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
`
	// gcc does not know the attribute, and says so at every use.
	cTypeTag = `#if defined(__has_attribute)
#if __has_attribute(btf_type_tag)
#define __btf_type_tag(tag) __attribute__((btf_type_tag(tag)))
#endif
#endif
#ifndef __btf_type_tag
#define __btf_type_tag(tag)
#endif

`
)

// Where a type that has a definition of its own is: its unit.
const (
	unitTodo uint8 = iota
	unitBegun
	unitDone
)

// cDumper writes one header. Text is built in byte slices, a definition at a
// time, because a definition is found to need others while it is walked.
type cDumper struct {
	b       *BTF
	p       *printer
	err     error
	pointer uint32 // the size of a pointer in bytes

	names cNames

	unit     []uint8 // per id: unitTodo and so on
	declared []bool  // per id: whether its tag has been seen
	inlined  []bool  // per id: whether an enum without a name has been written
	layouts  []cLayout
	walking  map[ID]bool // what need is in the midst of: types without a name, and typedefs that are begun
	writing  map[ID]bool // the same for text

	current  ID // the unit whose needs are walked, 0 if none
	depth    int
	steps    int // work done, against hostile input that unfolds without end
	maxSteps int
	padLines int
	pads     int
}

// maxDepth bounds how deeply definitions nest in one another and in what they
// need. Compilers give up at a nesting of 256; the deepest in real kernels is
// below 100.
const maxDepth = 400

func newCDumper(b *BTF, w io.Writer) *cDumper {
	n := int(b.End())
	d := &cDumper{
		b: b, p: newPrinter(w), pointer: 8,
		unit: make([]uint8, n), declared: make([]bool, n), inlined: make([]bool, n), layouts: make([]cLayout, n),
		walking: make(map[ID]bool), writing: make(map[ID]bool),
		maxSteps: 1<<18 + 256*n,
	}
	for v := b; v != nil; v = v.base {
		if id := v.LongType(); id != 0 {
			d.pointer = v.Size(id)
		}
	}
	d.names.assign(d)
	return d
}

// step counts work; false says that there has been too much of it.
func (d *cDumper) step(id ID) bool {
	if d.steps++; d.steps > d.maxSteps {
		d.fail(id, "unfolds to too much text")
	}
	return d.err == nil
}

func (d *cDumper) fail(id ID, what string) {
	if d.err == nil {
		d.err = fmt.Errorf("type %d as C: %w: %s", id, ErrTooDeep, what)
	}
}

// enter guards a recursion; leave ends it.
func (d *cDumper) enter(id ID) bool {
	if d.depth++; d.depth > maxDepth {
		d.fail(id, fmt.Sprintf("more than %d levels", maxDepth))
	}
	return d.err == nil
}

func (d *cDumper) leave() { d.depth-- }

// tagged tells whether there is a type tag to be written.
func (d *cDumper) tagged() bool {
	for id := ID(1); id < d.b.End(); id++ {
		if d.b.Kind(id) == KindTypeTag {
			return true
		}
	}
	return false
}

// root writes a type that was asked for, and what it needs. What has no name
// can only be written if it was asked for by its id: nothing refers to it.
func (d *cDumper) root(id ID, asked bool) {
	b := d.b
	switch kind := b.Kind(id); kind {
	case KindStruct, KindUnion, KindEnum, KindEnum64:
		switch {
		case b.NameOff(id) != 0 && (!kind.IsEnum() || b.Vlen(id) > 0):
			d.define(id)
		case b.NameOff(id) != 0:
			d.need(id, false)
		case asked && !d.inlined[id] && (!kind.IsEnum() || b.Vlen(id) > 0):
			d.need(id, true)
			d.write(id, d.composite(nil, id, 0))
		}
	case KindTypedef:
		d.define(id)
		if asked {
			d.need(id, true)
		}
	case KindFwd:
		d.need(id, false)
	case KindDatasec:
		if asked {
			for i := range b.Vlen(id) {
				d.need(b.Secinfo(id, i).Type, true)
			}
		}
	default:
		if asked {
			d.need(id, true)
		}
	}
}

// loneEnums writes the enums without a name that nothing has made use of:
// their values are of use by themselves.
func (d *cDumper) loneEnums() {
	b := d.b
	for id := b.start; id < b.End() && d.err == nil; id++ {
		if b.Kind(id).IsEnum() && b.NameOff(id) == 0 && b.Vlen(id) > 0 && !d.inlined[id] {
			d.write(id, d.composite(nil, id, 0))
		}
	}
}

// need makes sure that what mentions type id can be written next: that tags
// are declared, that typedefs and enums are defined, and that structs are if
// they are used by value, which complete says.
func (d *cDumper) need(id ID, complete bool) {
	if !d.enter(id) {
		return
	}
	defer d.leave()
	b := d.b
	for d.step(id) {
		switch kind := b.Kind(id); kind {
		case KindInt, KindFloat:
			if d.names.isAlias(d, id) {
				d.define(id)
			}
			return
		case KindConst, KindVolatile, KindRestrict, KindTypeTag, KindVar, KindFunc, KindDeclTag:
			id = b.Ref(id)
		case KindPtr:
			id, complete = b.Ref(id), false
		case KindArray:
			// C wants the element to be complete wherever the array stands.
			id, complete = b.Array(id).Elem, true
		case KindFuncProto:
			for i := range b.Vlen(id) {
				d.need(b.Param(id, i).Type, false)
			}
			id, complete = b.Ref(id), false
		case KindFwd:
			d.declare(d.names.definition(id))
			return
		case KindEnum, KindEnum64:
			switch {
			case b.NameOff(id) == 0:
			case b.Vlen(id) == 0:
				d.declare(id)
			default:
				d.define(id)
			}
			return
		case KindStruct, KindUnion:
			switch {
			case b.NameOff(id) == 0:
				d.needMembers(id)
			case complete:
				d.define(id)
			default:
				d.declare(id)
			}
			return
		case KindTypedef:
			switch d.unit[id] {
			case unitTodo:
				d.define(id)
			case unitBegun:
				// It will be unfolded where it is mentioned.
				if d.walking[id] {
					return
				}
				d.walking[id] = true
				d.need(b.Ref(id), complete)
				delete(d.walking, id)
				return
			}
			if !complete {
				return
			}
			id = b.Ref(id)
		default:
			return
		}
	}
}

// needMembers is need for what the members of a struct or union mention.
func (d *cDumper) needMembers(id ID) {
	if d.walking[id] {
		return
	}
	d.walking[id] = true
	for i := range d.b.Vlen(id) {
		m := d.b.Member(id, i)
		if c, ok := d.unnamedMember(m); ok {
			d.needMembers(c)
			continue
		}
		d.need(m.Type, true)
		if d.err != nil {
			break
		}
	}
	delete(d.walking, id)
}

// unnamedMember is the struct or union whose members a member without a name
// brings in.
func (d *cDumper) unnamedMember(m Member) (ID, bool) {
	if m.NameOff != 0 {
		return 0, false
	}
	id, ok := d.b.SkipModifiers(m.Type)
	return id, ok && d.b.Kind(id).IsComposite()
}

// declare makes a tag known, so that a prototype that mentions it does not
// make one of its own.
func (d *cDumper) declare(id ID) {
	if d.declared[id] || d.current == id {
		return
	}
	d.declared[id] = true
	d.p.bytes(d.tag(nil, id)).str(";\n\n")
	d.p.spill()
}

// define writes the definition of a struct, union, enum or typedef that has a
// name, or of an integer that C does not have, after what it needs.
func (d *cDumper) define(id ID) {
	if d.unit[id] != unitTodo || !d.enter(id) {
		return
	}
	defer d.leave()
	b, kind := d.b, d.b.Kind(id)
	d.unit[id] = unitBegun
	outer := d.current
	d.current = id
	if kind.IsComposite() {
		d.needMembers(id)
	} else if kind == KindTypedef {
		d.need(b.Ref(id), false)
	}
	d.current = outer
	if d.err != nil {
		return
	}
	var text []byte
	switch {
	case kind == KindTypedef:
		d.writing[id] = true
		text = d.typedef(nil, id)
		delete(d.writing, id)
	case kind == KindInt || kind == KindFloat:
		text = d.alias(nil, id)
	default:
		d.declared[id] = true
		text = d.composite(nil, id, 0)
	}
	d.unit[id] = unitDone
	d.write(id, text)
}

// write passes a definition on.
func (d *cDumper) write(id ID, text []byte) {
	if d.err != nil {
		return
	}
	if word := d.c23Keyword(id); word {
		d.p.str("#if !defined(__STDC_VERSION__) || __STDC_VERSION__ < 202311L\n").bytes(text).str(";\n#endif\n\n")
	} else {
		d.p.bytes(text).str(";\n\n")
	}
	d.p.spill()
}

// c23Keyword tells the definitions of bool, true and false, which C23 has as
// keywords.
func (d *cDumper) c23Keyword(id ID) bool {
	b := d.b
	switch kind := b.Kind(id); {
	case kind == KindTypedef || kind == KindInt:
		return string(b.NameBytes(id)) == "bool" && d.names.suffix[id] < 2
	case kind.IsEnum() && b.NameOff(id) == 0 && b.Vlen(id) == 2:
		first, second := b.Enumerator(id, 0), b.Enumerator(id, 1)
		return b.String(first.NameOff) == "false" && b.String(second.NameOff) == "true" && first.Value == 0 && second.Value == 1
	}
	return false
}
