package bundle

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"
)

// groupSize is how many bytes of contents, encoded, go into one group: what a look-up has to inflate. Larger groups compress better.
const groupSize = 64 << 10

// A Builder makes a bundle.
type Builder struct {
	kernels map[string]int // path → content
	numbers map[string]int // BTF → content
	btfs    [][]byte
}

// NewBuilder returns an empty Builder.
func NewBuilder() *Builder { return &Builder{kernels: map[string]int{}, numbers: map[string]int{}} }

// Add adds a kernel's BTF under its path, distribution/version/architecture/release. It copies btf.
func (w *Builder) Add(path string, btf []byte) error {
	dir, release := splitPath(path)
	switch {
	case release == "" || len(release) > maxRelease || len(dir) > maxDir:
		return fmt.Errorf("%q: expected a path of a kernel, at most %d bytes, its last part 1 to %d", path, maxDir+1+maxRelease, maxRelease)
	case strings.ContainsRune(path, 0) || strings.HasPrefix(path, "/"):
		return fmt.Errorf("%q: expected a path of a kernel as distribution/version/architecture/release", path)
	case len(btf) < btfHeaderSize || binary.LittleEndian.Uint16(btf) != btfMagic && binary.BigEndian.Uint16(btf) != btfMagic:
		return fmt.Errorf("%s: %d bytes that are not BTF: expected the magic number 0x%x in its header", path, len(btf), btfMagic)
	case len(btf) > maxGroup/2:
		return fmt.Errorf("%s: %d bytes of BTF: a bundle holds minimal BTF, at most %d bytes each", path, len(btf), maxGroup/2)
	}
	n, ok := w.numbers[string(btf)]
	if before, twice := w.kernels[path]; twice {
		if ok && before == n {
			return nil
		}
		return fmt.Errorf("%s: was added before with different BTF", path)
	}
	if !ok {
		n = len(w.btfs)
		w.btfs = append(w.btfs, bytes.Clone(btf))
		w.numbers[string(w.btfs[n])] = n
	}
	w.kernels[path] = n
	return nil
}

func splitPath(path string) (dir, release string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

// Stats says what a bundle holds. All sizes are in bytes.
type Stats struct {
	Kernels      int
	Contents     int // distinct BTFs
	KernelBytes  int // sum of the kernels' BTFs
	ContentBytes int // sum of the distinct ones
	Bytes        int // the bundle
}

// Bytes makes the bundle. It depends only on what was added, not on the order. Before it returns it has read the bundle back and compared everything.
func (w *Builder) Bytes() ([]byte, Stats, error) {
	type entry struct {
		dir, release string
		content      int
	}
	kernels := make([]entry, 0, len(w.kernels))
	stats := Stats{Kernels: len(w.kernels), Contents: len(w.btfs)}
	for path, content := range w.kernels {
		dir, release := splitPath(path)
		kernels = append(kernels, entry{dir, release, content})
		stats.KernelBytes += len(w.btfs[content])
	}
	slices.SortFunc(kernels, func(a, b entry) int {
		return cmp.Or(strings.Compare(a.dir, b.dir), strings.Compare(a.release, b.release))
	})

	// Kernels with near releases have similar BTF, and DEFLATE looks back 32 KiB only. So contents are in the order of their first releases.
	byRelease := slices.Clone(kernels)
	slices.SortStableFunc(byRelease, func(a, b entry) int { return compareReleases(a.release, b.release) })
	numbers := make([]int, len(w.btfs)) // the number in the bundle of each content
	for i := range numbers {
		numbers[i] = -1
	}
	next := 0
	strings := newPool()
	var groups [][]byte
	var sizes []int // contents of each group
	for _, k := range byRelease {
		if numbers[k.content] >= 0 {
			continue
		}
		numbers[k.content] = next
		next++
		btf := w.btfs[k.content]
		stats.ContentBytes += len(btf)
		content := encode(btf, strings)
		if n := len(groups); n == 0 || len(groups[n-1])+len(content) > groupSize {
			groups, sizes = append(groups, nil), append(sizes, 0)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], content...)
		sizes[len(sizes)-1]++
	}

	// The map: see docs/bundle-format.md.
	var dirs, prefixes, suffixes, contents, middles []byte
	dirCount := 0
	release := ""
	for i, k := range kernels {
		if i == 0 || k.dir != kernels[i-1].dir {
			inDir := 1
			for i+inDir < len(kernels) && kernels[i+inDir].dir == k.dir {
				inDir++
			}
			dirs = binary.AppendUvarint(append(append(dirs, k.dir...), 0), uint64(inDir))
			dirCount++
		}
		prefix, suffix := shared(release, k.release)
		prefixes = binary.AppendUvarint(prefixes, uint64(prefix))
		suffixes = binary.AppendUvarint(suffixes, uint64(suffix))
		contents = binary.AppendUvarint(contents, uint64(numbers[k.content]))
		middles = append(append(middles, k.release[prefix:len(k.release)-suffix]...), 0)
		release = k.release
	}
	index := binary.AppendUvarint(nil, uint64(dirCount))
	index = binary.AppendUvarint(index, uint64(len(kernels)))
	for _, n := range sizes {
		index = binary.AppendUvarint(index, uint64(n))
	}
	index = slices.Concat(index, dirs, prefixes, suffixes, contents, middles)

	raw, err := frame(index, strings.bytes, groups)
	if err != nil {
		return nil, Stats{}, err
	}
	stats.Bytes = len(raw)
	if err := w.verify(raw); err != nil {
		return nil, Stats{}, fmt.Errorf("bundle: wrote what does not read back: %w", err)
	}
	return raw, stats, nil
}

// shared is how many bytes two releases share at the start, and at the end of what is left.
func shared(before, release string) (prefix, suffix int) {
	shorter := min(len(before), len(release))
	for prefix < shorter && before[prefix] == release[prefix] {
		prefix++
	}
	for suffix < shorter-prefix && before[len(before)-1-suffix] == release[len(release)-1-suffix] {
		suffix++
	}
	return prefix, suffix
}

// frame deflates the segments and puts the header before them.
func frame(index, strings []byte, groups [][]byte) ([]byte, error) {
	if len(groups) > maxGroups || len(index) > maxIndex || len(strings) > maxIndex {
		return nil, fmt.Errorf("bundle: too large: %d groups of contents, %d bytes of strings, %d bytes of kernels; the format's limits are %d, %d and %d",
			len(groups), len(strings), len(index), maxGroups, maxIndex, maxIndex)
	}
	head := append([]byte(magic), 0, 0, 0, 0, 0, 0, 0, 0)
	binary.LittleEndian.PutUint16(head[8:], version)
	binary.LittleEndian.PutUint16(head[10:], uint16(len(groups)))
	var body bytes.Buffer
	z, err := flate.NewWriter(&body, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	for _, segment := range slices.Concat([][]byte{index, strings}, groups) {
		start := body.Len()
		z.Reset(&body)
		if _, err := z.Write(segment); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
		packed := body.Bytes()[start:]
		head = binary.LittleEndian.AppendUint32(head, uint32(len(packed)))
		head = binary.LittleEndian.AppendUint32(head, uint32(len(segment)))
		head = binary.LittleEndian.AppendUint32(head, crc32.ChecksumIEEE(packed))
	}
	size := len(head) + 4 + body.Len()
	if size > math.MaxInt32 {
		return nil, fmt.Errorf("bundle: too large: %d bytes; the format's limit is %d", size, math.MaxInt32)
	}
	binary.LittleEndian.PutUint32(head[12:], uint32(size))
	head = binary.LittleEndian.AppendUint32(head, crc32.ChecksumIEEE(head))
	return append(head, body.Bytes()...), nil
}

// verify reads the bundle back.
func (w *Builder) verify(raw []byte) error {
	b, err := Open(raw)
	if err != nil {
		return err
	}
	kernels, err := b.Kernels()
	if err != nil {
		return err
	}
	if len(kernels) != len(w.kernels) {
		return fmt.Errorf("%d kernels instead of %d", len(kernels), len(w.kernels))
	}
	same := make([]int, len(w.btfs)) // number in the bundle + 1 of each content that was compared
	all, err := b.All()
	if err != nil {
		return err
	}
	for _, k := range kernels {
		n, ok := w.kernels[k.Path]
		if !ok {
			return fmt.Errorf("a kernel %q that was not added", k.Path)
		}
		if same[n] == 0 {
			if !bytes.Equal(all[k.Content], w.btfs[n]) {
				return fmt.Errorf("%s: different BTF", k.Path)
			}
			same[n] = k.Content + 1
		}
		if same[n] != k.Content+1 {
			return errors.New(k.Path + ": BTF of another kernel")
		}
	}
	return nil
}

// compareReleases orders releases as people do: digits count as numbers.
func compareReleases(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		if isDigit(x[0]) && isDigit(y[0]) {
			var m, n string
			m, x = cutNumber(x)
			n, y = cutNumber(y)
			if c := cmp.Or(cmp.Compare(len(m), len(n)), strings.Compare(m, n)); c != 0 {
				return c
			}
			continue
		}
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(a, b))
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// cutNumber takes the digits at the start of s, without leading zeros.
func cutNumber(s string) (digits, rest string) {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return strings.TrimLeft(s[:n], "0"), s[n:]
}
