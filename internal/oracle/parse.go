package oracle

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Parse reads the output of relocate.c, whose comment describes it; several runs
// may stand one behind the other.
func Parse(r io.Reader) ([]Object, error) {
	p := parser{}
	lines := bufio.NewReader(r) // a program's line has no upper bound
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if err == io.EOF && line == "" {
			return p.objects, nil
		}
		if err == io.EOF {
			return nil, fmt.Errorf("line %d: cut off", n)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if err := p.line(strings.TrimSuffix(line, "\n")); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
}

type parser struct {
	target  string
	objects []Object
}

func (p *parser) line(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "#":
		return nil
	case "target":
		p.target = rest
		return nil
	case "object":
		p.objects = append(p.objects, Object{File: rest, Target: p.target})
		return nil
	}
	if len(p.objects) == 0 {
		return fmt.Errorf("%q before the first object", word)
	}
	o := &p.objects[len(p.objects)-1]
	var last *Program
	if len(o.Programs) > 0 {
		last = &o.Programs[len(o.Programs)-1]
	}
	switch word {
	case "order":
		if rest != "all" && rest != "program" {
			return fmt.Errorf("order %q, expected all or program", rest)
		}
		o.Together = rest == "all"
		return nil
	case "program":
		// section names may hold blanks, C names cannot
		i := strings.LastIndexByte(rest, ' ')
		if i < 0 {
			return fmt.Errorf("program %q, expected a section and a name", rest)
		}
		o.Programs = append(o.Programs, Program{Section: rest[:i], Name: rest[i+1:]})
		return nil
	case "relo":
		relo, err := parseRelocation(rest)
		if err != nil {
			return err
		}
		if last == nil {
			o.Relocations = append(o.Relocations, relo)
		} else {
			last.Relocations = append(last.Relocations, relo)
		}
		return nil
	case "insns":
		if last == nil {
			return fmt.Errorf("insns before the first program")
		}
		insns, err := hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
		if err != nil || len(insns)%8 != 0 {
			return fmt.Errorf("insns are not in digits of 8 bytes each")
		}
		last.Insns = insns
		return nil
	case "error":
		verdict, err := parseError(rest)
		if err != nil {
			return err
		}
		if last == nil {
			o.Err = verdict
		} else {
			last.Err = verdict
		}
		return nil
	}
	return fmt.Errorf("unknown line %q", word)
}

func parseError(s string) (*Error, error) {
	number, text, _ := strings.Cut(s, " ")
	code, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("error code %q is no number", number)
	}
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return nil, fmt.Errorf("error text is not quoted")
	}
	text = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(text[1 : len(text)-1])
	return &Error{Code: code, Text: text}, nil
}

func parseRelocation(s string) (Relocation, error) {
	f := strings.Split(s, " ")
	if len(f) != 12 {
		return Relocation{}, fmt.Errorf("relo has %d fields, expected 12", len(f))
	}
	var n [11]uint64
	for i := range n {
		v, err := strconv.ParseUint(f[i+1], 10, 64)
		if err != nil {
			return Relocation{}, fmt.Errorf("relo field %q is no number", f[i+1])
		}
		n[i] = v
	}
	return Relocation{
		Program: f[0], Insn: int(n[0]), Kind: int(n[1]), Original: n[2], New: n[3],
		Poison: n[4] != 0, Validate: n[5] != 0, KeepsWidth: n[6] != 0,
		OriginalSize: uint32(n[7]), NewSize: uint32(n[8]),
		OriginalType: uint32(n[9]), NewType: uint32(n[10]),
	}, nil
}
