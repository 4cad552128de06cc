package difftest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// step is one relocation in bpftool's log (bpftool -d gen min_core_btf), which
// is libbpf's own.
//
// What by nature differs between a kernel's BTF and a minimal one is normalised
// away, and nothing else:
//   - Target type ids, [N], are renumbered. Local ones stay.
//   - In a target's path, (0:2:1 @ offset 24), the indices count members, of
//     which a minimal BTF has fewer; names and offset stay.
//   - Candidates are numbered, "candidate #N", and there are fewer: those that
//     do not match may be missing, and of definitions with the same needed content
//     one is left. So "matching candidate" lines of one relocation are compared as
//     a set of texts, "non-matching candidate" lines not at all.
//   - "found target candidate" lines, likewise: what a minimal BTF has must be
//     among what the kernel has, not the other way round.
type step struct {
	local    string   // the line that opens it, without change
	matching []string // sorted, each once
	other    []string // conclusions and errors, in order
}

// resolution is a whole log.
type resolution struct {
	steps      []step
	candidates map[string]bool // texts of "found target candidate" lines
	size       int64           // of the output, bytes; -1: bpftool made none
}

var (
	opensStep   = regexp.MustCompile(`^libbpf: prog '.*': relo #\d+: <\w+> \[\d+\] `)
	ofStep      = regexp.MustCompile(`^libbpf: prog '.*': relo #\d+: `)
	matchingOf  = regexp.MustCompile(`: matching candidate #\d+ (.*)$`)
	passedOver  = regexp.MustCompile(`: non-matching candidate #\d+ `)
	foundTarget = regexp.MustCompile(`^(libbpf: CO-RE relocating \[\d+\] .*: found target candidate )\[\d+\] (.*)$`)
	anyID       = regexp.MustCompile(`\[\d+\] `)
	indices     = regexp.MustCompile(`\(\d+(:\d+)*( @ offset [\d.]+)?\)$`)
)

// bpftoolLog runs bpftool over objects with a BTF file as the kernel's. That it
// refuses to is part of the log.
func (s *set) bpftoolLog(btfFile string, objects ...string) (*resolution, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out := strings.TrimSuffix(btfFile, ".btf") + ".of-bpftool"
	defer os.Remove(out)
	cmd := exec.CommandContext(ctx, s.bpftool, append([]string{"-d", "gen", "min_core_btf", btfFile, out}, objects...)...)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() < 0) {
		return nil, fmt.Errorf("bpftool on %s: %w", filepath.Base(btfFile), err)
	}
	r := parseResolution(text.String())
	r.size = -1
	if err == nil {
		info, err := os.Stat(out)
		if err != nil {
			return nil, err
		}
		r.size = info.Size()
	}
	return r, nil
}

func parseResolution(text string) *resolution {
	r := &resolution{candidates: map[string]bool{}}
	// What stands in front of the first relocation.
	r.steps = append(r.steps, step{})
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		last := &r.steps[len(r.steps)-1]
		if m := foundTarget.FindStringSubmatch(line); m != nil {
			r.candidates[m[1]+m[2]] = true
		} else if opensStep.MatchString(line) {
			r.steps = append(r.steps, step{local: line})
		} else if m := matchingOf.FindStringSubmatch(line); m != nil {
			last.matching = append(last.matching, indices.ReplaceAllString(anyID.ReplaceAllString(m[1], "[] "), "($2)"))
		} else if !passedOver.MatchString(line) {
			// Its number within the section is in local.
			line = ofStep.ReplaceAllString(line, "")
			last.other = append(last.other, anyID.ReplaceAllString(line, "[] "))
		}
	}
	for i := range r.steps {
		slices.Sort(r.steps[i].matching)
		r.steps[i].matching = slices.Compact(r.steps[i].matching)
	}
	return r
}

// resolved is how many relocations have a matching candidate.
func (r *resolution) resolved() (n int) {
	for _, s := range r.steps {
		if len(s.matching) > 0 {
			n++
		}
	}
	return n
}

// compare lists where two logs differ.
func (r *resolution) compare(min *resolution) (differences []string) {
	if len(r.steps) != len(min.steps) {
		return []string{fmt.Sprintf("bpftool comes to %d relocations on the full BTF, to %d on the minimal one", len(r.steps)-1, len(min.steps)-1)}
	}
	for i, full := range r.steps {
		if m := min.steps[i]; full.local != m.local || !slices.Equal(full.matching, m.matching) || !slices.Equal(full.other, m.other) {
			differences = append(differences, fmt.Sprintf("%s\n  full:    %s\n  minimal: %s", full.local,
				strings.Join(append(full.matching, full.other...), "; "), strings.Join(append(m.matching, m.other...), "; ")))
		}
	}
	for c := range min.candidates {
		if !r.candidates[c] {
			differences = append(differences, "only on the minimal BTF: "+c)
		}
	}
	return differences
}

// checkBpftool compares bpftool's logs for all objects. Where bpftool gives up,
// which it does at the first ambiguous relocation, each object is run by itself.
// It returns the log on the full BTF, nil if there is none of all objects.
func (s *set) checkBpftool(full, min string) (log *resolution, relocations int, differences []string, _ error) {
	log, err := s.bpftoolLog(full, s.files...)
	if err != nil {
		return nil, 0, nil, err
	}
	if log.size >= 0 {
		small, err := s.bpftoolLog(min, s.files...)
		if err != nil {
			return nil, 0, nil, err
		}
		return log, len(log.steps) - 1, log.compare(small), nil
	}
	for _, object := range s.files {
		one, err := s.bpftoolLog(full, object)
		if err != nil {
			return nil, 0, nil, err
		}
		small, err := s.bpftoolLog(min, object)
		if err != nil {
			return nil, 0, nil, err
		}
		relocations += len(one.steps) - 1
		for _, d := range one.compare(small) {
			differences = append(differences, filepath.Base(object)+": "+d)
		}
	}
	return nil, relocations, differences, nil
}
