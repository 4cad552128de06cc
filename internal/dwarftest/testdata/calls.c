// Functions and variables, of which pahole writes some with --functions' counterpart: linkage, parameters' names, sections of variables.

struct thing {
	int member;
	struct thing *next;
};
typedef int (*callback)(struct thing *, void *);

int global_function(struct thing *t, const char *name)
{
	return t->member + name[0];
}

static __attribute__((noinline)) int static_function(int a, unsigned long b)
{
	return a + (int)b;
}

static inline __attribute__((always_inline)) int inlined(int a)
{
	return a * 2;
}

int declared_only(int, struct thing);

int variadic(const char *format, ...)
{
	return format[0];
}

void no_parameters(void)
{
}

callback returns_function(enum choice { CHOICE_A, CHOICE_B } choice, int rest[4])
{
	return choice == CHOICE_A && rest[0] ? (callback)global_function : 0;
}

int caller(struct thing t, callback c)
{
	return static_function(t.member, 2) + inlined(3) + c(&t, 0);
}

int plain_variable = 1;
static int static_variable = 2;

int uses(void)
{
	return static_variable++;
}

__attribute__((section(".data..percpu"))) struct thing percpu_thing = { 1 };
__attribute__((section(".data..percpu"))) unsigned long percpu_counter = 2;
static __attribute__((section(".data..percpu"), used)) int percpu_static[3] = { 3 };
