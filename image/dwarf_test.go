package image

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/btfgen/btfgen/btf"
)

// sampleDWARF says that there is a struct fromDWARF with an int in it.
func sampleDWARF() []sampleSection {
	abbrev := []byte{
		1, 0x11, 1, 0, 0, // DW_TAG_compile_unit with children
		2, 0x24, 0, 0x03, 0x08, 0x0b, 0x0b, 0x3e, 0x0b, 0, 0, // DW_TAG_base_type: name, size, encoding
		3, 0x13, 1, 0x03, 0x08, 0x0b, 0x0b, 0, 0, // DW_TAG_structure_type: name, size
		4, 0x0d, 0, 0x03, 0x08, 0x49, 0x13, 0x38, 0x0b, 0, 0, // DW_TAG_member: name, type, offset
		0}
	unit := []byte{4, 0, 0, 0, 0, 0, 8, 1}
	base := 4 + len(unit)
	unit = append(append(append(unit, 2), "int\x00"...), 4, 5)
	unit = append(append(append(unit, 3), "fromDWARF\x00"...), 4)
	unit = append(append(append(unit, 4), "m\x00"...), byte(base), 0, 0, 0, 0)
	unit = append(unit, 0, 0)
	return []sampleSection{
		{".debug_info", elf.SHT_PROGBITS, append(binary.LittleEndian.AppendUint32(nil, uint32(len(unit))), unit...)},
		{".debug_abbrev", elf.SHT_PROGBITS, abbrev}}
}

func withDWARF(more ...sampleSection) []byte {
	return sampleELF(binary.LittleEndian, elf.ELFCLASS64, elf.ET_EXEC, elf.EM_X86_64, append(sampleDWARF(), more...)...)
}

func TestPolicies(t *testing.T) {
	own := sampleSection{".BTF", elf.SHT_PROGBITS, sampleTypes(t, binary.LittleEndian)}
	for name, file := range map[string][]byte{"DWARF": withDWARF(), "both": withDWARF(own), "both, xz": compress(t, formatXZ, withDWARF(own)), "in a boot image": bzImage(compress(t, formatLZ4Legacy, withDWARF()))} {
		for _, policy := range []Policy{OwnOrDWARF, OnlyDWARF, OnlyOwn} {
			types, origin, err := New(name, file).BTF(Options{DWARF: policy})
			hasOwn := name[:4] == "both"
			if policy == OnlyOwn && !hasOwn {
				if !errors.Is(err, btf.ErrNoBTF) {
					t.Errorf("%s: types although only BTF of its own is wanted: %v", name, err)
				}
				continue
			}
			want := FromDWARF
			if hasOwn && policy != OnlyDWARF {
				want = Own
			}
			if err != nil || origin != want || bytes.Contains(types, []byte("fromDWARF")) != (want == FromDWARF) {
				t.Errorf("%s, policy %d: types from %v, %v; expected %v", name, policy, origin, err, want)
			}
		}
	}
}

// A dwz'd file names the one with the rest: it is looked for beside it, and has to
// have the build id.
func TestAlternateFile(t *testing.T) {
	dir := t.TempDir()
	id := []byte{0xde, 0xad, 0xbe, 0xef, 0xde, 0xad, 0xbe, 0xef}
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write("vmlinux", withDWARF(sampleSection{".gnu_debugaltlink", elf.SHT_PROGBITS, append([]byte("the-rest\x00"), id...)}))
	try := func() error {
		i, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		_, _, err = i.BTF(Options{})
		return err
	}
	if err := try(); err == nil {
		t.Error("the alternate file is not there, and no error")
	}
	write("the-rest", withDWARF(sampleSection{".note.gnu.build-id", elf.SHT_NOTE, append([]byte("\x04\x00\x00\x00\x08\x00\x00\x00\x03\x00\x00\x00GNU\x00"), 1, 2, 3, 4, 5, 6, 7, 8)}))
	if err := try(); err == nil {
		t.Error("the alternate file has another build id, and no error")
	}
	rest := withDWARF(sampleSection{".note.gnu.build-id", elf.SHT_NOTE, append([]byte("\x04\x00\x00\x00\x08\x00\x00\x00\x03\x00\x00\x00GNU\x00"), id...)})
	write("the-rest", rest)
	if err := try(); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	asked := ""
	_, _, err = New("vmlinux", b).BTF(Options{Alternate: func(name string, buildID []byte) ([]byte, error) {
		asked = name
		if !bytes.Equal(buildID, id) {
			t.Errorf("build id %x", buildID)
		}
		return rest, nil
	}})
	if err != nil || asked != "the-rest" {
		t.Errorf("asked for %q: %v", asked, err)
	}
}
