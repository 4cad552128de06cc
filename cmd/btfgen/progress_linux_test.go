package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal of 100 columns.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// TestProgress: a bar on a terminal, which is gone at the end; with --quiet
// nothing at all.
func TestProgress(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		master, slave := terminal(t)
		cmd, _ := btfgenCommand(t, "generate", "--hub", manyKernels(t, 8), "--out", filepath.Join(t.TempDir(), "out"), "--jobs", "1", example(t))
		if quiet {
			cmd.Args = append(cmd.Args, "--quiet")
		}
		cmd.Stderr = slave
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = slave.Close()
		// Reading ends with an error when the last writer is gone.
		shown, _ := io.ReadAll(master)
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%v: %s", err, shown)
		}
		if quiet {
			if len(shown) > 0 {
				t.Errorf("--quiet shows %q", shown)
			}
			continue
		}
		bar, summary, ok := strings.Cut(string(shown), "8 kernels done in ")
		if !ok {
			t.Fatalf("no summary in %q", shown)
		}
		if !strings.Contains(bar, "/8 kernels [") {
			t.Errorf("no bar in %q", bar)
		}
		if i := strings.LastIndex(bar, "\x1b["); i < 0 || strings.Contains(bar[i:], "kernels") {
			t.Errorf("the bar is left: %q", bar)
		}
		if strings.Contains(summary, "\x1b") {
			t.Errorf("control characters in the summary %q", summary)
		}
	}
}
