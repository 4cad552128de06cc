package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// Config says what to boot.
type Config struct {
	Qemu   string // qemu-system-x86_64
	Kernel string // a vmlinuz
	Files  Files  // with /init
	Memory int    // MiB
	// Folder is for the files that qemu reads and writes. It belongs to this guest and is not removed.
	Folder string
	// Limit is how long the guest may run. Then it is stopped, and that is an error.
	Limit time.Duration
}

// A Log is what a guest wrote.
type Log struct {
	Console []byte // first serial port: the kernel's messages
	Results []byte // second serial port
	Took    time.Duration
}

// dead is what the kernel prints when it gives up, or when the guest's program was killed by an error of the kernel.
var dead = regexp.MustCompile(`Kernel panic - not syncing: [^\r\n]*|\bBUG: [^\r\n]*|\bOops: [^\r\n]*`)

// Run boots a guest and waits until it has switched itself off. The log is there on error, too, as far as it goes.
// Only this guest's qemu is ever stopped, by its process.
func Run(ctx context.Context, c Config) (*Log, error) {
	initrd := filepath.Join(c.Folder, "initrd.cpio")
	if err := writeInitrd(initrd, c.Files); err != nil {
		return &Log{}, err
	}
	console, results := filepath.Join(c.Folder, "console.log"), filepath.Join(c.Folder, "results.log")
	for _, path := range []string{console, results} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			return &Log{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Qemu,
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", fmt.Sprintf("%dM", c.Memory),
		"-serial", "file:"+console, "-serial", "file:"+results,
		"-kernel", c.Kernel, "-initrd", initrd,
		// A panic restarts the machine, which ends qemu (-no-reboot): no waiting for the time limit.
		"-append", "console=ttyS0 rdinit=/init panic=-1 loglevel=5 mitigations=off nokaslr random.trust_cpu=on")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = 5 * time.Second
	start := time.Now()
	runErr := cmd.Run()
	log := &Log{Took: time.Since(start)}
	var err error
	if log.Console, err = os.ReadFile(console); err != nil {
		return log, err
	}
	if log.Results, err = os.ReadFile(results); err != nil {
		return log, err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return log, fmt.Errorf("the guest did not end within %v", c.Limit)
	}
	if runErr != nil {
		return log, fmt.Errorf("%s: %w: %s", filepath.Base(c.Qemu), runErr, bytes.TrimSpace(said.Bytes()))
	}
	if found := dead.Find(log.Console); found != nil {
		return log, fmt.Errorf("the guest's kernel failed: %s", found)
	}
	return log, nil
}

func writeInitrd(path string, files Files) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = files.WriteTo(f)
	return errors.Join(err, f.Close())
}
