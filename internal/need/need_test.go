package need

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// verdict is how a recorded test ended.
type verdict struct {
	skipped, failed bool
	message         string
}

// recorder stands in for the test that asks for a need.
type recorder struct {
	testing.TB
	verdict
}

func (r *recorder) Helper() {}

func (r *recorder) Skip(args ...any) {
	r.verdict = verdict{skipped: true, message: fmt.Sprint(args...)}
	runtime.Goexit()
}

func (r *recorder) Skipf(format string, args ...any) {
	r.Skip(fmt.Sprintf(format, args...))
}

func (r *recorder) Fatal(args ...any) {
	r.verdict = verdict{failed: true, message: fmt.Sprint(args...)}
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Fatal(fmt.Sprintf(format, args...))
}

// record runs ask as a test of its own, which may end early, and returns how it ended.
func record(t *testing.T, ask func(t testing.TB)) verdict {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		ask(r)
	}()
	<-done
	return r.verdict
}

func expectPass(t *testing.T, v verdict) {
	t.Helper()
	if v != (verdict{}) {
		t.Errorf("ended as %+v, want it to go on", v)
	}
}

func expectSkip(t *testing.T, v verdict, mention string) {
	t.Helper()
	if !v.skipped || !strings.Contains(v.message, mention) {
		t.Errorf("ended as %+v, want it skipped with a mention of %q", v, mention)
	}
}

func expectFail(t *testing.T, v verdict, mention string) {
	t.Helper()
	if !v.failed || !strings.Contains(v.message, mention) {
		t.Errorf("ended as %+v, want it failed with a mention of %q", v, mention)
	}
}

func TestInCI(t *testing.T) {
	for value, want := range map[string]bool{"": false, "false": false, "0": false, "no": false, "true": true, "1": true} {
		t.Setenv("CI", value)
		if got := InCI(); got != want {
			t.Errorf("CI=%q: InCI() = %v, want %v", value, got, want)
		}
	}
}

func TestToolSkipsHereAndFailsInCI(t *testing.T) {
	ask := func(t testing.TB) { Tool(t, "no-such-tool-of-btfgen") }
	t.Setenv("CI", "")
	expectSkip(t, record(t, ask), "no-such-tool-of-btfgen")
	t.Setenv("CI", "true")
	expectFail(t, record(t, ask), "no-such-tool-of-btfgen")
}

func TestToolFound(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a program's name ends in .exe there")
	}
	t.Setenv("CI", "true")
	dir := t.TempDir()
	want := filepath.Join(dir, "sometool")
	if err := os.WriteFile(want, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	var got string
	expectPass(t, record(t, func(t testing.TB) { got = Tool(t, "sometool") }))
	if got != want {
		t.Errorf("Tool = %q, want %q", got, want)
	}
}

func TestRoot(t *testing.T) {
	for ci, expectEnd := range map[string]func(*testing.T, verdict, string){"": expectSkip, "true": expectFail} {
		t.Setenv("CI", ci)
		v := record(t, Root)
		if os.Geteuid() == 0 {
			expectPass(t, v)
		} else {
			expectEnd(t, v, "root")
		}
	}
}

func TestHubUnset(t *testing.T) {
	t.Setenv(HubVar, "")
	ask := func(t testing.TB) { Hub(t) }
	t.Setenv("CI", "")
	expectSkip(t, record(t, ask), HubVar)
	t.Setenv("CI", "true")
	expectFail(t, record(t, ask), HubVar)
}

func TestHubSet(t *testing.T) {
	want := t.TempDir()
	t.Setenv(HubVar, want)
	var got string
	expectPass(t, record(t, func(t testing.TB) { got = Hub(t) }))
	if got != want {
		t.Errorf("Hub = %q, want %q", got, want)
	}
	var ok bool
	expectPass(t, record(t, func(t testing.TB) { got, ok = HubIfAny(t) }))
	if got != want || !ok {
		t.Errorf("HubIfAny = %q, %v, want %q", got, ok, want)
	}
}

// A wrong BTFGEN_HUB is a mistake, not a missing need: it fails outside CI as well.
func TestHubWrong(t *testing.T) {
	t.Setenv("CI", "")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for dir, mention := range map[string]string{
		filepath.Join(t.TempDir(), "none"): "none",
		file:                               "not a folder",
		".":                                "not an absolute path",
	} {
		t.Setenv(HubVar, dir)
		expectFail(t, record(t, func(t testing.TB) { Hub(t) }), mention)
		expectFail(t, record(t, func(t testing.TB) { HubIfAny(t) }), mention)
	}
}

// Who can do without is not failed for it, not even in CI.
func TestHubIfAnyUnset(t *testing.T) {
	t.Setenv(HubVar, "")
	t.Setenv("CI", "true")
	expectPass(t, record(t, func(t testing.TB) {
		if dir, ok := HubIfAny(t); ok {
			t.Errorf("HubIfAny = %q though %s is empty", dir, HubVar)
		}
	}))
}

func TestRepositoryWithoutTheFile(t *testing.T) {
	t.Setenv("CI", "")
	expectFail(t, record(t, func(t testing.TB) { Repository(t, "no-such-folder") }), "no-such-folder")
}

func TestAsked(t *testing.T) {
	const variable = "BTFGEN_NEED_TEST"
	ask := func(t testing.TB) { Asked(t, variable, "some-target") }
	t.Setenv("CI", "true")
	for _, value := range []string{"", "0", "false"} {
		t.Setenv(variable, value)
		expectSkip(t, record(t, ask), "make some-target")
	}
	t.Setenv(variable, "1")
	expectPass(t, record(t, ask))
}

func TestGiven(t *testing.T) {
	const variable = "BTFGEN_TEST_GIVEN"
	var got string
	ask := func(t testing.TB) { got = Given(t, variable, "a file") }
	t.Setenv("CI", "true")
	t.Setenv(variable, "")
	expectSkip(t, record(t, ask), variable+" to a file")
	t.Setenv(variable, "f")
	expectPass(t, record(t, ask))
	if got != "f" {
		t.Errorf("%q, expected f", got)
	}
}

func TestLong(t *testing.T) {
	v := record(t, Long)
	if testing.Short() {
		expectSkip(t, v, "-short")
	} else {
		expectPass(t, v)
	}
}
