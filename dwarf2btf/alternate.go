package dwarf2btf

import (
	"bytes"
	"fmt"

	"github.com/btfgen/btfgen/internal/elffile"
)

// alternate opens the file that the section .gnu_debugaltlink names, if there is one.
func (in *input) alternate(link []byte) error {
	if len(link) == 0 {
		return nil
	}
	name, id, ok := bytes.Cut(link, []byte{0})
	if !ok || len(name) == 0 {
		return fmt.Errorf("section .gnu_debugaltlink of %d bytes has no file name", len(link))
	}
	if in.options.Alternate == nil {
		return fmt.Errorf("a part of the DWARF is in the alternate file %q, build id %x, which is not given", name, id)
	}
	f, err := in.options.Alternate(string(name), id)
	if err != nil {
		return fmt.Errorf("alternate file %q, build id %x: %w", name, id, err)
	}
	e, err := elffile.Parse(f)
	if err != nil {
		return fmt.Errorf("alternate file %q: %w", name, err)
	}
	if e.Order != in.file.order {
		return fmt.Errorf("alternate file %q is of the other byte order", name)
	}
	if in.file.alt, _, err = readFile(e); err != nil {
		return fmt.Errorf("alternate file %q: %w", name, err)
	}
	return nil
}

// reachedUnits are the units of the alternate file that are imported or referred to.
// It is shared by files that have nothing else to do with one another, so the others
// are not the file's that is converted.
type reachedUnits struct {
	is    []bool // by number of the unit
	queue []int  // whose references have not been followed
}

func (r *reachedUnits) reset(units int) {
	r.is, r.queue = sized(r.is, units), r.queue[:0]
}

// add adds a unit; a reference to none is an error elsewhere.
func (r *reachedUnits) add(unit int) {
	if unit >= 0 && unit < len(r.is) && !r.is[unit] {
		r.is[unit] = true
		r.queue = append(r.queue, unit)
	}
}

// reachAll follows the references of the units that have been reached, with their
// types thrown away: to be found they have to be read in order.
func (w *worker) reachAll() error {
	index := w.index
	w.index = placeIndex{}
	types, items := len(w.types), len(w.items)
	for n := len(w.reached.queue); n > 0; n = len(w.reached.queue) {
		u := &w.units[w.reached.queue[n-1]]
		w.reached.queue = w.reached.queue[:n-1]
		w.index.reset(u.place(u.start), u.end-u.start)
		if err := w.decode(u); err != nil {
			return u.wrap(err)
		}
		w.types, w.items = w.types[:types], w.items[:items]
	}
	w.index = index
	return nil
}
