package ctest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/btfgen/btfgen/internal/need"
)

// strict is every warning that a careful program turns on, as errors.
var strict = []string{"-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wcast-qual", "-Werror"}

// A build is one way to compile testdata/reader.c.
type build struct {
	name     string
	compiler string
	flags    []string
	valgrind bool // runs under it
}

var builds = []build{
	{"gcc", "gcc", []string{"-O2"}, false},
	{"clang", "clang-19", []string{"-O2"}, false},
	{"gcc-sanitized", "gcc", []string{"-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"}, false},
	{"clang-sanitized", "clang-19", []string{"-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"}, false},
	{"valgrind", "gcc", []string{"-O1", "-g"}, true},
}

// reader is the built program.
type reader struct {
	command []string
}

var (
	buildDir  string
	buildLock sync.Mutex
	built     = map[string]string{} // program by build
)

// TestMain removes the programs that tests have built.
func TestMain(m *testing.M) {
	code := m.Run()
	if buildDir != "" {
		os.RemoveAll(buildDir)
	}
	os.Exit(code)
}

func asked(t testing.TB) { need.Asked(t, "BTFGEN_C", "creader") }

// eachReader runs a test with every build of the reader.
func eachReader(t *testing.T, run func(t *testing.T, r reader)) {
	t.Helper()
	asked(t)
	for _, b := range builds {
		t.Run(b.name, func(t *testing.T) { run(t, b.reader(t)) })
	}
}

// reader compiles, once.
func (b build) reader(t testing.TB) reader {
	t.Helper()
	r := reader{[]string{b.program(t, "reader.c")}}
	if b.valgrind {
		r.command = append([]string{need.Tool(t, "valgrind"), "--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=all", "--errors-for-leak-kinds=all"}, r.command...)
	}
	return r
}

// program compiles a source in testdata and returns its path.
func (b build) program(t testing.TB, source string, flags ...string) string {
	t.Helper()
	compiler := need.Tool(t, b.compiler)
	buildLock.Lock()
	defer buildLock.Unlock()
	key := b.name + " " + source
	if path, ok := built[key]; ok {
		return path
	}
	if buildDir == "" {
		dir, err := os.MkdirTemp("", "ctest")
		if err != nil {
			t.Fatal(err)
		}
		buildDir = dir
	}
	out := filepath.Join(buildDir, strings.ReplaceAll(strings.TrimSuffix(key, ".c"), " ", "-"))
	args := append([]string{"-std=c99", "-Wstrict-prototypes", "-I", need.Repository(t, "include")}, strict...)
	args = append(append(args, b.flags...), flags...)
	compile(t, compiler, append(args, filepath.Join("testdata", source), "-o", out, "-lz")...)
	built[key] = out
	return out
}

func compile(t testing.TB, compiler string, args ...string) {
	t.Helper()
	if out, err := exec.Command(compiler, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", compiler, strings.Join(args, " "), err, out)
	}
}

// What the reader's exit codes say.
const (
	exitNotFound  = 3
	exitAmbiguous = 4
	exitInvalid   = 5
	exitOther     = 6 // no memory, among others
)

// valgrindLacks is what valgrind says of a system call that it does not know, which then fails as on an old kernel.
var valgrindLacks = regexp.MustCompile(`(?m)^--\d+-- .*\n`)

// run runs the reader and returns its output, and what it says and its exit code if that is not 0. Any other end than its
// own fails the test: a sanitizer, valgrind or a signal has stopped it.
func (r reader) run(t testing.TB, stdin []byte, args ...string) (stdout []byte, message string, code int) {
	t.Helper()
	cmd := exec.Command(r.command[0], append(r.command[1:len(r.command):len(r.command)], args...)...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &errs
	err := cmd.Run()
	code = cmd.ProcessState.ExitCode()
	message = strings.TrimSuffix(valgrindLacks.ReplaceAllString(errs.String(), ""), "\n")
	if err == nil && message == "" {
		return out.Bytes(), "", 0
	}
	if code < exitNotFound || code > exitInvalid || strings.Contains(message, "\n") {
		t.Fatalf("reader %.200q: %v: %s", args, err, message)
	}
	return out.Bytes(), message, code
}

// mustRun is run for what has to work.
func (r reader) mustRun(t testing.TB, args ...string) []byte {
	t.Helper()
	out, message, code := r.run(t, nil, args...)
	if code != 0 {
		t.Fatalf("reader %.200q: exit code %d: %s", args, code, message)
	}
	return out
}

// save writes a bundle to a file.
func save(t testing.TB, raw []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle")
	if err := os.WriteFile(path, raw, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// contents parses the output of reader all: the kernels as lines "number path", and the contents.
func parseAll(t testing.TB, out []byte) (kernels []string, contents [][]byte) {
	t.Helper()
	for len(out) > 0 {
		line, rest, _ := bytes.Cut(out, []byte("\n"))
		header := strings.TrimPrefix(string(line), "content ")
		if header == string(line) {
			kernels = append(kernels, header)
			out = rest
			continue
		}
		number, size, _ := strings.Cut(header, " ")
		n, err := strconv.Atoi(size)
		if err != nil || number != strconv.Itoa(len(contents)) || n > len(rest) {
			t.Fatalf("content %d: reader prints %q before %d bytes", len(contents), line, len(rest))
		}
		contents = append(contents, rest[:n])
		out = rest[n:]
	}
	return kernels, contents
}

// program uses the header as programs do: a part of it, from functions of its own.
const program = `
#include "btfgen/bundle.h"
int choose(const void *bundle, size_t size, char *path, size_t path_size, char *why, size_t why_size);
int choose(const void *bundle, size_t size, char *path, size_t path_size, char *why, size_t why_size)
{
	struct btfgen_choice c;
	int code = btfgen_choose(&c, bundle, size, NULL, 0, why, why_size);
	if (code == 0) {
		btfgen_priv_print(path, path_size, "%s", c.path);
		btfgen_priv_print(why, why_size, "%s", c.why);
	}
	btfgen_choice_close(&c);
	return code;
}
#ifndef NOTHING
int get(const void *bundle, size_t size, const char *path, void **btf, size_t *btf_size);
int get(const void *bundle, size_t size, const char *path, void **btf, size_t *btf_size)
{
	struct btfgen_bundle b;
	int code = btfgen_bundle_open(&b, bundle, size, NULL, 0);
	return code != 0 ? code : btfgen_bundle_get(&b, path, btf, btf_size, NULL, 0);
}
#endif
int main(int argc, char **argv)
{
	char path[99], why[99];
	return choose(argv[0], (size_t)argc, path, sizeof(path), why, sizeof(why));
}
`

// The header compiles without a warning as C99, C11 and C++11, with what programs define before it, and whatever is
// included first.
func TestCompiles(t *testing.T) {
	asked(t)
	include := need.Repository(t, "include")
	for _, c := range []struct{ compiler, language string }{{"gcc", "c"}, {"clang-19", "c"}, {"g++", "c++"}, {"clang++-19", "c++"}} {
		standards := []string{"c99", "gnu11"}
		if c.language == "c++" {
			standards = []string{"c++11", "c++20"}
		}
		for _, standard := range standards {
			for _, define := range []string{"-DNOTHING", "-D_GNU_SOURCE", "-D_POSIX_C_SOURCE=200809L", "-DZLIB_CONST"} {
				for _, first := range []string{"stdint.h", "zlib.h"} {
					t.Run(fmt.Sprintf("%s %s %s %s", c.compiler, standard, define, first), func(t *testing.T) {
						source := filepath.Join(t.TempDir(), "program")
						text := fmt.Sprintf("#include <%s>\n%s", first, program)
						if err := os.WriteFile(source, []byte(text), 0o666); err != nil {
							t.Fatal(err)
						}
						args := append([]string{"-x", c.language, "-std=" + standard, define, "-I", include}, strict...)
						if c.language == "c" {
							args = append(args, "-Wstrict-prototypes")
						}
						levels := []string{"-O0"}
						if define == "-DNOTHING" && first == "stdint.h" {
							levels = []string{"-O0", "-Os", "-O2", "-O3"} // what a compiler warns of depends on what it has inlined
						}
						for _, optimize := range levels {
							compile(t, need.Tool(t, c.compiler), append(args, optimize, source, "-o", source+".out", "-lz")...)
						}
					})
				}
			}
		}
	}
}
