package debkernel

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Wanted says which kernel.
type Wanted struct {
	Suite   string // of Debian, such as bookworm
	Version string // of Debian, as os-release has it, such as 12
	Series  string // of the kernel, such as 6.1
	Flavour string // the end of its release, such as cloud-amd64
	Arch    string // of the package, in Debian's words
	// Debug asks for the kernel's vmlinux with its debug information as well. Its package has hundreds of megabytes.
	Debug bool
	// DebugModules asks for modules with theirs, out of the same package: kernel/net/netfilter/nf_conntrack.ko.
	DebugModules []string
}

func (w Wanted) String() string { return w.Series + "-" + w.Flavour }

// releases matches what uname -r says on such a kernel: 6.1.0-50-cloud-amd64, 6.12.90+deb12-cloud-amd64. Not builds
// for an older Debian (6.1.0-0.deb11.52-cloud-amd64).
func (w Wanted) releases() *regexp.Regexp {
	return regexp.MustCompile(`^` + regexp.QuoteMeta(w.Series) + `\.\d+(-\d+|\+deb\d+(\.\d+)?)-` + regexp.QuoteMeta(w.Flavour) + `$`)
}

// A Kernel is one that is in the cache.
type Kernel struct {
	Wanted
	Release string
	Folder  string // the kernel's own in the cache; others may keep what they derive from the kernel there
}

// Image is the path of the kernel's vmlinuz, or of what its architecture has in place of one.
func (k *Kernel) Image() string { return filepath.Join(k.Folder, vmlinuz.name) }

// Vmlinux is the path of the kernel as it was linked, with its debug information. It is there if it was wanted (Wanted.Debug).
func (k *Kernel) Vmlinux() string { return filepath.Join(k.Folder, vmlinux.name) }

// DebugModule is the path of a module with its debug information. It is there if it was wanted (Wanted.DebugModules).
func (k *Kernel) DebugModule(name string) string {
	return filepath.Join(k.Folder, debugModule(name).name)
}

// A part is a file of a kernel in the cache, and where it comes from.
type part struct {
	name   string // in the kernel's folder
	suffix string // of its package's name: linux-image-RELEASE and this
	member string // in that package, where RELEASE stands for the kernel's
}

var (
	vmlinuz = part{name: "vmlinuz", member: "./boot/vmlinuz-RELEASE"}
	vmlinux = part{name: "vmlinux", suffix: "-dbg", member: "./usr/lib/debug/boot/vmlinux-RELEASE"}
)

func debugModule(name string) part {
	return part{name: "debug-" + path.Base(name), suffix: vmlinux.suffix, member: "./usr/lib/debug/lib/modules/RELEASE/" + name}
}

// parts are the files that are wanted.
func (w Wanted) parts() []part {
	image := vmlinuz
	if w.Arch == "ppc64el" || w.Arch == "riscv64" {
		image.member = "./boot/vmlinux-RELEASE" // not compressed, and called so
	}
	list := []part{image}
	if w.Debug {
		list = append(list, vmlinux)
	}
	for _, name := range w.DebugModules {
		list = append(list, debugModule(name))
	}
	return list
}

// A Cache is a folder with kernels.
type Cache struct {
	Dir string
	// Log says what takes time: what is fetched.
	Log func(format string, args ...any)
}

// Get returns a kernel as wanted, its release one of those preferred if there is one, and else the newest that there is.
// The network is asked only if the cache has none that is preferred, or none at all if nothing is preferred.
func (c *Cache) Get(ctx context.Context, w Wanted, preferred []string) (*Kernel, error) {
	pattern := w.releases()
	var good []string
	for _, release := range preferred {
		if pattern.MatchString(release) {
			good = append(good, release)
		}
	}
	cached, err := c.cached(w)
	if err != nil {
		return nil, err
	}
	pick := newest(both(cached, good))
	if pick == "" && len(good) == 0 {
		pick = newest(cached)
	}
	if pick != "" {
		return c.kernel(w, pick), nil
	}
	available, err := c.available(ctx, w)
	if err != nil {
		// Without a network, any kernel of the series will do.
		if pick = newest(cached); pick != "" {
			c.Log("no kernel %v that is preferred is in the cache, and apt has none to offer: %v", w, err)
			return c.kernel(w, pick), nil
		}
		return nil, err
	}
	if pick = newest(both(available, good)); pick == "" {
		pick = newest(available)
	}
	k := c.kernel(w, pick)
	if slices.Contains(cached, pick) {
		return k, nil
	}
	return k, c.fetch(ctx, k)
}

func (c *Cache) kernel(w Wanted, release string) *Kernel {
	return &Kernel{Wanted: w, Release: release, Folder: filepath.Join(c.Dir, "kernels", w.Arch, release)}
}

// cached lists the releases in the cache that are as wanted, with all that is wanted of them.
func (c *Cache) cached(w Wanted) (releases []string, err error) {
	pattern := w.releases()
	folders, err := filepath.Glob(c.kernel(w, "*").Folder)
	for _, folder := range folders {
		if release := filepath.Base(folder); pattern.MatchString(release) && len(lacking(c.kernel(w, release))) == 0 {
			releases = append(releases, release)
		}
	}
	return releases, err
}

// lacking are the parts of a kernel that are wanted and not in the cache.
func lacking(k *Kernel) (parts []part) {
	for _, p := range k.parts() {
		if info, err := os.Stat(filepath.Join(k.Folder, p.name)); err != nil || !info.Mode().IsRegular() {
			parts = append(parts, p)
		}
	}
	return parts
}

// fetch downloads the packages of what the cache lacks of a kernel, and keeps just that of them.
func (c *Cache) fetch(ctx context.Context, k *Kernel) error {
	parts := lacking(k)
	for len(parts) > 0 {
		suffix := parts[0].suffix
		of := func(p part) bool { return p.suffix == suffix }
		if err := c.fetchParts(ctx, k, suffix, slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return !of(p) })); err != nil {
			return err
		}
		parts = slices.DeleteFunc(parts, of)
	}
	return nil
}

// fetchParts downloads a package and keeps those of its files.
func (c *Cache) fetchParts(ctx context.Context, k *Kernel, suffix string, parts []part) error {
	name := packagePrefix + k.Release + suffix
	c.Log("fetching %s (%s)", name, k.Arch)
	if err := os.MkdirAll(k.Folder, 0o755); err != nil {
		return err
	}
	// Beside its place, and renamed when it is whole. The folder's name is no release.
	folder, err := os.MkdirTemp(filepath.Dir(k.Folder), ".part-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := c.download(ctx, folder, name+":"+k.Arch); err != nil {
		return err
	}
	packages, err := filepath.Glob(filepath.Join(folder, "*.deb"))
	if err != nil || len(packages) != 1 {
		return fmt.Errorf("apt-get download left %d packages, expected one: %w", len(packages), err)
	}
	var members []string
	for _, p := range parts {
		members = append(members, strings.ReplaceAll(p.member, "RELEASE", k.Release))
	}
	if err := unpack(ctx, packages[0], folder, members); err != nil {
		return err
	}
	for i, p := range parts {
		if err := os.Rename(filepath.Join(folder, filepath.FromSlash(members[i])), filepath.Join(k.Folder, p.name)); err != nil {
			return err
		}
	}
	return nil
}

func both(a, b []string) (common []string) {
	for _, s := range a {
		if slices.Contains(b, s) {
			common = append(common, s)
		}
	}
	return common
}

// newest is the greatest of releases, "" of none.
func newest(releases []string) string {
	if len(releases) == 0 {
		return ""
	}
	return slices.MaxFunc(releases, compare)
}

// compare orders releases: runs of digits by their value, and the rest bytewise.
func compare(a, b string) int {
	for a != "" && b != "" {
		x, restA := run(a)
		y, restB := run(b)
		if isDigit(x[0]) && isDigit(y[0]) {
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if len(x) != len(y) {
				return len(x) - len(y)
			}
		}
		if d := strings.Compare(x, y); d != 0 {
			return d
		}
		a, b = restA, restB
	}
	return len(a) - len(b)
}

// run cuts s after its first run of digits, or of what is no digit.
func run(s string) (first, rest string) {
	i := 1
	for i < len(s) && isDigit(s[i]) == isDigit(s[0]) {
		i++
	}
	return s[:i], s[i:]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
