/* SPDX-License-Identifier: Apache-2.0 */
struct s { long pad; int a; } s;
