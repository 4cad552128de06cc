package btfgen

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/minimize"
)

// Options say how Generate goes about it. The zero value is ready for use.
type Options struct {
	// Jobs is how many kernels are worked on at a time; 0: one per processor.
	Jobs int
	// FailFast stops at the first kernel that fails. Otherwise it is named in
	// the summary and the others are done.
	FailFast bool
	// MaxBytes limits one kernel's BTF in bytes, 0: hub.DefaultMaxBytes.
	MaxBytes int64
	// Progress, if set, is called whenever a kernel is done, one call at a time.
	Progress func(done, total int, kernel string)
}

// Generate makes the minimal BTF of every kernel of source. sink gets the
// results in the order of the source's kernels, one at a time, those of failed
// kernels not. The error is ctx's, or that of a source that is of no use;
// kernels that failed are in the summary, which is never nil.
func (g *Generator) Generate(ctx context.Context, source hub.Source, opt Options, sink Sink) (*Summary, error) {
	start := time.Now()
	c := newCollector(g)
	kernels, problems, err := source.Kernels()
	if err != nil {
		return c.finish(start), err
	}
	for _, p := range problems {
		c.summary.Failures = append(c.summary.Failures, Failure{p.Kernel, p.Err})
	}
	c.summary.Kernels = len(kernels)
	if opt.FailFast && len(problems) > 0 {
		return c.finish(start), nil
	}

	tasks := g.tasks(kernels, opt)
	o := ordered{
		collector: c, sink: sink, opt: opt, total: len(kernels), waiting: make(map[int]*Result),
	}
	jobs := opt.Jobs
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	work := func() {
		w := g.newWorker(opt, c.reported)
		for {
			i := int(next.Add(1)) - 1
			if i >= len(tasks) || ctx.Err() != nil || o.stopped.Load() {
				return
			}
			if t := &tasks[i]; !t.follows {
				w.task(i, tasks, o.put)
			}
		}
	}
	var wg sync.WaitGroup
	for range min(jobs, len(tasks)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	if o.stopped.Load() {
		return c.finish(start), nil
	}
	return c.finish(start), ctx.Err()
}

// ordered takes results as they are done and passes them on in the order of
// the kernels. It does so in the worker that has brought the missing one: there
// is no further goroutine to wake.
type ordered struct {
	collector *collector
	sink      Sink
	opt       Options
	total     int

	stopped atomic.Bool

	mu      sync.Mutex
	done    int
	turn    int // the kernel that is next
	waiting map[int]*Result
}

func (o *ordered) put(i int, res *Result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done++
	if o.opt.Progress != nil {
		o.opt.Progress(o.done, o.total, res.Kernel)
	}
	o.waiting[i] = res
	for !o.stopped.Load() {
		res := o.waiting[o.turn]
		if res == nil {
			return
		}
		delete(o.waiting, o.turn)
		o.turn++
		if res.Err == nil {
			res.Err = o.sink(res)
		}
		o.collector.take(res)
		if o.opt.FailFast && len(o.collector.summary.Failures) > 0 {
			o.stopped.Store(true)
		}
	}
}

// worker does one kernel after the other, reusing its buffers.
type worker struct {
	g          *Generator
	reader     *hub.Reader
	minimizers [2]*minimize.Minimizer
	modules    []core.Module
	reported   [2][]atomic.Int64
}

func (g *Generator) newWorker(opt Options, reported [2][]atomic.Int64) *worker {
	ro := []hub.ReaderOption{hub.MapFiles()}
	if opt.MaxBytes > 0 {
		ro = append(ro, hub.MaxBytes(opt.MaxBytes))
	}
	return &worker{g: g, reader: hub.NewReader(ro...), reported: reported}
}

// task does a kernel and, with the same result, those that show the same.
func (w *worker) task(i int, tasks []task, done func(int, *Result)) {
	t := &tasks[i]
	res := w.kernel(i, t)
	done(i, res)
	for _, n := range t.same {
		if res.Err != nil { // each fails for itself, or does not
			done(n, w.kernel(n, &tasks[n]))
			continue
		}
		done(n, res.like(&tasks[n]))
	}
}

func (w *worker) kernel(index int, t *task) *Result {
	res := &Result{Kernel: t.kernel.Name}
	if t.other {
		res.Input = t.kernel.Size()
		res.Err = ErrNotApplicable
		return res
	}
	if t.view != nil && w.shown(index, t, res) {
		return res
	}
	*res = Result{Kernel: t.kernel.Name}
	res.Err = w.reader.Guard(func() error { return w.whole(index, t.kernel, res) })
	return res
}

// shown does a kernel by what the plan's scope shows of it. It gives up, for the
// kernel to be taken as a whole, on any error, and where a relocation has looked
// at what the scope does not show.
func (w *worker) shown(index int, t *task, res *Result) bool {
	types, err := t.view.Types(t.kernel.Name)
	if err != nil {
		return false
	}
	w.modules = w.modules[:0]
	res.Input = t.kernel.Size()
	return w.minimize(index, t.kernel, types, true, res) == nil
}

// whole does a kernel by all of its types.
func (w *worker) whole(index int, k *hub.Kernel, res *Result) error {
	types, err := k.Load(w.reader)
	if err != nil {
		return err
	}
	res.Input = int64(len(types.Vmlinux))
	w.modules = w.modules[:0]
	for _, m := range types.Modules {
		res.Input += int64(len(m.BTF))
		w.modules = append(w.modules, core.Module{Name: m.Name, BTF: m.BTF})
	}
	return w.minimize(index, k, types.Vmlinux, false, res)
}

var errStrayed = errors.New("a relocation has looked at more than its plan's scope")

func (w *worker) minimize(index int, k *hub.Kernel, types []byte, shown bool, res *Result) error {
	i, err := orderOf(types)
	if err != nil {
		return fmt.Errorf("%s: %w", k.Path, err)
	}
	if w.g.plans[i] == nil {
		return ErrNotApplicable
	}
	if w.minimizers[i] == nil {
		w.minimizers[i] = minimize.New(w.g.plans[i])
	}
	m := w.minimizers[i]
	if res.BTF, err = m.Minimize(types, w.modules...); err != nil {
		return fmt.Errorf("%s: %w", k.Path, err)
	}
	if shown && m.Full().Strayed() {
		return errStrayed
	}
	res.SHA256 = sha256.Sum256(res.BTF)
	res.Types = m.Types()
	res.plan = i
	res.statuses, res.reasons = judge(w.g.plans[i], m.Full(), w.reported[i], index)
	for _, s := range res.statuses {
		res.Counts.add(s)
	}
	return nil
}

// reason is why a relocation did not resolve.
type reason struct {
	local int
	text  string
}

// judge gives every distinct relocation its status, the worst that any of its
// instructions comes to, and the reasons of those that no earlier kernel has
// given one for.
func judge(p *core.Plan, r *core.Resolver, reported []atomic.Int64, kernel int) ([]core.Status, []reason) {
	statuses := make([]core.Status, p.Len())
	outcomes := make([]core.Outcome, p.Len())
	var reasons []reason
	say := func(i int, text func() string) {
		for {
			seen := reported[i].Load()
			if seen != 0 && seen <= int64(kernel)+1 {
				return
			}
			if reported[i].CompareAndSwap(seen, int64(kernel)+1) {
				reasons = append(reasons, reason{i, text()})
				return
			}
		}
	}
	for i := range outcomes {
		outcomes[i] = r.Outcome(i)
		statuses[i] = outcomes[i].Status
		if statuses[i] > core.Zero {
			say(i, func() string { return r.Reason(i, outcomes[i]) })
		}
	}
	uses := p.Uses()
	for u := range uses {
		i := uses[u].Local
		if outcomes[i].Status > core.Zero {
			continue
		}
		_, poisoned, err := core.Patch(uses[u].Insn, outcomes[i], p.ByteOrder())
		switch {
		case err != nil && statuses[i] != core.Failed:
			statuses[i] = core.Failed
			say(i, err.Error)
		case poisoned && statuses[i] < core.Poisoned:
			statuses[i] = core.Poisoned
			say(i, func() string { return r.Reason(i, outcomes[i]) })
		}
	}
	return statuses, reasons
}
