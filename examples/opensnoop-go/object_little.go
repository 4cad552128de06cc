//go:build linux && (386 || amd64 || arm || arm64 || loong64 || mips64le || mipsle || ppc64le || riscv64)

package main

import _ "embed"

// object is bpf/opensnoop.bpf.c, compiled.
//
//go:embed bpf/opensnoop.bpfel.o
var object []byte
