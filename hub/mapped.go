package hub

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/btfgen/btfgen/internal/memory"
)

// MapFiles has a Reader map files that are not packed instead of copying them,
// where the system can: less than half the CPU time. A file that is written to
// or cut short while it is mapped can make any use of its types panic, so they
// must be used within Guard.
func MapFiles() ReaderOption { return func(r *Reader) { r.mapping = true } }

// ErrChanged says that a file was changed while its types were in use.
var ErrChanged = errors.New("changed while it was being read")

// mapping is a file that is mapped.
type mapping struct {
	path  string
	bytes []byte
	size  int64
	time  time.Time
}

func (r *Reader) mapFile(file *os.File, info os.FileInfo) ([]byte, bool) {
	b, err := memory.MapFile(file, info.Size())
	if err != nil {
		return nil, false
	}
	r.mapped = append(r.mapped, mapping{file.Name(), b, info.Size(), info.ModTime()})
	return b, true
}

// unmap lets go of what the last Load has mapped.
func (r *Reader) unmap() {
	for _, m := range r.mapped {
		memory.UnmapFile(m.bytes)
	}
	r.mapped = r.mapped[:0]
}

// Guard calls f, in which types that r has loaded are used. If f panics because
// a mapped file has changed, the error wraps ErrChanged and names the file; any
// other panic goes on.
func (r *Reader) Guard(f func() error) (err error) {
	if !r.mapping {
		return f()
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if _, ok := p.(runtime.Error); ok {
			if m := r.changed(); m != nil {
				err = fmt.Errorf("%s: %w", m.path, ErrChanged)
				return
			}
		}
		panic(p)
	}()
	return f()
}

// changed is a mapped file that is not what it was.
func (r *Reader) changed() *mapping {
	for i := range r.mapped {
		m := &r.mapped[i]
		info, err := os.Stat(m.path)
		if err != nil || info.Size() != m.size || !info.ModTime().Equal(m.time) {
			return m
		}
	}
	return nil
}
