package measure

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CPU runs a program to its end and returns its user and system time in seconds.
func CPU(program string, args ...string) (float64, error) {
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

// Peak is CPU with the most resident memory that the program had, in MB. It runs it
// under time(1), which is small: a child's peak begins with what its parent held when
// it was made. figures is a file to write over.
func Peak(time, figures, program string, args ...string) (seconds, mb float64, _ error) {
	seconds, err := CPU(time, append([]string{"-f", "%M", "-o", figures, program}, args...)...)
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

// Run is something to measure: its CPU time, and how much it wrote if that is of interest.
type Run func() (seconds float64, bytes int64, _ error)

// Pair is what one measurement gives.
type Pair struct {
	Us, Peer           float64 // seconds, medians
	Best               float64 // peer by us of the quickest rounds
	UsBytes, PeerBytes int64
}

// Pairs measures us and the peer, if there is one, by turns; times are the
// medians. What is over in a moment is measured more often.
func Pairs(rounds int, us, peer Run) (p Pair, err error) {
	const moment, often = 1.0, 3 // seconds, times
	var a, c []float64
	for round := 0; round < rounds || len(a) < rounds*often && Median(c) < moment && Median(a) < moment; round++ {
		var s float64
		if s, p.UsBytes, err = us(); err != nil {
			return p, err
		}
		a = append(a, s)
		if peer == nil {
			continue
		}
		if s, p.PeerBytes, err = peer(); err != nil {
			return p, err
		}
		c = append(c, s)
	}
	p.Us = Median(a)
	if p.Peer = Median(c); peer != nil {
		p.Best = slices.Min(c) / slices.Min(a)
	}
	return p, nil
}

// Median is 0 of nothing.
func Median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}
