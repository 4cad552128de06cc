package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/perf"
	"github.com/cilium/ebpf/rlimit"
)

// bufferSize is the room for events of one processor, in bytes.
const bufferSize = 256 << 10

// tracepoint is the start of a program's section name.
const tracepoint = "tracepoint/syscalls/"

// trace prints events until it has been told to stop.
func trace(o options, stdout, stderr io.Writer) error {
	types, err := kernelTypes(o, stderr)
	if err != nil {
		return err
	}
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return fmt.Errorf("the eBPF object built into this program: %w", err)
	}
	// Needed before 5.11; where it is forbidden and needed, loading tells.
	_ = rlimit.RemoveMemlock()
	programs, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{
		Programs: ebpf.ProgramOptions{KernelTypes: types},
	})
	if err != nil {
		return fmt.Errorf("loading eBPF programs: %w", err)
	}
	defer programs.Close()
	reader, err := perf.NewReader(programs.Maps["events"], bufferSize)
	if err != nil {
		return fmt.Errorf("perf events: %w", err)
	}
	defer reader.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(stop)
	go func() {
		<-stop
		reader.Flush() //nolint:errcheck // it fails if the reader is closed already
	}()

	attached, err := attach(programs, spec)
	defer func() {
		for _, l := range attached {
			_ = l.Close() // the program ends, and with it what it attached
		}
	}()
	if err != nil {
		return err
	}
	// This starts it: what was opened for attaching is not to be reported.
	if err := programs.Maps["config"].Put(uint32(0), o.config()); err != nil {
		return fmt.Errorf("settings of the eBPF programs: %w", err)
	}
	if o.duration > 0 {
		reader.SetDeadline(time.Now().Add(o.duration))
	}
	return printEvents(reader, o.count, stdout, stderr)
}

// config is what the eBPF programs are told.
func (o options) config() config {
	c := config{PID: allProcesses}
	if o.pid != 0 {
		c.PID = int32(o.pid)
	}
	if o.failedOnly {
		c.FailedOnly = 1
	}
	return c
}

// attach attaches the programs whose system call this kernel has. The links are to be closed, after an error too.
func attach(programs *ebpf.Collection, spec *ebpf.CollectionSpec) (links []link.Link, _ error) {
	for name, p := range programs.Programs {
		event := strings.TrimPrefix(spec.Programs[name].SectionName, tracepoint)
		l, err := link.Tracepoint("syscalls", event, p, nil)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return links, fmt.Errorf("tracepoint %s: %w", event, err)
		}
		links = append(links, l)
	}
	if len(links) == 0 {
		return nil, errors.New("this kernel has no tracepoints of system calls (CONFIG_FTRACE_SYSCALLS)")
	}
	return links, nil
}

// printEvents prints what the programs report, up to count events if it is not 0.
func printEvents(reader *perf.Reader, count int, stdout, stderr io.Writer) error {
	if _, err := io.WriteString(stdout, header); err != nil {
		return err
	}
	var record perf.Record
	for printed := 0; count == 0 || printed < count; {
		err := reader.ReadInto(&record)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, perf.ErrFlushed):
			return nil
		case err != nil:
			return fmt.Errorf("perf events: %w", err)
		case record.LostSamples > 0:
			fmt.Fprintf(stderr, "opensnoop: lost %d events\n", record.LostSamples)
			continue
		}
		e, err := parseEvent(record.RawSample)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(stdout, e.String()); err != nil {
			return err
		}
		printed++
	}
	return nil
}
