// Every kind of type, one of a kind at least. types.want says what becomes of the named ones.
// No headers: this is compiled for other machines too.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef __SIZE_TYPE__ size_type;

struct ints {
	char c;
	signed char sc;
	unsigned char uc;
	short s;
	unsigned short us;
	int i;
	unsigned int ui;
	long l;
	unsigned long ul;
	long long ll;
	unsigned long long ull;
	_Bool b;
#ifdef __SIZEOF_INT128__
	__int128 i128;
	unsigned __int128 u128;
#endif
};

struct floats {
	float f;
	double d;
	long double ld;
};

// What a struct is called does not matter to its alignment.
struct __attribute__((packed)) packed {
	char a;
	int b;
	short c;
	long long d;
};

struct __attribute__((packed, aligned(2))) packed_aligned {
	char a;
	int b;
};

struct aligned {
	char a;
	int b __attribute__((aligned(16)));
	char c;
} __attribute__((aligned(64)));

struct empty {};

struct around_empty {
	int before;
	struct empty none;
	int after;
};

union either {
	int i;
	float f;
	u8 bytes[sizeof(int)];
	struct ints all;
};

struct nest {
	int first;
	struct {
		int in_struct;
		union {
			int in_union;
			struct {
				short deep;
				short deeper;
			};
			char text[8];
		};
	};
	union {
		struct {
			u8 lo, hi;
		} half;
		u16 whole;
	} word;
	struct tagged_inside {
		int x;
	} named_inside;
	struct {
		int rows;
	} table[2][3];
	struct {
		int unseen;
	} *behind;
};

struct flexible {
	u32 len;
	u16 data[];
};

struct zero_array {
	u32 len;
	u32 data[0];
};

struct arrays {
	int one[1];
	int grid[2][3];
	int cube[2][3][4];
	const char *words[5];
	int (*to_grid)[2][3];
	struct packed packs[3];
	int *(*pointers[2])[4];
};

struct node {
	struct node *next, **link;
	const struct node *const constant;
};

struct hen {
	struct egg *lays;
};
struct egg {
	struct hen *of;
	union brood *in;
};
union brood {
	struct hen mother;
	struct egg one;
};

struct unknown;
union unknown_union;

struct opaque {
	struct unknown *what;
	union unknown_union *which;
	void *anything;
	const void *anything_constant;
};

typedef int (*compare)(const void *, const void *);
typedef int printer(const char *, ...);
typedef void (*from_function(int))(struct node);
struct callbacks {
	compare less;
	printer *print;
	void (*nothing)(void);
	void (*unspecified)();
	struct callbacks (*by_value)(struct callbacks, union either);
	int (*(*get)(int))(char);
	from_function *maker;
	void (*arrays)(int n, int a[n], int fixed[3]);
};

struct qualified {
	const int c;
	volatile int v;
	const volatile int cv;
	const char *const *volatile *pointers;
	int *restrict r;
	const char *restrict cr;
	volatile struct node vs;
	const int ca[3];
	const volatile struct {
		int in;
	} nameless;
};

enum plain { PLAIN_A, PLAIN_B, PLAIN_C = 10 };
enum negative { NEGATIVE_A = -1, NEGATIVE_B };
enum big { BIG_A = 0x80000000u, BIG_B = 0xffffffffu };
enum wide { WIDE_A = 1, WIDE_B = 0x123456789abcdefll };
enum wide_negative { WIDE_NEGATIVE_A = -0x123456789ll, WIDE_NEGATIVE_B = 5 };
enum wide_unsigned { WIDE_UNSIGNED = 0xffffffffffffffffull };
enum __attribute__((packed)) tiny { TINY_A = 200 };
enum __attribute__((packed)) tiny_negative { TINY_NEGATIVE_A = -100, TINY_NEGATIVE_B = 100 };
enum __attribute__((packed)) small { SMALL_A = 40000 };
enum __attribute__((packed)) small_negative { SMALL_NEGATIVE_A = -30000 };
enum lone { LONE = 7 };
typedef enum { NAMELESS_A, NAMELESS_B = -2 } nameless_enum;

struct enums {
	enum plain a;
	enum negative b;
	enum big c;
	enum wide d;
	enum wide_negative e;
	enum wide_unsigned f;
	enum tiny g;
	enum tiny_negative h;
	enum small i;
	enum small_negative j;
	nameless_enum k;
	enum { INSIDE_A, INSIDE_B } l;
	enum lone *m;
};

typedef struct {
	int member;
} nameless_struct;
typedef union {
	int member;
	nameless_struct other;
} nameless_union;
typedef struct twice {
	int member;
} twice;
typedef twice *twice_pointer;
typedef const twice_pointer constant_pointer;
typedef nameless_struct chain1;
typedef chain1 chain2;
typedef int vector[4];
typedef void nothing;

struct typedefs {
	nameless_struct s;
	nameless_union u;
	twice t;
	constant_pointer p;
	chain2 c;
	vector v;
	nothing *n;
	size_type z;
};

struct everything {
	struct ints *ints;
	struct floats floats;
	struct packed packed;
	struct packed_aligned packed_aligned;
	struct aligned *aligned;
	struct around_empty around_empty;
	union either *either;
	struct nest nest;
	struct flexible *flexible;
	struct zero_array *zero_array;
	struct arrays arrays;
	struct hen hen;
	union brood brood;
	struct opaque opaque;
	struct callbacks callbacks;
	struct qualified qualified;
	struct enums enums;
	struct typedefs typedefs;
	u64 last;
} everything;
