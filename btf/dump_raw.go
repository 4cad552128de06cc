package btf

import (
	"fmt"
	"io"
	"strconv"
)

// DumpRaw writes one line for each type and one for each of its items, the
// same to the byte as "bpftool btf dump file F" of bpftool 7.1 (later ones
// print the same lines for these kinds). ids says which types, in which order;
// nil is all of b's own, so not those of its base.
//
// The types need not be valid: what is out of range is printed as bpftool
// prints it. An id without a type is an error before anything is written.
func (b *BTF) DumpRaw(w io.Writer, ids []ID) error {
	if err := b.haveTypes(ids); err != nil {
		return err
	}
	p := newPrinter(w)
	b.each(ids, func(id ID) bool {
		b.rawType(p, id)
		return p.line()
	})
	return p.flush()
}

// haveTypes tells which of ids has no type. Void counts as none: it has no
// record to print.
func (b *BTF) haveTypes(ids []ID) error {
	for _, id := range ids {
		if k := b.Kind(id); k == KindVoid || k == KindInvalid {
			return fmt.Errorf("no type %d: ids go from 1 to %d", id, b.End()-1)
		}
	}
	return nil
}

// each calls f for each of ids, or of b's own types if ids is nil, until f
// says no.
func (b *BTF) each(ids []ID, f func(ID) bool) {
	if ids != nil {
		for _, id := range ids {
			if !f(id) {
				return
			}
		}
		return
	}
	for id := b.start; id < b.End(); id++ {
		if !f(id) {
			return
		}
	}
}

// rawType prints a type without the newline that ends its last line.
func (b *BTF) rawType(p *printer, id ID) {
	kind := b.Kind(id)
	p.str("[").num(uint64(id)).str("] ").str(kind.String()).str(" '").bytes(b.display(b.NameOff(id))).str("'")
	switch kind {
	case KindInt:
		n := b.Int(id)
		p.str(" size=").num(uint64(b.Size(id))).str(" bits_offset=").num(uint64(n.BitOffset))
		p.str(" nr_bits=").num(uint64(n.Bits)).str(" encoding=").str(n.Encoding.display())
	case KindPtr, KindConst, KindVolatile, KindRestrict, KindTypedef, KindTypeTag:
		p.str(" type_id=").num(uint64(b.Ref(id)))
	case KindArray:
		a := b.Array(id)
		p.str(" type_id=").num(uint64(a.Elem)).str(" index_type_id=").num(uint64(a.Index)).str(" nr_elems=").num(uint64(a.Nelems))
	case KindStruct, KindUnion:
		n := b.Vlen(id)
		p.str(" size=").num(uint64(b.Size(id))).str(" vlen=").num(uint64(n))
		for i := range n {
			m := b.Member(id, i)
			p.str("\n\t'").bytes(b.display(m.NameOff)).str("' type_id=").num(uint64(m.Type)).str(" bits_offset=").num(uint64(m.BitOffset))
			if m.BitSize != 0 {
				p.str(" bitfield_size=").num(uint64(m.BitSize))
			}
			p.spill()
		}
	case KindEnum, KindEnum64:
		n, signed := b.Vlen(id), b.KindFlag(id)
		p.str(" encoding=").str(signedness(signed)).str(" size=").num(uint64(b.Size(id))).str(" vlen=").num(uint64(n))
		for i := range n {
			e := b.Enumerator(id, i)
			p.str("\n\t'").bytes(b.display(e.NameOff)).str("' val=").enumerator(e.Value, signed)
			if kind == KindEnum64 {
				p.str(enum64Suffix(signed))
			}
			p.spill()
		}
	case KindFwd:
		p.str(" fwd_kind=").str(b.fwdKind(id))
	case KindFunc:
		p.str(" type_id=").num(uint64(b.Ref(id))).str(" linkage=").str(linkageName(b.Linkage(id)))
	case KindFuncProto:
		n := b.Vlen(id)
		p.str(" ret_type_id=").num(uint64(b.Ref(id))).str(" vlen=").num(uint64(n))
		for i := range n {
			a := b.Param(id, i)
			p.str("\n\t'").bytes(b.display(a.NameOff)).str("' type_id=").num(uint64(a.Type))
			p.spill()
		}
	case KindVar:
		p.str(" type_id=").num(uint64(b.Ref(id))).str(", linkage=").str(linkageName(b.Linkage(id)))
	case KindDatasec:
		n := b.Vlen(id)
		p.str(" size=").num(uint64(b.Size(id))).str(" vlen=").num(uint64(n))
		for i := range n {
			s := b.Secinfo(id, i)
			p.str("\n\ttype_id=").num(uint64(s.Type)).str(" offset=").num(uint64(s.Offset)).str(" size=").num(uint64(s.Size))
			if s.Type < b.End() {
				p.str(" (").str(b.Kind(s.Type).display()).str(" '").bytes(b.display(b.NameOff(s.Type))).str("')")
			}
			p.spill()
		}
	case KindFloat:
		p.str(" size=").num(uint64(b.Size(id)))
	case KindDeclTag:
		p.str(" type_id=").num(uint64(b.Ref(id))).str(" component_idx=").signed(int64(b.ComponentIndex(id)))
	}
}

var (
	anonymous     = []byte("(anon)")
	invalidString = []byte("(invalid)")
)

// display is the string at an offset as bpftool shows it.
func (b *BTF) display(off uint32) []byte {
	if off == 0 {
		return anonymous
	}
	if !b.ValidString(off) {
		return invalidString
	}
	return b.StringBytes(off)
}

// display is the kind as bpftool prints it: void has the name of kind 0.
func (k Kind) display() string {
	if k == KindVoid {
		return "UNKNOWN"
	}
	return k.String()
}

// display is the encoding as bpftool prints it, which knows the flags one at a
// time.
func (e IntEncoding) display() string {
	switch e {
	case 0:
		return "(none)"
	case Signed:
		return "SIGNED"
	case Char:
		return "CHAR"
	case Bool:
		return "BOOL"
	}
	return "UNKN"
}

func signedness(signed bool) string {
	if signed {
		return "SIGNED"
	}
	return "UNSIGNED"
}

func enum64Suffix(signed bool) string {
	if signed {
		return "LL"
	}
	return "ULL"
}

func (b *BTF) fwdKind(id ID) string {
	if b.KindFlag(id) {
		return "union"
	}
	return "struct"
}

func linkageName(linkage uint32) string {
	switch linkage {
	case LinkageStatic:
		return "static"
	case LinkageGlobal:
		return "global"
	case LinkageExtern:
		return "extern"
	}
	return "(unknown)"
}

// printer collects output and passes it on in large pieces. The first error of
// the writer stays, and nothing is written after it.
type printer struct {
	w   io.Writer
	buf []byte
	err error
}

// pieceSize is how much output a printer collects, in bytes.
const pieceSize = 64 << 10

func newPrinter(w io.Writer) *printer {
	return &printer{w: w, buf: make([]byte, 0, pieceSize+4<<10)}
}

func (p *printer) str(s string) *printer {
	p.buf = append(p.buf, s...)
	return p
}

func (p *printer) bytes(s []byte) *printer {
	p.buf = append(p.buf, s...)
	return p
}

func (p *printer) num(v uint64) *printer {
	p.buf = strconv.AppendUint(p.buf, v, 10)
	return p
}

func (p *printer) signed(v int64) *printer {
	p.buf = strconv.AppendInt(p.buf, v, 10)
	return p
}

func (p *printer) enumerator(v uint64, signed bool) *printer {
	if signed {
		return p.signed(int64(v))
	}
	return p.num(v)
}

// line ends a line; false says to stop because the writer failed.
func (p *printer) line() bool {
	p.buf = append(p.buf, '\n')
	return p.spill()
}

// spill passes the output on once there is enough of it.
func (p *printer) spill() bool {
	if len(p.buf) >= pieceSize {
		_ = p.flush() // err stays for the last flush
	}
	return p.err == nil
}

// flush passes on what is left and gives the first error there was.
func (p *printer) flush() error {
	if p.err == nil && len(p.buf) > 0 {
		n, err := p.w.Write(p.buf)
		if err == nil && n < len(p.buf) {
			err = io.ErrShortWrite
		}
		p.err = err
	}
	p.buf = p.buf[:0]
	return p.err
}
