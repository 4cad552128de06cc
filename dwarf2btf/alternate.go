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
