// Package minimize makes minimal BTF: of a kernel's types, what a plan's
// relocations need to come to the same outcome, and no more.
//
// It resolves the plan on the kernel, keeps what the decisions looked at,
// emits that in a canonical form, and proves the result: every relocation is
// resolved again on the output and compared. Where they differ, more is kept.
//
// The package knows nothing of files or bundles.
package minimize
