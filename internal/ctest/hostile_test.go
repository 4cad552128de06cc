package ctest

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/bundle"
)

func crc(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

// As in testdata/exercise.h: where asking a bundle everything stops.
const (
	mostContents = 64
	mostPaths    = 20
)

// exerciseGo asks the Go reader what exercise_bundle asks the C reader. The answer is "0 hash", or an error.
func exerciseGo(raw []byte) (string, error) {
	b, err := bundle.Open(raw)
	if err != nil {
		return "", err
	}
	kernels, err := b.Kernels()
	if err != nil {
		return "", err
	}
	hash := fnv.New64a()
	number := func(n int) { hash.Write(binary.LittleEndian.AppendUint32(nil, uint32(n))) }
	for _, k := range kernels {
		hash.Write(append([]byte(k.Path), 0))
		number(k.Content)
	}
	contents, err := b.Contents()
	if err != nil {
		return "", err
	}
	// One by one, contents are taken whatever stands behind them in their group; C looks at all of a group.
	if _, err := b.All(); err != nil {
		return "", err
	}
	for i := range min(contents, mostContents) {
		raw, err := b.Content(i)
		if err != nil {
			return "", err
		}
		number(len(raw))
		hash.Write(raw)
	}
	for _, k := range kernels[:min(len(kernels), mostPaths)] {
		raw, err := b.BTF(k.Path)
		if err != nil {
			return "", err
		}
		number(len(raw))
		hash.Write(raw)
	}
	return fmt.Sprintf("0 %016x", hash.Sum64()), nil
}

// exerciseC asks the C reader, about many bundles in one process. An answer is "0 hash", or "errno text".
func exerciseC(t testing.TB, r reader, bundles [][]byte) []string {
	t.Helper()
	var stdin []byte
	for _, b := range bundles {
		stdin = binary.LittleEndian.AppendUint32(stdin, uint32(len(b)))
		stdin = append(stdin, b...)
	}
	out, message, code := r.run(t, stdin, "batch")
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if code != 0 || len(answers) != len(bundles) {
		t.Fatalf("reader batch: %d answers for %d bundles, exit code %d, %s", len(answers), len(bundles), code, message)
	}
	return answers
}

// expectAlike has both readers refuse, or give the same. It returns how many they refuse.
func expectAlike(t *testing.T, r reader, bundles [][]byte, name func(i int) string) (refused int) {
	t.Helper()
	return expectAnswers(t, r, bundles, answersGo(bundles), name)
}

// An answer is what the Go reader gives, so that it is asked once for all builds of the C reader.
type answer struct {
	text string
	err  error
}

func answersGo(bundles [][]byte) []answer {
	var all []answer
	for _, b := range bundles {
		text, err := exerciseGo(b)
		all = append(all, answer{text, err})
	}
	return all
}

func expectAnswers(t *testing.T, r reader, bundles [][]byte, answers []answer, name func(i int) string) (refused int) {
	t.Helper()
	for i, c := range exerciseC(t, r, bundles) {
		inGo := answers[i]
		switch {
		case inGo.err != nil && strings.HasPrefix(c, "22 "): // EINVAL
			refused++
		case inGo.err != nil || c != inGo.text:
			t.Errorf("%s: C: %s; Go: %s %v", name(i), c, inGo.text, inGo.err)
		}
	}
	return refused
}

// Cut anywhere, or with any bit flipped, a bundle is refused: checksums cover all of it.
func TestDamage(t *testing.T) {
	eachReader(t, func(t *testing.T, r reader) {
		raw := small(t)
		var bundles [][]byte
		for n := range raw {
			bundles = append(bundles, raw[:n])
		}
		bundles = append(bundles, append(slices.Clone(raw), 0))
		step := 1
		if len(r.command) > 1 {
			step = 37 // valgrind is slow; the other builds flip each bit
		}
		for bit := 0; bit < 8*len(raw); bit += step {
			flipped := slices.Clone(raw)
			flipped[bit/8] ^= 1 << (bit % 8)
			bundles = append(bundles, flipped)
		}
		if refused := expectAlike(t, r, bundles, func(i int) string { return fmt.Sprintf("damage %d", i) }); refused != len(bundles) {
			t.Errorf("%d of %d damaged bundles refused", refused, len(bundles))
		}
		if refused := expectAlike(t, r, [][]byte{raw}, func(int) string { return "undamaged" }); refused != 0 {
			t.Error("the undamaged bundle is refused")
		}
	})
}

// Every byte of what is inside changed, and every cut, with right checksums: both readers refuse, or read the same.
func TestChangedInside(t *testing.T) {
	asked(t)
	var bundles, few [][]byte
	var names, fewNames []string
	segments := inside(t, small(t))
	add := func(i int, s []byte, what string) {
		b, name := stored(with(segments, i, s)).bytes(), fmt.Sprintf("segment %d, %s", i, what)
		if len(bundles)%23 == 0 { // for valgrind, which is slow
			few, fewNames = append(few, b), append(fewNames, name)
		}
		bundles, names = append(bundles, b), append(names, name)
	}
	for i, s := range segments {
		for at := range s {
			for _, b := range []byte{s[at] + 1, s[at] ^ 0x80, 0, 0xff} {
				changed := slices.Clone(s)
				changed[at] = b
				add(i, changed, fmt.Sprintf("byte %d is %#x", at, b))
			}
			add(i, s[:at], fmt.Sprintf("cut to %d", at))
		}
		add(i, append(slices.Clone(s), 0), "a byte more")
	}
	answers, fewAnswers := answersGo(bundles), answersGo(few)
	for _, b := range builds {
		t.Run(b.name, func(t *testing.T) {
			bundles, answers, names := bundles, answers, names
			if b.valgrind {
				bundles, answers, names = few, fewAnswers, fewNames
			}
			refused := expectAnswers(t, b.reader(t), bundles, answers, func(i int) string { return names[i] })
			t.Logf("%d of %d refused", refused, len(bundles))
			if refused == 0 || refused == len(bundles) {
				t.Errorf("%d of %d refused", refused, len(bundles))
			}
		})
	}
}

func TestLies(t *testing.T) {
	eachReader(t, func(t *testing.T, r reader) {
		var bundles [][]byte
		all := lies(t)
		for _, l := range all {
			bundles = append(bundles, l.bundle)
		}
		for i, c := range exerciseC(t, r, bundles) {
			if !strings.HasPrefix(c, "22 ") { // EINVAL
				t.Errorf("%s: C takes it: %s", all[i].name, c)
			}
			if _, err := exerciseGo(bundles[i]); err == nil {
				t.Errorf("%s: Go takes it", all[i].name)
			}
		}
	})
}

func TestTruths(t *testing.T) {
	eachReader(t, func(t *testing.T, r reader) {
		var bundles [][]byte
		all := truths(t)
		for _, l := range all {
			bundles = append(bundles, l.bundle)
		}
		if refused := expectAlike(t, r, bundles, func(i int) string { return all[i].name }); refused != 0 {
			t.Errorf("%d of %d refused", refused, len(bundles))
		}
	})
}

// The limits that bombs are read under.
const (
	memoryLimit = 512 << 10 // KiB of address space
	cpuLimit    = 20        // seconds
)

// Bombs end within bounded time and memory. The limits are the system's, which sanitizers do not go with.
func TestBombs(t *testing.T) {
	asked(t)
	program := builds[0].program(t, "reader.c")
	// That the limits work is shown by one that is too low.
	limited := func(kib int, args ...string) (out string, code int, took time.Duration) {
		script := fmt.Sprintf(`ulimit -v %d && ulimit -t %d && exec "$@"`, kib, cpuLimit)
		cmd := exec.Command("sh", append([]string{"-c", script, "sh", program}, args...)...)
		text, _ := cmd.CombinedOutput()
		return string(text[:min(len(text), 300)]), cmd.ProcessState.ExitCode(), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	host := []string{"6.1.0", "x86_64", "sled", "8", "codename", "rhel suse", "consensus"}
	for _, b := range bombs(t) {
		file := save(t, b.bundle)
		if out, code, _ := limited(12<<10, "get", file, "a/1/x86_64/6.1.0", filepath.Join(t.TempDir(), "btf")); code != exitOther {
			t.Errorf("%s: within 12 MiB: exit code %d, expected that memory is missing: %s", b.name, code, out)
		}
		for _, args := range [][]string{
			{"get", file, "a/1/x86_64/6.1.0", filepath.Join(t.TempDir(), "btf")},
			append([]string{"find", file}, host...),
			{"choose", file, "-", "consensus"},
		} {
			out, code, took := limited(memoryLimit, args...)
			t.Logf("%s (%d bytes), %s: %v, exit code %d, %.150q", b.name, len(b.bundle), args[0], took.Round(time.Millisecond), code, out)
			if code != 0 && (code < exitNotFound || code > exitInvalid) { // out of time, out of memory, or dead
				t.Errorf("%s: %s: exit code %d: %s", b.name, args[0], code, out)
			}
		}
	}
}
