package bpfelf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btfgen/btfgen/btf"
)

// ErrNotObject is wrapped by the error about a file that is no eBPF object and
// has none inside, as opposed to one that is damaged.
var ErrNotObject = errors.New("not an eBPF object")

// Object is one eBPF ELF object. It aliases the bytes that it was parsed from,
// is read-only, and safe for concurrent use.
type Object struct {
	Name      string // the file's base name; "program#0" for the first one embedded in a program
	ByteOrder binary.ByteOrder
	Raw       []byte // the whole object

	BTF    *btf.BTF // nil: the object has no .BTF
	HasExt bool     // it has a .BTF.ext

	License       string // the "license" section, "" if absent
	KernelVersion uint32 // the "version" section, 0 if absent

	// Relocs are the CO-RE relocations in the order of .BTF.ext. Without .BTF,
	// or with a .BTF.ext whose header is too short to have any, there are none.
	Relocs []CORERelo

	sections []section
	ext      ext
}

// Parse reads one eBPF object. Anything else is an error that wraps
// ErrNotObject and says what raw is. The object keeps raw, which must not
// change. The name is for messages and Object.Name.
func Parse(name string, raw []byte) (*Object, error) {
	o, err := parse(name, raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return o, nil
}

// parse is Parse with errors that do not name the file.
func parse(name string, raw []byte) (*Object, error) {
	order, sections, err := parseSections(raw)
	if err != nil {
		return nil, err
	}
	o := &Object{Name: name, ByteOrder: order, Raw: raw, sections: sections}

	if s := o.section("license"); s != nil {
		text, _, _ := bytes.Cut(s.data, []byte{0})
		o.License = string(text)
	}
	if s := o.section("version"); s != nil {
		if len(s.data) != 4 {
			return nil, fmt.Errorf("section version: %d bytes, expected 4", len(s.data))
		}
		o.KernelVersion = order.Uint32(s.data)
	}
	if s := o.section(".BTF"); s != nil && s.data != nil {
		if o.BTF, err = btf.Parse(s.data); err != nil {
			return nil, fmt.Errorf("section .BTF: %w", err)
		}
		if o.BTF.ByteOrder() != order {
			return nil, fmt.Errorf("section .BTF: %v, but the ELF file is %v", o.BTF.ByteOrder(), order)
		}
	}
	if s := o.section(".BTF.ext"); s != nil && s.data != nil {
		o.HasExt = true
		if o.ext, err = parseExt(order, s.data); err != nil {
			return nil, fmt.Errorf("section .BTF.ext: %w", err)
		}
		if o.Relocs, err = o.coreRelos(); err != nil {
			return nil, fmt.Errorf("section .BTF.ext: %w", err)
		}
	}
	return o, nil
}

// section is the first one of that name, as libbpf picks it, or nil.
func (o *Object) section(name string) *section {
	for i := 1; i < len(o.sections); i++ {
		if o.sections[i].name == name {
			return &o.sections[i]
		}
	}
	return nil
}

// SectionName is the name of the ELF section with that index, "" if there is
// none.
func (o *Object) SectionName(index uint32) string {
	if uint64(index) < uint64(len(o.sections)) {
		return o.sections[index].name
	}
	return ""
}
