package kernelpkg

import (
	"iter"
	"path"
	"strings"
)

// Kind is what a file of a kernel package is.
type Kind uint8

// The kinds of files.
const (
	Kernel    Kind = iota + 1 // vmlinux, or an image to boot
	Module                    // a module, or its debug information
	Alternate                 // what dwz took out of several files' debug information
)

// KernelFile is a file of a package that is of a kernel, judged by its path alone.
type KernelFile struct {
	Entry
	Kind    Kind
	Release string // what uname -r says, by the path; empty for an Alternate
	Module  string // a module's name as the kernel has it
	Debug   bool   // below /usr/lib/debug, or named .debug
}

// KernelFiles goes through the files that are of a kernel, in the archive's order,
// as Files does. Links to such files are left out.
func (p *Package) KernelFiles() iter.Seq2[KernelFile, error] {
	return func(yield func(KernelFile, error) bool) {
		for e, err := range p.Files() {
			if err != nil {
				yield(KernelFile{}, err)
				return
			}
			if k, ok := kernelFile(e); ok && !yield(k, nil) {
				return
			}
		}
	}
}

// imageNames are what kernels are called, by what makes them or installs them.
var imageNames = map[string]bool{
	"vmlinuz": true, "vmlinux": true, "Image": true, "zImage": true, "bzImage": true, "uImage": true, "kernel": true,
}

// compressed are endings of whole files.
var compressed = []string{".gz", ".xz", ".zst", ".bz2", ".lzma"}

func kernelFile(e Entry) (KernelFile, bool) {
	k := KernelFile{Entry: e}
	if !e.Mode.IsRegular() {
		if e.Link == "" {
			return k, false
		}
		target := clean(e.Link)
		if !strings.HasPrefix(e.Link, "/") {
			target = clean(path.Join("/", path.Dir(e.Path), e.Link))
		}
		to := Entry{Path: target}
		if _, ok := kernelFile(to); ok {
			return k, false
		}
	}
	name := e.Path
	if rest, ok := strings.CutPrefix(name, "usr/lib/debug/"); ok {
		name, k.Debug = rest, true
		if alternate, ok := strings.CutPrefix(name, ".dwz/"); ok {
			k.Kind = Alternate
			return k, alternate != "" && !strings.HasPrefix(path.Base(alternate), ".")
		}
	}
	if rest, ok := strings.CutSuffix(name, ".debug"); ok {
		name, k.Debug = rest, true
	}
	if rest, ok := strings.CutPrefix(name, "usr/lib/modules/"); ok {
		name = "lib/modules/" + rest
	}
	if rest, ok := strings.CutPrefix(name, "lib/modules/"); ok {
		return k, k.inModules(rest)
	}
	// A kernel at the top of the debug folder is one of a distribution without /boot.
	rest, ok := strings.CutPrefix(name, "boot/")
	if !ok && !k.Debug || strings.Contains(rest, "/") {
		return k, false
	}
	image, release, ok := strings.Cut(rest, "-")
	if !ok || !imageNames[image] || noImage(release) {
		return k, false
	}
	k.Kind, k.Release = Kernel, withoutCompression(release)
	return k, k.Release != ""
}

// inModules judges a path below /lib/modules.
func (k *KernelFile) inModules(name string) bool {
	release, name, ok := strings.Cut(name, "/")
	if !ok || release == "" {
		return false
	}
	k.Release = release
	if imageNames[withoutCompression(name)] || name == "vmlinux-"+release || name == "vmlinuz-"+release {
		k.Kind = Kernel
		return true
	}
	base := path.Base(name)
	if k.Debug {
		// RPM may add the package's version to the names of debug files.
		if at := strings.Index(base, ".ko-"); at > 0 {
			base = base[:at+3]
		}
	}
	module, ok := strings.CutSuffix(withoutCompression(base), ".ko")
	if !ok || module == "" {
		return false
	}
	k.Kind, k.Module = Module, strings.ReplaceAll(module, "-", "_")
	return true
}

// noImage reports whether what follows "vmlinuz-" ends like something beside a
// kernel: a checksum or a signature.
func noImage(release string) bool {
	switch path.Ext(release) {
	case ".hmac", ".sig", ".sha256", ".p7s", ".map", ".dtb", ".old", ".efi":
		return true
	}
	return false
}

func withoutCompression(name string) string {
	for _, ending := range compressed {
		if rest, ok := strings.CutSuffix(name, ending); ok {
			return rest
		}
	}
	return name
}
