/* SPDX-License-Identifier: MIT */
/*
 * prove.h - the switches of `make prove`: PROVE_BREAKS("T9") stands where the essence of a stop of the path lives, and breaks it on purpose when
 * the environment says XMIT_PROVE_BREAK=T9; the stop's test must then fail (tests/prove/run).  "T4.nagle" is a second switch of T4; "MUST-13" and
 * "SHLD-4" are those of the rows of doc/rfc9293.md.
 *
 * In every build but that one (-Dprove=true) it is the constant 0.
 */
#ifndef XMIT_LIB_PROVE_H
#define XMIT_LIB_PROVE_H

#ifdef XMIT_PROVE
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool prove_breaks(const char *what)
{
	static const char *chosen;

	if (!chosen)
		chosen = getenv("XMIT_PROVE_BREAK");
	if (!chosen)
		chosen = "";
	return !strcmp(chosen, what);
}
#define PROVE_BREAKS(what) prove_breaks(what)
#else
#define PROVE_BREAKS(what) 0
#endif

#endif
