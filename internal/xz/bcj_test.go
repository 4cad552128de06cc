package xz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/btfgen/btfgen/internal/need"
)

var converters = []string{"x86", "powerpc", "arm", "armthumb", "sparc", "arm64"}

// machineCode makes words that begin like the calls of every processor that there
// is a branch converter for, or nearly so, among others. It is the same bytes
// each time for a size.
func machineCode(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	var b []byte
	for len(b) < n {
		w := r.Uint32()
		switch r.IntN(12) {
		case 0:
			b = append(b, 0xe8|byte(w&1), byte(w>>8), byte(w>>16), byte(w>>24), byte(int32(w<<1)>>31))
			continue
		case 1: // candidates close together
			b = append(b, 0xe8, 0xe9, 0xff, 0xe8, 0, 0xff, byte(w), 0)
			continue
		case 2:
			b = binary.BigEndian.AppendUint32(b, 0x48000001|w&0x3ffffff)
			continue
		case 3:
			w = 0xeb<<24 | w&0xffffff
		case 4:
			w = 0xf800f000 | w&0x07ff07ff
		case 5:
			b = binary.BigEndian.AppendUint32(b, 0x40000000|w&0x3fffff)
			continue
		case 6:
			b = binary.BigEndian.AppendUint32(b, 0x7fc00000|w&0x3fffff)
			continue
		case 7:
			w = 0x94000000 | w&0x3ffffff
		case 8:
			w = 0x90000000 | w&0x600fffff
		case 9:
			w = 0x90f00000 | w&0x600fffff
		}
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b[:n]
}

// testdata/bcj/NAME.xz is machineCode(1001), packed by
// xz --check=crc32 --NAME --lzma2=dict=4KiB (5.4.1).
func TestBranchConverters(t *testing.T) {
	for _, name := range converters {
		b, err := os.ReadFile(filepath.Join("testdata", "bcj", name+".xz"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := expand(new(Decoder), b)
		if err != nil || !bytes.Equal(got, machineCode(1001)) {
			t.Errorf("%s: %v, or other bytes", name, err)
		}
	}
}

// More of it, beside xz itself.
func TestBranchConvertersXZ(t *testing.T) {
	need.Long(t)
	xz := need.Tool(t, "xz")
	for _, name := range append([]string{"ia64"}, converters...) {
		for _, n := range []int{0, 1, 4, 5, 6, 1 << 20} {
			code := machineCode(n)
			c := exec.Command(xz, "-c", "--"+name, "--lzma2=preset=0")
			c.Stdin = bytes.NewReader(code)
			packed, err := c.Output()
			if err != nil {
				t.Fatal(err)
			}
			got, err := expand(new(Decoder), packed)
			if name == "ia64" {
				if n > 0 && !errors.Is(err, ErrUnsupported) {
					t.Errorf("%s: error %v, expected %v", name, err, ErrUnsupported)
				}
				continue
			}
			if err != nil || !bytes.Equal(got, code) {
				t.Errorf("%s of %d bytes: %v, or other bytes", name, n, err)
			}
		}
	}
}
