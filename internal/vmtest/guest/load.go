//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/btfgen/btfgen/bundle"
	"github.com/btfgen/btfgen/bundle/ciliumebpf"
	"github.com/btfgen/btfgen/internal/vmtest/script"
)

// load loads objects, attaches their programs, has the worker work, and prints what they saw: first a script.Choice, then a
// script.Loaded for each object.
func load(args []string) error {
	flags := flag.NewFlagSet("vmload", flag.ContinueOnError)
	verify := flags.Bool("verify", false, "load only; nothing is attached")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("usage: vmload [-verify] BUNDLE OBJECT…")
	}
	types, choice, err := choose(flags.Arg(0))
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(script.Choice{Source: choice.Source.String(), Path: choice.Path, Why: choice.Why}); err != nil {
		return err
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return err
	}
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return err
	}
	defer stats.Close()
	for _, path := range flags.Args()[1:] {
		if err := out.Encode(loadObject(path, types, !*verify)); err != nil {
			return err
		}
	}
	return nil
}

// choose asks the bundle as any program would. The kernel's own BTF is read once, as cilium/ebpf would for each object.
func choose(path string) (*btf.Spec, bundle.Choice, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, bundle.Choice{}, err
	}
	b, err := bundle.Open(raw)
	if err != nil {
		return nil, bundle.Choice{}, err
	}
	choice, err := bundle.Choose(b, bundle.Options{File: os.Getenv("BTF_FILE")})
	if err != nil {
		return nil, choice, err
	}
	types, err := ciliumebpf.Spec(choice)
	if err == nil && types == nil {
		types, err = btf.LoadKernelSpec()
	}
	return types, choice, err
}

// loadObject loads an object's programs together, as its tool does. Programs that need the kernel's own BTF to be attached
// (fentry, fexit, tp_btf) are left out where there are others, which is what the tools do: they have a kprobe or a raw
// tracepoint for that case.
func loadObject(path string, types *btf.Spec, attach bool) script.Loaded {
	res := script.Loaded{Object: filepath.Base(path), LeftOut: map[string]string{}}
	spec, err := ebpf.LoadCollectionSpec(path)
	if err != nil {
		res.Error = err.Error()
		return res
	}
	leaveOut(spec, res.LeftOut)
	for _, m := range spec.Maps {
		setUp(m)
	}
	if err := setOptions(spec); err != nil {
		res.Error = err.Error()
		return res
	}
	c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{KernelTypes: types}})
	if err != nil {
		res.Error = err.Error()
		return res
	}
	defer c.Close()
	for name, p := range c.Programs {
		info, err := p.Info()
		if err != nil {
			res.Error = err.Error()
			return res
		}
		res.Programs = append(res.Programs, script.Program{Name: name, Section: spec.Programs[name].SectionName, Tag: info.Tag})
	}
	slices.SortFunc(res.Programs, func(a, b script.Program) int { return strings.Compare(a.Name, b.Name) })
	if attach {
		if err := watch(spec, c, &res); err != nil {
			res.Error = err.Error()
		}
	}
	return res
}

// leaveOut removes programs that need the kernel's own BTF, unless there are no others: then the loader's error is the answer.
func leaveOut(spec *ebpf.CollectionSpec, reasons map[string]string) {
	var need []string
	for name, p := range spec.Programs {
		if p.Type == ebpf.Tracing {
			need = append(need, name)
		}
	}
	if len(need) == len(spec.Programs) {
		return
	}
	for _, name := range need {
		reasons[name] = spec.Programs[name].SectionName + ": needs the kernel's own BTF"
		delete(spec.Programs, name)
	}
}

// setUp sets what the program that an object is part of sets when it starts.
func setUp(m *ebpf.MapSpec) {
	m.Pinning = ebpf.PinNone
	if m.Type == ebpf.StackTrace && m.ValueSize == 0 {
		m.ValueSize = 127 * 8
	}
	if m.MaxEntries == 0 && m.Type != ebpf.PerfEventArray {
		m.MaxEntries = 1024
	}
}

// setOptions sets what a tool's user may set: syscount is to count by process (-P), since what it tells of processes comes
// from the kernel's types.
func setOptions(spec *ebpf.CollectionSpec) error {
	if v := spec.Variables["count_by_process"]; v != nil {
		return v.Set(true)
	}
	return nil
}

// watch attaches programs, has the worker work, and collects what they saw.
func watch(spec *ebpf.CollectionSpec, c *ebpf.Collection, res *script.Loaded) error {
	seen, err := openEvents(c)
	if err != nil {
		return err
	}
	defer seen.close()
	for i := range res.Programs {
		p := &res.Programs[i]
		detach, note, err := attachProgram(spec.Programs[p.Name], c.Programs[p.Name])
		p.Note = note
		if err != nil {
			p.Note = err.Error()
			continue
		}
		p.Attached = true
		defer detach()
	}
	if res.Worked, err = work(); err != nil {
		return err
	}
	for i := range res.Programs {
		p := &res.Programs[i]
		stats, err := c.Programs[p.Name].Stats()
		if err != nil {
			return err
		}
		p.Runs = stats.RunCount
	}
	res.Events, err = seen.about(res.Worked)
	return err
}

// work has the worker work, as a child of a process of its own.
func work() (*script.Worked, error) {
	var stderr bytes.Buffer
	cmd := exec.Command("/bin/vmparent", "vmworker")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("worker: %w: %s", err, stderr.Bytes())
	}
	w := new(script.Worked)
	return w, json.Unmarshal(out, w)
}

var errTarget = errors.New("the tool chooses at run time what to attach it to")
