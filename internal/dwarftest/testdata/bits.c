// Bitfields: where one lies depends on the byte order, on the ABI's rules, and on the version of DWARF how it is told.

typedef unsigned int word;
enum colour { RED, GREEN, BLUE = 6 };
enum sign { MINUS = -1, PLUS = 1 };
enum __attribute__((packed)) byte { BYTE = 3 };

struct flags {
	unsigned int a : 1;
	unsigned int b : 2;
	unsigned int c : 29;
};

struct mixed {
	char before;
	int s : 3;
	unsigned int u : 7;
	_Bool t : 1;
	enum colour colour : 3;
	enum sign sign : 2;
	word w : 5;
	int plain;
	unsigned char last : 4;
};

struct wide {
	unsigned long long low : 33;
	unsigned long long high : 31;
	long long whole : 64;
	long long rest : 40;
	unsigned int next : 20;
};

struct gaps {
	unsigned int a : 3;
	unsigned int : 5;
	unsigned int b : 3;
	unsigned int : 0;
	unsigned int c : 3;
	short : 0;
	unsigned short d : 9;
	unsigned char e : 8;
	unsigned int f : 32;
};

struct __attribute__((packed)) packed_bits {
	unsigned char a : 3;
	unsigned int b : 15;
	char c;
	unsigned long long d : 37;
	int e : 9;
	short f;
	enum byte g : 2;
};

union bit_union {
	unsigned int low : 5;
	int signed_low : 9;
	unsigned long long most : 50;
	char c;
};

struct nested_bits {
	int first : 4;
	struct {
		unsigned int in : 3;
		unsigned int : 2;
		unsigned int out : 9;
	};
	union {
		unsigned char half : 4;
		unsigned char whole;
	};
	struct {
		unsigned short a : 4, b : 12;
	} named;
	const unsigned int constant : 6;
	volatile unsigned long v : 11;
};

struct shorts {
	short a : 7;
	short b : 9;
	short c : 16;
	unsigned char d : 1;
	unsigned char e : 7;
	unsigned char f : 2;
	unsigned char g : 7;
};

struct everything_bits {
	struct flags flags;
	struct mixed mixed;
	struct wide wide;
	struct gaps gaps;
	struct packed_bits packed_bits;
	union bit_union bit_union;
	struct nested_bits nested_bits;
	struct shorts shorts;
} everything_bits;
