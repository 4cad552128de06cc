package bpfelf

import (
	"cmp"
	"debug/elf"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btf"
)

// MapKind tells how an object declares a map.
type MapKind uint8

// The kinds of maps.
const (
	MapBTF       MapKind = iota // a variable in .maps, defined by its BTF type
	MapLegacy                   // a struct bpf_map_def in the section "maps"
	MapData                     // the variables of a .data section
	MapRodata                   // the constants of a .rodata section
	MapBSS                      // the zeroed variables of a .bss section
	MapKconfig                  // the object's externs for kernel options
	MapStructOps                // a variable in .struct_ops or .struct_ops.link
)

var mapKindNames = [...]string{".maps", "legacy", "data", "rodata", "bss", "kconfig", "struct_ops"}

// String is a short name of the kind.
func (k MapKind) String() string {
	if int(k) < len(mapKindNames) {
		return mapKindNames[k]
	}
	return fmt.Sprintf("map kind %d", uint8(k))
}

// Map is one map. What its declaration leaves open is 0.
type Map struct {
	Name       string // for data sections the section's
	Section    string
	Kind       MapKind
	Type       uint32 // enum bpf_map_type
	KeySize    uint32 // bytes
	ValueSize  uint32 // bytes
	MaxEntries uint32
	Flags      uint32 // BPF_F_* of map_flags; for data sections the one that libbpf adds
	Pinning    uint32 // enum libbpf_pin_type
}

// Numbers of include/uapi/linux/bpf.h.
const (
	mapTypeArray     = 2
	mapTypeStructOps = 26
	flagReadOnlyProg = 1 << 7 // BPF_F_RDONLY_PROG
)

// Maps lists the maps, declared ones first, anew with each call.
func (o *Object) Maps() ([]Map, error) {
	var maps []Map
	legacy, err := o.symbolMaps("maps", MapLegacy)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	maps = append(maps, legacy...)
	if o.BTF != nil {
		if maps, err = o.btfMaps(maps); err != nil {
			return nil, fmt.Errorf("%s: section .BTF: %w", o.Name, err)
		}
	} else {
		named, err := o.symbolMaps(".maps", MapBTF)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Name, err)
		}
		maps = append(maps, named...)
	}
	return o.dataMaps(maps), nil
}

// dataMaps appends the maps that libbpf makes of sections with variables.
func (o *Object) dataMaps(maps []Map) []Map {
	for i := 1; i < len(o.sections); i++ {
		s := &o.sections[i]
		if s.size == 0 || s.size > math.MaxUint32 || s.typ != elf.SHT_PROGBITS && s.typ != elf.SHT_NOBITS {
			continue
		}
		m := Map{Name: s.name, Section: s.name, Type: mapTypeArray, KeySize: 4, ValueSize: uint32(s.size), MaxEntries: 1}
		switch {
		case isNamed(s.name, ".data"):
			m.Kind = MapData
		case isNamed(s.name, ".rodata"):
			m.Kind, m.Flags = MapRodata, flagReadOnlyProg
		case isNamed(s.name, ".bss"):
			m.Kind = MapBSS
		default:
			continue
		}
		maps = append(maps, m)
	}
	return maps
}

// isNamed tells a section and its subsections: .rodata and .rodata.str1.1.
func isNamed(name, stem string) bool {
	rest, ok := strings.CutPrefix(name, stem)
	return ok && (rest == "" || rest[0] == '.')
}

// symbolMaps lists the maps that symbols in a section name. The definitions in
// "maps" are of one size, the section's divided by their number.
func (o *Object) symbolMaps(name string, kind MapKind) ([]Map, error) {
	s := o.section(name)
	if s == nil {
		return nil, nil
	}
	symbols, err := o.symbols()
	if err != nil {
		return nil, err
	}
	var found []symbol
	for i := range symbols.len() {
		if typ, _ := symbols.info(i); typ != elf.STT_OBJECT && typ != elf.STT_NOTYPE {
			continue
		}
		sym, err := symbols.at(i)
		if err != nil {
			return nil, err
		}
		if uint64(sym.section) < uint64(len(o.sections)) && &o.sections[sym.section] == s && sym.name != "" {
			found = append(found, sym)
		}
	}
	slices.SortStableFunc(found, func(a, b symbol) int { return cmp.Compare(a.value, b.value) })
	maps := make([]Map, len(found))
	for i, sym := range found {
		maps[i] = Map{Name: sym.name, Section: name, Kind: kind}
		if kind != MapLegacy {
			continue
		}
		if size := uint64(len(s.data)); sym.value%4 != 0 || sym.value > size || size-sym.value < legacyMapSize {
			return nil, fmt.Errorf("section maps: definition of %s at offset %#x: needs %d bytes of the section's %#x",
				sym.name, sym.value, legacyMapSize, size)
		}
		def := s.data[sym.value:]
		m := &maps[i]
		for j, field := range []*uint32{&m.Type, &m.KeySize, &m.ValueSize, &m.MaxEntries, &m.Flags} {
			*field = o.ByteOrder.Uint32(def[4*j:])
		}
	}
	return maps, nil
}

// legacyMapSize is the part of struct bpf_map_def that all versions share, in
// bytes.
const legacyMapSize = 20

// btfMaps appends the maps that the BTF declares, in the order of its sections.
func (o *Object) btfMaps(maps []Map) ([]Map, error) {
	b := o.BTF
	for id := b.Start(); id < b.End(); id++ {
		if b.Kind(id) != btf.KindDatasec {
			continue
		}
		section := b.Name(id)
		switch section {
		case ".maps":
		case ".struct_ops", ".struct_ops.link":
			for i := range b.Vlen(id) {
				maps = append(maps, Map{
					Name: b.Name(b.Secinfo(id, i).Type), Section: section, Kind: MapStructOps,
					Type: mapTypeStructOps, KeySize: 4, MaxEntries: 1,
				})
			}
			continue
		case ".kconfig":
			maps = append(maps, Map{
				Name: section, Section: section, Kind: MapKconfig, Type: mapTypeArray, KeySize: 4,
				ValueSize: b.Size(id), MaxEntries: 1, Flags: flagReadOnlyProg,
			})
			continue
		default:
			continue
		}
		for i := range b.Vlen(id) {
			m, err := btfMap(b, b.Secinfo(id, i).Type)
			if err != nil {
				return nil, fmt.Errorf("variable %d of DATASEC .maps: %w", i, err)
			}
			maps = append(maps, m)
		}
	}
	return maps, nil
}

// btfMap reads the definition that libbpf's __uint, __type and __array macros
// make: a struct whose members' types, not values, hold the attributes.
func btfMap(b *btf.BTF, id btf.ID) (Map, error) {
	if b.Kind(id) != btf.KindVar {
		return Map{}, fmt.Errorf("type %d: %v, expected VAR", id, b.Kind(id))
	}
	m := Map{Name: b.Name(id), Section: ".maps", Kind: MapBTF}
	def, _ := b.SkipModifiers(b.Ref(id))
	if b.Kind(def) != btf.KindStruct {
		return Map{}, fmt.Errorf("map %s: type %d is %v, expected STRUCT", m.Name, def, b.Kind(def))
	}
	for i := range b.Vlen(def) {
		member := b.Member(def, i)
		switch b.String(member.NameOff) {
		case "type":
			m.Type = attribute(b, member.Type)
		case "max_entries":
			m.MaxEntries = attribute(b, member.Type)
		case "map_flags":
			m.Flags = attribute(b, member.Type)
		case "pinning":
			m.Pinning = attribute(b, member.Type)
		case "key_size":
			m.KeySize = attribute(b, member.Type)
		case "value_size":
			m.ValueSize = attribute(b, member.Type)
		case "key":
			m.KeySize = sizeOf(b, pointee(b, member.Type))
		case "value":
			m.ValueSize = sizeOf(b, pointee(b, member.Type))
		case "values": // inner maps or programs: their ids, and 4 bytes of index
			m.KeySize, m.ValueSize = 4, 4
		}
	}
	return m, nil
}

// attribute decodes __uint(name, val), which declares int (*name)[val], and
// __ulong(name, val), which declares an enumerator with that value.
func attribute(b *btf.BTF, id btf.ID) uint32 {
	id, _ = b.SkipModifiers(id)
	if b.Kind(id) == btf.KindPtr {
		id, _ = b.SkipModifiers(b.Ref(id))
	}
	switch b.Kind(id) {
	case btf.KindArray:
		return b.Array(id).Nelems
	case btf.KindEnum, btf.KindEnum64:
		return uint32(b.Enumerator(id, 0).Value)
	}
	return 0
}

// pointee is what a pointer points to, void for anything else.
func pointee(b *btf.BTF, id btf.ID) btf.ID {
	id, _ = b.SkipModifiers(id)
	if b.Kind(id) != btf.KindPtr {
		return 0
	}
	return b.Ref(id)
}

// sizeOf is a variable's size in bytes, 0 if the type has none or it is absurd.
func sizeOf(b *btf.BTF, id btf.ID) uint32 {
	n := uint64(1)
	for range 32 { // arrays of arrays
		id, _ = b.SkipModifiers(id)
		switch b.Kind(id) {
		case btf.KindArray:
			a := b.Array(id)
			n *= uint64(a.Nelems)
			id = a.Elem
			if n > math.MaxUint32 {
				return 0
			}
			continue
		case btf.KindPtr:
			n *= 8
		default:
			n *= uint64(b.Size(id))
		}
		if n > math.MaxUint32 {
			return 0
		}
		return uint32(n)
	}
	return 0
}
