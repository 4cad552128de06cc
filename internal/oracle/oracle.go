package oracle

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Object is libbpf's verdict on one object against one target.
type Object struct {
	File   string // as it was named to relocate
	Target string // likewise: the BTF taken for the kernel's
	// Together says that all programs were loaded together, as an application
	// does it; otherwise each was loaded on its own.
	Together bool
	// Relocations of all programs and subprograms in the order in which libbpf
	// carried them out; only if Together, and only with -r.
	Relocations []Relocation
	Programs    []Program // in the object's order, without subprograms
	// Err is not nil if the object cannot be opened or, if Together, not loaded;
	// there are no programs then.
	Err *Error
}

// Program is libbpf's verdict on one program.
type Program struct {
	Section, Name string
	// Relocations of the program and of all subprograms of its object, in the
	// order in which libbpf carried them out; only if not Together, and with -r.
	Relocations []Relocation
	// Insns are the instructions after relocation, 8 bytes each in the object's
	// byte order, subprograms appended. In map references the imm is the map's
	// index in the object.
	Insns []byte
	Err   *Error // not nil: the program is not loaded, and has no Insns
}

// Relocation is what libbpf computed for one relocation (its bpf_core_relo_res).
// A relocation that is an error has none.
type Relocation struct {
	Program string // the program or subprogram that holds the instruction
	Insn    int    // the instruction's index in Program
	Kind    int    // enum bpf_core_relo_kind, 0 to 12
	// Original is what the instruction should hold before, New what it gets.
	Original, New uint64
	Poison        bool
	Validate      bool // Original is compared with the instruction
	// KeepsWidth says that the access width cannot be adjusted: a load or store
	// is poisoned, other instructions are not.
	KeepsWidth bool
	// Access widths in bytes and type ids of the fields, for byte offsets of
	// fields that are no bitfields; otherwise 0.
	OriginalSize, NewSize uint32
	OriginalType, NewType uint32
}

// Error is an error of libbpf: a negative errno, and the warnings it came with,
// divided by "; ".
type Error struct {
	Code int
	Text string
}

func (e *Error) Error() string {
	return fmt.Sprintf("libbpf error %d: %s", e.Code, e.Text)
}

// Build compiles the relocate.c of folder source into folder build (made if need
// be) and returns the path of the program. It needs make, a C compiler and the
// development files of libbpf 1.1, libelf and zlib.
func Build(ctx context.Context, source, build string) (string, error) {
	build, err := filepath.Abs(build)
	if err != nil {
		return "", fmt.Errorf("build relocate: %w", err)
	}
	out, err := exec.CommandContext(ctx, "make", "-C", source, "BUILD="+build).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build relocate: %w: %s", err, bytes.TrimSpace(out))
	}
	return filepath.Join(build, "relocate"), nil
}

// Relocate runs the program that Build made over objects, with the BTF file target
// as the kernel's types. Flags are those of relocate.c: -a, -p, -r. Objects that
// libbpf cannot open are no error here but carry one.
func Relocate(ctx context.Context, program, target string, objects []string, flags ...string) ([]Object, error) {
	args := append(append([]string{}, flags...), target)
	cmd := exec.CommandContext(ctx, program, append(args, objects...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && len(out) == 0 {
		return nil, fmt.Errorf("relocate %s: %w: %s", target, err, bytes.TrimSpace(stderr.Bytes()))
	}
	verdicts, err := Parse(bytes.NewReader(out))
	if err != nil {
		return nil, fmt.Errorf("relocate %s: %w", target, err)
	}
	if len(verdicts) != len(objects) {
		return nil, fmt.Errorf("relocate %s: verdicts on %d objects, expected %d: %s",
			target, len(verdicts), len(objects), bytes.TrimSpace(stderr.Bytes()))
	}
	return verdicts, nil
}
