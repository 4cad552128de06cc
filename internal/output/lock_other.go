//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package output

import "os"

// locks says whether Lock tells a file in use from one that is not.
const locks = false

// Lock does nothing, for there is no lock here: two writers at a time are for
// the user to avoid.
func Lock(*os.File) error { return nil }
