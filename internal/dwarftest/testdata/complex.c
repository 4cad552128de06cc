// Complex numbers, for which BTF has no kind; pahole refuses the whole file.

struct complexes {
	_Complex float f;
	_Complex double d;
	_Complex int *i;
	int after;
};

struct complexes complexes;
