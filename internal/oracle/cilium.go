package oracle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/cilium/ebpf/btf"
)

// Difference is something that cilium/ebpf makes differently of two BTFs of
// the same kernel.
type Difference struct {
	// What was relocated: one relocation, or which of them jointly.
	What      string
	Full, Min string // the fixups or the error with either
}

func (d Difference) String() string {
	return fmt.Sprintf("%s: with the full BTF %s, with the minimal one %s", d.What, d.Full, d.Min)
}

// Cilium compares what cilium/ebpf's btf.CORERelocate gives for an object with a
// kernel's full BTF and with a minimal one: for each relocation alone, and for
// those of a function, of a section and of the object jointly. Fixups and error
// texts must be equal; a target type id must lead to a type of the same name and
// kind. An error means that cilium/ebpf cannot read an input.
func Cilium(full, min []byte, obj *bpfelf.Object) ([]Difference, error) {
	kernel, err := NewCiliumKernel(obj.ByteOrder, full)
	if err != nil {
		return nil, err
	}
	object, err := NewCiliumObject(obj)
	if err != nil {
		return nil, err
	}
	return kernel.Compare(min, object)
}

// CiliumKernel is a kernel's types as cilium/ebpf has read them, to be compared
// with minimal BTFs for any number of objects. It is not safe for concurrent use.
type CiliumKernel struct {
	targets []*btf.Spec // vmlinux, then modules
	order   binary.ByteOrder
}

// NewCiliumKernel reads a kernel's BTF and the split BTFs of its modules.
func NewCiliumKernel(order binary.ByteOrder, vmlinux []byte, modules ...[]byte) (*CiliumKernel, error) {
	base, err := btf.LoadSpecFromReader(bytes.NewReader(vmlinux))
	if err != nil {
		return nil, fmt.Errorf("cilium/ebpf on the kernel's BTF: %w", err)
	}
	k := &CiliumKernel{[]*btf.Spec{base}, order}
	for i, m := range modules {
		spec, err := btf.LoadSplitSpecFromReader(bytes.NewReader(m), base)
		if err != nil {
			return nil, fmt.Errorf("cilium/ebpf on the BTF of module %d: %w", i, err)
		}
		k.targets = append(k.targets, spec)
	}
	return k, nil
}

// CiliumObject is an object's relocations as cilium/ebpf has read them.
type CiliumObject struct {
	spec  *btf.Spec
	relos []ciliumRelocation
}

type ciliumRelocation struct {
	*btf.CORERelocation
	section, function string
	insn              uint32 // its index in the section
	local             uint32 // type id
}

func (r *ciliumRelocation) String() string {
	return fmt.Sprintf("section %s, instruction %d (%s), %v", r.section, r.insn, r.function, r.CORERelocation)
}

// localID finds what CORERelocation does not give away otherwise.
var localID = regexp.MustCompile(`local_id=(\d+)\)$`)

// NewCiliumObject has cilium/ebpf read an object's relocations. They are those
// of obj.Relocs, or it is an error.
func NewCiliumObject(obj *bpfelf.Object) (*CiliumObject, error) {
	if len(obj.Relocs) == 0 {
		return &CiliumObject{}, nil
	}
	spec, ext, err := btf.LoadSpecAndExtInfosFromReader(bytes.NewReader(obj.Raw))
	if err != nil {
		return nil, fmt.Errorf("cilium/ebpf on %s: %w", obj.Name, err)
	}
	o := &CiliumObject{spec: spec}
	type place struct {
		section string
		insn    uint32
	}
	functions := map[place]string{}
	for i := range obj.Relocs {
		r := &obj.Relocs[i]
		functions[place{r.Section, r.InsnOff / bpfelf.InsnSize}] = r.Program
	}
	done := map[string]bool{}
	for i := range obj.Relocs { // sections in the order of .BTF.ext
		section := obj.Relocs[i].Section
		if done[section] {
			continue
		}
		done[section] = true
		_, _, relos := ext.Section(section)
		for _, r := range relos {
			m := localID.FindStringSubmatch(r.Relo.String())
			if m == nil {
				return nil, fmt.Errorf("%s: relocation %v does not end in its local type id", obj.Name, r.Relo)
			}
			id, err := strconv.ParseUint(m[1], 10, 32)
			if err != nil {
				return nil, fmt.Errorf("%s: relocation %v: %w", obj.Name, r.Relo, err)
			}
			insn := uint32(r.Offset) // a raw instruction offset counts slots
			function, ok := functions[place{section, insn}]
			if !ok {
				return nil, fmt.Errorf("%s: section %s: cilium/ebpf has a relocation at instruction %d, bpfelf has none", obj.Name, section, insn)
			}
			o.relos = append(o.relos, ciliumRelocation{r.Relo, section, function, insn, uint32(id)})
		}
	}
	if len(o.relos) != len(obj.Relocs) {
		return nil, fmt.Errorf("%s: cilium/ebpf has %d relocations, bpfelf %d", obj.Name, len(o.relos), len(obj.Relocs))
	}
	return o, nil
}

// Len is the number of relocations.
func (o *CiliumObject) Len() int { return len(o.relos) }

// Compare compares the results for an object with those on a minimal BTF.
func (k *CiliumKernel) Compare(min []byte, o *CiliumObject) ([]Difference, error) {
	small, err := btf.LoadSpecFromReader(bytes.NewReader(min))
	if err != nil {
		return nil, fmt.Errorf("cilium/ebpf on the minimal BTF: %w", err)
	}
	return k.compare([]*btf.Spec{small}, o), nil
}

func (k *CiliumKernel) compare(small []*btf.Spec, o *CiliumObject) []Difference {
	var found []Difference
	// Relocations that read alike are alike.
	singles := map[string]bool{}
	for i := range o.relos {
		r := &o.relos[i]
		if key := r.CORERelocation.String(); !singles[key] {
			singles[key] = true
			found = append(found, k.one(small, o, r.String(), []*ciliumRelocation{r})...)
		}
	}
	found = append(found, k.jointly(small, o, "section %s, function %s", func(r *ciliumRelocation) [2]string {
		return [2]string{r.section, r.function}
	})...)
	found = append(found, k.jointly(small, o, "section %s%s", func(r *ciliumRelocation) [2]string {
		return [2]string{r.section, ""}
	})...)
	return append(found, k.jointly(small, o, "the whole object%s%s", func(*ciliumRelocation) [2]string {
		return [2]string{}
	})...)
}

// jointly relocates groups of relocations, and each group by local type as
// CORERelocate does within: which of several types' errors it returns is
// random there. What it does for a group as a whole is the sum.
func (k *CiliumKernel) jointly(small []*btf.Spec, o *CiliumObject, format string, group func(*ciliumRelocation) [2]string) []Difference {
	type key struct {
		group [2]string
		local uint32
	}
	var order []key
	relos := map[key][]*ciliumRelocation{}
	for i := range o.relos {
		r := &o.relos[i]
		at := key{group(r), r.local}
		if relos[at] == nil {
			order = append(order, at)
		}
		relos[at] = append(relos[at], r)
	}
	var found []Difference
	for _, at := range order {
		if len(relos[at]) == 1 {
			continue // was alone already
		}
		what := fmt.Sprintf(format, at.group[0], at.group[1]) + fmt.Sprintf(", jointly those of local type %d", at.local)
		found = append(found, k.one(small, o, what, relos[at])...)
	}
	return found
}

// one compares the fixups for relocations of one local type.
func (k *CiliumKernel) one(small []*btf.Spec, o *CiliumObject, what string, relos []*ciliumRelocation) []Difference {
	list := make([]*btf.CORERelocation, len(relos))
	for i, r := range relos {
		list[i] = r.CORERelocation
	}
	a, errA := btf.CORERelocate(list, k.targets, k.order, o.spec.TypeID)
	b, errB := btf.CORERelocate(list, small, k.order, o.spec.TypeID)
	if errA != nil || errB != nil {
		full, min := fmt.Sprint("error ", errA), fmt.Sprint("error ", errB)
		if errA == nil {
			full = fmt.Sprint(fixupTexts(a))
		}
		if errB == nil {
			min = fmt.Sprint(fixupTexts(b))
		}
		if full == min {
			return nil
		}
		return []Difference{{what, full, min}}
	}
	var found []Difference
	for i := range a {
		if a[i] == b[i] {
			continue
		}
		full, min := fmt.Sprintf("%#v", a[i]), fmt.Sprintf("%#v", b[i])
		if x, y := targetType(k.targets[0], &a[i]), targetType(small[0], &b[i]); x != "" && x == y {
			continue
		} else if x != "" || y != "" {
			full, min = full+" "+x, min+" "+y
		}
		found = append(found, Difference{fmt.Sprintf("%s: %v", what, relos[i]), full, min})
	}
	return found
}

func fixupTexts(fixups []btf.COREFixup) (texts []string) {
	for i := range fixups {
		texts = append(texts, fixups[i].String())
	}
	return texts
}

var targetID = regexp.MustCompile(`^target_type_id=\d+->(\d+)$`)

// targetType is name and kind of the type that a fixup's target type id leads
// to, which are all of it that a renumbered BTF must have in common; "" for other
// fixups.
func targetType(spec *btf.Spec, f *btf.COREFixup) string {
	m := targetID.FindStringSubmatch(f.String())
	if m == nil {
		return ""
	}
	id, err := strconv.ParseUint(m[1], 10, 32)
	if err != nil {
		return ""
	}
	typ, err := spec.TypeByID(btf.TypeID(id))
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%T %s", typ, typ.TypeName())
}
