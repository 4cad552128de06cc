//go:build unix

package main

import (
	"archive/tar"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/ulikunitz/xz"

	"github.com/btfgen/btfgen/internal/kernelsample"
	"github.com/btfgen/btfgen/internal/need"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"btfgen": main})
}

// TestScript runs the scripts in testdata/script. Beside testscript's own they
// have the commands below, and the variables KERNELS (a tree of three real
// kernels), EXAMPLE and CONFORMANCE (folders with eBPF objects), IMAGES (a small
// kernel, packed in several ways).
func TestScript(t *testing.T) {
	kernels := kernelsample.Tree(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("KERNELS", kernels)
			e.Setenv("EXAMPLE", need.Repository(t, "testdata", "example"))
			e.Setenv("IMAGES", need.Repository(t, "image", "testdata"))
			e.Setenv("CONFORMANCE", need.Repository(t, "testdata", "conformance"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"jsonat":   jsonAt,
			"jsonkeys": jsonKeys,
			"cutoff":   cutOff,
			"bytes":    writeBytes,
			"deb":      deb,
			"tarxz":    tarXZ,
			"sametree": sameTree,
			"intact":   intact,
		},
		RequireExplicitExec: true,
	})
}

// exits CODE PROGRAM ARG...: the program ends with that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	code := 0
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		code = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// valueAt is what is at a dotted path in a JSON file.
func valueAt(ts *testscript.TestScript, file, path string) any {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &v))
	for step := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			if _, ok := at[step]; !ok {
				ts.Fatalf("%s has no %s: %s is missing", file, path, step)
			}
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(at) {
				ts.Fatalf("%s has no %s: %s of %d elements", file, path, step, len(at))
			}
			v = at[i]
		default:
			ts.Fatalf("%s has no %s: nothing below %v", file, path, at)
		}
	}
	return v
}

// jsonat FILE PATH VALUE: a JSON file has the value at the dotted path, len(n)
// standing for a list of n elements.
func jsonAt(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: [!] jsonat FILE PATH VALUE")
	}
	v := valueAt(ts, args[0], args[1])
	got := fmt.Sprint(v)
	if list, ok := v.([]any); ok {
		got = fmt.Sprintf("len(%d)", len(list))
	}
	if (got == args[2]) == neg {
		ts.Fatalf("%s: %s is %s", args[0], args[1], got)
	}
}

// jsonkeys FILE PATH KEY...: the object at the dotted path has these keys and
// no others. The path of the document is "".
func jsonKeys(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: jsonkeys FILE PATH KEY...")
	}
	var v any
	if args[1] == "" {
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	} else {
		v = valueAt(ts, args[0], args[1])
	}
	object, ok := v.(map[string]any)
	if !ok {
		ts.Fatalf("%s: %s is no object but %v", args[0], args[1], v)
	}
	got, want := slices.Sorted(maps.Keys(object)), slices.Sorted(slices.Values(args[2:]))
	if !slices.Equal(got, want) {
		ts.Fatalf("%s: %s has the keys %v, want %v", args[0], args[1], got, want)
	}
}

// cutoff FILE N: keeps the first N bytes of a file.
func cutOff(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cutoff FILE N")
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if info.Size() <= n {
		ts.Fatalf("%s has %d bytes only", args[0], info.Size())
	}
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

// bytes FILE HEX: writes a file.
func writeBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bytes FILE HEX")
	}
	content, err := hex.DecodeString(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), content, 0o666))
}

// tarxz FILE ARCHIVE: packs a file into a .tar.xz of its own.
func tarXZ(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tarxz FILE ARCHIVE")
	}
	content := ts.ReadFile(args[0])
	var packed bytes.Buffer
	x, err := xz.NewWriter(&packed)
	ts.Check(err)
	w := tar.NewWriter(x)
	ts.Check(w.WriteHeader(&tar.Header{Name: filepath.Base(args[0]), Mode: 0o644, Size: int64(len(content))}))
	_, err = io.WriteString(w, content)
	ts.Check(err)
	ts.Check(w.Close())
	ts.Check(x.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), packed.Bytes(), 0o666))
}

// contents is what is below a folder: files by content, links by target.
func contents(dir string) (map[string]string, error) {
	found := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			found[name] = "link to " + target
			return err
		}
		content, err := os.ReadFile(path)
		found[name] = string(content)
		return err
	})
	return found, err
}

// sametree A B: two folders hold the same, links being links to the same, and
// are not empty.
func sameTree(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] sametree A B")
	}
	a, err := contents(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := contents(ts.MkAbs(args[1]))
	ts.Check(err)
	if len(a) == 0 {
		ts.Fatalf("%s is empty", args[0])
	}
	if maps.Equal(a, b) == neg {
		ts.Fatalf("%v and %v", slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)))
	}
}

// intact DIR N: a folder holds N files and links, each with whole BTF in it:
// nothing half written, nothing temporary.
func intact(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: intact DIR N")
	}
	n, err := wholeFiles(ts.MkAbs(args[0]))
	ts.Check(err)
	if strconv.Itoa(n) != args[1] {
		ts.Fatalf("%s holds %d files, want %s", args[0], n, args[1])
	}
}
