/* SPDX-License-Identifier: Apache-2.0 */
struct leaf { long shift; int here; };
struct mid { long shift; struct leaf in; struct leaf *leaf; } mid;
struct top { long fresh; struct mid *mid; } top;
