package difftest

import (
	"archive/tar"
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/bundle"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/internal/packaged"
)

// What is promised of the sizes of bundles, in bytes.
const (
	maxSamples    = 5000     // 341 minimal BTFs of another project
	maxAllKernels = 8 * 1024 // all kernels of the large set, all programs of libbpf-tools
)

// A bundle of all kernels for all programs of libbpf-tools is smaller than the same files as tar | xz -9e.
func TestBundleIsSmallerThanXZ(t *testing.T) {
	need.Asked(t, "BTFGEN_DIFF", "diff")
	xz := need.Tool(t, "xz")
	source, err := hub.Open(need.Hub(t))
	if err != nil {
		t.Fatal(err)
	}
	gen, err := btfgen.New(packaged.Objects(t, "libbpf-tools")...)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tree, err := btfgen.NewTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	b := bundle.NewBuilder()
	summary, err := gen.Generate(context.Background(), source, btfgen.Options{}, func(r *btfgen.Result) error {
		if err := tree.Add(r); err != nil {
			return err
		}
		return b.Add(r.Kernel, r.BTF)
	})
	if err != nil || len(summary.Failures) > 0 {
		t.Fatal(err, summary.Failures)
	}
	_, stats, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	// The smallest that tar gives: names in order, links as links, no times and owners.
	archive := exec.Command(xz, "-9e", "-c")
	archive.Stdin = tarOf(t, dir)
	peer, err := archive.Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v; tar | xz -9e: %d bytes", stats, len(peer))
	if stats.Kernels < 20 {
		t.Errorf("%d kernels, expected the large set", stats.Kernels)
	}
	if stats.Bytes > maxAllKernels || stats.Bytes >= len(peer) {
		t.Errorf("%d bytes; the limits are %d, and the %d of tar | xz -9e", stats.Bytes, maxAllKernels, len(peer))
	}
}

func tarOf(t *testing.T, dir string) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
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
			if err != nil {
				return err
			}
			return w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777})
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644}); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &out
}

// Minimal BTFs that another tool made for another program, names and all. They are beside the large set of kernels.
func TestBundleOfSamples(t *testing.T) {
	need.Asked(t, "BTFGEN_DIFF", "diff")
	files, err := filepath.Glob(filepath.Join(filepath.Dir(need.Hub(t)), "samples", "*.tar.xz"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		need.Missing(t, "the samples of minimal BTFs, expected as samples/*.tar.xz beside the folder %s names", need.HubVar)
	}
	source, err := hub.OpenArchive(files[0])
	if err != nil {
		t.Fatal(err)
	}
	kernels, problems, err := source.Kernels()
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	b := bundle.NewBuilder()
	reader := hub.NewReader()
	want := map[string][]byte{}
	for _, k := range kernels {
		types, err := k.Load(reader)
		if err != nil {
			t.Fatal(err)
		}
		want[k.Name] = slices.Clone(types.Vmlinux)
		if err := b.Add(k.Name, types.Vmlinux); err != nil {
			t.Fatal(err)
		}
	}
	raw, stats, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", stats)
	if stats.Kernels != 341 || stats.Bytes > maxSamples {
		t.Errorf("%d kernels in %d bytes, expected 341 in at most %d", stats.Kernels, stats.Bytes, maxSamples)
	}
	packed, err := bundle.Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	for path := range want {
		if got, err := packed.BTF(path); err != nil || !bytes.Equal(got, want[path]) {
			t.Errorf("%s differs: %v", path, err)
		}
	}
}
