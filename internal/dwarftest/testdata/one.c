// Linked with two.c: both have a struct clash, of different members; each has the definition of what the other only declares.

struct elsewhere;
struct clash {
	int from_one;
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
struct here {
	struct same same;
	enum mode { MODE_ONE } mode;
};
typedef long changes;

struct here one_here;
struct holds_clash one_clash;
changes one_changes;
