//go:build !linux

package hub

func adviseHugePages([]byte) {}
