// Package seriesstore fills a kernel store with made kernels, for benchmarks.
//
// It must not know who measures what with it.
package seriesstore
