//go:build unix && !linux

package hub

const mapPopulate = 0
