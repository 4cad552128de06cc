package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/internal/measure"
)

// fresh is a folder for one run's output. It stays to the end: for some seconds
// ext4 goes out of its way not to use a deleted file's inode again, and the next
// run would pay for that.
func (b *bench) fresh() string {
	b.runs++
	return filepath.Join(b.scratch, "ours", strconv.Itoa(b.runs))
}

// ours runs generate over the raw kernels, with so many workers, into a fresh
// folder.
func (b *bench) ours(jobs int, objects ...string) (seconds float64, bytes int64, _ error) {
	out := b.fresh()
	seconds, err := measure.CPU(b.btfgen, append([]string{"generate", "--jobs", strconv.Itoa(jobs), "--quiet", "--out", out, "--hub", b.rawRoot}, objects...)...)
	if err != nil {
		return 0, 0, err
	}
	// What bpftool would write too: a file for each kernel, equal ones as well.
	err = filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return seconds, bytes, err
}

// bpftools runs bpftool once for each kernel.
func (b *bench) bpftools(objects ...string) (seconds float64, bytes int64, _ error) {
	out := filepath.Join(b.scratch, "theirs.btf")
	defer os.Remove(out)
	for _, kernel := range b.raw {
		s, err := measure.CPU(b.bpftool, append([]string{"gen", "min_core_btf", kernel, out}, objects...)...)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", kernel, err)
		}
		info, err := os.Stat(out)
		if err != nil {
			return 0, 0, err
		}
		seconds, bytes = seconds+s, bytes+info.Size()
	}
	return seconds, bytes, nil
}

func (b *bench) measureAll() ([]measure.Result, error) {
	var results []measure.Result
	// bpftool has one worker, so bars are for one; a second costs some for being
	// woken, which a small object shows.
	withJobs := func(what string, bar float64, jobs int, objects ...string) (measure.Pair, error) {
		measure.Progress(what)
		p, err := measure.Pairs(b.rounds,
			func() (float64, int64, error) { return b.ours(jobs, objects...) },
			func() (float64, int64, error) { return b.bpftools(objects...) })
		if err == nil {
			results = append(results, measure.AtLeast(what, p, bar))
		}
		return p, err
	}
	beside := func(what string, bar float64, objects ...string) (measure.Pair, error) {
		return withJobs(what, bar, 1, objects...)
	}
	kernels := len(b.raw)
	all, err := beside(fmt.Sprintf("CPU, %d kernels, all %d objects; bpftool", kernels, len(b.objects)), 20, b.objects...)
	if err != nil {
		return nil, err
	}
	if _, err := beside(fmt.Sprintf("CPU, %d kernels, one small object; bpftool", kernels), 8, b.small); err != nil {
		return nil, err
	}
	if _, err := withJobs(fmt.Sprintf("CPU, %d kernels, one small object, --jobs 2; bpftool", kernels), 0, 2, b.small); err != nil {
		return nil, err
	}
	if err := b.measureAgents(beside, &results); err != nil {
		return nil, err
	}

	packed, err := b.measurePacked()
	if err != nil {
		return nil, err
	}
	results = append(results, packed...)
	ratio := float64(all.UsBytes) / float64(all.PeerBytes)
	return append(results, measure.Result{
		What: fmt.Sprintf("output, %d kernels, all objects; bpftool", kernels),
		Us:   float64(all.UsBytes), Peer: float64(all.PeerBytes), Unit: "bytes",
		Measure: "btfgen/peer", Ratio: ratio, Bar: "< 1", Met: ratio < 1,
	}), nil
}

// measureAgents shows that cost follows the distinct relocations: the first object
// beside bpftool, then ones like it but for one number.
func (b *bench) measureAgents(beside func(string, float64, ...string) (measure.Pair, error), results *[]measure.Result) error {
	what := func(a agent) string {
		return fmt.Sprintf("CPU, %d kernels, %d relocations, %d distinct", len(b.raw), a.records, a.distinct)
	}
	first, err := beside(what(b.large[0])+"; bpftool", 20, b.large[0].file)
	if err != nil {
		return err
	}
	for _, a := range b.large[1:] {
		measure.Progress(what(a))
		p, err := measure.Pairs(b.rounds, func() (float64, int64, error) { return b.ours(1, a.file) }, nil)
		if err != nil {
			return err
		}
		*results = append(*results, measure.Result{
			What: what(a) + "; btfgen on the object above", Us: p.Us, Peer: first.Us, Unit: "s",
			Measure: "peer/btfgen", Ratio: first.Us / p.Us, Met: true,
		})
	}
	return nil
}

// measurePacked goes through the archives themselves, the big-endian ones too:
// with the objects is one that is for them.
func (b *bench) measurePacked() ([]measure.Result, error) {
	for _, file := range b.packed {
		if !strings.HasSuffix(file, ".xz") {
			b.note("not measured beside xz: %s is no .xz file", file)
			return nil, nil
		}
	}
	objects := append(slices.Clone(b.objects), b.example)
	what := fmt.Sprintf("CPU, %d kernels as .btf.tar.xz, all objects; xz -dc of them", len(b.packed))
	measure.Progress(what)
	var peak float64
	p, err := measure.Pairs(b.rounds,
		func() (float64, int64, error) {
			seconds, mb, err := b.peak(objects)
			peak = max(peak, mb)
			return seconds, 0, err
		},
		func() (float64, int64, error) {
			seconds, err := measure.CPU(b.xz, append([]string{"-dc", "-T1", "--"}, b.packed...)...)
			return seconds, 0, err
		})
	if err != nil {
		return nil, err
	}
	ratio := p.Us / p.Peer
	return []measure.Result{
		{What: what, Us: p.Us, Peer: p.Peer, Unit: "s", Measure: "btfgen/peer", Ratio: ratio, Best: 1 / p.Best, Bar: "<= 1.6", Met: ratio <= 1.6},
		{What: "peak memory of that, --jobs 2, the most of all rounds", Us: peak, Unit: "MB", Measure: "MB", Ratio: peak, Bar: "< 200", Met: peak < 200},
	}, nil
}

// peak runs generate over the archives, and takes its memory too.
func (b *bench) peak(objects []string) (seconds, mb float64, _ error) {
	args := []string{"generate", "--jobs", "2", "--quiet", "--out", b.fresh(), "--hub", b.hub}
	return measure.Peak(b.time, filepath.Join(b.scratch, "figures"), b.btfgen, append(args, objects...)...)
}
