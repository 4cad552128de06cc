package kernelpkg

import (
	"fmt"
	"strconv"
	"strings"
)

// Unix archives as dpkg writes and reads them: deb(5), ar(5).
const (
	arMagic      = "!<arch>\n"
	arHeaderSize = 60
	debMember    = "debian-binary"
)

// member is a file of a Unix archive.
type member struct {
	name string
	data []byte
}

// members lists the files of a Unix archive, up to and including the first of the
// name or with the name and a dot before it ends.
func members(file []byte, upTo string) ([]member, error) {
	var list []member
	for at := len(arMagic); at < len(file); {
		if len(file)-at < arHeaderSize {
			return nil, fmt.Errorf("%w: cut short at offset %d, in the header of a member", ErrCorrupt, at)
		}
		header := string(file[at : at+arHeaderSize])
		if header[58:] != "`\n" {
			return nil, fmt.Errorf("%w: no header of a member at offset %d", ErrCorrupt, at)
		}
		name := strings.TrimSuffix(strings.TrimRight(header[:16], " "), "/")
		size, err := strconv.ParseUint(strings.TrimRight(header[48:58], " "), 10, 40)
		if err != nil {
			return nil, fmt.Errorf("%w: size of member %q at offset %d: %w", ErrCorrupt, name, at, err)
		}
		at += arHeaderSize
		if size > uint64(len(file)-at) {
			return nil, fmt.Errorf("%w: cut short: member %s has %d of %d bytes", ErrCorrupt, name, len(file)-at, size)
		}
		list = append(list, member{name, file[at : at+int(size)]})
		if len(list) > 64 {
			return nil, fmt.Errorf("%w: more than 64 members", ErrCorrupt)
		}
		if name == upTo || strings.HasPrefix(name, upTo+".") {
			return list, nil
		}
		at += int(size + size&1)
	}
	return list, nil
}
