package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
)

// Store is an open store. It may be used by several goroutines.
type Store struct {
	name   string
	in     io.ReaderAt
	file   *os.File // nil if it is in memory
	size   int64    // of what is whole
	layers []layer

	strings, definitions uint32 // totals
	stringBlocks         []block
	definitionBlocks     []block
	kernelBlocks         []block
	kernels              []entry  // by number: the order in which they were added
	byPath               []uint32 // numbers in the order of paths
	packed               [3]int64 // bytes of blocks, by kind

	text   func() (*stringPool, error)
	texts  []atomic.Pointer[stringText]
	cached atomic.Int64 // bytes of blocks that are kept
	defs   []atomic.Pointer[definitions]
	recs   []atomic.Pointer[[]byte]
}

// layer is where a layer's numbers end.
type layer struct {
	offset, length       int64
	strings, definitions uint32
	kernels              int
}

// maxCached limits what a Store keeps of definitions and kernels, in bytes
// expanded.
const maxCached = 512 << 20

// Is tells by a file's first bytes, 8 of them at least, whether it is a store.
func Is(start []byte) bool { return len(start) >= len(magic) && string(start[:len(magic)]) == magic }

// IsFile tells whether there is a store at a path. A file that cannot be read is none: whoever opens it has more to say.
func IsFile(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	var start [len(magic)]byte
	n, _ := io.ReadFull(file, start[:])
	return Is(start[:n])
}

// Open opens a store and reads its directories. Errors name the file.
func Open(path string) (*Store, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s, err := openFile(path, file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

func openFile(path string, file *os.File) (*Store, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	s, err := read(path, file, info.Size())
	if err != nil {
		return nil, err
	}
	s.file = file
	return s, nil
}

// OpenBytes opens a store that is in memory, such as one built into a program,
// and reads its directories. The store keeps raw, which must not change. Errors
// have name where those of Open have the file's.
func OpenBytes(name string, raw []byte) (*Store, error) {
	return read(name, bytes.NewReader(raw), int64(len(raw)))
}

// read opens a store of size bytes, named in errors.
func read(name string, in io.ReaderAt, size int64) (*Store, error) {
	s := &Store{name: name, in: in}
	s.text = sync.OnceValues(s.readStrings)
	if err := s.readLayers(size); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// Close closes the file, if there is one.
func (s *Store) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// readLayers reads heads and directories. What follows the last layer is left
// by an interruption if it starts with a head of zero bytes, and damage if not.
func (s *Store) readLayers(size int64) error {
	start := make([]byte, min(size, headerLen))
	if _, err := s.in.ReadAt(start, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := checkHeader(start); err != nil {
		return err
	}
	s.size = headerLen
	s.strings = 1 // the empty one
	for s.size < size {
		b := make([]byte, min(headLen, size-s.size))
		if _, err := s.in.ReadAt(b, s.size); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		h, err := parseHead(b, len(s.layers), size-s.size)
		if err != nil {
			return err
		}
		if !h.present {
			break
		}
		if err := s.readLayer(&h); err != nil {
			return fmt.Errorf("layer %d: %w", len(s.layers), err)
		}
	}
	s.defs = make([]atomic.Pointer[definitions], len(s.definitionBlocks))
	s.recs = make([]atomic.Pointer[[]byte], len(s.kernelBlocks))
	s.texts = make([]atomic.Pointer[stringText], len(s.stringBlocks))
	s.byPath = make([]uint32, len(s.kernels))
	for i := range s.byPath {
		s.byPath[i] = uint32(i)
	}
	slices.SortFunc(s.byPath, func(a, b uint32) int { return cmp.Compare(s.kernels[a].Path, s.kernels[b].Path) })
	for i := 1; i < len(s.byPath); i++ {
		if path := s.kernels[s.byPath[i]].Path; path == s.kernels[s.byPath[i-1]].Path {
			return damaged("%s is there twice", path)
		}
	}
	return nil
}

func (s *Store) readLayer(h *layerHead) error {
	packed := make([]byte, h.dirLen)
	if _, err := s.in.ReadAt(packed, s.size+headLen); err != nil {
		return err
	}
	raw, err := unpack(packed, h.dirCRC, int(h.dirRaw), nil)
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	d, err := parseDirectory(raw)
	if err != nil {
		return err
	}
	if uint64(s.strings)+uint64(d.strings) > maxStrings || uint64(s.definitions)+uint64(d.definitions) > maxDefinitions ||
		len(s.kernels)+len(d.kernels) > maxKernels {
		return damaged("too many strings, definitions or kernels")
	}
	offset := s.size + headLen + int64(h.dirLen)
	first := [3]uint32{s.strings, s.definitions, uint32(len(s.kernels))}
	firstString := s.strings
	kernels := d.kernels
	for _, b := range d.blocks {
		b.offset, b.first = offset, first[b.kind]
		offset += int64(b.packed)
		first[b.kind] += b.count
		s.packed[b.kind] += int64(b.packed)
		switch b.kind {
		case stringBlock:
			s.stringBlocks = append(s.stringBlocks, b)
		case definitionBlock:
			b.firstString, b.layer = firstString, len(s.layers)
			if b.dictionary.end > s.definitions {
				return damaged("a dictionary has definition %d, earlier layers have %d", b.dictionary.end-1, s.definitions)
			}
			if uint64(firstString)+uint64(b.newStrings) > uint64(s.strings)+uint64(d.strings) {
				return damaged("its definitions have more new strings than there are")
			}
			firstString += b.newStrings
			s.definitionBlocks = append(s.definitionBlocks, b)
		case kernelBlock:
			at := uint64(0)
			for i := range kernels[:b.count] {
				e := &kernels[i]
				e.layer, e.block, e.at = len(s.layers), len(s.kernelBlocks), uint32(at)
				at += uint64(e.record)
			}
			if at != uint64(b.raw) {
				return damaged("kernels' records of %d bytes in a block of %d", at, b.raw)
			}
			kernels = kernels[b.count:]
			s.kernelBlocks = append(s.kernelBlocks, b)
		}
	}
	end := s.size + int64(h.length)
	if offset > end || end-offset >= alignment {
		return damaged("its blocks end at %d, the layer at %d", offset, end)
	}
	if firstString != first[stringBlock] {
		return damaged("its definitions have fewer new strings than there are")
	}
	s.strings, s.definitions = first[stringBlock], first[definitionBlock]
	share(d, int64(h.length))
	s.kernels = append(s.kernels, d.kernels...)
	s.layers = append(s.layers, layer{s.size, int64(h.length), s.strings, s.definitions, len(s.kernels)})
	s.size = end
	return nil
}

// share divides a layer's bytes among its kernels: what is packed of
// definitions and strings by new definitions, of kernels by records, the rest
// evenly. The parts add up.
func share(d *directory, length int64) {
	if len(d.kernels) == 0 {
		return
	}
	var packed, records, news int64
	for _, b := range d.blocks {
		if b.kind == kernelBlock {
			records += int64(b.packed)
		} else {
			packed += int64(b.packed)
		}
	}
	var size int64
	for i := range d.kernels {
		size += int64(d.kernels[i].record)
		news += int64(d.kernels[i].New)
	}
	left := length
	for i := range d.kernels {
		e := &d.kernels[i]
		e.Added = (length - packed - records) / int64(len(d.kernels))
		e.Added += int64(float64(records) * float64(e.record) / float64(size))
		if news > 0 {
			e.Added += int64(float64(packed) * float64(e.New) / float64(news))
		}
		left -= e.Added
	}
	d.kernels[0].Added += left
}

// Kernels lists the kernels in the order of their paths. The slice is the
// caller's.
func (s *Store) Kernels() []Kernel {
	list := make([]Kernel, len(s.byPath))
	for i, n := range s.byPath {
		list[i] = s.kernels[n].Kernel
	}
	return list
}

// number finds a kernel.
func (s *Store) number(path string) (int, bool) {
	i, ok := sort.Find(len(s.byPath), func(i int) int { return cmp.Compare(path, s.kernels[s.byPath[i]].Path) })
	if !ok {
		return 0, false
	}
	return int(s.byPath[i]), true
}

// Stats sums the store up.
func (s *Store) Stats() Stats {
	st := Stats{
		Kernels: len(s.kernels), Definitions: int(s.definitions), Strings: int(s.strings), Layers: len(s.layers), Bytes: s.size,
		StringBytes: s.packed[stringBlock], DefinitionBytes: s.packed[definitionBlock], KernelBytes: s.packed[kernelBlock],
	}
	st.OtherBytes = st.Bytes - st.StringBytes - st.DefinitionBytes - st.KernelBytes
	for i := range s.kernels {
		st.Original += s.kernels[i].Bytes
	}
	return st
}

// packedBlocks are buffers for blocks as they are in the file.
var packedBlocks = sync.Pool{New: func() any { return new([]byte) }}

// expandBlock reads a block.
func (s *Store) expandBlock(b *block) ([]byte, error) {
	buf := packedBlocks.Get().(*[]byte)
	defer packedBlocks.Put(buf)
	packed := slices.Grow((*buf)[:0], int(b.packed))[:b.packed]
	*buf = packed
	if _, err := s.in.ReadAt(packed, b.offset); err != nil {
		return nil, fmt.Errorf("block of %v at %d: %w", b.kind, b.offset, err)
	}
	dictionary, err := s.dictionaryText(b)
	if err != nil {
		return nil, err
	}
	raw, err := unpack(packed, b.crc, int(b.raw), dictionary)
	if err != nil {
		return nil, fmt.Errorf("block of %v at %d: %w", b.kind, b.offset, err)
	}
	return raw, nil
}

// stringPool is all strings.
type stringPool struct {
	text string
	at   []uint32 // per number: where it starts; one more for the end
}

func (p *stringPool) string(n uint32) string { return p.text[p.at[n] : p.at[n+1]-1] }

func (s *Store) readStrings() (*stringPool, error) {
	total := 1
	for i := range s.stringBlocks {
		if total += int(s.stringBlocks[i].raw); total > maxStringBytes {
			return nil, damaged("more than %d bytes of strings", maxStringBytes)
		}
	}
	text := make([]byte, 1, total)
	at := make([]uint32, 1, s.strings+1)
	for i := range s.stringBlocks {
		b := &s.stringBlocks[i]
		raw, err := s.expandBlock(b)
		if err != nil {
			return nil, err
		}
		base, n := len(text), uint32(0)
		at = append(at, uint32(base))
		for k, c := range raw {
			if c == 0 {
				if n++; n > b.count {
					break
				}
				at = append(at, uint32(base+k+1))
			}
		}
		if n != b.count || raw[len(raw)-1] != 0 {
			return nil, damaged("block of strings at %d: not %d strings", b.offset, b.count)
		}
		at = at[:len(at)-1]
		text = append(text, raw...)
	}
	return &stringPool{string(text), append(at, uint32(len(text)))}, nil
}

// definitions is a block of definitions and where each of them starts.
type definitions struct {
	text []byte
	at   []uint32
	news []uint32 // the next new string's number there
	kind []uint8
	name []uint32
}

// definitionBlock is a block of definitions by its place; it is checked that
// each is well-formed, and no more.
func (s *Store) definitionBlock(i int) (*definitions, error) {
	if d := s.defs[i].Load(); d != nil {
		return d, nil
	}
	b := &s.definitionBlocks[i]
	raw, err := s.expandBlock(b)
	if err != nil {
		return nil, err
	}
	n := int(b.count)
	d := &definitions{raw, make([]uint32, n), make([]uint32, n), make([]uint8, n), make([]uint32, n)}
	w := skimmer{b: raw}
	limit := s.strings
	for k := range n {
		d.at[k] = uint32(w.i)
		d.news[k] = b.firstString + w.zeros
		number, name := uint64(d.news[k]), w.number()
		if name == 0 {
			w.zeros++
		} else {
			number = name - 1
		}
		kind := w.record(w.number(), 1)
		if w.bad || w.zeros > b.newStrings || number >= uint64(limit) || groupOf(kind) != b.group {
			return nil, damaged("block of definitions at %d: definition %d is malformed", b.offset, k)
		}
		d.kind[k], d.name[k] = uint8(kind), uint32(number)
	}
	if w.i != len(raw) || w.zeros != b.newStrings {
		return nil, damaged("block of definitions at %d: does not end with its last definition", b.offset)
	}
	if size := int64(len(raw) + n*13); s.cached.Add(size) > maxCached || !s.defs[i].CompareAndSwap(nil, d) {
		s.cached.Add(-size)
	}
	return d, nil
}

// of is the text of the k-th definition, which aliases the block.
func (d *definitions) of(k uint32) []byte {
	end := uint32(len(d.text))
	if int(k)+1 < len(d.at) {
		end = d.at[k+1]
	}
	return d.text[d.at[k]:end:end]
}

func (s *Store) kernelBlock(i int) ([]byte, error) {
	if b := s.recs[i].Load(); b != nil {
		return *b, nil
	}
	raw, err := s.expandBlock(&s.kernelBlocks[i])
	if err != nil {
		return nil, err
	}
	if size := int64(len(raw)); s.cached.Add(size) > maxCached || !s.recs[i].CompareAndSwap(nil, &raw) {
		s.cached.Add(-size)
	}
	return raw, nil
}
