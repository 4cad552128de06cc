package hub

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// isTar looks for the magic of POSIX and GNU archives. Older ones have none and
// are known by the file's name.
func isTar(b []byte) bool { return len(b) >= 512 && string(b[257:262]) == "ustar" }

// tarBTF finds the BTF in an archive and returns that part of it. It is the one
// regular file whose name ends in .btf, or the only regular file if none does.
// Names only serve that choice and error messages: archives are made by many
// people, and the name inside need not be the archive's. Directories and links
// do not matter, nor do the ._ files that macOS adds.
func tarBTF(archive []byte) ([]byte, error) {
	in := bytes.NewReader(archive)
	entries := tar.NewReader(in)
	var btfs, others []tarEntry
	count := 0
	for {
		header, err := entries.Next()
		if err == io.EOF {
			break
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return nil, fmt.Errorf("entry %d: %w", count+1, truncated(err))
		}
		count++
		base := path.Base(header.Name)
		if header.Typeflag != tar.TypeReg && header.Typeflag != tar.TypeGNUSparse || strings.HasPrefix(base, "._") {
			continue
		}
		entry := tarEntry{name: header.Name, sparse: header.Typeflag == tar.TypeGNUSparse}
		for key := range header.PAXRecords {
			entry.sparse = entry.sparse || strings.HasPrefix(key, "GNU.sparse.")
		}
		if !entry.sparse {
			at := int64(len(archive)) - int64(in.Len())
			if header.Size > int64(in.Len()) {
				return nil, fmt.Errorf("truncated: %q has %d bytes, %d are there", header.Name, header.Size, in.Len())
			}
			entry.content = archive[at : at+header.Size : at+header.Size]
		}
		if strings.HasSuffix(base, ".btf") {
			btfs = append(btfs, entry)
		} else {
			others = append(others, entry)
		}
	}
	found := btfs
	if len(found) == 0 {
		found = others
	}
	switch {
	case len(btfs) > 1:
		return nil, fmt.Errorf("%d .btf files in it, expected one: %s", len(btfs), names(btfs))
	case len(found) > 1:
		return nil, fmt.Errorf("no .btf file among the %d in it: %s", len(found), names(found))
	case len(found) == 0:
		return nil, fmt.Errorf("no regular file among its %d entries", count)
	case found[0].sparse:
		return nil, fmt.Errorf("%q is stored sparse, which is not supported; pack it without --sparse", found[0].name)
	}
	return found[0].content, nil
}

type tarEntry struct {
	name    string
	content []byte
	sparse  bool
}

// names lists the first few entries.
func names(entries []tarEntry) string {
	var b strings.Builder
	for i, e := range entries {
		if i == 4 {
			b.WriteString(", …")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", e.name)
	}
	return b.String()
}
