package image

import (
	"errors"

	"github.com/btfgen/btfgen/internal/elffile"
)

// convert makes BTF of the DWARF of an ELF file.
func (i *Image) convert(elffile.File, Options) ([]byte, error) {
	return nil, errors.New("not converted yet")
}
