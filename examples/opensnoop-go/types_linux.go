package main

import (
	_ "embed"
	"fmt"
	"io"
	"os"

	"github.com/cilium/ebpf/btf"

	"github.com/btfgen/btfgen/bundle"
	"github.com/btfgen/btfgen/bundle/ciliumebpf"
)

// btfBundle has what bpf/opensnoop.bpf.c needs to know of each kernel that this program was built for (btfgen bundle).
//
//go:embed btf.bundle
var btfBundle []byte

// kernelTypes finds the BTF to load the eBPF programs with. The Spec is nil for the kernel's own.
func kernelTypes(o options, stderr io.Writer) (*btf.Spec, error) {
	b, err := bundle.Open(btfBundle)
	if err != nil {
		return nil, err
	}
	settings := bundle.Options{File: os.Getenv("BTF_FILE"), Consensus: o.consensus}
	if os.Getenv("BTF_BUNDLE") == "only" {
		settings.KernelBTF = "-"
	}
	choice, err := bundle.Choose(b, settings)
	if err != nil {
		return nil, err
	}
	if o.verbose {
		fmt.Fprintln(stderr, choice)
	}
	return ciliumebpf.Spec(choice)
}
