package script

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Where the guest finds and leaves things.
const (
	// StepsPath is the file with the steps, a JSON array, in the guest's root folder.
	StepsPath = "/steps.json"
	// ResultsPort is the device that reports go to.
	ResultsPort = "/dev/ttyS1"
)

// A Step is one program that the guest runs.
type Step struct {
	// Name tells steps apart; no two of a guest are equal.
	Name string
	// Argv is the program, by its path, and its arguments.
	Argv []string
	// Env is added to the guest's environment, as NAME=VALUE.
	Env []string `json:",omitempty"`
	// Trigger is a program that is run every 300 ms while Argv runs: what Argv is there to see. What it prints is reported.
	Trigger []string `json:",omitempty"`
	// Until ends the step, by an interrupt to Argv, a moment after a line of its output holds this. Empty: Argv ends by itself.
	Until string `json:",omitempty"`
	// Limit is how long Argv may run before it is interrupted, and killed two seconds later.
	Limit time.Duration
	// ShowKernelBTF: /sys/kernel/btf is not hidden in this step.
	ShowKernelBTF bool `json:",omitempty"`
}

// Kind says what an event is about.
type Kind string

// What the guest reports.
const (
	Booted   Kind = "booted"   // Text: release and machine, as uname(2) has them
	Started  Kind = "started"  // a step started
	Stdout   Kind = "stdout"   // Text: a line
	Stderr   Kind = "stderr"   // Text: a line
	Happened Kind = "happened" // Text: a line that the trigger printed: the truth
	Ended    Kind = "ended"    // Code, Seconds, and Text if it was stopped
	Failed   Kind = "failed"   // Text: the guest itself could not do something
	Done     Kind = "done"     // all steps ran
)

// An Event is one line of the report.
type Event struct {
	Kind    Kind
	Step    string  `json:",omitempty"`
	Text    string  `json:",omitempty"`
	Code    int     `json:",omitempty"` // exit status; -1 after a signal
	Seconds float64 `json:",omitempty"`
}

// A Result is what came of one step.
type Result struct {
	Stdout, Stderr, Happened []string // lines
	Code                     int      // exit status; -1 after a signal
	Ended                    bool
	Stopped                  string // why it was stopped, if it was
	Seconds                  float64
}

// A Report is what came of a guest.
type Report struct {
	Release, Machine string
	Steps            map[string]*Result
	Done             bool
	Failed           []string
}

// Parse reads a report, which may end early. A line that is not an event is an error, but for a last one that was cut off.
func Parse(raw []byte) (*Report, error) {
	r := &Report{Steps: map[string]*Result{}}
	for number := 1; len(raw) > 0; number++ {
		line, rest, whole := bytes.Cut(raw, []byte("\n"))
		raw = rest
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			if !whole {
				break
			}
			return r, fmt.Errorf("line %d of the guest's report, %.100q, is no event: %w", number, line, err)
		}
		r.add(e)
	}
	return r, nil
}

func (r *Report) add(e Event) {
	switch e.Kind {
	case Booted:
		r.Release, r.Machine, _ = strings.Cut(e.Text, " ")
		return
	case Failed:
		r.Failed = append(r.Failed, e.Text)
		return
	case Done:
		r.Done = true
		return
	}
	s := r.Steps[e.Step]
	if s == nil {
		s = &Result{}
		r.Steps[e.Step] = s
	}
	switch e.Kind {
	case Stdout:
		s.Stdout = append(s.Stdout, e.Text)
	case Stderr:
		s.Stderr = append(s.Stderr, e.Text)
	case Happened:
		s.Happened = append(s.Happened, e.Text)
	case Ended:
		s.Ended, s.Code, s.Stopped, s.Seconds = true, e.Code, e.Text, e.Seconds
	}
}
