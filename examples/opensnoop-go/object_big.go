//go:build linux && (mips || mips64 || ppc64 || s390x)

package main

import _ "embed"

// object is bpf/opensnoop.bpf.c, compiled.
//
//go:embed bpf/opensnoop.bpfeb.o
var object []byte
