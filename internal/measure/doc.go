// Package measure is what the benchmark commands have in common: the CPU time of
// child processes, by turns with a peer's; medians; ratios with bars, as a table;
// the programs and eBPF objects that are measured.
//
// It must not know what is compared with what, nor how btfgen works.
package measure
