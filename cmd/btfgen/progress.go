package main

import (
	"io"
	"os"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/cwriter"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress is a bar on a terminal; elsewhere it shows nothing.
type progress struct {
	container *mpb.Progress
	bar       *mpb.Bar
	kernel    atomic.Pointer[string] // that was done last
}

func newProgress(stderr io.Writer, total int, quiet bool) *progress {
	p := &progress{}
	f, ok := stderr.(*os.File)
	if quiet || !ok || !cwriter.IsTerminal(int(f.Fd())) {
		return p
	}
	p.container = mpb.New(mpb.WithOutput(f))
	p.bar = p.container.New(int64(total), mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
		mpb.BarRemoveOnComplete(),
		mpb.BarWidth(32),
		mpb.BarFillerTrim(), // the blanks around it are the decorators'
		mpb.PrependDecorators(decor.CountersNoUnit("%d/%d kernels ")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			if k := p.kernel.Load(); k != nil {
				return " " + oneLine(*k)
			}
			return ""
		})),
	)
	return p
}

func (p *progress) report(done, total int, kernel string) {
	if p.bar == nil {
		return
	}
	p.bar.SetTotal(int64(total), false) // less than at first, if a store has some already
	p.kernel.Store(&kernel)
	p.bar.SetCurrent(int64(done))
}

// finish clears the bar away.
func (p *progress) finish() {
	if p.bar == nil {
		return
	}
	p.bar.Abort(true)
	p.container.Wait()
}
