// See one.c.

struct here;
struct clash {
	char *from_two;
	short other;
};
struct holds_clash {
	struct clash embedded;
	struct clash *pointed;
};
struct same {
	struct elsewhere *far;
	struct holds_clash *clashes;
	int member;
};
struct elsewhere {
	struct here *back;
	enum mode { MODE_TWO = 2 } mode;
};
typedef unsigned changes;

struct elsewhere two_elsewhere;
struct holds_clash two_clash;
struct same two_same;
changes two_changes;
