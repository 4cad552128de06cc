//go:build linux

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// standIns are the kernel functions that a tool puts in place of the dummies that its object names: here those of tmpfs,
// which is where the worker's file is. The first that the kernel has.
var standIns = map[string][]string{
	"dummy_file_read":  {"shmem_file_read_iter"},
	"dummy_file_write": {"shmem_file_write_iter", "generic_file_write_iter"},
	"dummy_file_open":  {"shmem_file_open", "generic_file_open"},
	"dummy_file_sync":  {"noop_fsync"},
	"dummy_getattr":    {"shmem_getattr"},
	"dummy_kprobe":     {"vfs_read"},
	"dummy_kretprobe":  {"vfs_read"},
}

// attachProgram attaches a program to what its section names. A note says what it was attached to in place of that.
func attachProgram(spec *ebpf.ProgramSpec, p *ebpf.Program) (detach func(), note string, err error) {
	kind, _, _ := strings.Cut(spec.SectionName, "/")
	var l link.Link
	switch kind {
	case "kprobe", "kretprobe":
		l, note, err = attachProbe(kind, spec.AttachTo, p)
	case "tracepoint", "tp":
		group, name, _ := strings.Cut(spec.AttachTo, "/")
		l, err = link.Tracepoint(group, name, p, nil)
	case "raw_tp", "raw_tracepoint":
		l, err = link.AttachRawTracepoint(link.RawTracepointOptions{Name: spec.AttachTo, Program: p})
	case "perf_event":
		detach, err = attachClock(p)
		return detach, "", err
	case "fentry", "fexit", "tp_btf":
		l, err = link.AttachTracing(link.TracingOptions{Program: p})
	default:
		err = fmt.Errorf("%s: %w", spec.SectionName, errTarget)
	}
	if err != nil {
		return nil, note, err
	}
	return func() { _ = l.Close() }, note, nil
}

func attachProbe(kind, function string, p *ebpf.Program) (l link.Link, note string, err error) {
	attach := link.Kprobe
	if kind == "kretprobe" {
		attach = link.Kretprobe
	}
	functions := []string{function}
	if in, ok := standIns[function]; ok {
		functions = in
	}
	if function == "" {
		return nil, "", errTarget
	}
	var failures []error
	for _, f := range functions {
		if l, err = attach(f, p, nil); err == nil {
			if f != function {
				note = "at " + f
			}
			return l, note, nil
		}
		failures = append(failures, err)
	}
	return nil, "", errors.Join(failures...)
}

// attachClock has a program run 99 times a second.
func attachClock(p *ebpf.Program) (detach func(), _ error) {
	fd, err := unix.PerfEventOpen(&unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Sample: 99, Bits: unix.PerfBitFreq,
	}, -1, 0, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("perf_event_open: %w", err)
	}
	detach = func() { _ = unix.Close(fd) }
	if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_BPF, p.FD()); err != nil {
		detach()
		return nil, fmt.Errorf("attaching to the clock: %w", err)
	}
	if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_ENABLE, 0); err != nil {
		detach()
		return nil, fmt.Errorf("starting the clock: %w", err)
	}
	return detach, nil
}
