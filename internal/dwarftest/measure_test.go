package dwarftest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/internal/need"
)

// buildCommand builds the command as it is shipped, and returns its path.
func buildCommand(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "btfgen")
	cmd := exec.Command(need.Tool(t, "go"), "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./cmd/btfgen")
	cmd.Dir = need.Repository(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	return program
}

// extract is our conversion by the command: a process of its own, measured as pahole is.
func extract(program, file, out string, flags ...string) *exec.Cmd {
	return exec.Command(program, slices.Concat([]string{"extract", "--dwarf", "--quiet", "--out", out}, flags, []string{file})...)
}

// A cost is what a run of a program took.
type cost struct {
	cpu     time.Duration // user and system
	elapsed time.Duration
	memory  int64 // the peak of its own memory in bytes: anonymous pages, so without the page cache of mapped files
}

func (c cost) String() string {
	return fmt.Sprintf("%.2f s CPU, %.2f s elapsed, %d MB of memory of its own", c.cpu.Seconds(), c.elapsed.Seconds(), c.memory>>20)
}

// measure runs a program to its end. Memory is polled from /proc (RssAnon, which counts neither mapped files nor their page
// cache), every millisecond.
func measure(t testing.TB, cmd *exec.Cmd) cost {
	t.Helper()
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	status := fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)
	done := make(chan int64)
	stop := make(chan struct{})
	go func() {
		var peak int64
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				done <- peak
				return
			case <-tick.C:
				peak = max(peak, rssAnon(status))
			}
		}
	}()
	err := cmd.Wait()
	c := cost{elapsed: time.Since(start), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	close(stop)
	c.memory = <-done
	if err != nil {
		t.Fatalf("%s: %v: %s", filepath.Base(cmd.Path), err, firstLines(said.String(), 12))
	}
	if c.memory == 0 {
		t.Fatalf("%s: no RssAnon in %s", filepath.Base(cmd.Path), status)
	}
	return c
}

// rssAnon is a process's anonymous memory in bytes, 0 if it has ended.
func rssAnon(status string) int64 {
	text, err := os.ReadFile(status)
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "\nRssAnon:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}
