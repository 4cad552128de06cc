//go:build !linux

package memory

func AdviseHugePages([]byte) {}
