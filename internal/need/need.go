package need

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// HubVar is the environment variable that names the large set of kernels, an archive tree.
const HubVar = "BTFGEN_HUB"

// InCI reports whether a missing need is a failure: whether CI is set to a true value as strconv.ParseBool reads it.
func InCI() bool {
	ci, err := strconv.ParseBool(os.Getenv("CI"))
	return err == nil && ci
}

// Missing ends the test because something that it needs is not there: skipped, or failed in CI.
// It is for needs that this package has no name for; format and args say what is missing and how to get it.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	reason := "needs " + fmt.Sprintf(format, args...)
	if InCI() {
		t.Fatalf("%s; in CI nothing that a test needs may be missing", reason)
	}
	t.Skip(reason)
}

// Tool returns the path of an installed program, looked up in PATH and then in the sbin folders, which an
// unprivileged user's PATH on Debian leaves out (bpftool lives there).
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		// LookPath answers relative to the working folder where PATH does.
		if path, err = filepath.Abs(path); err == nil {
			return path
		}
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	Missing(t, "%s, which is not installed (scripts/test-setup installs it)", name)
	return ""
}

// Root ends the test unless it runs as root.
func Root(t testing.TB) {
	t.Helper()
	if uid := os.Geteuid(); uid != 0 {
		Missing(t, "root, and runs as user id %d", uid)
	}
}

// Hub returns the absolute path of the large set of kernels that BTFGEN_HUB names. A test that can do with a few
// kernels asks for kernelsample.Hub instead. A BTFGEN_HUB that is no folder always fails the test.
func Hub(t testing.TB) string {
	t.Helper()
	dir, ok := hubFromEnv(t)
	if !ok {
		Missing(t, "a large set of kernels: set %s to an archive tree of kernel BTF", HubVar)
	}
	return dir
}

// HubIfAny returns what Hub does, and whether BTFGEN_HUB is set: for tests that can do with a few kernels, and take all
// that there are.
func HubIfAny(t testing.TB) (string, bool) {
	t.Helper()
	return hubFromEnv(t)
}

// Repository returns the absolute path of a file or folder of this repository, named by slash-separated elements below its top.
// It fails the test if there is no such file: what the repository holds is never missing.
func Repository(t testing.TB, elem ...string) string {
	t.Helper()
	top, err := os.Getwd()
	if err != nil {
		t.Fatalf("working folder: %v", err)
	}
	// A test runs in its package's folder; the module's own go.mod is the nearest one upwards.
	for !isFile(filepath.Join(top, "go.mod")) {
		parent := filepath.Dir(top)
		if parent == top {
			t.Fatal("no go.mod above the working folder: the test runs outside the repository")
		}
		top = parent
	}
	path := filepath.Join(append([]string{top}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the repository should hold it: %v", err)
	}
	return path
}

// Asked skips the test unless the environment variable is set to a true value. It is for suites that take too long for
// every go test ./... and are run by a make target of their own, in CI as well, so that it skips there too: the target
// sets the variable, and an unset one is not a missing need.
func Asked(t testing.TB, variable, makeTarget string) {
	t.Helper()
	if on, err := strconv.ParseBool(os.Getenv(variable)); err != nil || !on {
		t.Skipf("only on demand: run make %s (it sets %s=1)", makeTarget, variable)
	}
}

// Given returns the value of an environment variable that names a file which only the user has, a large one for
// instance, and skips the test if there is none: in CI as well, since it is no need that CI could meet.
func Given(t testing.TB, variable, what string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Skipf("only on demand: set %s to %s", variable, what)
	}
	return value
}

// Long skips the test under go test -short, in CI as well: the same test runs there without -short.
func Long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes too long for -short")
	}
}

func hubFromEnv(t testing.TB) (string, bool) {
	t.Helper()
	dir := os.Getenv(HubVar)
	if dir == "" {
		return "", false
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatalf("%s: %v", HubVar, err)
	}
	if !info.IsDir() {
		t.Fatalf("%s: %s is not a folder", HubVar, dir)
	}
	// A test runs in its package's folder, so a relative path would name another folder in each.
	if !filepath.IsAbs(dir) {
		t.Fatalf("%s: %s is not an absolute path", HubVar, dir)
	}
	return dir, true
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
