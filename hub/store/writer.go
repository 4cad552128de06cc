package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/output"
)

// Writer adds kernels to a store. It holds an exclusive lock on the file until
// Close. It is not safe for concurrent use.
type Writer struct {
	path    string
	file    *os.File
	store   *Store // what is committed
	content *collection
	layer   layerWriter // its numbers are those of what is committed
	pending []*addition
}

// Create makes a new, empty store; there must be no file of that name.
func Create(path string) (*Writer, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return newWriter(path, file)
}

// Append opens a store to add to it. What follows its last whole layer, left by
// an interruption, is cut off by the next Commit. A file that has less than a
// header, as a Create that was interrupted leaves it, is made an empty store.
func Append(path string) (*Writer, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return newWriter(path, file)
}

func newWriter(path string, file *os.File) (*Writer, error) {
	w := &Writer{path: path, file: file}
	if err := w.open(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return w, nil
}

func (w *Writer) open() error {
	if err := lock(w.path, w.file); err != nil {
		return err
	}
	output.RemoveStale(w.path)
	info, err := w.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < headerLen {
		if err := w.begin(int(info.Size())); err != nil {
			return err
		}
	}
	if w.store, err = openFile(w.path, w.file); err != nil {
		return err
	}
	w.content = newCollection()
	if err := w.content.addStore(w.store); err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	w.layer = layerWriter{before: w.store, from: w.content}
	for n := range w.content.strings {
		w.layer.stringNumber = append(w.layer.stringNumber, uint32(n))
	}
	for n := range w.content.defs {
		w.layer.defNumber = append(w.layer.defNumber, uint32(n)+1)
	}
	return nil
}

// begin writes the header of a file that has only its first size bytes.
func (w *Writer) begin(size int) error {
	start := make([]byte, size)
	if _, err := io.ReadFull(w.file, start); err != nil {
		return err
	}
	if !bytes.HasPrefix(header(), start) {
		return fmt.Errorf("%s: %w", w.path, checkHeader(start))
	}
	if _, err := w.file.WriteAt(header(), 0); err != nil {
		return err
	}
	return w.file.Sync()
}

// Kernels lists what is there, kernels that are not yet committed included, in
// the order of paths.
func (w *Writer) Kernels() []Kernel {
	list := w.store.Kernels()
	for _, a := range w.pending {
		list = append(list, a.Kernel)
	}
	slices.SortFunc(list, func(a, b Kernel) int { return cmp.Compare(a.Path, b.Path) })
	return list
}

// Add adds a kernel in memory. The error is a *RefusedError if there is a kernel
// of that path already, or if the store is full; the writer is then as it was.
func (w *Writer) Add(t *Types) error {
	_, there := w.store.number(t.path)
	for _, a := range w.pending {
		there = there || a.Path == t.path
	}
	switch {
	case there:
		return &RefusedError{t.path, errors.New("there is a kernel of this name already")}
	case len(w.content.strings)+len(t.strings) > maxStrings, len(w.content.defs)+len(t.defs) > maxDefinitions,
		len(w.store.kernels)+len(w.pending) >= maxKernels:
		return &RefusedError{t.path, errors.New("the store is full")}
	}
	defs, vary, copied, err := w.content.addKernel(t)
	if err != nil {
		return &RefusedError{t.path, err}
	}
	w.pending = append(w.pending, &addition{
		Kernel: Kernel{Path: t.path, Types: t.types, Definitions: len(defs), Bytes: t.bytes, Expanded: t.expanded, Mark: t.mark},
		defs:   defs,
		vary:   vary,
		copied: copied,
		record: record{order: t.order, sum: t.sum, unique: uint32(t.distinct), nameless: t.nameless()},
	})
	return nil
}

// Commit writes what was added as a layer and syncs it; before, it proves that
// every kernel that was added expands from what will be written to the types
// that Analyse has compared with the original. If nothing was added, nothing is
// written. After an error the store is as it was.
func (w *Writer) Commit() error {
	if len(w.pending) == 0 {
		return nil
	}
	if err := w.commit(); err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	return nil
}

func (w *Writer) commit() error {
	slices.SortFunc(w.pending, func(a, b *addition) int { return cmp.Compare(a.Path, b.Path) })
	layer := w.layer
	layer.stringNumber, layer.defNumber = slices.Clone(layer.stringNumber), slices.Clone(layer.defNumber)
	raw, err := layer.write(w.news(), len(w.pending), func(i int) (*addition, error) { return w.pending[i], nil })
	if err != nil {
		return err
	}
	size := w.store.size
	next, err := read(w.path, &extended{w.file, size, raw}, size+int64(len(raw)))
	if err != nil {
		return err
	}
	next.inherit(w.store)
	if err := next.proveFrom(len(w.store.kernels), nil); err != nil {
		return err
	}
	if err := writeLayer(w.file, size, raw); err != nil {
		return errors.Join(err, w.file.Truncate(size))
	}
	next.in, next.file = w.file, w.file
	w.store, w.pending = next, nil
	w.layer = layerWriter{before: next, from: w.content, stringNumber: layer.stringNumber, defNumber: layer.defNumber}
	return nil
}

// news are the definitions of pending kernels that are not in the store.
func (w *Writer) news() []uint32 {
	seen := make([]bool, len(w.content.defs))
	for n := range w.layer.defNumber {
		seen[n] = w.layer.defNumber[n] != 0
	}
	var news []uint32
	for _, a := range w.pending {
		for _, d := range a.defs {
			if !seen[d] {
				seen[d] = true
				news = append(news, d)
			}
		}
	}
	return news
}

// writeLayer writes all but the head, then the head, which is what makes it a
// layer: a store whose writer was killed at any moment, or whose machine lost
// power, has the layer whole or has none.
func writeLayer(file *os.File, at int64, raw []byte) error {
	if err := file.Truncate(at); err != nil {
		return err
	}
	if _, err := file.WriteAt(make([]byte, headLen), at); err != nil {
		return err
	}
	if _, err := file.WriteAt(raw[headLen:], at+headLen); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if _, err := file.WriteAt(raw[:headLen], at); err != nil {
		return err
	}
	return file.Sync()
}

// extended is a file's first bytes and others behind.
type extended struct {
	file *os.File
	at   int64
	more []byte
}

func (e *extended) ReadAt(b []byte, off int64) (int, error) {
	if off >= e.at {
		return bytes.NewReader(e.more).ReadAt(b, off-e.at)
	}
	if off+int64(len(b)) <= e.at {
		return e.file.ReadAt(b, off)
	}
	n, err := e.file.ReadAt(b[:e.at-off], off)
	if err != nil {
		return n, err
	}
	m, err := e.ReadAt(b[n:], e.at)
	return n + m, err
}

// Close gives up what is not committed, and the lock.
func (w *Writer) Close() error {
	if err := w.file.Close(); !errors.Is(err, os.ErrClosed) { // by Compact
		return err
	}
	return nil
}

// Compact writes the store anew as a single layer, to a file whose bytes depend
// only on the kernels in it: not on the order in which they were added, nor on
// layers. to takes its name when it is whole and synced. What is not committed is
// not in it.
//
// A store that is there is locked meanwhile, the error wraps ErrLocked if another
// writer has it. It may be the store itself; the writer can only be closed then.
// On Windows an open file cannot be replaced: a reader of it is an error there.
// Files aside that a killed Compact has left are removed, by Append as well.
func (w *Writer) Compact(to string) error {
	return w.replace(to, func() ([]byte, error) {
		raw, err := w.store.compacted()
		if err != nil {
			err = fmt.Errorf("%s: %w", w.path, err)
		}
		return raw, err
	})
}

// Compact is Writer.Compact of the store from.
func Compact(from, to string) error {
	w, err := Append(from)
	if err != nil {
		return err
	}
	return errors.Join(w.Compact(to), w.Close())
}

// compacted is the whole file of the store as a single layer.
func (s *Store) compacted() ([]byte, error) {
	all := newCollection()
	if err := all.addStore(s); err != nil {
		return nil, err
	}
	empty := &Store{strings: 1}
	w := layerWriter{before: empty, from: all, stringNumber: []uint32{0}}
	news := make([]uint32, len(all.defs))
	for i := range news {
		news[i] = uint32(i)
	}
	raw, err := w.write(news, len(s.byPath), func(i int) (*addition, error) {
		number := int(s.byPath[i])
		in, vary, _, r, err := s.set(number)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.kernels[number].Path, err)
		}
		a := &addition{Kernel: s.kernels[number].Kernel, defs: make([]uint32, 0, in.len()), vary: vary, copied: r.copied}
		in.each(func(n uint32) { a.defs = append(a.defs, n) })
		a.record = record{order: r.order, sum: r.sum, unique: r.unique, nameless: r.nameless}
		a.Mark = ""
		return a, nil
	})
	if err != nil {
		return nil, err
	}
	raw = append(header(), raw...)
	again, err := read("compacted", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, err
	}
	return raw, again.proveFrom(0, nil)
}

// proveFrom expands the kernels from a number on, on all processors, and
// compares their checksums. progress may be nil.
func (s *Store) proveFrom(first int, progress func(path string)) error {
	var wait sync.WaitGroup
	var mu sync.Mutex
	next := first
	var failed error
	for range min(runtime.GOMAXPROCS(0), len(s.kernels)-first) {
		wait.Go(func() {
			var buf []byte
			for {
				mu.Lock()
				n := next
				next++
				stop := failed != nil || n >= len(s.kernels)
				mu.Unlock()
				if stop {
					return
				}
				b, err := s.get(n, buf)
				if err == nil {
					buf = b
					err = s.checkKernel(n, b)
				}
				mu.Lock()
				if err != nil {
					failed = cmp.Or(failed, fmt.Errorf("%s: %w", s.kernels[n].Path, err))
				} else if progress != nil {
					progress(s.kernels[n].Path)
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return failed
}

// checkKernel compares an expanded BTF with what the directory says.
func (s *Store) checkKernel(number int, raw []byte) error {
	b, err := btf.Parse(raw)
	if err != nil {
		return damaged("expanded: %v", err)
	}
	if n := int(b.End()) - 1; n != s.kernels[number].Types {
		return damaged("%d types, the directory says %d", n, s.kernels[number].Types)
	}
	return nil
}

// inherit takes over what an earlier state of the same file has read.
func (s *Store) inherit(from *Store) {
	for i := range from.defs {
		if d := from.defs[i].Load(); d != nil {
			s.defs[i].Store(d)
		}
	}
	for i := range from.recs {
		if r := from.recs[i].Load(); r != nil {
			s.recs[i].Store(r)
		}
	}
	s.cached.Store(from.cached.Load())
}
