// Atomic types, for which BTF has no kind: they are what they are without. pahole does not know them.

struct node {
	struct node *next;
};

struct atomics {
	_Atomic int i;
	_Atomic(struct node *) p;
	_Atomic const int *pc;
};

struct wide_atomics {
	_Atomic long long wide;
	_Atomic unsigned char narrow;
	int after;
};
typedef _Atomic int atomic_int_type;

struct atomics atomics;
struct wide_atomics wide_atomics;
atomic_int_type atomic_variable;
