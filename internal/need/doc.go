// Package need says what a test needs of the machine it runs on: a tool, root, a large set of kernels.
//
// On a developer's machine a test without its need is skipped, with the reason and how to get it. In CI (CI=true)
// nothing may be missing, and the same test fails: a check that silently did not run must not look green.
//
// It must not know what is tested: no BTF, no objects, no kernels beyond the path of their folder.
package need
