// Package elffile reads the section table of an ELF file, and sections by name,
// out of a File: bytes in memory, or ranges of a stream that is only partly
// unpacked. Sections come decompressed (SHF_COMPRESSED, and the older .zdebug_).
//
// debug/elf reads through an io.ReaderAt piece by piece, which a compressed
// stream can serve only by starting again; here all ranges of one step are asked
// for at once, and bytes that are in memory are not copied.
//
// It must not know what is in the sections.
package elffile
