//go:build linux

package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/btfgen/btfgen/internal/vmtest/script"
)

// step runs one step to its end. An error is the guest's own: what the step's program does wrong is in the report.
func (r *reporter) step(s script.Step) (err error) {
	r.event(script.Event{Kind: script.Started, Step: s.Name})
	if !s.ShowKernelBTF {
		if err := hideBTF(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, showBTF()) }()
	}
	start := time.Now()
	seen := make(chan struct{})
	var once sync.Once
	p := process{r: r, step: s.Name, line: func(text string) {
		if s.Until != "" && strings.Contains(text, s.Until) {
			once.Do(func() { close(seen) })
		}
	}}
	if err := p.start(s.Argv, s.Env, script.Stdout, script.Stderr); err != nil {
		r.event(script.Event{Kind: script.Ended, Step: s.Name, Code: 127, Text: err.Error()})
		return nil
	}
	stopped := r.watch(&p, s, seen)
	r.event(script.Event{Kind: script.Ended, Step: s.Name, Code: p.code, Text: stopped, Seconds: time.Since(start).Seconds()})
	return nil
}

// watch triggers what the step's process is there to see, and ends it. It returns why it had to be stopped, if so.
func (r *reporter) watch(p *process, s script.Step, seen <-chan struct{}) (stopped string) {
	limit := time.After(s.Limit)
	for {
		if len(s.Trigger) > 0 {
			t := process{r: r, step: s.Name, line: func(string) {}}
			if err := t.start(s.Trigger, nil, script.Happened, script.Stderr); err != nil {
				r.failed(err)
				s.Trigger = nil
			} else {
				<-t.ended
			}
		}
		select {
		case <-p.ended:
			return ""
		case <-seen:
			// What else belongs to the same moment shall be in the report, too.
			time.Sleep(300 * time.Millisecond)
			p.stop()
			return "seen: " + s.Until
		case <-limit:
			p.stop()
			return "limit of " + s.Limit.String()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// A process is a program whose output is reported line by line.
type process struct {
	r     *reporter
	step  string
	line  func(text string)
	cmd   *exec.Cmd
	ended chan struct{}
	code  int // once it has ended
}

func (p *process) start(argv, env []string, stdout, stderr script.Kind) error {
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Env = append(os.Environ(), env...)
	p.ended = make(chan struct{})
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	errOut, err := p.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	var readers sync.WaitGroup
	readers.Go(func() { p.read(out, stdout) })
	readers.Go(func() { p.read(errOut, stderr) })
	go func() {
		readers.Wait()
		// The state tells the exit status; Wait's error says no more.
		_ = p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
		close(p.ended)
	}()
	return nil
}

func (p *process) read(in io.Reader, kind script.Kind) {
	lines := bufio.NewReaderSize(in, 1<<16)
	for {
		text, err := lines.ReadString('\n')
		if text = strings.TrimSuffix(text, "\n"); text != "" || err == nil {
			p.r.event(script.Event{Kind: kind, Step: p.step, Text: text})
			p.line(text)
		}
		if err != nil {
			return
		}
	}
}

// stop interrupts the process, as a user does, and kills it if it does not end.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-p.ended:
	case <-time.After(2 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}
