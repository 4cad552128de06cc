package bpfelf

import (
	"debug/elf"
	"encoding/binary"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/elftest"
)

var orders = map[string]binary.ByteOrder{"little-endian": binary.LittleEndian, "big-endian": binary.BigEndian}

// Instructions of the sample, as they stand in it.
func loadMember(order binary.ByteOrder) []byte { return elftest.Insn(order, 0x79, 1, 6, 16, 0) } // r1 = *(u64 *)(r6 + 16)
func loadValue(order binary.ByteOrder) []byte  { return elftest.LoadImm64(order, 2, 0x1_0000_0007) }

// sample is an object with everything in it: two programs and a subprogram, a
// dropped weak function, maps, all three parts of .BTF.ext.
func sample(tb testing.TB, order binary.ByteOrder) *elftest.Object {
	tb.Helper()
	b := btf.NewBuilder(order)
	intID := b.Int("int", 4, btf.Signed)
	long := b.Int("long", 8, btf.Signed)
	task := b.Struct("task_struct", 24, btf.BuildMember{Name: "pid", Type: intID}, btf.BuildMember{Name: "mm", Type: long, BitOffset: 128})
	enum := b.Enum("e", 4, false, btf.BuildEnumerator{Name: "V", Value: 7})
	fn := b.Func("on_exec", b.FuncProto(intID), 1)

	number := func(n uint32) btf.ID { return b.Ptr(b.Array(intID, intID, n)) }
	member := func(i int, name string, id btf.ID) btf.BuildMember {
		return btf.BuildMember{Name: name, Type: id, BitOffset: uint32(64 * i)}
	}
	def := b.Struct("", 40,
		member(0, "type", number(1)), member(1, "max_entries", number(10240)), member(2, "map_flags", number(3)),
		member(3, "key", b.Ptr(b.Typedef("key_t", intID))), member(4, "value", b.Ptr(b.Array(task, intID, 2))))
	inner := b.Struct("", 32,
		member(0, "type", number(12)), member(1, "pinning", number(1)),
		member(2, "key_size", number(4)), member(3, "value_size", number(8)))
	b.Datasec(".maps", 72,
		btf.BuildSecinfo{Type: b.Var("start", def, 1), Offset: 0, Size: 40},
		btf.BuildSecinfo{Type: b.Var("outer", b.Const(inner), 1), Offset: 40, Size: 32})
	b.Datasec(".kconfig", 0, btf.BuildSecinfo{Type: b.Var("LINUX_KERNEL_VERSION", intID, 2), Size: 4})
	b.Datasec(".struct_ops", 8, btf.BuildSecinfo{Type: b.Var("ops", long, 1), Size: 8})
	types, err := b.Bytes()
	if err != nil {
		tb.Fatal(err)
	}

	exit := elftest.Exit(order)
	call := elftest.Insn(order, 0x85, 0, 1, 0, -1)
	return &elftest.Object{
		Order:   order,
		License: "GPL",
		BTF:     types,
		Sections: []elftest.Section{
			elftest.Code(".text", loadMember(order), exit),
			elftest.Code("tp/exec", loadMember(order), exit, loadMember(order), loadValue(order), call, exit),
			elftest.Code("kprobe/exit", loadMember(order), exit),
			{Name: ".rodata", Flags: elf.SHF_ALLOC, Data: make([]byte, 13)},
			{Name: ".bss", Type: elf.SHT_NOBITS, Flags: elf.SHF_ALLOC | elf.SHF_WRITE, Size: 4096},
			{Name: ".data.custom", Flags: elf.SHF_ALLOC | elf.SHF_WRITE, Data: make([]byte, 16)},
			{Name: ".maps", Flags: elf.SHF_ALLOC | elf.SHF_WRITE, Data: make([]byte, 72)},
		},
		Symbols: []elftest.Symbol{
			{Section: ".text", Type: elf.STT_SECTION},
			{Name: "sub", Section: ".text", Type: elf.STT_FUNC, Size: 16},
			elftest.Func("on_exit", "kprobe/exit", 0, 16),
			elftest.Func("on_exec", "tp/exec", 16, 40),
			{Name: "start", Section: ".maps", Type: elf.STT_OBJECT, Bind: elf.STB_GLOBAL, Size: 40},
			{Name: "bpf_extern", Type: elf.STT_NOTYPE, Bind: elf.STB_GLOBAL},
		},
		Relocs: []elftest.Reloc{
			{Section: "tp/exec", Offset: 24, Type: 1, Symbol: "start"},
			{Section: "tp/exec", Offset: 40, Type: 10, Symbol: ""},
			{Section: ".rodata", Offset: 0, Type: 2, Symbol: "start"},
			{Section: ".rodata", Offset: 8, Type: 3, Symbol: "start"},
			{Section: ".maps", Offset: 0, Type: 4, Symbol: "bpf_extern"},
			{Section: ".maps", Offset: 0, Type: 0, Symbol: "start"},
		},
		Ext: &elftest.Ext{
			Funcs: []elftest.FuncInfo{{Section: "tp/exec", InsnOff: 16, TypeID: fn}, {Section: "kprobe/exit", TypeID: fn}},
			Lines: []elftest.LineInfo{
				{Section: "tp/exec", InsnOff: 16, File: "exec.bpf.c", Text: "\treturn t->pid;", Line: 12, Col: 9},
				{Section: "tp/exec", InsnOff: 24, File: "exec.bpf.c", Text: "", Line: 70000, Col: 1023},
			},
			Relocs: []elftest.CORERelo{
				{Section: "tp/exec", InsnOff: 0, TypeID: task, Access: "0:1", Kind: 0}, // of a dropped weak function
				{Section: "tp/exec", InsnOff: 16, TypeID: task, Access: "0:1", Kind: 0},
				{Section: "tp/exec", InsnOff: 24, TypeID: enum, Access: "0", Kind: 11},
				{Section: "kprobe/exit", InsnOff: 0, TypeID: task, Access: "0:0", Kind: 0},
				{Section: ".text", InsnOff: 0, TypeID: task, Access: "0:1", Kind: 99},
				{Section: "eliminated", InsnOff: 4096, TypeID: task, Access: "0:0", Kind: 2},
			},
		},
	}
}

// slots is an instruction as CORERelo holds it.
func slots(insn []byte) (s [16]byte) {
	copy(s[:], insn)
	return s
}

func parseSample(tb testing.TB, o *elftest.Object) *Object {
	tb.Helper()
	parsed, err := Parse("sample.o", o.MustBytes(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return parsed
}
