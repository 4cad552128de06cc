package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
	"github.com/btfgen/btfgen/internal/kernelseries/seriesstore"
	"github.com/btfgen/btfgen/internal/measure"
)

// The bars are for so many made kernels.
const (
	barKernels     = 5000
	barSeconds     = 3
	barMB          = 500
	barTimesLess   = 50 // per kernel
	seriesSeed     = 1
	sampleEvery    = 100
	leastSample    = 10 // kernels
	archivedSample = 10 // xz takes long to pack
)

// made is the store of made kernels, and what is measured beside it.
type made struct {
	file   string
	store  *store.Store
	n      int      // kernels
	sample []string // names of some of them
	raw    string   // archive tree of these
	one    string   // the first of them that is little-endian, as the objects are
}

// madeSeries measures many kernels that have much in common.
func (b *bench) madeSeries() error {
	m, err := b.openSeries()
	if err != nil {
		return err
	}
	defer m.store.Close()
	stats := m.store.Stats()
	b.report.Made = m.n
	b.note("made kernels: %d, %d distinct definitions, a store of %.1f MB; raw files beside them: %d of them, every %dth",
		m.n, stats.Definitions, float64(stats.Bytes)/1e6, len(m.sample), every(m.n))
	if m.n != barKernels {
		b.note("bars of made kernels are for %d: NOT JUDGED", barKernels)
	}
	perStored, raw, err := b.besideRaw(m, fmt.Sprintf("all %d objects of libbpf-tools", len(b.objects)), b.objects)
	if err != nil {
		return err
	}
	if _, _, err := b.besideRaw(m, "opensnoop", []string{b.small}); err != nil {
		return err
	}
	if err := b.besideArchive(m, perStored, raw); err != nil {
		return err
	}
	b.report.Curve, err = b.curve(m, raw.each)
	return err
}

// judged adds a result, without its bar where that is for another number of kernels.
func (b *bench) judged(m *made, r measure.Result) {
	if m.n != barKernels {
		r = r.Unjudged()
	}
	b.add(r)
}

// besideRaw measures some objects. It gives the seconds per kernel of the store, and what
// raw files cost.
func (b *bench) besideRaw(m *made, which string, objects []string) (perStored float64, _ cost, _ error) {
	what := fmt.Sprintf("%d made kernels, %s", m.n, which)
	measure.Progress("CPU, " + what)
	us := &side{hub: m.file, memory: true}
	p, err := b.beside(us, &side{hub: m.raw, memory: true}, objects, true)
	if err != nil {
		return 0, cost{}, err
	}
	b.judged(m, measure.Under("CPU, "+what, p.Us, "s", barSeconds))
	b.judged(m, measure.Under("peak memory of that, the most of all rounds", us.peak, "MB", barMB))
	raw, err := b.rawCost(m, p.Peer, objects)
	if err != nil {
		return 0, raw, err
	}
	p = measure.Pair{Us: p.Us / float64(m.n), Peer: raw.perKernel(m.n)}
	r := measure.AtLeast(fmt.Sprintf("CPU per kernel of that; raw files, by %d of them", len(m.sample)), p, barTimesLess)
	b.judged(m, inMilliseconds(r))
	return p.Us, raw, nil
}

// cost is what raw files cost, in seconds: once, and for each kernel. Without what is
// once, the few kernels that are measured as raw files would seem to cost more each.
type cost struct{ once, each float64 }

// costOf takes it from what one kernel costs, and what n do.
func costOf(one, all float64, n int) cost {
	if n < 2 {
		return cost{0, all}
	}
	each := (all - one) / float64(n-1)
	return cost{max(0, one-each), each}
}

func (c cost) perKernel(n int) float64 { return c.once/float64(n) + c.each }

func (b *bench) rawCost(m *made, all float64, objects []string) (cost, error) {
	s := &side{hub: treeFile(m.raw, m.one), memory: true}
	one, err := measure.Pairs(b.rounds, func() (float64, int64, error) {
		seconds, err := b.generate(s, objects)
		return seconds, 0, err
	}, nil)
	return costOf(one.Us, all, len(m.sample)), err
}

func inMilliseconds(r measure.Result) measure.Result {
	r.Us, r.Peer, r.Unit = 1000*r.Us, 1000*r.Peer, "ms"
	return r
}

// besideArchive measures kernels in the form that archives have. There is no bar.
func (b *bench) besideArchive(m *made, perStored float64, raw cost) error {
	xz, err := measure.Program("xz")
	if err != nil {
		b.note("not measured beside .btf.tar.xz: %v", err)
		return nil
	}
	names := m.sample[:min(archivedSample, len(m.sample))]
	tree := filepath.Join(b.scratch, "archive")
	measure.Progress(fmt.Sprintf("nothing yet: packing %d made kernels with xz", len(names)))
	for _, name := range names {
		if err := archive(xz, treeFile(m.raw, name), treeFile(tree, name)+".tar.xz"); err != nil {
			return err
		}
	}
	what := fmt.Sprintf("CPU per kernel, all objects of libbpf-tools; .btf.tar.xz, by %d of them", len(names))
	measure.Progress(what)
	s := &side{hub: tree}
	p, err := measure.Pairs(b.rounds, func() (float64, int64, error) {
		seconds, err := b.generate(s, b.objects)
		return seconds, 0, err
	}, nil)
	if err != nil {
		return err
	}
	packed := cost{raw.once, (p.Us - raw.once) / float64(len(names))}
	b.add(inMilliseconds(measure.AtLeast(what, measure.Pair{Us: perStored, Peer: packed.perKernel(m.n)}, 0)))
	return nil
}

// archive packs a file as archives of kernel BTF do.
func archive(xz, from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	if err := w.WriteHeader(&tar.Header{Name: filepath.Base(from), Mode: 0o644, Size: int64(len(raw))}); err != nil {
		return err
	}
	if _, err := w.Write(raw); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	cmd := exec.Command(xz, "-c", "-T1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &packed, out, os.Stderr
	return errors.Join(cmd.Run(), out.Close())
}

// openSeries opens the store of made kernels, makes it if it is not there yet, and
// writes some of the kernels out of it.
func (b *bench) openSeries() (_ *made, err error) {
	m := &made{file: b.series, raw: filepath.Join(b.scratch, "made")}
	if m.file == "" {
		if m.file, err = b.cachedSeries(); err != nil {
			return nil, err
		}
	}
	if m.store, err = store.Open(m.file); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = m.store.Close() // it was read from only
		}
	}()
	kernels := m.store.Kernels()
	if m.n = len(kernels); b.series == "" && m.n != b.kernels {
		return nil, fmt.Errorf("%s: %d kernels, expected %d; remove it to make it anew", m.file, m.n, b.kernels)
	}
	if m.n == 0 {
		return nil, fmt.Errorf("%s: no kernels", m.file)
	}
	for i := 0; i < m.n; i += every(m.n) {
		name := kernels[i].Path
		raw, err := m.store.Get(name, nil)
		if err != nil {
			return nil, err
		}
		if err := writeKernel(m.raw, name, raw); err != nil {
			return nil, err
		}
		m.sample = append(m.sample, name)
		if m.one == "" && raw[0] == 0x9f {
			m.one = name
		}
	}
	if m.one == "" {
		return nil, fmt.Errorf("%s: expected little-endian kernels, for which the objects are", m.file)
	}
	return m, nil
}

// every is which of n kernels are also measured as raw files: every so many-th.
func every(n int) int { return max(1, min(sampleEvery, n/leastSample)) }

// cachedSeries is the store in the cache folder.
func (b *bench) cachedSeries() (string, error) {
	dir := os.Getenv("BTFGEN_CACHE")
	if dir == "" {
		var err error
		if dir, err = os.UserCacheDir(); err != nil {
			return "", err
		}
		dir = filepath.Join(dir, "btfgen")
	}
	dir, err := filepath.Abs(filepath.Join(dir, "series"))
	if err != nil {
		return "", err
	}
	mark, err := b.seriesMark()
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, fmt.Sprintf("%d-seed%d-%s.store", b.kernels, seriesSeed, mark))
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	source, err := hub.Open(b.raw)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(os.Stderr, "making %d kernels, once: %s\n", b.kernels, file)
	return file, seriesstore.Make(file, source, seriesstore.Options{
		Kernels: b.kernels, Seed: seriesSeed,
		Progress: func(done int) {
			if done%100 == 0 || done == b.kernels {
				fmt.Fprintf(os.Stderr, "made %d of %d kernels\n", done, b.kernels)
			}
		},
	})
}

// seriesMark stands for all that the bytes of the made store depend on: the real kernels
// and the store's format, which the store of these shows, and the source of what makes
// the others.
func (b *bench) seriesMark() (string, error) {
	files, err := filepath.Glob(filepath.Join(b.top, "internal", "kernelseries", "*.go"))
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, file := range append(files, b.store) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n", filepath.Base(file), len(raw))
		sum.Write(raw)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}
