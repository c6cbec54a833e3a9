/* SPDX-License-Identifier: MIT */
/* assert.c - what a failed ASSERT does: says where, and aborts. */
#include "lib/compiler.h"
#include <stdio.h>
#include <stdlib.h>

void xmit_assert_fail(const char *cond, const char *file, int line)
{
	fprintf(stderr, "xmit: %s:%d: assertion failed: %s\n", file, line, cond);
	abort();
}
