// Package xz expands xz files that are wholly in memory: a Decoder all of a file
// into a buffer of exactly its expanded size, a Reader any ranges of it, out of
// the blocks that hold them.
//
// It exists because a streaming decoder keeps a dictionary beside its output
// and copies every byte out of it; here the output is the dictionary. The
// expanded size is known before anything is decoded (the index at the end of
// each stream says it), so a caller can refuse a file that is too large, and
// the dictionary size that a file asks for costs no memory at all.
//
// Supported is what xz writes unless told otherwise: any number of streams and
// blocks, stream padding, LZMA2 alone as the filter, the checks none, CRC32,
// CRC64 and SHA-256. It must not know what is in the files.
package xz
