package ctest

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/bundle"
	"github.com/btfgen/btfgen/internal/bundlesample"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/kernel"
	"os/exec"
	"regexp"
	"strconv"
)

// thousands writes a bundle of 5,000 kernels to a file and returns it with the path of a kernel late in the map.
func thousands(t testing.TB) (file, path string) {
	t.Helper()
	series, err := bundlesample.Series(5000, 1)
	if err != nil {
		t.Fatal(err)
	}
	kernels := map[string][]byte{}
	for _, k := range series {
		kernels[k.Path] = k.BTF
		path = max(path, k.Path)
	}
	raw, _ := pack(t, kernels)
	return save(t, raw), path
}

var heapLine = regexp.MustCompile(`total heap usage: [0-9,]+ allocs, [0-9,]+ frees, ([0-9,]+) bytes allocated`)

// heapUsage is what a program allocates in all, by valgrind.
func heapUsage(t *testing.T, valgrind, program string, args []string) int64 {
	t.Helper()
	out, err := exec.Command(valgrind, append([]string{program}, args...)...).CombinedOutput()
	found := heapLine.FindSubmatch(out)
	if found == nil {
		t.Fatalf("valgrind %s %q: %v: no heap usage in %s", program, args, err, out)
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(string(found[1]), ",", ""), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// rootWith makes a folder with an os-release in it.
func rootWith(t *testing.T, file, text string) string {
	t.Helper()
	root := t.TempDir()
	path := filepath.Join(root, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return root
}

// expectHost compares what C reads of the host below root with what Go makes of the text.
func expectHost(t *testing.T, r reader, name, root, text string) {
	t.Helper()
	this, err := kernel.ThisHost()
	if err != nil {
		t.Fatal(err)
	}
	// The fields are printed one a line, the last ends with one too.
	lines := strings.Split(string(r.mustRun(t, "host", root)), "\n")
	want := kernel.ParseOSRelease([]byte(text))
	if len(lines) != 7 || lines[0] != this.Release || lines[1] != this.Machine || lines[2] != want.ID || lines[3] != want.VersionID ||
		lines[4] != want.Codename || strings.Join(strings.Fields(lines[5]), " ") != strings.Join(want.Like, " ") {
		t.Errorf("%s: C reads %q, Go %+v", name, lines, want)
	}
}

func TestHost(t *testing.T) {
	asked(t)
	dir := need.Repository(t, "kernel", "testdata", "os-release")
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files of os-release: %v", len(files), err)
	}
	texts := map[string]string{
		"none": "", "no last newline": "ID=a", "two": "ID=a\nID=b\n", "space": "  ID = a \t", "mark": "\ufeffID=a\n", "returns": "ID=a\r\nVERSION_ID=1\rID_LIKE=b\r",
		"comment": "# ID=b\n #ID=c\nID=a # c\nVERSION_ID=\"8\" # c\nVERSION_CODENAME=# c\n", "bare": "ID=a b  \nVERSION_ID=V10 (Tercel)\n",
		"escapes": `ID="a\"b\$c\\d\x"` + "\n" + `VERSION_ID='a\"b'` + "\nVERSION_CODENAME=a\\ b\\\"\\", "open": "ID=\"a\nVERSION_ID='b", "parts": `ID=""a'b'"c"` + "\n" + `VERSION_ID=" a " `,
		"empty quotes": `ID="" a`, "no name": "=a\nID\n==\nexport ID=b\n", "bytes": "\x00=\x00\nID=\xff\x01\n",
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		texts[f.Name()] = string(text)
	}
	for _, b := range builds {
		t.Run(b.name, func(t *testing.T) {
			r := b.reader(t)
			for name, text := range texts {
				if b.valgrind && strings.HasSuffix(name, ".txt") && name != "rhel-8.1.txt" {
					continue // the others go the same way
				}
				expectHost(t, r, name, rootWith(t, "etc/os-release", text), text)
			}
		})
	}
}

// Where os-release is looked for, and what links below a mounted root mean.
func TestHostBelowRoot(t *testing.T) {
	asked(t)
	r := builds[2].reader(t)
	old := builds[4].reader(t) // valgrind knows no openat2(2), as kernels before 5.6
	expectHost(t, r, "only in /usr/lib", rootWith(t, "usr/lib/os-release", "ID=here\n"), "ID=here\n")
	expectHost(t, r, "no os-release", t.TempDir(), "")
	for name, links := range map[string]map[string]string{
		"relative link": {"etc/os-release": "../usr/lib/os-release"},
		"absolute link": {"etc/os-release": "/static/os-release", "static/os-release": "/nowhere/../usr/lib/os-release"},
		"folder's link": {"etc/os-release": "/etc/static/os-release", "etc/static": "/store", "store/os-release": "/usr/lib/os-release"},
		"outside":       {"etc/os-release": "../../../../../../../../usr/lib/os-release"},
	} {
		root := rootWith(t, "usr/lib/os-release", "ID=here\n")
		if err := os.MkdirAll(filepath.Join(root, "nowhere"), 0o777); err != nil {
			t.Fatal(err)
		}
		for link, target := range links {
			path := filepath.Join(root, link)
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
		}
		expectHost(t, r, name, root, "ID=here\n")
		if name == "relative link" || name == "absolute link" {
			expectHost(t, old, name, root, "ID=here\n")
		}
	}
	if _, message, code := r.run(t, nil, "host", filepath.Join(t.TempDir(), "none")); code != exitNotFound {
		t.Errorf("a root that is not there: exit code %d, %q", code, message)
	}
	long := strings.Repeat("x", 200_000)
	if lines := strings.Split(string(r.mustRun(t, "host", rootWith(t, "etc/os-release", "ID=a\nVERSION_ID="+long))), "\n"); lines[2] != "a" || lines[3] != "" {
		t.Errorf("a version of 200 KB: %q", lines)
	}
}

// The choice at start-up. The kernel's own BTF is passed over by a flag, since this host may have it.
func TestChoose(t *testing.T) {
	asked(t)
	this, err := kernel.ThisHost()
	if err != nil {
		t.Fatal(err)
	}
	btf := sample(t, binary.LittleEndian, "", true)
	path := "some/1/" + this.Machine + "/" + this.Release
	raw, _ := pack(t, map[string][]byte{path: btf})
	other, _ := pack(t, map[string][]byte{"some/1/" + this.Machine + "/1.2.3-other": btf})
	file := save(t, btf)
	damaged := bytes.Clone(raw)
	damaged[len(damaged)-1] ^= 1
	// The words are those of the Go reader.
	words := func(file string) string {
		t.Helper()
		b, err := bundle.Open(raw)
		if err != nil {
			t.Fatal(err)
		}
		choice, err := bundle.Choose(b, bundle.Options{File: file, KernelBTF: "-"})
		if err != nil {
			t.Fatal(err)
		}
		return choice.String()
	}
	eachReader(t, func(t *testing.T, r reader) {
		for name, c := range map[string]struct {
			bundle, file string
			want         string // of the output, or
			code         int
			message      string
		}{
			"from the bundle":          {save(t, raw), "-", "source 3\nwhy " + words("") + "\nkernel " + path + "\n", 0, ""},
			"the user's file wins":     {save(t, raw), file, "source 1\nwhy " + words(file) + "\nkernel \n", 0, ""},
			"a file without a bundle":  {"-", file, "source 1\nwhy " + words(file) + "\nkernel \n", 0, ""},
			"a file that is not there": {save(t, raw), file + ".none", "", exitNotFound, "No such file"},
			"nothing":                  {"-", "-", "", exitNotFound, "no BTF found for kernel version " + this.Release},
			"another kernel's":         {save(t, other), "-", "", exitNotFound, "no BTF found for kernel version " + this.Release},
			"a damaged bundle":         {save(t, damaged), "-", "", exitInvalid, "checksum"},
		} {
			out, message, code := r.run(t, nil, "choose", c.bundle, c.file)
			if code != c.code || !strings.Contains(message, c.message) {
				t.Errorf("%s: exit code %d, %q, expected %d and %q", name, code, message, c.code, c.message)
			}
			if c.want != "" {
				want := c.want + "size " + strconv.Itoa(len(btf)) + "\n" + string(btf)
				if string(out) != want {
					t.Errorf("%s: %.300q, expected %.300q", name, out, want)
				}
			}
		}
	})
}
