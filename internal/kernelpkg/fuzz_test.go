package kernelpkg

import (
	"bytes"
	"slices"
	"testing"

	"github.com/btfgen/btfgen/internal/elffile"
)

// fuzzFiles are few and small, so that seeds are.
func fuzzFiles() []sampleFile {
	files := sampleFiles()
	for i := range files {
		files[i].content = files[i].content[:min(len(files[i].content), 30)]
	}
	return slices.Delete(files, 5, 6) // of a long path
}

// FuzzOpenDeb and FuzzOpenRPM: no panic; what is listed is readable or an error,
// twice the same, in one piece as in several, and never more than the limits.
func FuzzOpenDeb(f *testing.F) {
	for ending := range packings {
		f.Add(debOf(f, ending, tarOf(f, fuzzFiles())))
	}
	f.Add(debOf(f, ".gz", tarOf(f, fuzzFiles())[:900]))
	f.Fuzz(checkPackage)
}

func FuzzOpenRPM(f *testing.F) {
	for ending := range packings {
		for _, stripped := range []bool{false, true} {
			f.Add(rpmOf(f, fuzzFiles(), rpmSample{ending: ending, stripped: stripped, hard: map[int]int{5: 3}}))
		}
	}
	f.Fuzz(checkPackage)
}

// FuzzTar and FuzzCpio go past the compression.
func FuzzTar(f *testing.F) {
	f.Add(tarOf(f, fuzzFiles()))
	f.Fuzz(func(t *testing.T, data []byte) { checkPackage(t, debOf(t, "", data)) })
}

func FuzzCpio(f *testing.F) {
	for _, s := range []rpmSample{{}, {stripped: true}, {hard: map[int]int{5: 3}}} {
		f.Add(cpioOf(fuzzFiles(), s))
	}
	tags := rpmTags(fuzzFiles(), rpmSample{})
	f.Fuzz(func(t *testing.T, data []byte) { checkPackage(t, rpmWith(tags, data)) })
}

func checkPackage(t *testing.T, data []byte) {
	o := Options{Workers: 2, MaxBytes: 8 << 20, MaxRead: 4 << 20}
	p, err := Open(data, o)
	if err != nil {
		return
	}
	defer p.Close()
	count := 0
	for e, err := range p.Files() {
		if count++; err != nil || count > 50 {
			break
		}
		file, err := p.File(e.Path)
		if err != nil {
			continue
		}
		size := file.Size()
		whole, err := file.Slices([]elffile.Range{{Offset: 0, Size: size}})
		if err != nil {
			continue
		}
		if int64(len(whole[0])) != size || size > o.MaxBytes {
			t.Fatalf("%s: %d bytes of %d", e.Path, len(whole[0]), size)
		}
		parts, err := file.Slices([]elffile.Range{{Offset: size / 2, Size: size - size/2}, {Offset: 0, Size: size / 2}})
		if err != nil {
			t.Fatalf("%s: readable at once, but not in two ranges: %v", e.Path, err)
		}
		if !bytes.Equal(slices.Concat(parts[1], parts[0]), whole[0]) {
			t.Fatalf("%s: other bytes in two ranges than at once", e.Path)
		}
		again, err := content(p, e.Path)
		if err != nil || !bytes.Equal(again, whole[0]) {
			t.Fatalf("%s: other bytes the second time (%v)", e.Path, err)
		}
	}
	for k, err := range p.KernelFiles() {
		if err == nil && k.Kind == 0 {
			t.Fatalf("%+v is of no kind", k)
		}
	}
}
