package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/internal/need"
)

// bccFind looks a name up as libbpf-tools do: headers one after another, the name field alone compared, the size in octal, links not known.
func bccFind(archive []byte, name string) []byte {
	for len(archive) >= 512 && archive[0] != 0 {
		field, _, _ := bytes.Cut(archive[:100], []byte{0})
		size, err := strconv.ParseUint(strings.Trim(string(archive[124:136]), "\x00 "), 8, 32)
		if err != nil {
			return nil
		}
		if string(field) == name {
			return archive[512:][:size]
		}
		archive = archive[512*(1+(int(size)+511)/512):]
	}
	return nil
}

func TestBCCTar(t *testing.T) {
	one, two := types(t, binary.LittleEndian, true, ""), types(t, binary.LittleEndian, true, "x_")
	w := NewBuilder()
	for path, btf := range map[string][]byte{
		"debian/12/x86_64/6.1.0-50-amd64":          one,
		"debian/12/arm64/6.1.0-50-arm64":           two,
		"centos/8/x86_64/4.18.0-80.el8.x86_64":     two,
		"fedora/31/x86_64/5.3.7-301.fc31.x86_64":   one,
		"opensuse-leap/15.3/x86_64/5.3.18-default": one,
	} {
		if err := w.Add(path, btf); err != nil {
			t.Fatal(err)
		}
	}
	packed, err := w.BCCTar()
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	archive, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	// What the tools ask for on each of these hosts.
	for name, want := range map[string][]byte{
		"./debian/12/x86_64/6.1.0-50-amd64.btf":            one,
		"./debian/12/aarch64/6.1.0-50-arm64.btf":           two,
		`./"centos"/8/x86_64/4.18.0-80.el8.x86_64.btf`:     two,
		"./centos/8/x86_64/4.18.0-80.el8.x86_64.btf":       two,
		"./fedora//x86_64/5.3.7-301.fc31.x86_64.btf":       one,
		`./"opensuse-leap"/15.3/x86_64/5.3.18-default.btf`: one,
		"./debian/12/arm64/6.1.0-50-arm64.btf":             nil,
		"./none":                                           nil,
	} {
		if got := bccFind(archive, name); !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d", name, len(got), len(want))
		}
	}
	files := 0
	for r := tar.NewReader(bytes.NewReader(archive)); ; files++ {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if bccFind(archive, h.Name) == nil {
			t.Errorf("%s is not where libbpf-tools look", h.Name)
		}
	}
	if files != 8 {
		t.Errorf("%d files", files)
	}

	for name, path := range map[string]string{
		"no archive's path": "vmlinux",
		"too long":          "debian/12/x86_64/" + strings.Repeat("r", 90),
	} {
		w := NewBuilder()
		if err := w.Add(path, one); err != nil {
			t.Fatal(err)
		}
		if _, err := w.BCCTar(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	clash := NewBuilder()
	for path, btf := range map[string][]byte{"fedora/31/x86_64/5": one, "fedora/32/x86_64/5": two} {
		if err := clash.Add(path, btf); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := clash.BCCTar(); err == nil {
		t.Error("two kernels of one name with different BTF were packed")
	}
}

// A C compiler reads the header, and the array is the bundle.
func TestCHeader(t *testing.T) {
	raw := small(t)
	header, err := CHeader("my_btf", raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "1x", "a-b", "a b", "é"} {
		if _, err := CHeader(name, raw); err == nil {
			t.Errorf("the name %q was taken", name)
		}
	}
	gcc := need.Tool(t, "gcc")
	dir := t.TempDir()
	source := "#include \"h.h\"\n#include \"h.h\"\n#include <stdio.h>\nint main(void) { return fwrite(my_btf, 1, sizeof(my_btf), stdout) != sizeof(my_btf); }\n"
	for name, content := range map[string][]byte{"h.h": header, "m.c": []byte(source)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "m")
	if out, err := exec.Command(gcc, "-std=c99", "-Wall", "-Wextra", "-Werror", "-o", program, filepath.Join(dir, "m.c")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := exec.Command(program).Output()
	if err != nil || !bytes.Equal(got, raw) {
		t.Errorf("the program has %d bytes, want %d: %v", len(got), len(raw), err)
	}
}

func ExampleCHeader() {
	header, _ := CHeader("btf_bundle", []byte{1, 2, 3})
	fmt.Print(string(header))
	// Output:
	// /* Made by btfgen bundle: read it with btfgen/bundle.h. */
	// #ifndef BTF_BUNDLE_H
	// #define BTF_BUNDLE_H
	//
	// static const unsigned char btf_bundle[3] = {
	// 	1,2,3,
	// };
	//
	// #endif /* BTF_BUNDLE_H */
}
