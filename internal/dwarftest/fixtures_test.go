package dwarftest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/need"
)

const askedBy = "BTFGEN_DWARF"

// A compiler is a program and the arguments that make it compile for one machine.
type compiler struct {
	name    string
	command []string
	big     bool // the machine's byte order
	bits    int  // of a pointer
	// links: there is a linker for the machine, too.
	links bool
}

func clangFor(target string, bits int, big bool) compiler {
	return compiler{name: "clang " + target, command: []string{"clang-19", "--target=" + target}, big: big, bits: bits}
}

var (
	gcc   = compiler{name: "gcc", command: []string{"gcc"}, bits: 64, links: true}
	clang = compiler{name: "clang", command: []string{"clang-19"}, bits: 64, links: true}
	// gccBig is a whole tool chain for a machine of the other byte order.
	gccBig = compiler{name: "gcc s390x", command: []string{"s390x-linux-gnu-gcc"}, big: true, bits: 64, links: true}

	foreign = []compiler{
		clangFor("s390x-linux-gnu", 64, true), clangFor("mips-linux-gnu", 32, true), clangFor("mips64-linux-gnuabi64", 64, true),
		clangFor("powerpc64-linux-gnu", 64, true), clangFor("powerpc-linux-gnu", 32, true), clangFor("powerpc64le-linux-gnu", 64, false),
		clangFor("aarch64-linux-gnu", 64, false), clangFor("arm-linux-gnueabihf", 32, false), clangFor("riscv64-linux-gnu", 64, false),
		clangFor("i686-linux-gnu", 32, false),
	}
)

// A variant is one way to make a file with DWARF of C sources.
type variant struct {
	compiler
	flags  []string
	linked bool
	// after are programs that change the file in its place, "FILE" being its path.
	after [][]string
}

func (v variant) String() string {
	words := append([]string{v.name}, v.flags...)
	if v.linked {
		words = append(words, "linked")
	}
	for _, a := range v.after {
		words = append(words, a[0])
		words = append(words, slices.DeleteFunc(slices.Clone(a[1:]), func(s string) bool { return s == "FILE" })...)
	}
	return strings.Join(words, " ")
}

func (v variant) then(program ...string) variant {
	v.after = append(slices.Clone(v.after), program)
	return v
}

func object(c compiler, flags ...string) variant { return variant{compiler: c, flags: flags} }

func linked(c compiler, flags ...string) variant {
	return variant{compiler: c, flags: flags, linked: true}
}

// variants are the ways in which each single source is compiled.
func variants() (list []variant) {
	for _, c := range []compiler{gcc, clang, gccBig} {
		for _, version := range []string{"-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"} {
			list = append(list, object(c, version))
		}
		list = append(list, linked(c, "-gdwarf-3", "-O2"), linked(c, "-gdwarf-4"), linked(c, "-gdwarf-5", "-O2"),
			object(c, "-gdwarf-5", "-gdwarf64"), object(c, "-gdwarf-4", "-gdwarf64"),
			object(c, "-gdwarf-4", "-fdebug-types-section"), object(c, "-gdwarf-5", "-fdebug-types-section"), linked(c, "-gdwarf-5", "-fdebug-types-section"))
	}
	for _, version := range []string{"-gdwarf-2", "-gdwarf-3", "-gdwarf-4"} {
		list = append(list, object(gcc, version, "-gstrict-dwarf"), object(gccBig, version, "-gstrict-dwarf"))
	}
	for _, c := range []compiler{gcc, clang} {
		list = append(list, object(c, "-g", "-gz=zlib"), linked(c, "-g", "-gz=zlib"), object(c, "-gdwarf-4", "-gz=zlib"),
			object(c, "-g").then("objcopy", "--compress-debug-sections=zlib-gnu", "FILE"),
			linked(c, "-g").then("objcopy", "--compress-debug-sections=zlib-gnu", "FILE"),
			object(c, "-g").then("llvm-objcopy-19", "--compress-debug-sections=zstd", "FILE"),
			linked(c, "-g").then("llvm-objcopy-19", "--compress-debug-sections=zstd", "FILE"))
	}
	list = append(list, linked(gcc, "-g").then("objcopy", "--only-keep-debug", "FILE"), linked(gccBig, "-g").then("s390x-linux-gnu-objcopy", "--only-keep-debug", "FILE"),
		linked(gcc, "-g", "-flto"), linked(gcc, "-gdwarf-4", "-flto", "-O2"), linked(gccBig, "-g", "-flto"),
		linked(gcc, "-g").then("dwz", "FILE"), linked(gcc, "-gdwarf-4").then("dwz", "FILE"), linked(clang, "-gdwarf-4").then("dwz", "FILE"),
		linked(gccBig, "-g").then("dwz", "FILE"))
	for _, c := range foreign {
		list = append(list, object(c, "-gdwarf-3"), object(c, "-gdwarf-4"), object(c, "-gdwarf-5"))
	}
	return list
}

// run runs a program that has to succeed, and returns what it said.
func run(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	out, err := try(dir, need.Tool(t, name), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try runs a program. The error has its messages.
func try(dir, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, firstLines(out.String(), 12))
	}
	return out.String(), nil
}

func firstLines(s string, n int) string {
	lines := strings.SplitN(s, "\n", n+1)
	if len(lines) > n {
		lines[n] = "…"
	}
	return strings.Join(lines, "\n")
}

// compile makes the file of sources, which are paths, and returns its path.
func (v variant) compile(t testing.TB, sources ...string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "made.o")
	args := slices.Concat(v.command[1:], v.flags, []string{"-w", "-fno-asynchronous-unwind-tables"})
	switch {
	case v.linked:
		args = append(args, "-nostdlib", "-shared", "-fPIC")
	case len(sources) > 1:
		args = append(args, "-nostdlib", "-r")
	default:
		args = append(args, "-c")
	}
	run(t, dir, v.command[0], slices.Concat(args, []string{"-o", file}, sources)...)
	for _, a := range v.after {
		args := slices.Clone(a[1:])
		args[slices.Index(args, "FILE")] = file
		run(t, dir, a[0], args...)
	}
	return file
}

// source is the path of a C file.
func source(t testing.TB, name string) string {
	t.Helper()
	return need.Repository(t, "internal", "dwarftest", "testdata", name)
}

// otherInC are the members and types of the sources that C has otherwise than BTF: arrays of arrays are one array there, vectors
// are arrays, and nothing is atomic.
var otherInC = []string{
	"arrays.grid", "arrays.cube", "arrays.to_grid", "arrays.pointers", "nest.table", "vectors.v", "vector",
	"atomics.i", "atomics.p", "atomics.pc", "wide_atomics.wide", "wide_atomics.narrow", "atomic_int_type",
	"complexes.f", "complexes.d", "complexes.i", // clang's name of all three types is "complex"
}

// unsaid is what a variant's DWARF does not tell: an enumerator of 8 bytes without its sign.
func (v variant) unsaid() []string {
	if slices.Contains(v.flags, "-gdwarf-2") && slices.Contains(v.flags, "-gstrict-dwarf") {
		return []string{"sign of enum wide_negative"}
	}
	return nil
}

// judgeTruth has the compiler of a variant say what is wrong with a BTF of a source.
func judgeTruth(t testing.TB, v variant, file string, b *btf.BTF) (wrong []string, checks int) {
	t.Helper()
	truth := NewTruth(b, v.bits/8, slices.Concat(otherInC, v.unsaid()))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c, o := filepath.Join(dir, "truth.c"), filepath.Join(dir, "truth.o")
	if err := os.WriteFile(c, append(text, "\n#line 1 \"truth\"\n"+truth.Source...), 0o600); err != nil {
		t.Fatal(err)
	}
	checks = truth.Assertions + len(truth.Bitfields)
	if out, err := try(dir, need.Tool(t, v.command[0]), slices.Concat(v.command[1:], []string{"-w", "-fno-lto", "-c", "-o", o, c})...); err != nil {
		for line := range strings.Lines(out) {
			if strings.Contains(line, "error:") {
				wrong = append(wrong, strings.TrimSpace(line))
			}
		}
		if len(wrong) == 0 {
			t.Fatal(err)
		}
		return wrong, checks
	}
	compiled, err := os.ReadFile(o)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err = truth.Read(compiled)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.ByteOrder() == binary.ByteOrder(binary.BigEndian); got != v.big {
		wrong = append(wrong, fmt.Sprintf("the BTF is big-endian: %v, the machine: %v", got, v.big))
	}
	return wrong, checks
}

// fail fails the test for the first few of what is wrong.
func fail[T any](t testing.TB, wrong []T) {
	t.Helper()
	const enough = 12
	for i, w := range wrong {
		if i == enough {
			t.Errorf("… and %d more", len(wrong)-enough)
			return
		}
		text := fmt.Sprint(w)
		if len(text) > 600 {
			text = text[:600] + "…"
		}
		t.Error(text)
	}
}
