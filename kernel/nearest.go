package kernel

// maxNearest is how many kernels an error names where none is the host's.
const maxNearest = 5

// nearest keeps the kernels whose releases share the most bytes with the start of the host's, the first that came first among
// equals. Memory for a release is used again when its kernel drops out.
type nearest struct {
	kernels [maxNearest]nearKernel
	n       int
}

type nearKernel struct {
	shared  int // bytes
	dir     string
	release []byte
}

// wants reports whether a kernel that shares this many bytes is among the nearest so far.
func (l *nearest) wants(shared int) bool {
	return l.n < maxNearest || shared > l.kernels[maxNearest-1].shared
}

// add takes in a kernel that is wanted.
func (l *nearest) add(shared int, dir string, release []byte) {
	if l.n < maxNearest {
		l.n++
	}
	place := l.n - 1
	dropped := l.kernels[place].release
	for place > 0 && l.kernels[place-1].shared < shared {
		l.kernels[place] = l.kernels[place-1]
		place--
	}
	l.kernels[place] = nearKernel{shared, dir, append(dropped[:0], release...)}
}

func (l *nearest) paths() []string {
	var paths []string
	for _, k := range l.kernels[:l.n] {
		paths = append(paths, join(k.dir, string(k.release)))
	}
	return paths
}

// join returns a kernel's path.
func join(dir, release string) string {
	if dir == "" {
		return release
	}
	return dir + "/" + release
}
