package memory

import (
	"syscall"
	"unsafe"
)

// hugePage is the size of a huge page on the processors that matter here, in
// bytes.
const hugePage = 2 << 20

// AdviseHugePages asks for few large pages instead of many small ones: where
// they are given, filling a new buffer for the first time costs a fraction. It
// is a hint; that it may fail does not matter.
func AdviseHugePages(b []byte) {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	skip := -start & (hugePage - 1)
	if uintptr(len(b)) < skip+hugePage {
		return
	}
	_ = syscall.Madvise(b[skip:skip+(uintptr(len(b))-skip)&^(hugePage-1)], syscall.MADV_HUGEPAGE)
}
