/* SPDX-License-Identifier: Apache-2.0 */
/* Guarded and unguarded accesses, read chains, subprograms, other sections. */
#include "conformance.h"

RELOCATED_TYPES
struct leaf { int here; int gone; };
struct mid { struct leaf *leaf; struct leaf in; };
struct top { struct mid *mid; int old; };
struct top___new { long fresh; };
END_RELOCATED_TYPES

// libbpf: field_exists 1 -> 0; byte_off 8 -> poison (guarded: the poison is never reached)
CASE(guarded) {
	if (EXISTS(struct top, old))
		return LOAD(struct top, old);
	return 0;
}
// libbpf: field_exists 1 -> 1; byte_off 0 -> 0; byte_off 8 -> poison (one of two flavors)
CASE(either) {
	if (bpf_core_field_exists(((struct top___new *)ctx)->fresh))
		return BPF_CORE_READ((struct top___new *)ctx, fresh);
	return BPF_CORE_READ((struct top *)ctx, old);
}
// libbpf: byte_off 8 -> poison (unguarded: the instruction becomes a call of no helper)
CASE(unguarded) { return LOAD(struct top, old); }
// libbpf: byte_off 0 -> 8; byte_off 0 -> 24; byte_off 0 -> 8 (one relocation for each pointer on the way)
CASE(chain) { return BPF_CORE_READ((struct top *)ctx, mid, leaf, here); }
// libbpf: byte_off 0 -> 8; byte_off 8 -> 16 (a chain by direct access)
CASE(chain_direct) { return LOAD(struct top, mid)->in.here; }
// libbpf: byte_off 0 -> 8; byte_off 12 -> poison (the last of the chain is missing)
CASE(chain_gone) { return BPF_CORE_READ((struct top *)ctx, mid, in.gone); }

// libbpf: byte_off 8 -> 16 (a subprogram; the compiler reads once)
static SUBPROGRAM(local_function)
{
	return LOAD(struct mid, in.here) + LOAD(struct mid, in.here);
}

// libbpf: byte_off 0 -> 8; byte_off 0 -> 8 (a subprogram)
SUBPROGRAM(global_function)
{
	return LOAD(struct top, mid) ? LOAD(struct leaf, here) : 0;
}

// libbpf: byte_off 0 -> 8; byte_off 8 -> 16 (its own; all subprograms of an object are relocated with it, called or not)
CASE(calls_local) { return local_function(ctx) + LOAD(struct top, mid)->in.here; }
// libbpf: byte_off 0 -> 8; byte_off 8 -> 16 (likewise)
CASE(calls_global) { return global_function(ctx) + LOAD(struct top, mid)->in.here; }

// libbpf: byte_off 0 -> 8 (another section, first instruction counts from zero)
CASE_IN("kprobe/do_nothing", in_kprobe) { return LOAD(struct leaf, here); }
// libbpf: byte_off 8 -> 16 (the second program of its section)
CASE_IN("kprobe/do_nothing", second_in_kprobe) { return LOAD(struct mid, in.here); }
// libbpf: byte_off 8 -> 16 (a section that is attached by type)
CASE_IN("fentry/do_nothing", in_fentry) { return LOAD(struct mid, in.here); }
// libbpf: byte_off 8 -> 16 (a section that is not loaded by default)
CASE_IN("?tracepoint/a/b", not_by_default) { return LOAD(struct mid, in.here); }
