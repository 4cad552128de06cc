// Package script is what the test and the program that runs in the guest say to each other: the steps that the guest
// carries out, and what it and its programs report of each, as lines of JSON on the guest's second serial port. (The first
// is the kernel's console, whose messages would break lines in two.)
//
// It must not know how a guest is started, nor what is right.
package script
