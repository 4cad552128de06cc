package memory

import (
	"runtime/debug"
	"sync"
)

// Group runs functions that may read a mapped file, each on a goroutine of its
// own. What is a panic there, as a fault is where who calls Go has asked for that
// (debug.SetPanicOnFault), becomes one of who calls Wait, and does not end the
// process. The zero value is ready.
type Group struct {
	wg    sync.WaitGroup
	once  sync.Once
	panic any
}

// Go calls f on a goroutine.
func (g *Group) Go(f func()) {
	onFault := debug.SetPanicOnFault(true)
	debug.SetPanicOnFault(onFault)
	g.wg.Go(func() {
		debug.SetPanicOnFault(onFault)
		defer func() {
			if p := recover(); p != nil {
				g.once.Do(func() { g.panic = p })
			}
		}()
		f()
	})
}

// Wait waits until all functions have ended, and panics if one of them has.
func (g *Group) Wait() {
	g.wg.Wait()
	if g.panic != nil {
		panic(g.panic)
	}
}
