package memory

import (
	"runtime/debug"
	"sync/atomic"
	"testing"
)

func TestGroupPassesPanicsOn(t *testing.T) {
	var g Group
	var ran atomic.Int32
	for i := range 4 {
		g.Go(func() {
			ran.Add(1)
			if i == 2 {
				panic("here")
			}
		})
	}
	defer func() {
		if p := recover(); p != "here" {
			t.Errorf("Wait panics with %v, expected here", p)
		}
		if ran.Load() != 4 {
			t.Errorf("%d functions ran", ran.Load())
		}
	}()
	g.Wait()
	t.Error("Wait returned")
}

func TestGroupFaultsAsItsCaller(t *testing.T) {
	for _, want := range []bool{false, true} {
		before := debug.SetPanicOnFault(want)
		var g Group
		var got bool
		g.Go(func() { got = debug.SetPanicOnFault(false) })
		g.Wait()
		debug.SetPanicOnFault(before)
		if got != want {
			t.Errorf("a fault is a panic: %v, where the caller has %v", got, want)
		}
	}
}
