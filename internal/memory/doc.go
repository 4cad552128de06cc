// Package memory has what costs less of the system than reading files into fresh
// memory: files that are mapped, and large pages. A mapped file may be cut short
// by others, and then using it faults: see debug.SetPanicOnFault, and Group for
// goroutines. It knows nothing of what is in files.
package memory
