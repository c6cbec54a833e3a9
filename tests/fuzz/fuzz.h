/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - what the fuzz targets share: reading an input piece by piece, and the end of every run.
 *
 * A target is a pure function of its input: virtual clock, seeded random numbers, no state between runs.  Any bytes are a valid input; where
 * it ends early, the rest reads as zero.
 */
#ifndef XMIT_TESTS_FUZZ_H
#define XMIT_TESTS_FUZZ_H

#include "wire_peer.h"
#include <stddef.h>
#include <string.h>

struct fuzz_input {
	const uint8_t *p;
	size_t left;
};

static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static inline uint16_t fuzz_u16(struct fuzz_input *in)
{
	uint8_t high = fuzz_u8(in);

	return (uint16_t)(high << 8 | fuzz_u8(in));
}

/* At most n bytes, as many as there are. */
static inline size_t fuzz_bytes(struct fuzz_input *in, uint8_t *to, size_t n)
{
	if (n > in->left)
		n = in->left;
	if (n)
		memcpy(to, in->p, n);
	in->p += n;
	in->left -= n;
	return n;
}

/* Virtual time by a 3-bit code: from nothing to past the lifetime of fragments. */
static inline uint64_t fuzz_time(unsigned code)
{
	static const uint64_t ms[8] = {0, 0, 1, 45, 210, 1100, 7000, 35000};

	return ms[code & 7] * SIM_MS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* "frame" of fuzz_frame.c */
extern const char fuzz_name[];

#endif
