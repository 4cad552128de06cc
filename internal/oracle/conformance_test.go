package oracle

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/internal/need"
)

const conformance = "../../testdata/conformance"

var kinds = []string{
	"byte_off", "byte_sz", "field_exists", "signed", "lshift_u64", "rshift_u64",
	"local_type_id", "target_type_id", "type_exists", "type_size",
	"enumval_exists", "enumval_value", "type_matches",
}

// poisoned is call 0xbad2310, little-endian.
var poisoned, _ = hex.DecodeString("850000001023ad0b")

var (
	commentLine = regexp.MustCompile(`^// libbpf(?: (target-\d|all))?: (.*?)(?: \([^()]*\))?$`)
	caseLine    = regexp.MustCompile(`^(?:static )?(?:CASE|MATCH|SUBPROGRAM)\((\w+)|^CASE_IN\("[^"]*", (\w+)`)
	libbpfLine  = regexp.MustCompile(`^libbpf: prog '\w+': (?:relo #\d+: )?(?:relo \d+ at insn #\d+ )?`)
	typeID      = regexp.MustCompile(`\[\d+\] `)
)

// phrases says in the words of conformance.h what libbpf did with the relocations
// that lie in the program (or subprogram) of that name.
func phrases(name string, relos []Relocation, insns []byte, failed *Error) string {
	var words []string
	for _, r := range relos {
		if r.Program != name {
			continue
		}
		value := fmt.Sprint(int64(r.New))
		at := r.Insn * 8
		if r.Poison || at+8 <= len(insns) && bytes.Equal(insns[at:at+8], poisoned) {
			value = "poison"
		}
		words = append(words, fmt.Sprintf("%s %d -> %s", kinds[r.Kind], int64(r.Original), value))
	}
	if failed != nil {
		var texts []string
		for _, t := range strings.Split(failed.Text, "; ") {
			t = libbpfLine.ReplaceAllString(strings.TrimSpace(t), "")
			if !strings.HasPrefix(t, "failed to ") && !strings.HasPrefix(t, "libbpf: failed to ") {
				texts = append(texts, typeID.ReplaceAllString(t, ""))
			}
		}
		words = append(words, "error: "+strings.Join(texts, "; "))
	}
	if len(words) == 0 {
		return "nothing to relocate"
	}
	return strings.Join(words, "; ")
}

// verdicts maps "TARGET NAME", or "all NAME" for a load of all programs together,
// to what libbpf did, of one case's .want file.
func verdicts(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	said := map[string]string{}
	for _, o := range objects {
		load := strings.Split(o.Target, ".")[1]
		for _, p := range o.Programs {
			relos := p.Relocations
			if o.Together {
				load, relos = "all", o.Relocations
			}
			said[load+" "+p.Name] = phrases(p.Name, relos, p.Insns, p.Err)
			for _, r := range p.Relocations { // subprograms
				if r.Program != p.Name {
					said[load+" "+r.Program] = phrases(r.Program, p.Relocations, nil, nil)
				}
			}
		}
	}
	return said
}

func sources(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(conformance + "/*.bpf.c")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conformance cases: %v", err)
	}
	return files
}

// The comment in front of a case says what libbpf does with it: it must be what
// libbpf did.
func TestCommentsSayWhatLibbpfDoes(t *testing.T) {
	for _, source := range sources(t) {
		name := strings.TrimSuffix(filepath.Base(source), ".bpf.c")
		t.Run(name, func(t *testing.T) {
			said := verdicts(t, strings.TrimSuffix(source, ".bpf.c")+".want")
			text, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			comments := map[string]string{}
			told := map[string]bool{}
			for i, line := range strings.Split(string(text), "\n") {
				if m := commentLine.FindStringSubmatch(line); m != nil {
					load := m[1]
					if load == "" {
						load = "target"
					}
					comments[load] = m[2]
					continue
				}
				m := caseLine.FindStringSubmatch(line)
				if m == nil {
					continue
				}
				if len(comments) == 0 {
					t.Errorf("%s:%d: case without a comment", source, i+1)
				}
				for load, comment := range comments {
					key := load + " " + m[1] + m[2]
					told[key] = true
					if said[key] != comment {
						t.Errorf("%s:%d: comment says %q, libbpf did %q", source, i+1, comment, said[key])
					}
				}
				comments = map[string]string{}
			}
			for key := range said {
				if !told[key] && !strings.HasPrefix(key, "all ") {
					t.Errorf("%s: nothing said about %s", source, key)
				}
			}
		})
	}
}

// With libbpf at hand the .want files are made anew.
func TestWantIsWhatLibbpfSays(t *testing.T) {
	version, err := os.ReadFile("/usr/include/bpf/libbpf_version.h")
	if err != nil {
		need.Missing(t, "libbpf's development files: %v", err)
	}
	if !regexp.MustCompile(`LIBBPF_MAJOR_VERSION 1\n(.*\n)*#define LIBBPF_MINOR_VERSION 1\n`).Match(version) {
		need.Missing(t, "libbpf 1.1, which relocate.c is written for")
	}
	for _, tool := range []string{"make", "cc"} {
		need.Tool(t, tool)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	program, err := Build(ctx, ".", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources(t) {
		name := strings.TrimSuffix(filepath.Base(source), ".bpf.c")
		t.Run(name, func(t *testing.T) {
			targets, err := filepath.Glob(fmt.Sprintf("%s/%s.target*.bpfel.btf", conformance, name))
			if err != nil || len(targets) == 0 {
				t.Fatalf("no targets: %v", err)
			}
			var got bytes.Buffer
			for _, target := range targets {
				for _, order := range []string{"-p", "-a"} {
					cmd := exec.CommandContext(ctx, program, order, "-r", filepath.Base(target), name+".bpfel.o")
					cmd.Dir = conformance
					cmd.Stdout = &got
					if err := cmd.Run(); err != nil {
						t.Fatalf("%v: %v", cmd.Args, err)
					}
				}
			}
			want, err := os.ReadFile(filepath.Join(conformance, name+".want"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s.want is not what libbpf says (make -C testdata/conformance)", name)
			}
		})
	}
	t.Run("big-endian", func(t *testing.T) {
		// this libbpf, on a little-endian machine, opens no foreign object
		objects, err := Relocate(ctx, program, conformance+"/fields.target.bpfel.btf",
			[]string{conformance + "/fields.bpfeb.o", conformance + "/fields.bpfel.o"})
		if err != nil {
			t.Fatal(err)
		}
		if objects[0].Err == nil || objects[1].Err != nil || len(objects[1].Programs) == 0 {
			t.Errorf("got errors %v and %v, expected one for the big-endian object only", objects[0].Err, objects[1].Err)
		}
	})
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"program a b\n",
		"object o\ninsns 00\n",
		"object o\nprogram p\n",
		"object o\nprogram s p\ninsns 0011\n",
		"object o\nprogram s p\ninsns zz\n",
		"object o\nrelo p 0 0\n",
		"object o\nrelo p 0 0 1 2 x 0 0 0 0 0 0\n",
		"object o\nerror x \"y\"\n",
		"object o\nerror -22 y\n",
		"object o\norder some\n",
		"object o\nnonsense\n",
		"object o\nprogram s p", // no end of line
	} {
		if objects, err := Parse(strings.NewReader(text)); err == nil {
			t.Errorf("Parse(%q) = %+v, expected an error", text, objects)
		}
	}
}
