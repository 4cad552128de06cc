package machine

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// The archive is read back by the rules of the kernel's document, and its length is what qemu is given.
func TestInitialRAMDisk(t *testing.T) {
	files := Files{"/init": []byte("#!"), "/a/b/c": []byte("abcde"), "/a/empty": nil}
	var buf bytes.Buffer
	n, err := files.WriteTo(&buf)
	if err != nil || n != int64(buf.Len()) {
		t.Fatalf("%d bytes of %d, %v", n, buf.Len(), err)
	}
	raw := buf.Bytes()
	var got []string
	inodes := map[uint64]bool{}
	for at := 0; ; {
		if string(raw[at:at+6]) != "070701" {
			t.Fatalf("offset %d: magic %q", at, raw[at:at+6])
		}
		var h [13]uint64
		for i := range h {
			if h[i], err = strconv.ParseUint(string(raw[at+6+8*i:at+14+8*i]), 16, 32); err != nil {
				t.Fatal(err)
			}
		}
		inode, mode, size, nameSize := h[0], h[1], int(h[6]), int(h[11])
		name := strings.TrimSuffix(string(raw[at+110:at+110+nameSize]), "\x00")
		at = (at + 110 + nameSize + 3) &^ 3
		content := raw[at : at+size]
		at = (at + size + 3) &^ 3
		if inodes[inode] {
			t.Errorf("%s: inode %d twice", name, inode)
		}
		inodes[inode] = true
		if name == "TRAILER!!!" {
			if at != len(raw) {
				t.Errorf("%d bytes behind the trailer", len(raw)-at)
			}
			break
		}
		got = append(got, fmt.Sprintf("%s %o %s", name, mode, content))
	}
	want := []string{"dev 40755 ", "dev/console 20600 ", "a 40755 ", "a/b 40755 ", "a/b/c 100755 abcde", "a/empty 100755 ", "init 100755 #!"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
