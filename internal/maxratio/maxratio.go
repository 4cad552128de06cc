// Package maxratio says how many bytes one byte can expand to at most, by the way
// it is compressed. What claims more is wrong, and gets no memory: the readers of
// outside bytes have these bounds in common.
package maxratio

// Bounds by format.
const (
	XZ   = 8192  // a repeated match of 273 bytes takes 14 bits of log2(2048/2017) = 0.022 bits each: 7,090
	Gzip = 1032  // a match of 258 bytes takes 2 bits; zlib's the same
	Zstd = 32768 // a block of 128 KB takes 4 bytes
)
