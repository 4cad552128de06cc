// Command storebench measures generation from kernel stores beside generation from
// the same kernels as raw files, in one run; see make bench-store.
//
// It measures child processes (user and system time, as the kernel accounts them),
// both sides by turns, and the median of several rounds counts. The kernels are those
// of -hub (default: BTFGEN_HUB, else the built-in ones), and a series made of them
// (internal/kernelseries), whose store stays in the user's cache folder. Whatever is
// measured is also compared: the results of both sides have to be the same to the byte.
//
// It must not know how btfgen works: it runs the command as users do, but for the
// curve, which is of a store's first kernels and needs the Go API to say so.
package main
