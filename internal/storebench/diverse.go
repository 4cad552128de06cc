package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/measure"
)

// timesLess is the bar for the real kernels: so many times less CPU than raw files.
const timesLess = 4

// diverse measures the real kernels, which have little in common.
func (b *bench) diverse() error {
	measure.Progress("nothing yet: unpacking the kernels, and packing their store")
	b.raw, b.store = filepath.Join(b.scratch, "raw"), filepath.Join(b.scratch, "kernels.store")
	var err error
	if b.hub == "" {
		b.note("no -hub and no BTFGEN_HUB: the real kernels are the built-in ones")
		b.report.Kernels, err = b.writeBuiltIn()
	} else {
		b.report.Kernels, err = b.writeHub()
	}
	if err != nil {
		return err
	}
	if _, err := measure.Output(b.btfgen, "hub", "pack", "--quiet", "--out", b.store, b.raw); err != nil {
		return err
	}
	for _, m := range []struct {
		what    string
		objects []string
	}{
		{"the example object", b.example},
		{"opensnoop", []string{b.small}},
		{fmt.Sprintf("all %d objects of libbpf-tools", len(b.objects)), b.objects},
	} {
		for _, jobs := range []int{1, 0} {
			what := fmt.Sprintf("CPU, %d real kernels, %s", b.report.Kernels, m.what)
			if jobs > 0 {
				what += fmt.Sprintf(", --jobs %d", jobs)
			}
			measure.Progress(what)
			p, err := b.beside(&side{hub: b.store, jobs: jobs}, &side{hub: b.raw, jobs: jobs}, m.objects, false)
			if err != nil {
				return err
			}
			b.add(measure.AtLeast(what+"; raw files", p, timesLess))
		}
	}
	return nil
}

// writeHub writes the hub's kernels as a tree of raw files.
func (b *bench) writeHub() (kernels int, _ error) {
	source, err := hub.Open(b.hub)
	if err != nil {
		return 0, err
	}
	list, _, err := source.Kernels()
	if err != nil {
		return 0, err
	}
	if len(list) == 0 {
		return 0, fmt.Errorf("%s: no kernels", b.hub)
	}
	reader := hub.NewReader()
	for _, k := range list {
		types, err := k.Load(reader)
		if err != nil {
			return 0, err
		}
		if err := writeKernel(b.raw, k.Name, types.Vmlinux); err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

// writeBuiltIn writes the command's own.
func (b *bench) writeBuiltIn() (kernels int, _ error) {
	text, err := measure.Output(b.btfgen, "hub", "list", "--json")
	if err != nil {
		return 0, err
	}
	var list struct {
		Kernels []struct {
			Kernel string `json:"kernel"`
		} `json:"kernels"`
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return 0, fmt.Errorf("btfgen hub list --json: %w", err)
	}
	for _, k := range list.Kernels {
		file := treeFile(b.raw, k.Kernel)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return 0, err
		}
		if _, err := measure.Output(b.btfgen, "hub", "get", k.Kernel, "--out", file); err != nil {
			return 0, err
		}
	}
	return len(list.Kernels), nil
}

// treeFile is where an archive tree has a kernel's raw BTF.
func treeFile(tree, kernel string) string {
	return filepath.Join(tree, filepath.FromSlash(kernel)+".btf")
}

func writeKernel(tree, kernel string, raw []byte) error {
	file := treeFile(tree, kernel)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, raw, 0o644)
}
