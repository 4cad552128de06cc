package xz

import (
	"fmt"
	"hash"
	"runtime/debug"
	"slices"
	"sort"
	"sync"

	"github.com/btfgen/btfgen/internal/maxratio"
)

const (
	// maxBuffers bounds the buffers of all workers together, in bytes, and with it
	// the number of workers where blocks are large.
	maxBuffers = 512 << 20
	// minStreak is after how many blocks, wanted one after the other, those after
	// them are expanded before somebody asks.
	minStreak = 2
)

// Reader gives ranges of what a file expands to. Only blocks that hold a part of
// them are expanded, at the same time where there are several, and each only up
// to the last byte that is wanted of it. The last few blocks are kept; who reads on
// and on has the next ones expanded beforehand by workers that wait.
//
// A block of more than 64 MiB, which xz writes when it runs on one thread, passes
// through a window of its dictionary size, 16 MiB at least: going on in it costs only what lies between, going
// back behind what the window still holds starts the block again. Its dictionary
// may have 64 MiB; a larger one is ErrUnsupported.
//
// A block's checksum is verified when the block's last byte is asked for; bytes
// before it are given as they come out of the decoder.
//
// It is not safe for concurrent use.
type Reader struct {
	file    []byte
	blocks  []block // first to last
	starts  []int64 // where each begins in the expanded bytes, and their end
	workers int
	whole   int64 // the largest block in bytes that gets a buffer of its size

	slots   []*slot // the one not used for longest first
	mark    *slot   // a copy, where Mark was called
	stats   Stats
	last    int    // the last block that was asked for
	streak  int    // of how many blocks one after the other, before it
	forward bool   // there are blocks that pass through a window
	used    []bool // by block: something of it was expanded
}

// slot is a decoder with its buffer, which is kept from block to block.
type slot struct {
	blockDecoder
	own  []byte
	busy bool
}

// Part is a range of the expanded bytes: those at Offset go to Dst.
type Part struct {
	Offset int64
	Dst    []byte
}

// Stats says what a Reader has done.
type Stats struct {
	Blocks   int   // in the file
	Used     int   // of which something was expanded
	Expanded int64 // bytes that were expanded, those that were skipped and those expanded again included
}

// NewReader reads the index of file. Parts of different blocks are expanded by up
// to so many workers at the same time, each of which takes memory: the size of
// a block, at most 96 MiB.
func NewReader(file []byte, workers int) (*Reader, error) {
	var d Decoder
	size, err := d.index(file)
	if err != nil {
		return nil, err
	}
	slices.Reverse(d.blocks)
	r := &Reader{file: file, whole: maxWhole, last: -1, blocks: d.blocks, starts: make([]int64, 0, len(d.blocks)+1), used: make([]bool, len(d.blocks))}
	at, largest := int64(0), int64(1)
	for _, b := range r.blocks {
		if b.expanded/maxratio.XZ > b.unpadded {
			return nil, corrupt(b.offset, "block of %d bytes that claims to expand to %d", b.unpadded, b.expanded)
		}
		r.starts = append(r.starts, at)
		at += b.expanded
		largest = max(largest, min(b.expanded, maxDictionary*3/2))
		r.forward = r.forward || b.expanded > maxWhole
	}
	r.starts = append(r.starts, size)
	r.workers = max(1, min(workers, int(maxBuffers/largest)-1))
	r.stats.Blocks = len(r.blocks)
	return r, nil
}

// Size is how many bytes the file expands to, as its indexes say it.
func (r *Reader) Size() int64 { return r.starts[len(r.starts)-1] }

// Forward reports whether the file has blocks so large that going back in them
// means to start again.
func (r *Reader) Forward() bool { return r.forward }

// Mark remembers how far the decoder has come in the block that holds the byte at
// an offset, if that passes through a window and the byte is in it: going back to
// it later does not start the block again. It takes as much memory as the window,
// and only the last call counts.
func (r *Reader) Mark(offset int64) {
	for _, s := range r.slots {
		if s.index < 0 || int64(len(s.buf)) >= s.block.expanded {
			continue
		}
		at := offset - r.starts[s.index]
		if at < s.from || at > s.end() {
			continue
		}
		if r.mark == nil {
			r.mark = new(slot)
		}
		r.mark.restore(s)
	}
}

// restore makes s, but for its buffer, what from is.
func (s *slot) restore(from *slot) {
	own, expanded, tail := s.own, s.expanded, s.lzma2.tail
	s.blockDecoder = from.blockDecoder
	if cap(own) < len(from.buf) {
		own = make([]byte, len(from.buf))
	}
	s.own, s.buf = own, own[:len(from.buf)]
	copy(s.buf, from.buf[:from.pos])
	s.expanded, s.lzma2.tail = expanded, tail[:0]
	if from.sum.sha != nil {
		// The standard library's hashes can all be cloned.
		s.sum.sha, _ = from.sum.sha.(hash.Cloner).Clone()
	}
}

// Stats says what was done so far.
func (r *Reader) Stats() Stats { return r.stats }

// job is what one block has to give.
type job struct {
	block  int
	pieces []piece
	slot   *slot
	whole  bool // expand all of it, also what no piece wants
}

// Read fills all parts, which may come in any order and may overlap. On error
// they hold parts of no meaning.
func (r *Reader) Read(parts ...Part) error {
	jobs, err := r.jobs(parts)
	if err != nil {
		return err
	}
	return r.run(r.ahead(jobs))
}

// ahead adds jobs for the blocks after the one that is wanted, where that was so for
// some blocks now: who goes through the file in small steps waits for one block
// after the other otherwise, on one worker.
func (r *Reader) ahead(jobs []job) []job {
	if len(jobs) == 0 {
		return nil
	}
	last := jobs[0].block
	for _, j := range jobs {
		last = max(last, j.block)
	}
	switch {
	case last <= r.last:
		return jobs // it does not say where this goes on
	case last > r.last+1:
		r.streak = 0
	case jobs[0].slot == nil || len(jobs) > 1:
		r.streak++
	}
	r.last = last
	if r.streak < minStreak || len(jobs) > 1 || jobs[0].slot != nil {
		return jobs
	}
	// The longer, the farther: what is expanded in vain is a part of what was needed.
	for i := last + 1; i <= last+min(r.streak/2, r.workers-1) && i < len(r.blocks) && r.blocks[i].expanded <= r.whole; i++ {
		cached := slices.ContainsFunc(r.slots, func(s *slot) bool { return s.index == i })
		if cached || r.blocks[last].expanded > r.whole {
			break
		}
		jobs[0].whole = true
		jobs = append(jobs, job{block: i, whole: true})
	}
	return jobs
}

// jobs lists the blocks that parts lie in: those that are partly expanded already
// first, with their slots, so that these are not given to others.
func (r *Reader) jobs(parts []Part) ([]job, error) {
	byBlock := make(map[int]int)
	var jobs []job
	for _, p := range parts {
		if p.Offset < 0 || p.Offset > r.Size() || int64(len(p.Dst)) > r.Size()-p.Offset {
			return nil, fmt.Errorf("xz: %d bytes at offset %d of %d", len(p.Dst), p.Offset, r.Size())
		}
		// The last block that begins at or before it; empty ones are passed over.
		i := sort.Search(len(r.blocks), func(i int) bool { return r.starts[i+1] > p.Offset })
		for len(p.Dst) > 0 {
			n := min(int64(len(p.Dst)), r.starts[i+1]-p.Offset)
			if n > 0 {
				at, ok := byBlock[i]
				if !ok {
					at = len(jobs)
					byBlock[i] = at
					jobs = append(jobs, job{block: i})
				}
				jobs[at].pieces = append(jobs[at].pieces, piece{p.Offset - r.starts[i], p.Dst[:n:n]})
			}
			p.Offset, p.Dst = p.Offset+n, p.Dst[n:]
			i++
		}
	}
	for _, s := range r.slots {
		if at, ok := byBlock[s.index]; ok {
			jobs[at].slot = s
		}
	}
	slices.SortFunc(jobs, func(a, b job) int {
		if (a.slot != nil) != (b.slot != nil) {
			if a.slot != nil {
				return -1
			}
			return 1
		}
		return a.block - b.block
	})
	return jobs, nil
}

// run runs the jobs on the workers. Of several errors it returns that of the first
// block, as far as the jobs before it ran. A panic, which a mapped file causes
// that others cut short, is the caller's, whichever worker meets it.
func (r *Reader) run(jobs []job) error {
	var (
		mu       sync.Mutex
		wg       sync.WaitGroup
		next     int
		block    = len(r.blocks)
		first    error
		panicked any
	)
	onFault := debug.SetPanicOnFault(true)
	debug.SetPanicOnFault(onFault)
	work := func() {
		debug.SetPanicOnFault(onFault)
		mu.Lock()
		defer mu.Unlock()
		for next < len(jobs) && first == nil && panicked == nil {
			j := &jobs[next]
			next++
			s := r.take(j)
			expanded := s.expanded
			mu.Unlock()
			p, err := s.serve(r, j)
			mu.Lock()
			s.busy = false
			r.stats.Expanded += s.expanded - expanded
			if p != nil {
				panicked = p
			}
			if err != nil && j.block < block {
				block, first = j.block, err
			}
		}
	}
	for range min(r.workers, len(jobs)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	if panicked != nil {
		panic(panicked)
	}
	return first
}

// take marks a slot as busy with a job: the one that has the job's block, or else
// a new one, or else the one that was not used for longest.
func (r *Reader) take(j *job) *slot {
	if j.slot == nil && len(r.slots) < max(r.workers, 2) {
		j.slot = &slot{blockDecoder: blockDecoder{index: -1}}
		r.slots = append(r.slots, j.slot)
	}
	for i, s := range r.slots {
		if j.slot == s || j.slot == nil && !s.busy {
			j.slot, s.busy = s, true
			r.slots = append(slices.Delete(r.slots, i, i+1), s)
			break
		}
	}
	if !r.used[j.block] {
		r.used[j.block] = true
		r.stats.Used++
	}
	return j.slot
}

// serve fills the pieces of a job, or returns what it panicked with.
func (s *slot) serve(r *Reader, j *job) (panicked any, err error) {
	defer func() {
		if panicked = recover(); panicked != nil {
			s.index = -1
		}
	}()
	err = s.fill(r, j)
	if err == nil && j.whole && s.index == j.block {
		// What is wrong with bytes that nobody wants yet is found when somebody does.
		_ = s.read([]piece{{s.block.expanded, nil}})
	}
	return nil, err
}

// before reports whether a piece begins before an offset.
func before(pieces []piece, offset int64) bool {
	return slices.ContainsFunc(pieces, func(p piece) bool { return p.offset < offset })
}

func (s *slot) fill(r *Reader, j *job) (err error) {
	b := r.blocks[j.block]
	goesOn := s.index == j.block && !before(j.pieces, s.from)
	if m := r.mark; m != nil && m.index == j.block && !before(j.pieces, m.from) && !(goesOn && s.end() >= m.end()) {
		s.restore(m)
		goesOn = true
	}
	if goesOn {
		return s.read(j.pieces)
	}
	for _, p := range j.pieces {
		if p.offset == 0 && p.end() == b.expanded {
			// Who wants all of it has the buffer for it.
			if _, err := s.open(r.file, b, j.block, p.dst, nil, 0); err != nil {
				return err
			}
			err := s.read(j.pieces)
			s.buf, s.index = nil, -1
			return err
		}
	}
	if s.own, err = s.open(r.file, b, j.block, nil, s.own, r.whole); err != nil {
		return err
	}
	return s.read(j.pieces)
}
