package bpfelf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/internal/elftest"
)

// host is an x86-64 program with the given parts in its .rodata, each behind
// some bytes of its own.
func host(tb testing.TB, parts ...[]byte) []byte {
	tb.Helper()
	var rodata []byte
	for i, p := range parts {
		rodata = append(rodata, bytes.Repeat([]byte{0x7f, 'E'}, 17+i)...)
		rodata = append(rodata, p...)
	}
	e := &elftest.Object{
		Machine: elf.EM_X86_64, Type: elf.ET_DYN,
		Sections: []elftest.Section{{Name: ".rodata", Flags: elf.SHF_ALLOC, Data: rodata}, {Name: ".data", Data: make([]byte, 99)}},
	}
	return e.MustBytes(tb)
}

// open writes raw to a file and opens that.
func open(t *testing.T, name string, raw []byte) ([]*Object, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return Open(path)
}

// both finds the objects in raw in the two ways there are, which must agree.
func both(t *testing.T, name string, raw []byte) []*Object {
	t.Helper()
	found, err := Find(name, raw)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := open(t, name, raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(opened) {
		t.Fatalf("Find: %d objects, Open: %d", len(found), len(opened))
	}
	for i := range found {
		if found[i].Name != opened[i].Name || !bytes.Equal(found[i].Raw, opened[i].Raw) {
			t.Errorf("Find: %s of %d bytes, Open: %s of %d", found[i].Name, len(found[i].Raw), opened[i].Name, len(opened[i].Raw))
		}
	}
	return found
}

// wantObjects compares what was found with the objects that were put in.
func wantObjects(t *testing.T, got []*Object, name string, want ...[]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d objects, expected %d", len(got), len(want))
	}
	for i, o := range got {
		if o.Name != fmt.Sprintf("%s#%d", name, i) {
			t.Errorf("object %d is named %s", i, o.Name)
		}
		if !bytes.Equal(o.Raw, want[i]) {
			t.Errorf("%s: %d bytes, expected %d", o.Name, len(o.Raw), len(want[i]))
		}
	}
}

func TestOpenObject(t *testing.T) {
	eachOrder(t, func(t *testing.T, order binary.ByteOrder) {
		raw := sample(t, order).MustBytes(t)
		got := both(t, "a.bpf.o", raw)
		if len(got) != 1 || got[0].Name != "a.bpf.o" || len(got[0].Relocs) != 6 {
			t.Errorf("got %d objects, %+v", len(got), got[0])
		}
	})
}

func TestFindEmbedded(t *testing.T) {
	little := sample(t, binary.LittleEndian).MustBytes(t)
	big := sample(t, binary.BigEndian).MustBytes(t)
	tableFirst := sample(t, binary.LittleEndian)
	tableFirst.TableFirst = true
	first := tableFirst.MustBytes(t)
	bare := (&elftest.Object{Sections: []elftest.Section{elftest.Code("xdp", elftest.Exit(binary.LittleEndian))}}).MustBytes(t)

	wantObjects(t, both(t, "prog", host(t, little, big, first, bare, little)), "prog", little, big, first, bare, little)
	wantObjects(t, both(t, "lib.a", append([]byte("!<arch>\n"), bytes.Join([][]byte{bare, first, big}, nil)...)), "lib.a", bare, first, big)
}

// What looks like the start of an object but is none is passed over, also when
// an object follows inside of what it claims to span.
func TestFalseHits(t *testing.T) {
	object := sample(t, binary.LittleEndian).MustBytes(t)
	edit := func(at int, b ...byte) []byte {
		header := bytes.Clone(object[:64])
		copy(header[at:], b)
		return header
	}
	got := both(t, "prog", host(t,
		[]byte(elf.ELFMAG), []byte(magic), edit(0)[:20], edit(0)[:63],
		edit(0),                             // its tables are whatever follows
		edit(40, 0, 0, 0, 0, 0, 0, 0, 0x80), // the table beyond the file
		edit(40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		edit(58, 40), edit(60, 0, 0), edit(60, 0xff, 0xff), edit(62, 0xfe, 0xff), edit(16, 2),
		object,
	))
	wantObjects(t, got, "prog", object)
}

// An object that is data of another one is not a second object.
func TestNested(t *testing.T) {
	inner := sample(t, binary.LittleEndian).MustBytes(t)
	e := sample(t, binary.LittleEndian)
	e.Sections = append(e.Sections, elftest.Section{Name: ".rodata.inner", Data: inner})
	outer := e.MustBytes(t)
	wantObjects(t, both(t, "prog", host(t, outer, inner)), "prog", outer, inner)
}

// Objects lie anywhere in respect of the windows in which a file is read.
func TestWindows(t *testing.T) {
	object := sample(t, binary.LittleEndian).MustBytes(t)
	e := sample(t, binary.BigEndian)
	e.Sections = append(e.Sections, elftest.Section{Name: ".rodata.wide", Data: make([]byte, 2*windowSize+1000)})
	wide := e.MustBytes(t)
	for _, at := range []int{
		windowSize - len(object), windowSize - 64, windowSize - 5, windowSize - 4, windowSize - 3, windowSize - 2, windowSize - 1,
		windowSize, windowSize + 1, 2*windowSize - 4 - 2, 2*windowSize - 4, 2 * windowSize,
	} {
		raw := make([]byte, at)
		copy(raw, "#!")
		raw = append(raw, object...)
		raw = append(raw, wide...)
		raw = append(raw, object...)
		wantObjects(t, both(t, "prog", raw), "prog", object, wide, object)
	}
}

// An embedded object that is damaged is an error, not a smaller result.
func TestDamagedEmbedded(t *testing.T) {
	object := sample(t, binary.LittleEndian).MustBytes(t)
	bad := bytes.Clone(object)
	ext := parseSample(t, sample(t, binary.LittleEndian)).section(".BTF.ext")
	bad[ext.off] = 0
	raw := host(t, object, bad)
	want := fmt.Sprintf("prog#1 at offset %#x: section .BTF.ext: starts with 0xeb00", bytes.Index(raw, bad))
	_, err := Find("prog", raw)
	if err == nil || !strings.HasPrefix(err.Error(), "prog: "+want) {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = open(t, "prog", raw)
	if err == nil || !strings.Contains(err.Error(), "/prog: "+want) || errors.Is(err, ErrNotObject) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestNothingFound(t *testing.T) {
	whole := sample(t, binary.LittleEndian).MustBytes(t)
	for want, raw := range map[string][]byte{
		"x86-64 executable or library, not an eBPF object, and none is embedded in it": host(t, whole[:len(whole)-1]),
		"script, not an eBPF object, and none is embedded in it":                       []byte("#!/bin/sh\n"),
		"empty file, not an eBPF object, and none is embedded in it":                   {},
	} {
		if strings.HasPrefix(want, "x86") {
			// The embedded object is not whole once the host is cut behind it.
			raw = raw[:bytes.Index(raw, whole[:64])+len(whole)-1]
		}
		if _, err := Find("prog", raw); err == nil || err.Error() != "prog: "+want || !errors.Is(err, ErrNotObject) {
			t.Errorf("Find: got %v, want %s", err, want)
		}
		if _, err := open(t, "prog", raw); err == nil || !strings.HasSuffix(err.Error(), "/prog: "+want) || !errors.Is(err, ErrNotObject) {
			t.Errorf("Open: got %v, want %s", err, want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), dir+": is a directory") {
		t.Error(err)
	}
	if _, err := Open(os.DevNull); err == nil || !strings.Contains(err.Error(), "is a device") {
		t.Error(err)
	}
	if _, err := Open(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	whole := sample(t, binary.BigEndian).MustBytes(t)
	if _, err := open(t, "cut.o", whole[:len(whole)-1]); err == nil || !strings.Contains(err.Error(), "(truncated?)") || errors.Is(err, ErrNotObject) {
		t.Error(err)
	}
}

// A file too large for an object, here a sparse one, is not read into memory.
func TestHugeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge.o")
	if err := os.WriteFile(path, sample(t, binary.LittleEndian).MustBytes(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, maxObject+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, errTooLarge) {
		t.Errorf("got %v", err)
	}
}

// A file made of headers that all claim the same large section table costs no
// more than a bounded number of looks at it.
func TestForgedHeaders(t *testing.T) {
	const hits, sections = 4096, 1 << 15
	raw := make([]byte, hits*64+sections*64)
	for i := range hits {
		h := raw[i*64:]
		copy(h, sample(t, binary.LittleEndian).MustBytes(t)[:64])
		binary.LittleEndian.PutUint64(h[40:], uint64((hits-i)*64)) // the table, from here
		binary.LittleEndian.PutUint16(h[60:], sections)
		binary.LittleEndian.PutUint16(h[62:], sections-1)
	}
	copy(raw, "#!")
	_, err := Find("prog", raw)
	if err == nil || !strings.Contains(err.Error(), "too many forged ELF headers") {
		t.Errorf("got %v", err)
	}
}
