package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// addition is a kernel that is to be written.
type addition struct {
	Kernel
	defs   []uint32     // numbers in the collection
	vary   []variation  // of definitions by such numbers, in any order
	copied []copiedType // the same
	record record       // but for its difference, changes and copies of named types
}

// layerWriter makes a layer: what of a collection is new after the store
// before, and kernels.
type layerWriter struct {
	before *Store
	from   *collection
	// Numbers in the store, 0 for what is not there: of strings; of
	// definitions 1 more.
	stringNumber []uint32
	defNumber    []uint32

	strings, definitions uint32 // totals so far
	newStrings           []uint32
	dir                  directory
	raw                  [][]byte // of dir.blocks
	dictionaries         [][]byte // of dir.blocks; nil: none
	near                 []nearby // kernels that may serve as a base
}

// nearby is a kernel whose set is at hand.
type nearby struct {
	number, depth int
	dir           string
	set           set
	vary          []variation // ascending
}

// How many kernels are tried as a base: those just before in the order of
// paths, the last of other directories, those around it in the store before.
const (
	nearBefore = 48
	nearTotal  = 128
	nearStore  = 8
)

// write makes the layer. news are the definitions that are new; kernel gives
// the n kernels in the order of paths, one after another.
func (w *layerWriter) write(news []uint32, n int, kernel func(i int) (*addition, error)) ([]byte, error) {
	w.strings, w.definitions = w.before.strings, w.before.definitions
	first := w.definitions
	w.defNumber = append(w.defNumber, make([]uint32, len(w.from.defs)-len(w.defNumber))...)
	w.stringNumber = append(w.stringNumber, make([]uint32, len(w.from.strings)-len(w.stringNumber))...)
	if err := w.writeDefinitions(news); err != nil {
		return nil, err
	}
	w.writeStrings()
	w.dir.strings, w.dir.definitions = uint32(len(w.newStrings)), w.definitions-first
	met := newSet(w.definitions)
	var records []byte
	count := 0
	flush := func() {
		if count > 0 {
			w.block(block{kind: kernelBlock, count: uint32(count)}, records)
			records, count = nil, 0
		}
	}
	for i := range n {
		a, err := kernel(i)
		if err != nil {
			return nil, err
		}
		own := newSet(w.definitions)
		a.New = 0
		for _, d := range a.defs {
			number := w.defNumber[d] - 1
			own.add(number)
			if number >= first && !met.has(number) {
				met.add(number)
				a.New++
			}
		}
		a.Definitions = len(a.defs)
		r := w.kernel(len(w.before.kernels)+i, a, own)
		if len(r) > maxBlock {
			return nil, &RefusedError{a.Path, fmt.Errorf("its record takes %d bytes, at most %d fit", len(r), maxBlock)}
		}
		w.dir.kernels = append(w.dir.kernels, entry{Kernel: a.Kernel, record: uint32(len(r))})
		records = append(records, r...)
		count++
		if len(records) >= kernelBlockSize {
			flush()
		}
	}
	flush()
	return w.finish()
}

// block keeps a block to be packed.
func (w *layerWriter) block(b block, raw []byte) {
	b.raw = uint32(len(raw))
	w.dir.blocks = append(w.dir.blocks, b)
	w.raw = append(w.raw, raw)
	w.dictionaries = append(w.dictionaries, nil)
}

// writeDefinitions sorts the new definitions and writes them, numbering strings
// as they come.
func (w *layerWriter) writeDefinitions(news []uint32) error {
	contents := make(map[uint32][]byte)
	var failed error
	spelt := func(n uint32) []byte {
		c, ok := contents[n]
		if !ok {
			var err error
			if c, err = w.from.content(n); err != nil {
				failed = err
			}
			contents[n] = c
		}
		return c
	}
	slices.SortFunc(news, func(x, y uint32) int {
		a, b := &w.from.defs[x], &w.from.defs[y]
		if a.kind != b.kind {
			return cmp.Compare(kindOrder(a.kind), kindOrder(b.kind))
		}
		if a.name != b.name {
			return strings.Compare(w.from.strings[a.name], w.from.strings[b.name])
		}
		return bytes.Compare(spelt(x), spelt(y))
	})
	if failed != nil {
		return failed
	}
	older := w.older(news)
	b := block{kind: definitionBlock}
	var raw []byte
	flush := func(written []uint32) (err error) {
		var dictionary []byte
		if b.dictionary, dictionary, err = w.dictionary(written, older); err == nil {
			w.block(b, raw)
			w.dictionaries[len(w.dictionaries)-1] = dictionary
			b, raw = block{kind: definitionBlock}, nil
		}
		return err
	}
	for i, n := range news {
		d := &w.from.defs[n]
		if group := groupOf(d.kind); b.count > 0 && (group != b.group || len(raw) >= blockSizes[b.group]) {
			if err := flush(news[i-int(b.count) : i]); err != nil {
				return err
			}
		}
		if b.count == 0 {
			b.group, b.firstKind, b.firstName = groupOf(d.kind), uint8(d.kind), w.from.strings[d.name]
		}
		var err error
		raw, err = recode(raw, []byte(d.text), func(out []byte, s uint64) []byte {
			if s == 0 {
				return binary.AppendUvarint(out, 1)
			}
			number := w.stringNumber[s]
			if number == 0 {
				w.stringNumber[s] = w.strings
				w.newStrings = append(w.newStrings, uint32(s))
				w.strings++
				b.newStrings++
				return append(out, 0)
			}
			return binary.AppendUvarint(out, uint64(number)+1)
		})
		if err != nil {
			return err
		}
		b.count++
		w.definitions++
		w.defNumber[n] = w.definitions
	}
	if b.count == 0 {
		return nil
	}
	return flush(news[len(news)-int(b.count):])
}

// writeStrings writes the new strings, those of definitions of different groups
// in different blocks.
func (w *layerWriter) writeStrings() {
	var raw []byte
	count := uint32(0)
	group, first := 0, w.newIn(0)
	flush := func() {
		if count > 0 {
			w.block(block{kind: stringBlock, count: count}, raw)
		}
		raw, count = nil, 0
	}
	for i, n := range w.newStrings {
		if group == 0 && i == first {
			flush()
			group = 1
		}
		raw = append(append(raw, w.from.strings[n]...), 0)
		count++
		if len(raw) >= blockSizes[group] {
			flush()
		}
	}
	flush()
}

// newIn is how many strings are new in the definitions of a group.
func (w *layerWriter) newIn(group uint8) (n int) {
	for i := range w.dir.blocks {
		if b := &w.dir.blocks[i]; b.kind == definitionBlock && b.group == group {
			n += int(b.newStrings)
		}
	}
	return n
}

// numbered gives variations and copies the definitions' numbers in the store, and
// their order.
func (w *layerWriter) numbered(a *addition) ([]variation, []copiedType) {
	vary, copied := slices.Clone(a.vary), slices.Clone(a.copied)
	for i := range vary {
		vary[i].def = w.defNumber[vary[i].def] - 1
	}
	for i := range copied {
		copied[i].def = w.defNumber[copied[i].def] - 1
	}
	slices.SortFunc(vary, func(x, y variation) int { return cmp.Compare(x.def, y.def) })
	slices.SortFunc(copied, func(x, y copiedType) int {
		return cmp.Or(cmp.Compare(x.def, y.def), cmp.Compare(x.typ, y.typ))
	})
	return vary, copied
}

// kernel makes a kernel's record, as the difference from the nearest of those
// at hand.
func (w *layerWriter) kernel(number int, a *addition, own set) []byte {
	r := a.record
	self := nearby{number: number, depth: 1, dir: path.Dir(a.Path), set: own}
	self.vary, r.copied = w.numbered(a)
	var base *nearby
	cost := own.runs(nil) + changesCost(own, self.vary, nil)
	for _, group := range [][]nearby{w.near, w.neighbours(a.Path)} {
		for i := range group {
			if c := &group[i]; c.depth < maxChain {
				n := own.runs(c.set)
				if n < cost {
					n += changesCost(own, self.vary, c.vary)
				}
				if n < cost {
					base, cost = c, n
				}
			}
		}
	}
	var from nearby
	if base != nil {
		from, r.back, self.depth = *base, uint32(number-base.number), base.depth+1
	}
	r.changes = changesTo(own, self.vary, from.vary)
	w.near = append(w.near, self)
	if len(w.near) > nearBefore {
		w.forget()
	}
	return r.bytes(own.appendRuns(nil, from.set, w.definitions))
}

// forget drops the kernel that is the least likely base: of those that are not
// among the last, the oldest that has a later one of the same directory.
func (w *layerWriter) forget() {
	old := len(w.near) - nearBefore
	for i := range old {
		for k := i + 1; k < len(w.near); k++ {
			if w.near[k].dir == w.near[i].dir {
				w.near = slices.Delete(w.near, i, i+1)
				return
			}
		}
	}
	if len(w.near) > nearTotal {
		w.near = slices.Delete(w.near, 0, 1)
	}
}

// neighbours are the kernels of the store before that are around a path.
func (w *layerWriter) neighbours(path string) []nearby {
	s := w.before
	at, _ := slices.BinarySearchFunc(s.byPath, path, func(n uint32, p string) int { return cmp.Compare(s.kernels[n].Path, p) })
	var list []nearby
	for i := max(0, at-nearStore); i < min(len(s.byPath), at+nearStore); i++ {
		number := int(s.byPath[i])
		// One that cannot be read serves no one, and says so when it is.
		if in, vary, depth, _, err := s.set(number); err == nil {
			list = append(list, nearby{number: number, depth: depth, set: in, vary: vary})
		}
	}
	return list
}

// pack packs a block, with its dictionary if that makes it smaller.
func (w *layerWriter) pack(i int) ([]byte, error) {
	b, err := pack(w.raw[i])
	if text := w.dictionaries[i]; text != nil && err == nil {
		var with []byte
		with, err = packWith(w.raw[i], text)
		if of := &w.dir.blocks[i].dictionary; len(with)+len(of.gaps) < len(b) {
			b = with
		} else {
			*of = dictionary{}
		}
	}
	w.raw[i], w.dictionaries[i] = nil, nil
	return b, err
}

// finish packs the blocks and puts the layer together, head included.
func (w *layerWriter) finish() ([]byte, error) {
	packed := make([][]byte, len(w.raw))
	errs := make([]error, len(w.raw))
	var wait sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), len(w.raw)) {
		wait.Go(func() {
			for i := range next {
				packed[i], errs[i] = w.pack(i)
			}
		})
	}
	for i := range w.raw {
		next <- i
	}
	close(next)
	wait.Wait()
	for i, b := range packed {
		if errs[i] != nil {
			return nil, errs[i]
		}
		w.dir.blocks[i].packed, w.dir.blocks[i].crc = uint32(len(b)), checksum(b)
	}
	raw := w.dir.bytes()
	dir, err := pack(raw)
	if err != nil {
		return nil, err
	}
	body := make([]byte, headLen, headLen+len(dir))
	body = append(body, dir...)
	for kind := stringBlock; kind <= kernelBlock; kind++ {
		for i, b := range packed {
			if w.dir.blocks[i].kind == kind {
				body = append(body, b...)
			}
		}
	}
	for len(body)%alignment != 0 {
		body = append(body, 0)
	}
	head := layerHead{number: uint32(len(w.before.layers)), length: uint64(len(body)), dirLen: uint32(len(dir)), dirRaw: uint32(len(raw)), dirCRC: checksum(dir)}
	copy(body, head.bytes())
	return body, nil
}
