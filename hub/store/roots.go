package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btf"
)

// find looks the types without a name up, all or those given, and returns those
// that are not there.
func (a *analyser) find(x *expander, f []uint32, among []uint32) (missing []uint32, err error) {
	state := make([]uint8, a.end()) // 1: under way, 2: not there
	look := func(id uint32) error {
		if f[id] != 0 || !a.nameless(id) {
			return nil
		}
		if err := a.findOne(x, f, state, id, 1); err != nil {
			return err
		}
		if f[id] == 0 {
			missing = append(missing, id)
		}
		return nil
	}
	if among != nil {
		for _, id := range among {
			if err := look(id); err != nil {
				return nil, err
			}
		}
		return missing, nil
	}
	for id := uint32(1); id < a.end(); id++ {
		if err := look(id); err != nil {
			return nil, err
		}
	}
	return missing, nil
}

// findOne looks a type up whose references it looks up first.
func (a *analyser) findOne(x *expander, f []uint32, state []uint8, id uint32, depth int) error {
	if depth > maxDepth || state[id] == 1 {
		return fmt.Errorf("type %d, %v: %w", id, a.kind(id), errDeep)
	}
	if state[id] == 2 {
		return nil
	}
	rec := a.record(id)
	state[id] = 1
	defer func() { state[id] = 2 }()
	// What it refers to comes first, and may use the stack.
	absent := false
	var err error
	eachWord(rec, func(i int, class wordClass) {
		if class != wordRef || rec[i] == 0 || err != nil || f[rec[i]] != 0 {
			return
		}
		if err = a.findOne(x, f, state, rec[i], depth+1); f[rec[i]] == 0 {
			absent = true
		}
	})
	if err != nil || absent {
		return err
	}
	words := append(x.stack[:0], rec...)
	if rec[0] != 0 {
		words[0] = x.off[rec[0]]
		absent = words[0] == 0
	}
	eachWord(rec, func(i int, class wordClass) {
		switch class {
		case wordRef:
			words[i] = f[rec[i]]
		case wordName:
			words[i] = x.off[rec[i]]
			absent = absent || words[i] == 0 && rec[i] != 0
		}
	})
	x.stack = words[:0]
	if !absent {
		f[id] = x.intern(words, false)
	}
	return nil
}

type root struct {
	kind          btf.Kind
	text, content string
	choice
}

// roots are the definitions of those types that no other of them refers to:
// the types to which no named one leads, such as enums without a name whose
// values serve as constants. The rest of them is within these.
func (a *analyser) roots(missing []uint32) ([]root, error) {
	within := make(map[uint32]bool, len(missing))
	for _, id := range missing {
		rec := a.record(id)
		eachWord(rec, func(i int, class wordClass) {
			if class == wordRef {
				within[rec[i]] = true
			}
		})
	}
	seen := make(map[string]bool)
	var roots []root
	for _, id := range missing {
		if within[id] {
			continue
		}
		if err := a.write(id); err != nil {
			return nil, err
		}
		text, chosen := string(a.text), a.chosen(a.refs)
		whole := text + fmt.Sprint(chosen)
		if seen[whole] {
			continue
		}
		seen[whole] = true
		c, err := content(nil, a.text, a.types.string)
		if err != nil {
			return nil, err
		}
		roots = append(roots, root{a.kind(id), text, string(c), chosen})
	}
	slices.SortFunc(roots, func(x, y root) int {
		return cmp.Or(cmp.Compare(kindOrder(x.kind), kindOrder(y.kind)), strings.Compare(x.content, y.content), x.compare(&y.choice))
	})
	return roots, nil
}

// compare orders the choices of one text's references as if all were written:
// reference by reference.
func (c *choice) compare(d *choice) int {
	for i, ref := range c.refs {
		switch {
		case i == len(d.refs) || ref < d.refs[i]:
			return 1 // the other means the first here
		case ref > d.refs[i]:
			return -1
		case c.ordinals[i] != d.ordinals[i]:
			return cmp.Compare(c.ordinals[i], d.ordinals[i])
		}
	}
	return cmp.Compare(len(c.refs), len(d.refs))
}

// countCopies counts how many types became the same one.
func (t *Types) countCopies(f []uint32) {
	count := make([]uint32, t.distinct+1)
	for _, id := range f[1:] {
		count[id]++
	}
	for id, n := range count {
		if n > 1 {
			t.copies = append(t.copies, copies{uint32(id), n - 1})
		}
	}
}

// nameless are the copies of types without a name.
func (t *Types) nameless() (list []copyRun) {
	for _, c := range t.copies {
		if int(c.id) > t.named {
			list = append(list, copyRun{c.id - 1 - uint32(t.named), c.extra})
		}
	}
	return list
}
