package debkernel

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/btfgen/btfgen/internal/need"
)

// cacheVar names the folder where kernels are kept between runs, in place of btfgen/vm in the user's cache folder.
const cacheVar = "BTFGEN_VM_CACHE"

// Shared is the cache that all tests have in common.
func Shared(t testing.TB) *Cache {
	t.Helper()
	dir := os.Getenv(cacheVar)
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			need.Missing(t, "a folder to keep kernels in: set %s: %v", cacheVar, err)
		}
		dir = filepath.Join(user, "btfgen", "vm")
	}
	return &Cache{Dir: dir, Log: t.Logf}
}
