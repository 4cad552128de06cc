module github.com/btfgen/btfgen

go 1.26

require (
	github.com/cilium/ebpf v0.22.0
	github.com/google/go-cmp v0.7.0
	github.com/klauspost/compress v1.20.3
	github.com/mikelolasagasti/xz v1.0.1
	github.com/ulikunitz/xz v0.5.17
)

require golang.org/x/sys v0.43.0 // indirect
