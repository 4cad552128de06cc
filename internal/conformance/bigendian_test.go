package conformance

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/google/go-cmp/cmp"
)

// instruction is an instruction's fields, whatever its byte order.
type instruction struct {
	op, dst, src byte
	off          int16
	imm          int32
}

func decode(order binary.ByteOrder, insn [16]byte) (fields [2]instruction) {
	for i := range fields {
		b := insn[8*i:]
		f := instruction{b[0], b[1] & 15, b[1] >> 4, int16(order.Uint16(b[2:])), int32(order.Uint32(b[4:]))}
		if order == binary.ByteOrder(binary.BigEndian) {
			f.dst, f.src = f.src, f.dst
		}
		fields[i] = f
	}
	return fields
}

// A big-endian object on big-endian types comes to what the little-endian one of
// the same source does, which libbpf vouches for: the same outcomes and, their
// encoding aside, instructions. Only the distance by which a bitfield is shifted
// to the left depends on the order; see TestShiftsFindBitfields.
func TestBigEndianIsAsLittleEndian(t *testing.T) {
	little, big := cases(t, "bpfel"), cases(t, "bpfeb")
	compared, shifts := 0, 0
	for n, c := range little {
		lp, bp := planOf(t, c.object), planOf(t, big[n].object)
		for i, target := range c.targets {
			lr, br := resolve(t, lp, target.btf), resolve(t, bp, big[n].targets[i].btf)
			all := func(*bpfelf.CORERelo) bool { return true }
			a, b := records(lp, lr, &lp.Objects()[0], all), records(bp, br, &bp.Objects()[0], all)
			if a, b = comparable(a, b); len(a) == 0 && len(c.object.Relocs) > 0 {
				t.Errorf("%s: nothing in common", target.name)
			}
			for k := range a {
				x, y := plainly(lr, &a[k]), plainly(br, &b[k])
				x.Insn, y.Insn = "", ""
				l, r := decode(binary.LittleEndian, a[k].insn), decode(binary.BigEndian, b[k].insn)
				if core.Kind(a[k].record.Kind) == core.FieldLShiftU64 {
					shifts++
					x.Orig, y.Orig, x.New, y.New = 0, 0, 0, 0
					l[0].imm, r[0].imm = 0, 0
				}
				// bitfields stand at other offsets, as the compiler puts them
				if strings.Contains(x.Error, "bit ") {
					x.Error, y.Error, x.New, y.New = "", "", 0, 0
				}
				if diff := cmp.Diff(x, y); diff != "" {
					t.Errorf("%s: %v (-little +big):\n%s", target.name, &a[k], diff)
				}
				// which registers the compiler takes depends on the order
				if own := decode(binary.BigEndian, b[k].record.Insn); r[0].op == own[0].op && (r[0].dst != own[0].dst || r[0].src != own[0].src) {
					t.Errorf("%s: %v: instruction %+v, before %+v", target.name, &b[k], r, own)
				}
				l[0].dst, l[0].src, r[0].dst, r[0].src = 0, 0, 0, 0
				if l != r && core.Kind(a[k].record.Kind) != core.TypeIDTarget {
					t.Errorf("%s: %v: instruction %+v, big-endian %+v", target.name, &a[k], l, r)
				}
				compared++
			}
		}
	}
	t.Logf("%d outcomes compared, %d of them left shifts", compared, shifts)
	if compared == 0 || shifts == 0 {
		t.Error("something was not compared at all")
	}
}

// comparable pairs the records of the two objects that stand for the same in
// the source: of the same function, kind, type and access string, in their order.
// The compiler does not make quite the same code for both orders.
func comparable(a, b []result) (x, y []result) {
	key := func(r *result) string {
		return fmt.Sprint(r.record.Program, r.record.Kind, r.record.TypeID, r.record.Access, r.record.Insn[0])
	}
	for i := range a {
		k := slices.IndexFunc(b, func(r result) bool { return key(&r) == key(&a[i]) })
		if k >= 0 {
			x, y = append(x, a[i]), append(y, b[k])
			b = slices.Delete(slices.Clone(b), k, k+1)
		}
	}
	return x, y
}

// A program that reads a bitfield by its relocations (load byte_sz bytes at
// byte_off, shift left by lshift, then right by rshift) gets that field's bits,
// all of them, and none of another. In a big-endian struct bits count from the
// most significant one of a byte, in a little-endian from the least.
func TestShiftsFindBitfields(t *testing.T) {
	for name, order := range orders {
		tested := 0
		for _, c := range cases(t, name) {
			for _, object := range []*bpfelf.Object{probes(c.object)} {
				if len(object.Relocs) == 0 {
					continue
				}
				plan := planOf(t, object)
				for _, target := range c.targets {
					r := resolve(t, plan, target.btf)
					uses := plan.Objects()[0].Uses
					for i := 0; i < len(uses); i += 4 {
						var out [4]core.Outcome
						for k := range out {
							out[k] = r.Outcome(plan.Uses()[uses[i+k]].Local)
						}
						if out[0].Status != core.Resolved || out[2].Status != core.Resolved {
							continue
						}
						local := plan.Uses()[uses[i]].Local
						path := r.TargetPath(local, out[0])
						bit, ok := bitOffset(path)
						if !ok {
							t.Fatalf("no offset in %q", path)
						}
						width := 64 - out[3].New
						checkShifts(t, order, target.name+" "+path, bit, width,
							out[0].New, out[1].New, out[2].New, out[3].New)
						tested++
					}
				}
			}
		}
		t.Logf("%s: %d fields", name, tested)
		if tested == 0 {
			t.Errorf("%s: no bitfield was tested", name)
		}
	}
}

// probes is an object with the relocations of a bitfield read, four for each
// field that o has a left shift of.
func probes(o *bpfelf.Object) *bpfelf.Object {
	object := *o
	object.Relocs = nil
	seen := map[string]bool{}
	for _, r := range o.Relocs {
		key := fmt.Sprint(r.TypeID, r.Access)
		if core.Kind(r.Kind) != core.FieldLShiftU64 || seen[key] {
			continue
		}
		seen[key] = true
		for _, kind := range []core.Kind{core.FieldByteOffset, core.FieldByteSize, core.FieldLShiftU64, core.FieldRShiftU64} {
			r.Kind = uint32(kind)
			object.Relocs = append(object.Relocs, r)
		}
	}
	return &object
}

// bitOffset reads "… @ offset 12.3)", bytes and bits.
func bitOffset(path string) (uint64, bool) {
	_, text, ok := strings.Cut(strings.TrimSuffix(path, ")"), " @ offset ")
	bytes, bits, _ := strings.Cut(text, ".")
	n, err := strconv.ParseUint(bytes, 10, 32)
	m := uint64(0)
	if bits != "" && err == nil {
		m, err = strconv.ParseUint(bits, 10, 32)
	}
	return n*8 + m, ok && err == nil
}

func checkShifts(t *testing.T, order binary.ByteOrder, what string, bit, width, byteOff, byteSize, left, right uint64) {
	t.Helper()
	for _, inside := range []bool{true, false} {
		memory := make([]byte, byteOff+byteSize+16)
		for i := range uint64(len(memory) * 8) {
			if (i >= bit && i < bit+width) != inside {
				continue
			}
			if order == binary.ByteOrder(binary.BigEndian) {
				memory[i/8] |= 0x80 >> (i % 8)
			} else {
				memory[i/8] |= 1 << (i % 8)
			}
		}
		var v uint64
		switch at := memory[byteOff:]; byteSize {
		case 1:
			v = uint64(at[0])
		case 2:
			v = uint64(order.Uint16(at))
		case 4:
			v = uint64(order.Uint32(at))
		case 8:
			v = order.Uint64(at)
		default:
			t.Fatalf("%s: a load of %d bytes", what, byteSize)
		}
		want := uint64(0)
		if inside {
			want = ^uint64(0) >> (64 - width)
		}
		if got := v << left >> right; got != want {
			t.Errorf("%s: %d bytes at %d, shifted by %d and %d: bits %#x, expected %#x (field set: %v)",
				what, byteSize, byteOff, left, right, got, want, inside)
		}
	}
}

// Minimal BTF of big-endian types is big-endian: a fact of its first bytes.
func TestMinimalKeepsByteOrder(t *testing.T) {
	for name, order := range orders {
		for _, c := range cases(t, name) {
			out := minimal(t, planOf(t, c.object), c.targets[0].btf)
			if got := order.Uint16(out); got != btf.Magic {
				t.Errorf("%s: starts with %#04x in its byte order", c.targets[0].name, got)
			}
		}
	}
}
