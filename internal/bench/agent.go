package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/elftest"
)

// agent is an object of a large agent's shape: many programs that read the same
// members of the kernel's structs over and over.
type agent struct {
	records, distinct int
	file              string
}

// The same object but for one of two numbers, to show what cost follows.
var agentShapes = []agent{
	{records: 35_000, distinct: 300},
	{records: 300, distinct: 300},
	{records: 35_000, distinct: 3_000},
}

// What agents look at.
var agentStructs = []string{
	"task_struct", "sock", "sk_buff", "file", "inode", "dentry", "mm_struct", "super_block", "request", "bio",
	"net_device", "cred", "signal_struct", "vm_area_struct", "socket", "nsproxy", "inet_sock", "tcp_sock", "page",
	"linux_binprm", "module", "mount", "path", "pid", "cgroup", "css_set", "kernfs_node", "request_queue", "gendisk", "net",
}

// Kinds by how often agents use them; the numbers are enum bpf_core_relo_kind's.
var agentKinds = []uint32{0, 2, 1, 3, 4, 5} // byte_off, field_exists, byte_sz, signed, lshift_u64, rshift_u64

// perProgram is how many relocations a program has.
const perProgram = 500

// writeAgents makes the objects, whose structs are those of the first kernel.
func writeAgents(dir string, kernels []string) ([]agent, error) {
	raw, err := os.ReadFile(kernels[0])
	if err != nil {
		return nil, err
	}
	kernel, err := btf.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kernels[0], err)
	}
	types, fields, err := agentTypes(kernel)
	if err != nil {
		return nil, err
	}
	agents := append([]agent(nil), agentShapes...)
	for i := range agents {
		a := &agents[i]
		if have := len(fields) * len(agentKinds); have < a.distinct {
			return nil, fmt.Errorf("%s: %d fields give %d distinct relocations, expected %d", kernels[0], len(fields), have, a.distinct)
		}
		raw, err := a.object(types, fields)
		if err != nil {
			return nil, err
		}
		a.file = filepath.Join(dir, fmt.Sprintf("agent-%d-%d.o", a.records, a.distinct))
		if err := os.WriteFile(a.file, raw, 0o644); err != nil {
			return nil, err
		}
	}
	return agents, nil
}

// agentField is a member of one of the object's structs.
type agentField struct {
	root   btf.ID
	access string
	offset uint32 // bytes
}

// agentTypes makes the object's BTF: the structs with those of their members that
// are integers or pointers, a word each.
func agentTypes(kernel *btf.BTF) (types []byte, fields []agentField, _ error) {
	wanted := map[string]bool{}
	for _, name := range agentStructs {
		wanted[name] = true
	}
	w := btf.NewBuilder(binary.LittleEndian)
	word := w.Int("unsigned long", 8, 0)
	pointer := w.Ptr(0)
	for id := kernel.Start(); id < kernel.End(); id++ {
		name := kernel.Name(id)
		if kernel.Kind(id) != btf.KindStruct || !wanted[name] || kernel.Vlen(id) == 0 {
			continue
		}
		wanted[name] = false
		var members []btf.BuildMember
		for i := range kernel.Vlen(id) {
			m := kernel.Member(id, i)
			if m.NameOff == 0 || m.BitSize != 0 {
				continue
			}
			as := word
			switch kernel.Kind(underlying(kernel, m.Type)) {
			case btf.KindInt:
			case btf.KindPtr:
				as = pointer
			default:
				continue
			}
			members = append(members, btf.BuildMember{Name: kernel.String(m.NameOff), Type: as, BitOffset: uint32(64 * len(members))})
		}
		root := w.Struct(name, uint32(8*len(members)), members...)
		for i := range members {
			fields = append(fields, agentField{root, fmt.Sprintf("0:%d", i), uint32(8 * i)})
		}
	}
	types, err := w.Bytes()
	return types, fields, err
}

// underlying follows typedefs and modifiers.
func underlying(b *btf.BTF, id btf.ID) btf.ID {
	for range 32 {
		switch b.Kind(id) {
		case btf.KindTypedef, btf.KindConst, btf.KindVolatile, btf.KindRestrict, btf.KindTypeTag:
			id = b.Ref(id)
		default:
			return id
		}
	}
	return id
}

// object writes the ELF file: each relocation sets a register to a constant.
func (a *agent) object(types []byte, fields []agentField) ([]byte, error) {
	order := binary.LittleEndian
	o := &elftest.Object{BTF: types, License: "GPL", Ext: &elftest.Ext{}}
	for done := 0; done < a.records; done += perProgram {
		n := min(perProgram, a.records-done)
		section := fmt.Sprintf("kprobe/function_%d", done/perProgram)
		var code [][]byte
		for i := range n {
			// Neighbouring programs read other members.
			d := (done + i) % a.distinct
			f := fields[d%len(fields)]
			kind := agentKinds[d/len(fields)]
			if a.distinct <= len(fields) {
				// Spread over all structs.
				f = fields[d*len(fields)/a.distinct]
			}
			code = append(code, elftest.Insn(order, 0xb7, byte(1+d%5), 0, 0, original(f, kind)))
			o.Ext.Relocs = append(o.Ext.Relocs, elftest.CORERelo{
				Section: section, InsnOff: uint32(8 * i), TypeID: f.root, Access: f.access, Kind: kind,
			})
		}
		code = append(code, elftest.Insn(order, 0xb7, 0, 0, 0, 0), elftest.Exit(order))
		o.Sections = append(o.Sections, elftest.Code(section, code...))
		o.Symbols = append(o.Symbols, elftest.Func(fmt.Sprintf("on_%d", done/perProgram), section, 0, uint64(8*len(code))))
	}
	return o.Bytes()
}

// original is what a compiler leaves in the instruction.
func original(f agentField, kind uint32) int32 {
	switch kind {
	case 0:
		return int32(f.offset)
	case 1:
		return 8
	case 2:
		return 1
	}
	return 0
}
