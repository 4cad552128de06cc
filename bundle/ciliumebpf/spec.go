package ciliumebpf

import (
	"bytes"
	"fmt"

	"github.com/cilium/ebpf/btf"

	"github.com/btfgen/btfgen/bundle"
)

// Spec parses the chosen BTF, for ebpf.ProgramOptions.KernelTypes. It is nil for the kernel's own, which cilium/ebpf finds by itself.
func Spec(c bundle.Choice) (*btf.Spec, error) {
	if c.Source == bundle.FromKernel {
		return nil, nil
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(c.BTF))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	return spec, nil
}
