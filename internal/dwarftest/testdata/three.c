// Linked with one.c and two.c: it declares what both define, differently, so that which one is meant cannot be known.

struct clash;
struct undecided {
	struct clash *which;
	struct here *known;
};

struct undecided three_undecided;
