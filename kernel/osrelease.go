package kernel

import "strings"

// OSRelease holds what an os-release file says, unquoted, otherwise as it is written there.
type OSRelease struct {
	ID         string   // ID: "rhel"
	VersionID  string   // VERSION_ID: "8.1"
	Codename   string   // VERSION_CODENAME: "bookworm"
	PrettyName string   // PRETTY_NAME, for people
	Like       []string // ID_LIKE: the distributions it is derived from, the nearest first
}

// ParseOSRelease reads the format of os-release(5): assignments as in a shell, one a line, where the last one of a name counts.
// It never fails. What is no assignment is passed over, and a quote that is not closed ends with its line, so that one bad line
// does not hide the others. Carriage returns end lines too, and a byte order mark is no part of the first name.
func ParseOSRelease(b []byte) OSRelease {
	var os OSRelease
	text := strings.TrimPrefix(string(b), "\ufeff")
	for text != "" {
		var line string
		line, text = cutLine(text)
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		switch strings.Trim(name, blanks) {
		case "ID":
			os.ID = unquote(value)
		case "VERSION_ID":
			os.VersionID = unquote(value)
		case "VERSION_CODENAME":
			os.Codename = unquote(value)
		case "PRETTY_NAME":
			os.PrettyName = unquote(value)
		case "ID_LIKE":
			os.Like = strings.FieldsFunc(unquote(value), isBlank)
		}
	}
	return os
}

const blanks = " \t"

func isBlank(r rune) bool { return r == ' ' || r == '\t' }

func cutLine(text string) (line, rest string) {
	if end := strings.IndexAny(text, "\r\n"); end >= 0 {
		return text[:end], text[end+1:]
	}
	return text, ""
}

// unquote returns what a shell makes of a value: 'verbatim', "with \" and \$ escaped", or bare, where a backslash makes any
// byte an ordinary one. These may follow each other without a blank. Blanks around the value do not count; those inside a bare
// value, which a shell would not take, do, as with systemd. A # after a blank starts a comment.
func unquote(value string) string {
	start := len(value) - len(strings.TrimLeft(value, blanks))
	var out strings.Builder
	var quote byte // that is open, or 0
	kept := 0      // bytes of out that stay though blanks at the end are dropped
	for i := start; i < len(value); i++ {
		c := value[i]
		switch {
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
			kept = out.Len()
			continue
		case quote != 0 && c == quote:
			quote = 0
			kept = out.Len()
			continue
		case quote == 0 && c == '#' && i > 0 && isBlank(rune(value[i-1])):
			i = len(value)
			continue
		case c == '\\' && quote != '\'' && i+1 < len(value) && (quote == 0 || strings.IndexByte("\"$`\\", value[i+1]) >= 0):
			i++
			c = value[i]
			out.WriteByte(c)
			kept = out.Len()
			continue
		}
		out.WriteByte(c)
		if quote != 0 || !isBlank(rune(c)) {
			kept = out.Len()
		}
	}
	return out.String()[:kept]
}
