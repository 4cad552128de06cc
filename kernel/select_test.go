package kernel

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// selection is a case of testdata/select.txt, whose head describes the format.
type selection struct {
	name      string
	line      int
	host      Host
	consensus bool
	kernels   []bundled
	want      string // "found PATH", "notfound", "ambiguous"
	near      []string
	differ    []string
}

type bundled struct {
	path    string
	content int
}

func (k bundled) dir() string {
	return k.path[:max(strings.LastIndexByte(k.path, '/'), 0)]
}

func (k bundled) release() string {
	return k.path[strings.LastIndexByte(k.path, '/')+1:]
}

// match has a Matcher see the kernels.
func match(h Host, consensus bool, kernels []bundled) (Match, error) {
	m := NewMatcher(h)
	if consensus {
		m.AllowConsensus()
	}
	for _, k := range kernels {
		m.Add(k.dir(), []byte(k.release()), k.content)
	}
	return m.Match()
}

func readSelections(t *testing.T) []selection {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "select.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []selection
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, " ")
		if key == "case" {
			all = append(all, selection{name: value, line: n})
			continue
		}
		if len(all) == 0 {
			t.Fatalf("line %d: outside of a case", n)
		}
		c := &all[len(all)-1]
		switch key {
		case "release":
			c.host.Release = value
		case "machine":
			c.host.Machine = value
		case "os-release":
			c.host.OS = ParseOSRelease(osReleaseFile(t, value))
		case "id":
			c.host.OS.ID = value
		case "like":
			c.host.OS.Like = strings.Fields(value)
		case "version":
			c.host.OS.VersionID = value
		case "codename":
			c.host.OS.Codename = value
		case "consensus":
			c.consensus = true
			ok = value == "on"
		case "kernel":
			number, path, _ := strings.Cut(value, " ")
			content, err := strconv.Atoi(number)
			c.kernels = append(c.kernels, bundled{path, content})
			ok = err == nil && path != ""
		case "want":
			ok = c.want == ""
			c.want = value
		case "near":
			c.near = append(c.near, value)
		case "differ":
			c.differ = append(c.differ, value)
		default:
			ok = false
		}
		if !ok {
			t.Fatalf("line %d: %q is not of the format that the file's head describes", n, line)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func osReleaseFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "os-release", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSelect is the table of cases that readers in other languages run too.
func TestSelect(t *testing.T) {
	cases := readSelections(t)
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	names := make(map[string]bool)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if names[c.name] {
				t.Errorf("a second case %q", c.name)
			}
			names[c.name] = true
			checkOrder(t, c.kernels)

			got, err := match(c.host, c.consensus, c.kernels)

			var notFound *NotFoundError
			var ambiguous *AmbiguousError
			var outcome string
			switch {
			case err == nil:
				outcome = "found " + got.Path
			case errors.As(err, &notFound):
				outcome = "notfound"
				if c.near != nil && !slices.Equal(notFound.Nearest, c.near) {
					t.Errorf("nearest %q, want %q", notFound.Nearest, c.near)
				}
			case errors.As(err, &ambiguous):
				outcome = "ambiguous"
				if c.differ != nil && !slices.Equal(ambiguous.Paths, c.differ) {
					t.Errorf("differ %q, want %q", ambiguous.Paths, c.differ)
				}
			}
			if outcome != c.want {
				t.Errorf("line %d:\n  got  %s\n  want %s\n  rule %q, error %v", c.line, outcome, c.want, got.Rule, err)
			}
			if err == nil && !slices.Contains(c.kernels, bundled{got.Path, got.Content}) {
				t.Errorf("%s has content %d, which the bundle does not", got.Path, got.Content)
			}
			if consensus := strings.HasPrefix(got.Rule, "consensus: "); consensus && !c.consensus {
				t.Errorf("rule %q, which was not asked for", got.Rule)
			}
		})
	}
}

// checkOrder fails where a real bundle would have the kernels in another order.
func checkOrder(t *testing.T, kernels []bundled) {
	t.Helper()
	for i := 1; i < len(kernels); i++ {
		a, b := kernels[i-1], kernels[i]
		if order := strings.Compare(a.dir(), b.dir()); order > 0 || order == 0 && a.release() >= b.release() {
			t.Errorf("a bundle has %s after %s", a.path, b.path)
		}
	}
}

// Every os-release file is of some case, so that none is there only for its parser's sake.
func TestOSReleaseFilesAreUsed(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "os-release", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	cases, err := os.ReadFile(filepath.Join("testdata", "select.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		if !strings.Contains(string(cases), "\nos-release "+name+"\n") {
			t.Errorf("no case has the host %s", name)
		}
	}
}
