package kernel

import (
	"fmt"
	"strings"
)

// maxNamed is how many kernels the text of an error names.
const maxNamed = 8

// NotFoundError says that no kernel of the bundle is this host's.
type NotFoundError struct {
	Host    Host
	Kernels int      // in the bundle
	Nearest []string // paths of at most five kernels of the host's architecture, the nearest first

	consensus string // why there is none, if it was asked for
}

func (e *NotFoundError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no BTF found for kernel version %v: ", e.Host)
	switch {
	case e.Kernels == 0:
		b.WriteString("the bundle is empty")
	case len(e.Nearest) == 0:
		fmt.Fprintf(&b, "none of the bundle's kernels is of this architecture (there are %d)", e.Kernels)
	default:
		fmt.Fprintf(&b, "none of the bundle's %d kernels has this release; nearest: %s", e.Kernels, named(e.Nearest))
	}
	if e.consensus != "" {
		b.WriteString("; no consensus: " + e.consensus)
	}
	return b.String()
}

// AmbiguousError says that kernels of the bundle have the host's release and differ in content, and that nothing decides
// between them.
type AmbiguousError struct {
	Host  Host
	Paths []string // one for each content, in the order of the bundle
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("no BTF found for kernel version %v: the bundle has %d different ones for it: %s; %s name the file of the right BTF",
		e.Host, len(e.Paths), named(e.Paths), e.undecided())
}

// undecided says what would have decided between the kernels.
func (e *AmbiguousError) undecided() string {
	distros, versions := make(map[string]bool), make(map[string]bool)
	for _, path := range e.Paths {
		id := ParsePath(path)
		distros[NormalDistro(id.Distro)] = true
		versions[NormalVersion(id.Version)] = true
	}
	switch {
	case len(distros) == 1 && len(versions) == 1:
		return "nothing in os-release tells these apart:"
	case e.Host.Container != "":
		return "the host's own os-release may decide, which this container does not see: mount it, or"
	case len(distros) > 1:
		return "ID in os-release would have to name one of these distributions:"
	default:
		return "VERSION_ID in os-release would have to name one of these versions:"
	}
}

// named lists paths, not too many for a line.
func named(paths []string) string {
	var b strings.Builder
	for i, path := range paths {
		if i == maxNamed {
			fmt.Fprintf(&b, " and %d more", len(paths)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(printable(path))
	}
	return b.String()
}
