/* SPDX-License-Identifier: Apache-2.0 */
struct elem { long added; int k; int v; };
struct arrays {
	int shift;
	int plain[5];
	struct elem structs[3];
	int two[3][5];
	int became_scalar;
	int scalar_became[2];
	int pointer_became[2];
	int *became_pointer;
	short narrower[4];
	double floats[4];
	struct { int more; int in_anon[2]; };
} arrays;
