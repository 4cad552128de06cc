package hub

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxLinks is how many links in a row are followed within an archive.
const maxLinks = 16

// OpenArchive opens an archive tree that is packed as a whole: a tar file, compressed or not, such as minimal BTFs are passed around in. It is read
// into memory, so it is not for archives of full BTF, whose kernels are packed one by one. A link to a file is a kernel of its own, as in a
// tree; where a name comes twice, the last one counts, as for tar.
func OpenArchive(file string) (Source, error) {
	r := NewReader()
	content, err := r.archive(file)
	if err != nil {
		if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) {
			return nil, err
		}
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	a := archive{file: file, members: map[string]member{}}
	if err := a.index(content); err != nil {
		return nil, fmt.Errorf("%s: tar: %w", file, err)
	}
	return a, nil
}

// archive reads and expands a file.
func (r *Reader) archive(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	packed, err := r.readAll(file, nil, unpacked, &r.packed)
	if err != nil {
		return nil, err
	}
	content, format := packed, packingOf(packed)
	if format != unpacked {
		if content, err = r.expand(packed, format, new(buffer)); err != nil {
			return nil, fmt.Errorf("%s: %w", format, err)
		}
	}
	if _, named := promises(filepath.Base(path)); !named && !isTar(content) {
		return nil, errors.New("expected a tar archive of an archive tree, packed with xz, gzip, zstd or not at all")
	}
	return content, nil
}

// archive is a Source.
type archive struct {
	file    string
	members map[string]member // by name, cleaned
}

// member is a file, or a link to another.
type member struct {
	content []byte
	link    string
}

func (a archive) index(content []byte) error {
	in := bytes.NewReader(content)
	entries := tar.NewReader(in)
	for {
		header, err := entries.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return truncated(err)
		}
		name := path.Clean(header.Name)
		switch header.Typeflag {
		case tar.TypeReg:
			file, err := io.ReadAll(entries)
			if err != nil {
				return fmt.Errorf("%q: %w", header.Name, truncated(err))
			}
			a.members[name] = member{content: file}
		case tar.TypeSymlink:
			a.members[name] = member{link: path.Join(path.Dir(name), header.Linkname)}
		case tar.TypeLink:
			a.members[name] = member{link: path.Clean(header.Linkname)}
		}
	}
}

func (a archive) Kernels() ([]*Kernel, []Problem, error) {
	var kernels []*Kernel
	var problems []Problem
	for file := range a.members {
		dir, base := path.Split(file)
		release, ok := btfName(base)
		if !ok || strings.HasPrefix(base, "._") {
			continue
		}
		name := dir + release
		if !filepath.IsLocal(name) {
			problems = append(problems, Problem{name, fmt.Errorf("%s: %q would leave the archive", a.file, file)})
			continue
		}
		m, ok := a.members[file]
		for n := 0; ok && m.link != ""; n++ {
			if n == maxLinks {
				ok = false
				break
			}
			m, ok = a.members[m.link]
		}
		if !ok {
			problems = append(problems, Problem{name, fmt.Errorf("%s: %q is a link that leads to no file of the archive", a.file, file)})
			continue
		}
		kernels = append(kernels, &Kernel{Name: name, Path: a.file + ":" + file, member: &m})
	}
	slices.SortFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Kernel, b.Kernel) })
	slices.SortFunc(kernels, func(a, b *Kernel) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Path, b.Path))
	})
	kernels, duplicates := firstOfEach(kernels)
	return kernels, append(problems, duplicates...), nil
}
