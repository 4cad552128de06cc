package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/btfgen/btfgen/internal/measure"
)

// side is one side of a comparison.
type side struct {
	hub  string
	jobs int    // 0: as many as btfgen likes
	out  string // of the last run
	// Of all runs, in MB, if memory is asked for; that is of another program beside it,
	// which costs a little.
	memory bool
	peak   float64
}

// generate runs the command into a fresh folder. The one before it is removed, if that
// is in memory: on ext4 the next run would pay for it, since for some seconds it goes
// out of its way not to use a deleted file's inode again.
func (b *bench) generate(s *side, objects []string) (seconds float64, _ error) {
	if s.out != "" && b.memory {
		if err := os.RemoveAll(s.out); err != nil {
			return 0, err
		}
	}
	b.runs++
	s.out = filepath.Join(b.scratch, "out", strconv.Itoa(b.runs))
	args := []string{"generate", "--quiet", "--out", s.out, "--hub", s.hub}
	if s.jobs > 0 {
		args = append(args, "--jobs", strconv.Itoa(s.jobs))
	}
	args = append(args, objects...)
	if !s.memory {
		return measure.CPU(b.btfgen, args...)
	}
	seconds, mb, err := measure.Peak(b.time, filepath.Join(b.scratch, "figures"), b.btfgen, args...)
	s.peak = max(s.peak, mb)
	return seconds, err
}

// beside measures both sides, and compares what they wrote after every round. part: the
// peer has only some of our kernels.
func (b *bench) beside(us, peer *side, objects []string, part bool) (measure.Pair, error) {
	return measure.Pairs(b.rounds,
		func() (float64, int64, error) {
			seconds, err := b.generate(us, objects)
			return seconds, 0, err
		},
		func() (float64, int64, error) {
			seconds, err := b.generate(peer, objects)
			if err == nil {
				err = sameFiles(us.out, peer.out, part)
			}
			return seconds, 0, err
		})
}

// sameFiles says what differs between two trees of minimal BTF, whose links are taken
// for what they lead to. part: us may have files that the peer does not have.
func sameFiles(us, peer string, part bool) error {
	n := 0
	err := eachFile(peer, func(name string) error {
		want, err := os.ReadFile(filepath.Join(peer, name))
		if err != nil {
			return err
		}
		got, err := os.ReadFile(filepath.Join(us, name))
		if err != nil {
			return fmt.Errorf("the store gives no result where raw files do: %w", err)
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%s: the results from the store and from raw files differ", name)
		}
		n++
		return nil
	})
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("%s: no results to compare with", peer)
	}
	if part {
		return nil
	}
	return eachFile(us, func(name string) error {
		_, err := os.Stat(filepath.Join(peer, name))
		if err != nil {
			err = fmt.Errorf("raw files give no result where the store does: %w", err)
		}
		return err
	})
}

// eachFile calls f with the names of all files and links below a folder.
func eachFile(dir string, f func(name string) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return f(name)
	})
}
