package bundle

import (
	"bytes"
	"fmt"
	"strings"
)

// CHeader gives a bundle as C source: static const unsigned char name[] = {…}; and a guard against being included twice. sizeof(name) is the bundle's size in bytes.
// name has to be an identifier of C.
func CHeader(name string, raw []byte) ([]byte, error) {
	if !identifier(name) {
		return nil, fmt.Errorf("%q: expected an identifier of C", name)
	}
	guard := strings.ToUpper(name) + "_H"
	var out bytes.Buffer
	fmt.Fprintf(&out, "/* Made by btfgen bundle: read it with btfgen/bundle.h. */\n#ifndef %s\n#define %s\n\nstatic const unsigned char %s[%d] = {", guard, guard, name, len(raw))
	for i, b := range raw {
		if i%20 == 0 {
			out.WriteString("\n\t")
		}
		fmt.Fprintf(&out, "%d,", b)
	}
	fmt.Fprintf(&out, "\n};\n\n#endif /* %s */\n", guard)
	return out.Bytes(), nil
}

func identifier(s string) bool {
	for i, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || !isDigit(c)) {
			return false
		}
	}
	return s != ""
}
