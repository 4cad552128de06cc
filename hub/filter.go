package hub

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Filter matches kernel names against globs: * is any number of characters,
// ? one, / not excepted in either; [a-z] and [!a-z] (or [^a-z]) are classes,
// and \ takes the special meaning from the character that follows. A glob is
// about the whole name.
type Filter struct{ globs [][]globToken }

type globToken struct {
	star   bool
	negate bool
	ranges []runeRange // any of them
}

type runeRange struct{ low, high rune }

// NewFilter compiles globs. A name matches if one of them does; without globs
// every name matches.
func NewFilter(globs []string) (*Filter, error) {
	f := &Filter{}
	for _, glob := range globs {
		tokens, err := compileGlob(glob)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", glob, err)
		}
		f.globs = append(f.globs, tokens)
	}
	return f, nil
}

// Match reports whether the name matches.
func (f *Filter) Match(name string) bool {
	for _, tokens := range f.globs {
		if matchGlob(tokens, name) {
			return true
		}
	}
	return len(f.globs) == 0
}

func compileGlob(glob string) ([]globToken, error) {
	if glob == "" {
		return nil, fmt.Errorf("empty, which matches no kernel")
	}
	var tokens []globToken
	for rest := glob; rest != ""; {
		c, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
		switch c {
		case '*':
			if n := len(tokens); n == 0 || !tokens[n-1].star {
				tokens = append(tokens, globToken{star: true})
			}
		case '?':
			tokens = append(tokens, globToken{negate: true})
		case '[':
			token, after, err := compileClass(rest)
			if err != nil {
				return nil, err
			}
			tokens, rest = append(tokens, token), after
		case '\\':
			if rest == "" {
				return nil, fmt.Errorf("nothing after the last \\")
			}
			c, size = utf8.DecodeRuneInString(rest)
			rest = rest[size:]
			fallthrough
		default:
			tokens = append(tokens, globToken{ranges: []runeRange{{c, c}}})
		}
	}
	return tokens, nil
}

// compileClass compiles what follows a [ and returns what follows its ]. A ]
// that comes first is one of the class.
func compileClass(rest string) (globToken, string, error) {
	var token globToken
	if strings.HasPrefix(rest, "!") || strings.HasPrefix(rest, "^") {
		token.negate = true
		rest = rest[1:]
	}
	next := func() (rune, bool) {
		if rest == "" {
			return 0, false
		}
		c, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
		if c == '\\' && rest != "" {
			c, size = utf8.DecodeRuneInString(rest)
			rest = rest[size:]
		}
		return c, true
	}
	for {
		if strings.HasPrefix(rest, "]") && len(token.ranges) > 0 {
			return token, rest[1:], nil
		}
		low, ok := next()
		if !ok {
			return token, "", fmt.Errorf("[ without ]")
		}
		high := low
		if strings.HasPrefix(rest, "-") && !strings.HasPrefix(rest, "-]") {
			rest = rest[1:]
			if high, ok = next(); !ok {
				return token, "", fmt.Errorf("[ without ]")
			}
		}
		if low > high {
			return token, "", fmt.Errorf("range %c-%c runs backwards", low, high)
		}
		token.ranges = append(token.ranges, runeRange{low, high})
	}
}

func (t *globToken) match(c rune) bool {
	for _, r := range t.ranges {
		if r.low <= c && c <= r.high {
			return !t.negate
		}
	}
	return t.negate
}

// matchGlob goes back only to the last star: what an earlier star took cannot
// help once a later one has been reached. Time is the product of both lengths
// at most.
func matchGlob(tokens []globToken, name string) bool {
	t, star, starName := 0, -1, ""
	for name != "" {
		if t < len(tokens) && tokens[t].star {
			star, starName = t, name
			t++
			continue
		}
		c, size := utf8.DecodeRuneInString(name)
		if t < len(tokens) && tokens[t].match(c) {
			t++
			name = name[size:]
			continue
		}
		if star < 0 {
			return false
		}
		_, size = utf8.DecodeRuneInString(starName)
		starName = starName[size:]
		t, name = star+1, starName
	}
	for t < len(tokens) && tokens[t].star {
		t++
	}
	return t == len(tokens)
}
