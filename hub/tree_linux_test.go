package hub

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// TestTreeUnreadable is for Linux, where root can give up what lets it read
// everything for one thread.
func TestTreeUnreadable(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a/k.btf", nil)
	closed := filepath.Dir(write(t, root, "b/k.btf", nil))
	if err := os.Chmod(closed, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(closed, 0o700) })
	if os.Geteuid() == 0 {
		for _, dir := range []string{filepath.Dir(root), root, filepath.Join(root, "a")} { // others may look in
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		const nobody = 65534
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Setfsuid(0) }()
	}
	names, problems := list(t, open(t, root))
	expect(t, "names", names, []string{"a/k"})
	expectProblems(t, problems, []string{closed})
}
