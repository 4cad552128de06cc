//go:build !linux

package kernel

import (
	"errors"
	"fmt"
	"runtime"
)

// ThisHost describes the host that runs this program. Only Linux has a kernel that a bundle could know: elsewhere the error
// wraps errors.ErrUnsupported.
func ThisHost() (Host, error) {
	return Host{}, fmt.Errorf("kernel of this host: %w on %s", errors.ErrUnsupported, runtime.GOOS)
}

// HostAt describes this host by the os-release below root. Only Linux has a kernel that a bundle could know: elsewhere the
// error wraps errors.ErrUnsupported.
func HostAt(root string) (Host, error) {
	return ThisHost()
}
