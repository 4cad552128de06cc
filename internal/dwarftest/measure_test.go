package dwarftest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/dwarf2btf"
	"github.com/btfgen/btfgen/internal/elffile"
	"github.com/btfgen/btfgen/internal/memory"
)

// convertVar makes the test binary a program that converts the file that it names, so that the conversion is a process that can be
// measured as pahole is: arguments are the output, the number of workers, and whether functions are wanted.
const convertVar = "BTFGEN_DWARF_CONVERT"

func TestMain(m *testing.M) {
	if file := os.Getenv(convertVar); file != "" {
		if err := convertFile(file, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// convertFile does what the command does: the file is mapped, and the garbage collector set as there.
func convertFile(file string, args []string) error {
	debug.SetGCPercent(400)
	if len(args) != 3 {
		return fmt.Errorf("%d arguments, expected 3", len(args))
	}
	workers, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	functions, err := strconv.ParseBool(args[2])
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	content, err := memory.MapFile(f, info.Size())
	if err != nil {
		return err
	}
	raw, err := dwarf2btf.Convert(elffile.Bytes(content), dwarf2btf.Options{Workers: workers, Functions: functions})
	if err != nil {
		return err
	}
	return os.WriteFile(args[0], raw, 0o600)
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

// convertApart is our conversion as a process of its own.
func convertApart(t testing.TB, file, out string, workers int, functions bool) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, out, strconv.Itoa(workers), strconv.FormatBool(functions))
	cmd.Env = append(os.Environ(), convertVar+"="+file)
	return cmd
}
