package script

// An Opened is what the opener knows of itself: what a tool that watches has to show.
type Opened struct {
	PID, PPID  int
	Comm, Path string
}

// A Worked is what the worker did, by its own account: what programs that watch have to show.
type Worked struct {
	PID, PPID int
	Comm      string

	File     string // absolute path: created, written, read, synced, removed
	Missing  string // absolute path: could not be opened
	Executed string // absolute path of a program that was run with the argument Argument
	Argument string
	ChildPID int
	ExitCode int // the child's

	MountSource, MountTarget string // a tmpfs, mounted and unmounted
	MountNamespace           uint32

	Signal  int // sent by the worker to itself
	Port    int // of the listening socket on 127.0.0.1
	Backlog int
	Client  int // port of the connecting socket
}

// A Choice is which BTF the loader works with, and why.
type Choice struct{ Source, Path, Why string }

// A Loaded is what came of one object.
type Loaded struct {
	Object string
	// Error is why the object was not loaded, as the loader says it.
	Error    string `json:",omitempty"`
	Programs []Program
	// LeftOut are programs that were not even tried, with the reason.
	LeftOut map[string]string `json:",omitempty"`
	// Events are what programs sent or left in maps that has the worker's or its child's process id or comm in it.
	Events [][]byte `json:",omitempty"`
	Worked *Worked  `json:",omitempty"`
}

// A Program is one that was loaded.
type Program struct {
	Name, Section string
	Tag           string // the kernel's digest of its instructions
	Attached      bool
	Note          string `json:",omitempty"` // why not, or in place of what
	Runs          uint64 // how often it ran while the worker worked
}
