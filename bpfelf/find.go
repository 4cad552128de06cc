package bpfelf

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"

	"github.com/btfgen/btfgen/internal/memory"
)

// magic opens a 64-bit ELF file; the byte order follows.
const magic = elf.ELFMAG + "\x02"

// maxObject bounds what is read into memory as one object, in bytes; the
// largest known are a few dozen megabytes. A host program may be larger.
const maxObject = 1 << 30

var errTooLarge = fmt.Errorf("larger than %d bytes, which no eBPF object is", maxObject)

// Open reads the eBPF object in a file, or all those that a program, library
// or archive has built in, in the order of their place. A file without any is
// an error that wraps ErrNotObject and says what it is. The file is read once;
// what is kept of a host program are its objects.
func Open(path string) ([]*Object, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err // names the path
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	objects, err := read(filepath.Base(path), f, info)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return objects, nil
}

func read(name string, f *os.File, info os.FileInfo) ([]*Object, error) {
	if info.IsDir() {
		return nil, errors.New("is a directory, expected an eBPF object or a program with one inside")
	}
	if info.Mode()&os.ModeDevice != 0 {
		return nil, errors.New("is a device, expected an eBPF object or a program with one inside")
	}
	if !info.Mode().IsRegular() { // a pipe
		raw, err := io.ReadAll(io.LimitReader(f, maxObject+1))
		if err != nil {
			return nil, err
		}
		if len(raw) > maxObject {
			return nil, errTooLarge
		}
		return find(name, raw)
	}
	head := make([]byte, min(info.Size(), fileHeaderSize))
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, err
	}
	if isObject(head) {
		if info.Size() > maxObject {
			return nil, errTooLarge
		}
		raw := make([]byte, info.Size())
		copy(raw, head)
		if _, err := io.ReadFull(f, raw[len(head):]); err != nil {
			return nil, err
		}
		return single(name, raw)
	}
	s := scanner{name: name, file: f, size: info.Size(), budget: headerBudget(info.Size())}
	if scanned, err := s.scanMapped(f); scanned {
		if err != nil {
			return nil, err
		}
		return s.result(head)
	}
	s = scanner{name: name, file: f, size: info.Size(), budget: headerBudget(info.Size())}
	buf := windows.Get().(*[windowSize]byte)
	defer windows.Put(buf)
	if err := s.scanFile(buf[:]); err != nil {
		return nil, err
	}
	return s.result(head)
}

// Find is Open for a file's contents, which the objects alias: raw must not
// change. The name is the file's base name, for messages and Object.Name.
func Find(name string, raw []byte) ([]*Object, error) {
	objects, err := find(name, raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return objects, nil
}

func find(name string, raw []byte) ([]*Object, error) {
	if isObject(raw) {
		return single(name, raw)
	}
	size := int64(len(raw))
	s := scanner{name: name, file: bytes.NewReader(raw), raw: raw, size: size, budget: headerBudget(size)}
	if err := s.scan(raw, 0); err != nil {
		return nil, err
	}
	return s.result(raw)
}

func single(name string, raw []byte) ([]*Object, error) {
	o, err := parse(name, raw)
	if err != nil {
		return nil, err
	}
	return []*Object{o}, nil
}

// windowSize is how much of a host program is looked at in one go, in bytes:
// it fits into a processor's second-level cache.
const windowSize = 256 << 10

var windows = sync.Pool{New: func() any { return new([windowSize]byte) }}

// headerBudget is the number of section headers that may be read in vain in a
// file of size bytes. False hits in real programs cost a few; the bound keeps
// a file made of nothing but false hits from taking time by its size squared.
func headerBudget(size int64) int64 { return 1<<16 + size/16 }

// scanner looks for eBPF objects in a host program.
type scanner struct {
	name    string
	file    io.ReaderAt
	raw     []byte // the whole file if it is in memory, nil otherwise
	size    int64  // bytes
	next    int64  // the end of the last object: nothing before it is looked at
	budget  int64
	table   []byte // section headers, reused
	objects []*Object
}

// scanMapped looks through the file where it lies; what is found is read as
// ever. It gives up if the file cannot be mapped, or is cut short meanwhile.
func (s *scanner) scanMapped(f *os.File) (scanned bool, err error) {
	mapped, err := memory.MapFile(f, s.size)
	if err != nil {
		return false, nil //nolint:nilerr // it is read instead
	}
	defer memory.UnmapFile(mapped)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			if _, fault := p.(interface{ Addr() uintptr }); !fault {
				panic(p)
			}
			scanned, err = false, nil
		}
	}()
	return true, s.scan(mapped, 0)
}

// scanFile scans the file window by window.
func (s *scanner) scanFile(buf []byte) error {
	for base := int64(0); base < s.size; {
		n := min(int64(len(buf)), s.size-base)
		if _, err := s.file.ReadAt(buf[:n], base); err != nil {
			return err
		}
		if err := s.scan(buf[:n], base); err != nil {
			return err
		}
		if base+n == s.size {
			break
		}
		// The magic may lie across two windows, and an object reach beyond one.
		base = max(base+n-int64(len(magic)-1), s.next)
	}
	return nil
}

// scan looks for objects that start in window, which is at base in the file.
func (s *scanner) scan(window []byte, base int64) error {
	for at := 0; ; {
		i := bytes.Index(window[at:], []byte(magic))
		if i < 0 {
			return nil
		}
		at += i
		if rest := window[at:]; len(rest) >= 20 && !isObject(rest) {
			at += len(magic)
			continue
		}
		size, err := s.extent(base + int64(at))
		if err != nil {
			return err
		}
		if size == 0 {
			at += len(magic)
			continue
		}
		if err := s.add(base+int64(at), size); err != nil {
			return err
		}
		if s.next-base >= int64(len(window)) {
			return nil
		}
		at = int(s.next - base)
	}
}

// add parses the object of size bytes at off.
func (s *scanner) add(off, size int64) error {
	var raw []byte
	if s.raw != nil {
		raw = s.raw[off : off+size : off+size]
	} else {
		raw = make([]byte, size)
		if _, err := s.file.ReadAt(raw, off); err != nil {
			return err
		}
	}
	name := fmt.Sprintf("%s#%d", s.name, len(s.objects))
	o, err := parse(name, raw)
	if err != nil {
		return fmt.Errorf("%s at offset %#x: %w", name, off, err)
	}
	s.objects = append(s.objects, o)
	s.next = off + size
	return nil
}

// extent is the size in bytes of the eBPF object at off in the file, 0 if
// there is none: the magic alone is also part of every program that writes or
// checks ELF files. The object ends with its section table or with the last of
// its sections, whichever comes later.
func (s *scanner) extent(off int64) (int64, error) {
	left := uint64(s.size - off)
	if left < fileHeaderSize {
		return 0, nil
	}
	b, err := s.headers(off, 1)
	if err != nil {
		return 0, err
	}
	h, err := parseFileHeader(b)
	if err != nil || h.tableOff > left || left-h.tableOff < sectionHeaderSize {
		return 0, nil //nolint:nilerr // a false hit
	}
	if b, err = s.headers(off+int64(h.tableOff), 1); err != nil {
		return 0, err
	}
	section0 := parseSectionHeader(h.order, b)
	if err := h.extend(&section0); err != nil || uint64(h.sections)*sectionHeaderSize > left-h.tableOff {
		return 0, nil //nolint:nilerr // a false hit
	}
	if s.budget -= int64(h.sections); s.budget < 0 {
		return 0, fmt.Errorf("offset %#x: too many forged ELF headers, given up", off)
	}
	if b, err = s.headers(off+int64(h.tableOff), int(h.sections)); err != nil {
		return 0, err
	}
	if parseSectionHeader(h.order, b[h.namesIndex*sectionHeaderSize:]).typ != elf.SHT_STRTAB {
		return 0, nil
	}
	end := max(fileHeaderSize, h.tableOff+uint64(h.sections)*sectionHeaderSize)
	for i := 1; i < int(h.sections); i++ {
		section := parseSectionHeader(h.order, b[i*sectionHeaderSize:])
		if !section.stored() {
			continue
		}
		if section.off > left || section.size > left-section.off {
			return 0, nil
		}
		end = max(end, section.off+section.size)
	}
	if end > maxObject {
		return 0, nil
	}
	s.budget += int64(h.sections) // not in vain
	return int64(end), nil
}

// headers reads n ELF headers of 64 bytes at off. The slice is valid until the
// next call.
func (s *scanner) headers(off int64, n int) ([]byte, error) {
	size := n * sectionHeaderSize
	if s.raw != nil {
		return s.raw[off : off+int64(size)], nil
	}
	if cap(s.table) < size {
		s.table = make([]byte, size)
	}
	s.table = s.table[:size]
	_, err := s.file.ReadAt(s.table, off)
	return s.table, err
}

// result is what the scan found; head are the file's first bytes.
func (s *scanner) result(head []byte) ([]*Object, error) {
	if len(s.objects) == 0 {
		return nil, fmt.Errorf("%w, and none is embedded in it", notObject(head))
	}
	return s.objects, nil
}
