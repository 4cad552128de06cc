package core

import "bytes"

// EssentialName is a name without its flavor: what stands before its last
// "___" with a character other than "_" on both sides
// (bpf_core_essential_name_len).
func EssentialName(name string) string { return name[:essentialLen([]byte(name))] }

func essentialLen(name []byte) int {
	for i := len(name) - 5; i >= 0; i-- {
		if name[i+1] == '_' && name[i+2] == '_' && name[i+3] == '_' && name[i] != '_' && name[i+4] != '_' {
			return i + 1
		}
	}
	return len(name)
}

// ciliumEssentialLen is cilium/ebpf's notion of the same, which only looks for
// the last "___" that does not begin the name; the two differ for runs of more
// than three underscores and for a flavor that is empty.
func ciliumEssentialLen(name []byte) int {
	if i := bytes.LastIndex(name, []byte("___")); i > 0 {
		return i
	}
	return len(name)
}

// hasFlavorSign is a cheap test for names that may have a flavor.
func hasFlavorSign(name []byte) bool { return bytes.Contains(name, []byte("___")) }
