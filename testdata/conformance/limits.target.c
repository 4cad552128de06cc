/* SPDX-License-Identifier: Apache-2.0 */
#define LIMITS_INT int
#include "limits.h"
struct dimensions dimensions;
struct n64 n64;
p30 v30;
p31 v31;
p32 v32;
p33 v33;
