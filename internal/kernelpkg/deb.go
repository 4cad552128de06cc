package kernelpkg

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxControl limits the expanded control.tar, and the control file in it, in bytes.
// That of a kernel has a checksum for each module.
const maxControl = 32 << 20

// openDeb reads what is before data.tar: deb(5).
func (p *Package) openDeb(file []byte) error {
	list, err := members(file, "data.tar")
	if err != nil {
		return err
	}
	if len(list) == 0 || list[0].name != debMember {
		return fmt.Errorf("%w: a Unix archive without %s", ErrFormat, debMember)
	}
	if version := string(list[0].data); !strings.HasPrefix(version, "2.") {
		return fmt.Errorf("%w: a Debian package of version %.10q, expected 2", ErrUnsupported, version)
	}
	p.info.Format = "deb"
	var control, data *member
	for i := range list {
		switch name, _, _ := strings.Cut(list[i].name, ".tar"); name {
		case "control":
			control = &list[i]
		case "data":
			data = &list[i]
		}
	}
	if control == nil || data == nil {
		return fmt.Errorf("%w: a Debian package without control.tar or data.tar: cut short?", ErrCorrupt)
	}
	if err := p.readControl(control); err != nil {
		return fmt.Errorf("%s: %w", control.name, err)
	}
	if p.stream, err = newStream(data.name, data.data, p.options); err != nil {
		return fmt.Errorf("%s: %w", data.name, err)
	}
	p.archive = &tarArchive{name: data.name, cursor: cursor{stream: p.stream}}
	return nil
}

// readControl fills info from the control file.
func (p *Package) readControl(m *member) error {
	o := p.options
	o.MaxBytes, o.Workers = maxControl, 1
	s, err := newStream(m.name, m.data, o)
	if err != nil {
		return err
	}
	defer s.close()
	r := tar.NewReader(&cursor{stream: s})
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: there is no file named control", ErrCorrupt)
		}
		if err != nil {
			return damaged(err)
		}
		if clean(header.Name) != "control" || header.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return damaged(err)
		}
		p.parseControl(string(text))
		return nil
	}
}

// parseControl takes the fields of a control file: deb-control(5).
func (p *Package) parseControl(text string) {
	fields := map[string]*string{
		"package": &p.info.Name, "version": &p.info.Version, "architecture": &p.info.Arch, "origin": &p.info.Vendor,
		"maintainer": &p.info.Maintainer, "source": &p.info.Source, "homepage": &p.info.Homepage,
	}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			continue // more of the field before
		}
		if field := fields[strings.ToLower(name)]; field != nil && *field == "" {
			*field = strings.TrimSpace(value)
		}
	}
	// The source's version is added where it is another.
	p.info.Source, _, _ = strings.Cut(p.info.Source, " ")
	if p.info.Source == "" {
		p.info.Source = p.info.Name
	}
}

// tarArchive is a data.tar. The tar reader passes over what is in files by seeking.
type tarArchive struct {
	name   string
	cursor cursor
	reader *tar.Reader
}

func (a *tarArchive) next(p *Package) error {
	if a.reader == nil {
		a.reader = tar.NewReader(&a.cursor)
	} else if err := p.capture(p.entries[len(p.entries)-1]); err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	header, err := a.reader.Next()
	for err == nil && header.Typeflag == tar.TypeXGlobalHeader {
		header, err = a.reader.Next()
	}
	if errors.Is(err, io.EOF) {
		return errEnd
	}
	// What is named like a path outside is never used as a path.
	if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
		return fmt.Errorf("%s: %w", a.name, damaged(err))
	}
	e := &entry{Entry: Entry{Path: clean(header.Name), Mode: header.FileInfo().Mode()}, offset: a.cursor.at}
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		e.Size = header.Size
		if header.Typeflag == tar.TypeGNUSparse || sparse(header) {
			e.opaque = "a sparse file"
		}
	case tar.TypeSymlink:
		e.Link = header.Linkname
	case tar.TypeLink:
		e.Link = "/" + clean(header.Linkname)
	}
	return p.add(e)
}

func sparse(header *tar.Header) bool {
	for key := range header.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// damaged says of an error of the tar reader what is wrong.
func damaged(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: the archive is cut short", ErrCorrupt)
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}
