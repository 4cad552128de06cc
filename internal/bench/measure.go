package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cpu runs a program to its end and returns its user and system time in seconds.
func cpu(program string, args ...string) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w: %.500s", filepath.Base(program), err, stderr.String())
	}
	return (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), nil
}

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
	seconds, err := cpu(b.btfgen, append([]string{"generate", "--jobs", strconv.Itoa(jobs), "--quiet", "--out", out, "--hub", b.rawRoot}, objects...)...)
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
		s, err := cpu(b.bpftool, append([]string{"gen", "min_core_btf", kernel, out}, objects...)...)
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

// pair is what one round of a measurement gives.
type pair struct {
	us, peer           float64 // seconds, medians
	best               float64 // peer by us of the quickest rounds
	usBytes, peerBytes int64
}

// pairs measures us and the peer, if there is one, by turns; times are the
// medians. What is over in a moment is measured more often.
func (b *bench) pairs(us, peer func() (float64, int64, error)) (p pair, err error) {
	const moment, often = 1.0, 3 // seconds, times
	var a, c []float64
	for round := 0; round < b.rounds || len(a) < b.rounds*often && median(c) < moment && median(a) < moment; round++ {
		var s float64
		if s, p.usBytes, err = us(); err != nil {
			return p, err
		}
		a = append(a, s)
		if peer == nil {
			continue
		}
		if s, p.peerBytes, err = peer(); err != nil {
			return p, err
		}
		c = append(c, s)
	}
	p.us = median(a)
	if p.peer = median(c); peer != nil {
		p.best = slices.Min(c) / slices.Min(a)
	}
	return p, nil
}

// median is 0 of nothing.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// atLeast is a result whose bar is how many times as much the peer takes.
func atLeast(what string, p pair, bar float64) result {
	r := result{What: what, Us: p.us, Peer: p.peer, Unit: "s", Measure: "peer/btfgen", Ratio: p.peer / p.us, Best: p.best, Met: true}
	if bar > 0 {
		r.Bar, r.Met = fmt.Sprintf(">= %g", bar), r.Ratio >= bar
	}
	return r
}

func (b *bench) measureAll() ([]result, error) {
	var results []result
	// bpftool has one worker, so bars are for one; a second costs some for being
	// woken, which a small object shows.
	measure := func(what string, bar float64, jobs int, objects ...string) (pair, error) {
		progress(what)
		p, err := b.pairs(
			func() (float64, int64, error) { return b.ours(jobs, objects...) },
			func() (float64, int64, error) { return b.bpftools(objects...) })
		if err == nil {
			results = append(results, atLeast(what, p, bar))
		}
		return p, err
	}
	beside := func(what string, bar float64, objects ...string) (pair, error) {
		return measure(what, bar, 1, objects...)
	}
	kernels := len(b.raw)
	all, err := beside(fmt.Sprintf("CPU, %d kernels, all %d objects; bpftool", kernels, len(b.objects)), 20, b.objects...)
	if err != nil {
		return nil, err
	}
	if _, err := beside(fmt.Sprintf("CPU, %d kernels, one small object; bpftool", kernels), 8, b.small); err != nil {
		return nil, err
	}
	if _, err := measure(fmt.Sprintf("CPU, %d kernels, one small object, --jobs 2; bpftool", kernels), 0, 2, b.small); err != nil {
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
	ratio := float64(all.usBytes) / float64(all.peerBytes)
	return append(results, result{
		What: fmt.Sprintf("output, %d kernels, all objects; bpftool", kernels),
		Us:   float64(all.usBytes), Peer: float64(all.peerBytes), Unit: "bytes",
		Measure: "btfgen/peer", Ratio: ratio, Bar: "< 1", Met: ratio < 1,
	}), nil
}

// measureAgents shows that cost follows the distinct relocations: the first object
// beside bpftool, then ones like it but for one number.
func (b *bench) measureAgents(beside func(string, float64, ...string) (pair, error), results *[]result) error {
	what := func(a agent) string {
		return fmt.Sprintf("CPU, %d kernels, %d relocations, %d distinct", len(b.raw), a.records, a.distinct)
	}
	first, err := beside(what(b.large[0])+"; bpftool", 20, b.large[0].file)
	if err != nil {
		return err
	}
	for _, a := range b.large[1:] {
		progress(what(a))
		p, err := b.pairs(func() (float64, int64, error) { return b.ours(1, a.file) }, nil)
		if err != nil {
			return err
		}
		*results = append(*results, result{
			What: what(a) + "; btfgen on the object above", Us: p.us, Peer: first.us, Unit: "s",
			Measure: "peer/btfgen", Ratio: first.us / p.us, Met: true,
		})
	}
	return nil
}

// measurePacked goes through the archives themselves, the big-endian ones too:
// with the objects is one that is for them.
func (b *bench) measurePacked() ([]result, error) {
	for _, file := range b.packed {
		if !strings.HasSuffix(file, ".xz") {
			b.note("not measured beside xz: %s is no .xz file", file)
			return nil, nil
		}
	}
	objects := append(slices.Clone(b.objects), b.example)
	what := fmt.Sprintf("CPU, %d kernels as .btf.tar.xz, all objects; xz -dc of them", len(b.packed))
	progress(what)
	var peak float64
	p, err := b.pairs(
		func() (float64, int64, error) {
			seconds, mb, err := b.peak(objects)
			peak = max(peak, mb)
			return seconds, 0, err
		},
		func() (float64, int64, error) {
			seconds, err := cpu(b.xz, append([]string{"-dc", "-T1", "--"}, b.packed...)...)
			return seconds, 0, err
		})
	if err != nil {
		return nil, err
	}
	ratio := p.us / p.peer
	return []result{
		{What: what, Us: p.us, Peer: p.peer, Unit: "s", Measure: "btfgen/peer", Ratio: ratio, Best: 1 / p.best, Bar: "<= 1.6", Met: ratio <= 1.6},
		{What: "peak memory of that, --jobs 2, the most of all rounds", Us: peak, Unit: "MB", Measure: "MB", Ratio: peak, Bar: "< 200", Met: peak < 200},
	}, nil
}

// peak runs generate over the archives under time(1), which is small: a child's
// peak begins with what its parent held when it was made.
func (b *bench) peak(objects []string) (seconds, mb float64, _ error) {
	out, figures := b.fresh(), filepath.Join(b.scratch, "figures")
	args := []string{"-f", "%M", "-o", figures, b.btfgen, "generate", "--jobs", "2", "--quiet", "--out", out, "--hub", b.hub}
	seconds, err := cpu(b.time, append(args, objects...)...)
	if err != nil {
		return 0, 0, err
	}
	text, err := os.ReadFile(figures)
	if err != nil {
		return 0, 0, err
	}
	kib, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	if err != nil {
		return 0, 0, fmt.Errorf("time: %w", err)
	}
	return seconds, kib * 1024 / 1e6, nil
}

func progress(what string) { fmt.Fprintln(os.Stderr, "measuring:", what) }
