package dwarf2btf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/elffile"
	"github.com/btfgen/btfgen/internal/memory"
)

// Options say what to convert, and how. The zero value converts types, on all cores.
type Options struct {
	// Workers is how many units are decoded at once; 0 is one a core. The output does
	// not depend on it.
	Workers int
	// Functions adds functions, and variables that exist once a CPU.
	Functions bool
	// NoEnum64 makes enums of 8 bytes ENUM with the low halves of their values, for
	// loaders older than Linux 6.0; none is then marked as signed.
	NoEnum64 bool
	// Base is the kernel's BTF, if the file is a module: what the kernel has is
	// referred to, and the rest is written as split BTF.
	Base *btf.BTF
	// Alternate opens the file that .gnu_debugaltlink names, which dwz moved shared
	// parts to. Without it a file that names one is refused.
	Alternate func(name string, buildID []byte) (elffile.File, error)
}

// ErrNoDWARF is in the chain of errors for a file without DWARF.
var ErrNoDWARF = errors.New("no DWARF")

// Convert returns the types of a file's DWARF as BTF, without duplicates, in the
// byte order of the file. The result is the caller's.
//
// Errors are of malformed DWARF, with the offset of the unit; ErrNoDWARF is in the
// chain if there is none, elffile.ErrNotELF if the file is of another format.
func Convert(f elffile.File, o Options) ([]byte, error) {
	in, err := open(f, &o)
	if err != nil {
		return nil, err
	}
	t, workers, err := in.classes()
	if err != nil {
		return nil, err
	}
	if err := in.refine(t, workers); err != nil {
		return nil, err
	}
	return in.emit(t, workers)
}

// open reads the sections and the headers of units.
func open(f elffile.File, o *Options) (*input, error) {
	e, err := elffile.Parse(f)
	if err != nil {
		return nil, err
	}
	if s := e.Section(".debug_info"); s == nil || s.Size == 0 {
		return nil, fmt.Errorf("%w: there is no section .debug_info", ErrNoDWARF)
	}
	in := &input{options: o, little: e.Order == binary.ByteOrder(binary.LittleEndian)}
	var rest [][]byte
	more := []string{".gnu_debugaltlink"}
	if o.Functions {
		more = append(more, ".symtab", ".strtab")
	}
	if in.file, rest, err = readFile(e, more...); err != nil {
		return nil, err
	}
	rest = append(rest, nil, nil)
	if err := in.checkBase(); err != nil {
		return nil, err
	}
	if err := in.alternate(rest[0]); err != nil {
		return nil, err
	}
	if err := in.number(rest[2]); err != nil {
		return nil, err
	}
	if o.Functions {
		if in.symbols, err = readSymbols(e, rest[1], rest[2], in.symbolsAt); err != nil {
			return nil, err
		}
	}
	for f := in.file; f != nil; f = f.alt {
		if in.units, err = f.units(in.units, ".debug_info", f.info, f.infoAt, f.infoStringsAt); err != nil {
			return nil, err
		}
		if in.units, err = f.units(in.units, ".debug_types", f.types, f.typesAt, f.typesStringAt); err != nil {
			return nil, err
		}
	}
	for i := range in.units {
		if u := &in.units[i]; u.kind == utType {
			if in.signatures == nil {
				in.signatures = map[uint64]place{}
			}
			if u.typeAt >= uint64(u.end-u.start) {
				return nil, u.wrap(fmt.Errorf("its type is said to be at 0x%x", u.typeAt))
			}
			if _, ok := in.signatures[u.signature]; !ok {
				in.signatures[u.signature] = u.place(u.start) + place(u.typeAt)
			}
		}
	}
	in.cache.functions = o.Functions
	in.cache.budget = 64<<20 + 32*(len(in.file.info)+len(in.file.types)+len(in.file.abbrev))
	return in, nil
}

// linked is an error of a unit that refers to others.
var errLinked = errors.New("units refer to one another")

// classes finds all classes. Units are taken one by one, by whoever is free; but all
// at once where one refers to another.
func (in *input) classes() (*table, []*worker, error) {
	n := in.options.Workers
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	n = max(1, min(n, len(in.units)))
	if in.signatures == nil && in.file.alt == nil {
		t, base, err := in.withBase()
		if err != nil {
			return nil, nil, err
		}
		workers, err := in.separately(t, n)
		if !errors.Is(err, errLinked) {
			return t, append(base, workers...), err
		}
	}
	in.linked = true
	t, base, err := in.withBase()
	if err != nil {
		return nil, nil, err
	}
	w := &worker{table: t, decoder: decoder{input: in}}
	if err := w.readAll(); err != nil {
		return nil, nil, err
	}
	return t, append(base, w), w.enter(0)
}

// withBase makes a table that has what the base has, and the worker that put it there,
// if there is a base.
func (in *input) withBase() (*table, []*worker, error) {
	t := newTable()
	if in.options.Base == nil {
		return t, nil, nil
	}
	w, err := in.readBase(t)
	return t, []*worker{w}, err
}

// separately converts units that do not refer to one another.
func (in *input) separately(t *table, n int) ([]*worker, error) {
	workers := make([]*worker, n)
	var next, failed atomic.Int64
	failed.Store(math.MaxInt64)
	errs := make([]error, n)
	var wg memory.Group
	for i := range workers {
		own := *in
		w := &worker{table: t, decoder: decoder{input: &own}}
		workers[i] = w
		wg.Go(func() {
			for {
				// The error of the first unit that has one is returned, whoever came upon it.
				unit := next.Add(1) - 1
				if unit >= int64(len(in.units)) || unit > failed.Load() {
					return
				}
				u := &in.units[unit]
				if err := w.alone(int(unit)); err != nil {
					errs[i] = err
					if !errors.Is(err, errLinked) {
						errs[i] = u.wrap(err)
					}
					for was := failed.Load(); unit < was && !failed.CompareAndSwap(was, unit); was = failed.Load() {
					}
					w.failed = unit
					return
				}
			}
		})
	}
	wg.Wait()
	for i, err := range errs {
		if errors.Is(err, errLinked) || err != nil && workers[i].failed == failed.Load() {
			return nil, err
		}
	}
	return workers, nil
}

// alone converts a unit.
func (w *worker) alone(unit int) error {
	if err := w.read(unit); err != nil {
		return err
	}
	return w.enter(unit)
}

// read decodes a unit and makes its types' digests.
func (w *worker) read(unit int) error {
	u := &w.units[unit]
	return w.try(func() error {
		w.links = false
		w.index.reset(u.place(u.start), u.end-u.start)
		if err := w.decode(u); err != nil {
			return err
		}
		if w.links {
			return errLinked
		}
		return nil
	})
}

// readAll decodes all units; of the alternate file those that count.
func (w *worker) readAll() error {
	size, all := 0, 0
	own := len(w.units) // how many are not the alternate file's
	for f := w.file; f != nil; f = f.alt {
		all += len(f.info) + len(f.types)
	}
	for i := range w.units {
		if w.units[i].file != w.file {
			own = i
			break
		}
		size += w.units[i].end - w.units[i].start
	}
	return w.try(func() error {
		w.index.reset(0, all)
		w.reached.reset(len(w.units))
		done, size := 0, size
		decode := func(u *unit) error {
			if err := w.decode(u); err != nil {
				return u.wrap(err)
			}
			done += u.end - u.start
			w.types, w.items = foresee(w.types, done, size), foresee(w.items, done, size)
			return nil
		}
		for i := range own {
			if err := decode(&w.units[i]); err != nil {
				return err
			}
		}
		if err := w.reachAll(); err != nil {
			return err
		}
		for i := own; i < len(w.units); i++ {
			if w.reached.is[i] {
				size += w.units[i].end - w.units[i].start
			}
		}
		for i := own; i < len(w.units); i++ {
			if !w.reached.is[i] {
				continue
			}
			if err := decode(&w.units[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// foresee makes room for all that is to come, if done bytes of size have given what s
// has so far: growing by and by takes twice the memory. The first units have more
// types than the rest, so that a part is never used; it takes no memory, as it is not
// written to, which slices.Grow would do.
func foresee[T any](s []T, done, size int) []T {
	if spare := cap(s) - len(s); spare > len(s)/8 || done < size/32 {
		return s
	}
	want := int(float64(len(s)) * float64(size) / float64(done) * 1.1)
	if want <= cap(s) {
		return s
	}
	grown := make([]T, len(s), want)
	copy(grown, s)
	return grown
}

// try decodes; where there are references to what was not looked at, all over.
func (w *worker) try(decode func() error) error {
	for _, everything := range []bool{false, true} {
		w.reset()
		w.everything = everything
		if err := decode(); err != nil {
			return err
		}
		err := w.digestAll(&w.hasher)
		if err == nil || everything || !errors.Is(err, errReference) {
			return err
		}
	}
	return nil
}
