// What few kernels have: vectors, small and large floats, arrays whose length is a variable, types that only functions know.

#ifdef __FLT16_MANT_DIG__
struct half {
	_Float16 h;
};
struct half half;
#endif

#if defined(__x86_64__)
struct quad {
	__float128 q;
};
struct quad quad;
#endif

typedef int vector __attribute__((vector_size(16)));
struct vectors {
	vector v;
};

struct known {
	int outside;
};

// escape keeps compilers from leaving out what is only used here.
void escape(const void *, ...);

int lengths(int n)
{
	struct local_first {
		int a;
	} first = { n };
	int variable[n];
	char grid[3][n];

	variable[0] = grid[0][0] = first.a;
	{
		struct local_second {
			struct local_first f;
			enum local_enum { LOCAL_A, LOCAL_B = 300 } e;
		} second = { first, LOCAL_B };
		// Another of a name that there is outside.
		struct known {
			char inside;
		} known = { 1 };
		typedef struct known local_typedef;
		local_typedef *p = &known;

		variable[0] += second.f.a + second.e + p->inside;
		escape(&first, &second, p, &known, variable, grid);
	}
	return variable[0] + grid[0][0];
}

static inline int never_called(void)
{
	struct local_inline {
		long x;
	} s = { 1 };
	escape(&s);
	return s.x;
}

int calls(struct known *k)
{
	return never_called() + k->outside;
}

struct vectors vectors;
