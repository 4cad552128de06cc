package main

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

func TestEventLine(t *testing.T) {
	comm := func(s string) (c [16]byte) { copy(c[:], s); return c }
	path := func(s string) (p [pathShown + 4]byte) { copy(p[:], s); return p }
	long := strings.Repeat("x", pathShown)
	for _, test := range []struct {
		e    event
		want string
	}{
		{event{PID: 7, Parent: 1, Result: 3, PathSize: 5, Comm: comm("cat"), Path: path("/etc")}, "7       1       cat              3        /etc"},
		{event{PID: 4194304, Parent: 4194303, Result: -13, PathSize: 2, Comm: comm("fifteen letters"), Path: path("/")}, "4194304 4194303 fifteen letters  EACCES   /"},
		{event{Result: -512, PathSize: -14, Comm: comm("ü\n"), Path: path("stale")}, "0       0       ü\\x0a           -512     ?"},
		{event{PathSize: pathShown + 1, Path: path(long)}, "0       0                        0        " + long},
		{event{PathSize: pathShown + 2, Path: path(long + "y")}, "0       0                        0        " + long + "..."},
	} {
		var sample bytes.Buffer
		if err := binary.Write(&sample, binary.NativeEndian, test.e); err != nil {
			t.Fatal(err)
		}
		sample.WriteString("gap") // the kernel rounds sizes up
		e, err := parseEvent(sample.Bytes())
		if got := e.String(); err != nil || got != test.want+"\n" {
			t.Errorf("got %q (%v), expected %q", got, err, test.want+"\n")
		}
	}
	if _, err := parseEvent(make([]byte, 291)); err == nil {
		t.Error("a sample of 291 bytes is taken for an event of 292")
	}
}
