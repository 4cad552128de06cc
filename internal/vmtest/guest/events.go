//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/perf"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/btfgen/btfgen/internal/vmtest/script"
)

// atMost is how many events of one object are reported.
const atMost = 60

// seen are the places where an object's programs leave what they see.
type seen struct {
	perf  []*perf.Reader
	rings []*ringbuf.Reader
	maps  []*ebpf.Map
}

func openEvents(c *ebpf.Collection) (*seen, error) {
	s := new(seen)
	for name, m := range c.Maps {
		switch m.Type() {
		case ebpf.PerfEventArray:
			r, err := perf.NewReader(m, 1<<18)
			if err != nil {
				s.close()
				return nil, fmt.Errorf("map %s: %w", name, err)
			}
			s.perf = append(s.perf, r)
		case ebpf.RingBuf:
			r, err := ringbuf.NewReader(m)
			if err != nil {
				s.close()
				return nil, fmt.Errorf("map %s: %w", name, err)
			}
			s.rings = append(s.rings, r)
		case ebpf.Hash, ebpf.LRUHash:
			s.maps = append(s.maps, m)
		}
	}
	return s, nil
}

func (s *seen) close() {
	for _, r := range s.perf {
		_ = r.Close()
	}
	for _, r := range s.rings {
		_ = r.Close()
	}
}

// about returns the events, and the entries of maps (key, then value), that are about what the worker did.
func (s *seen) about(w *script.Worked) (events [][]byte, err error) {
	keep := func(event []byte) {
		if len(events) < atMost && concerns(event, w) {
			events = append(events, trimmed(event))
		}
	}
	deadline := time.Now().Add(50 * time.Millisecond)
	for _, r := range s.perf {
		r.SetDeadline(deadline)
		for {
			rec, err := r.Read()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return events, err
			}
			keep(rec.RawSample)
		}
	}
	for _, r := range s.rings {
		r.SetDeadline(deadline)
		for {
			rec, err := r.Read()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return events, err
			}
			keep(rec.RawSample)
		}
	}
	for _, m := range s.maps {
		var key, value []byte
		for entries := m.Iterate(); entries.Next(&key, &value); {
			keep(append(bytes.Clone(key), value...))
		}
	}
	return events, nil
}

// trimmed leaves out zeros at the end, but for those that may be part of a number.
func trimmed(event []byte) []byte {
	return event[:min(len(event), len(bytes.TrimRight(event, "\x00"))+8)]
}

// concerns tells whether an event may be about the worker or its child: it holds the comm or the process id of one.
func concerns(event []byte, w *script.Worked) bool {
	for _, comm := range []string{w.Comm, "vmchild"} {
		if bytes.Contains(event, []byte(comm)) {
			return true
		}
	}
	for _, pid := range []int{w.PID, w.ChildPID} {
		if bytes.Contains(event, binary.NativeEndian.AppendUint32(nil, uint32(pid))) {
			return true
		}
	}
	return false
}
