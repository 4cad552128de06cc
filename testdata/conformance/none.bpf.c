/* SPDX-License-Identifier: Apache-2.0 */
/* An object without any CO-RE relocation. */
#include "conformance.h"

struct s { int a; };

// libbpf: nothing to relocate
CASE(plain) { return ((struct s *)ctx)->a; }
