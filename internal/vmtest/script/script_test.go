package script

import (
	"bytes"
	"strings"
	"testing"
)

const report = `{"Kind":"booted","Text":"6.1.0-50-cloud-amd64 x86_64"}
{"Kind":"started","Step":"a"}
{"Kind":"stdout","Step":"a","Text":"one"}
{"Kind":"happened","Step":"a","Text":"truth"}
{"Kind":"stderr","Step":"a","Text":"two"}
{"Kind":"ended","Step":"a","Code":3,"Text":"limit","Seconds":1.5}
{"Kind":"failed","Text":"no tty"}
{"Kind":"done"}
`

func TestParse(t *testing.T) {
	r, err := Parse([]byte(strings.ReplaceAll(report, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	a := r.Steps["a"]
	if r.Release != "6.1.0-50-cloud-amd64" || r.Machine != "x86_64" || !r.Done || len(r.Failed) != 1 || len(r.Steps) != 1 ||
		a == nil || !a.Ended || a.Code != 3 || a.Stopped != "limit" || len(a.Stdout) != 1 || len(a.Stderr) != 1 || len(a.Happened) != 1 {
		t.Errorf("got %+v, step a %+v", r, a)
	}
}

// A guest that was stopped leaves a line cut off, and is not done.
func TestParseCutOff(t *testing.T) {
	for n := range report[:len(report)-2] {
		r, err := Parse([]byte(report[:n]))
		if err != nil || r.Done {
			t.Errorf("%d bytes: done %v, %v", n, r.Done, err)
		}
	}
	if _, err := Parse([]byte("{}\nkernel noise\n{}\n")); err == nil {
		t.Error("noise between events is no error")
	}
}

func TestDump(t *testing.T) {
	for _, n := range []int{0, 1, 5999, 6000, 6001, 1 << 20} {
		raw := make([]byte, n)
		for i := range raw {
			raw[i] = byte(i * i >> 7)
		}
		var out strings.Builder
		if err := Dump(&out, raw); err != nil {
			t.Fatal(err)
		}
		got, err := Undump(strings.Fields(out.String()))
		if err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%d bytes come back as %d, %v", n, len(got), err)
		}
	}
	if _, err := Undump([]string{"AAAA"}); err == nil {
		t.Error("a dump that was cut off is no error")
	}
}
