package vmtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/internal/vmtest/script"
)

// A sighting is what one event of an object has to hold, each part somewhere in it, byte for byte: what the worker says that it did.
type sighting struct {
	parts func(w *script.Worked) []part
	// relocated: parts come from structs of the kernel, so that wrong types give wrong parts.
	relocated bool
	// blind are the series of kernels on which the object is known to see nothing, whatever the types, with the reason.
	blind map[string]string
}

// A part is bytes of an event, and what they say.
type part struct {
	what  string
	bytes []byte
}

// little are 32-bit numbers that follow each other.
func little(what string, numbers ...int) part {
	var b []byte
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return part{fmt.Sprintf("%s %d", what, numbers), b}
}

func text(what, s string) part { return part{what + " " + s, []byte(s)} }

// port is a port as a socket has it for itself; remote is one in the network's byte order.
func port(n int) part {
	return part{fmt.Sprintf("port %d", n), binary.LittleEndian.AppendUint16(nil, uint16(n))}
}

func remote(n int) part {
	return part{fmt.Sprintf("remote port %d", n), binary.BigEndian.AppendUint16(nil, uint16(n))}
}

var loopback = part{"address 127.0.0.1", []byte{127, 0, 0, 1}}

// sightings are what Debian's programs have to see, by the objects' names. The order of numbers is that of the structs in
// their sources (libbpf-tools/*.h of bcc 0.26).
var sightings = map[string]sighting{
	"execsnoop": {relocated: true, parts: func(w *script.Worked) []part {
		return []part{little("process and parent", w.ChildPID, w.PID), text("comm", path.Base(w.Executed)), text("path", w.Executed), text("argument", w.Argument)}
	}},
	"exitsnoop": {relocated: true, parts: func(w *script.Worked) []part {
		return []part{little("process, thread, parent, signal and exit status", w.ChildPID, w.ChildPID, w.PID, 0, w.ExitCode), text("comm", path.Base(w.Executed))}
	}},
	"mountsnoop": {relocated: true, parts: func(w *script.Worked) []part {
		return []part{little("process, thread and mount namespace", w.PID, w.PID, int(w.MountNamespace)), text("comm", w.Comm), text("source", w.MountSource), text("target", w.MountTarget)}
	}},
	"filetop": {relocated: true, parts: func(w *script.Worked) []part {
		return []part{little("process", w.PID), text("comm", w.Comm), text("file", path.Base(w.File))}
	}},
	"filelife": {relocated: true,
		blind: map[string]string{"6.12": "it takes vfs_unlink's arguments in their order before Linux 5.12 where struct renamedata has no old_mnt_userns, and that is gone again since 6.3"},
		parts: func(w *script.Worked) []part {
			return []part{little("process", w.PID), text("comm", w.Comm), text("file", path.Base(w.File))}
		}},
	"fsslower": {relocated: true, parts: func(w *script.Worked) []part {
		return []part{little("process", w.PID), text("comm", w.Comm), text("file", path.Base(w.File))}
	}},
	"bindsnoop": {relocated: true, parts: func(w *script.Worked) []part {
		return []part{little("process", w.PID), text("comm", w.Comm), loopback, port(w.Port)}
	}},
	"solisten": {relocated: true, parts: func(w *script.Worked) []part {
		return []part{little("process", w.PID), text("comm", w.Comm), little("backlog", w.Backlog), port(w.Port)}
	}},
	"tcpconnect": {relocated: true, parts: func(w *script.Worked) []part {
		return []part{little("process", w.PID), text("comm", w.Comm), loopback, remote(w.Port)}
	}},
	"tcpconnlat": {relocated: true, parts: func(w *script.Worked) []part {
		return []part{little("process", w.PID), text("comm", w.Comm), loopback, remote(w.Port)}
	}},
	"tcptracer": {relocated: true, parts: func(w *script.Worked) []part {
		return []part{little("process", w.PID), text("comm", w.Comm), loopback, remote(w.Port)}
	}},
	"tcptop": {relocated: true, parts: func(w *script.Worked) []part {
		return []part{little("process", w.PID), text("comm", w.Comm), loopback, port(w.Port), port(w.Client)}
	}},
	"syscount": {relocated: true, parts: func(w *script.Worked) []part {
		return []part{little("process", w.PID), text("comm", w.Comm)}
	}},
	"tcplife": {parts: func(w *script.Worked) []part {
		return []part{little("process", w.PID), text("comm", w.Comm), loopback, port(w.Port), port(w.Client)}
	}},
	"tcpstates": {parts: func(w *script.Worked) []part {
		return []part{text("comm", w.Comm), loopback, port(w.Port)}
	}},
	"opensnoop": {parts: func(w *script.Worked) []part {
		return []part{little("process", w.PID), text("comm", w.Comm), text("path", w.Missing)}
	}},
	"statsnoop": {parts: func(w *script.Worked) []part {
		return []part{little("process", w.PID), text("comm", w.Comm), text("path", w.File)}
	}},
	"sigsnoop": {parts: func(w *script.Worked) []part {
		return []part{little("sender, receiver and signal", w.PID, w.PID, w.Signal), text("comm", w.Comm)}
	}},
	"capable": {parts: func(w *script.Worked) []part {
		return []part{little("process", w.PID), text("comm", w.Comm)}
	}},
}

// A miss is a sighting that was not made.
type miss struct {
	object, why string
}

func (m miss) String() string { return m.object + ": " + m.why }

// missing lists the objects that did not see what they had to, of those that are asked.
func missing(b *booted, objects map[string]*script.Loaded) (asked int, list []miss) {
	for _, name := range slices.Sorted(maps.Keys(sightings)) {
		s := sightings[name]
		if s.blind[b.Series] != "" {
			continue
		}
		asked++
		if why := s.missed(objects[name]); why != "" {
			list = append(list, miss{name, why})
		}
	}
	return asked, list
}

// missed says why no event of an object holds all parts, "" if one does.
func (s sighting) missed(o *script.Loaded) string {
	switch {
	case o == nil:
		return "there is no such object"
	case o.Error != "":
		return "not loaded: " + firstLine(o.Error)
	case o.Worked == nil:
		return "the worker did not work"
	}
	parts := s.parts(o.Worked)
	var best []string // the parts that the best event lacks
	for i, event := range o.Events {
		var lacks []string
		for _, p := range parts {
			if !bytes.Contains(event, p.bytes) {
				lacks = append(lacks, p.what)
			}
		}
		if len(lacks) == 0 {
			return ""
		}
		if i == 0 || len(lacks) < len(best) {
			best = lacks
		}
	}
	if len(o.Events) == 0 {
		return "it saw nothing of the worker"
	}
	return fmt.Sprintf("of %d events the best lacks: %s", len(o.Events), strings.Join(best, ", "))
}
