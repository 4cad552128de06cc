package image

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/btfgen/btfgen/dwarf2btf"
	"github.com/btfgen/btfgen/internal/elffile"
	"github.com/btfgen/btfgen/internal/memory"
)

// convert makes BTF of the DWARF of an ELF file.
func (i *Image) convert(f elffile.File, o Options) ([]byte, error) {
	options := dwarf2btf.Options{Workers: i.workers, Functions: o.Functions, NoEnum64: o.NoEnum64, Base: o.Base}
	var mapped [][]byte
	defer func() {
		for _, b := range mapped {
			memory.UnmapFile(b)
		}
	}()
	switch {
	case o.Alternate != nil:
		options.Alternate = func(name string, buildID []byte) (elffile.File, error) {
			b, err := o.Alternate(name, buildID)
			return elffile.Bytes(b), err
		}
	case i.path != "":
		options.Alternate = func(name string, buildID []byte) (elffile.File, error) {
			b, err := findAlternate(i.path, name, buildID)
			if err != nil {
				return nil, err
			}
			mapped = append(mapped, b)
			return elffile.Bytes(b), nil
		}
	}
	return dwarf2btf.Convert(f, options)
}

// debugFolder is where systems keep debugging information, by build id.
const debugFolder = "/usr/lib/debug"

// findAlternate maps the file of a name and build id that the file at path refers
// to. A name that is relative starts from that file's folder.
func findAlternate(path, name string, buildID []byte) ([]byte, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	places := []string{name}
	if !filepath.IsAbs(name) {
		places[0] = filepath.Join(filepath.Dir(path), name)
	}
	if len(buildID) > 1 {
		places = append(places, filepath.Join(debugFolder, ".build-id", fmt.Sprintf("%x", buildID[:1]), fmt.Sprintf("%x.debug", buildID[1:])))
	}
	var all error
	for _, place := range places {
		b, err := mapAlternate(place, buildID)
		switch {
		case err == nil:
			return b, nil
		case all == nil:
			all = err
		default:
			all = fmt.Errorf("%w; %w", all, err)
		}
	}
	return nil, all
}

func mapAlternate(path string, buildID []byte) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b, err := memory.MapFile(f, info.Size())
	if err != nil { // not on this system
		if b, err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	if err := hasBuildID(b, buildID); err != nil {
		memory.UnmapFile(b)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// hasBuildID returns an error unless b is an ELF file with the build id, which
// stands at the end of a note.
func hasBuildID(b, id []byte) error {
	e, err := elffile.Parse(elffile.Bytes(b))
	if err != nil {
		return err
	}
	note, err := e.Read(e.Section(".note.gnu.build-id"))
	if err != nil {
		return err
	}
	if len(id) == 0 || !bytes.HasSuffix(note[0], id) {
		return fmt.Errorf("another build id than %x", id)
	}
	return nil
}
