/* SPDX-License-Identifier: MIT */
/*
 * impair.h - what one direction of a bad link does to each frame, as arithmetic: it holds no frames and reads no clock.  link.h uses it in virtual
 * time, bench/impaired.c in real time.
 *
 * A frame that comes waits in a FIFO of bounded bytes, goes out at the rate, and arrives after the delay, or is lost, doubled or late on the way.
 * What happens to the n-th frame depends on the seed and on n alone (but for the FIFO's overflow): whoever sends, however fast, loses the same ones.
 * Bursts of losses are those of Gilbert and Elliott: a line that is good or bad, and changes with a chance per frame.
 */
#ifndef XMIT_TESTS_IMPAIR_H
#define XMIT_TESTS_IMPAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Chances in millionths. */
struct impair_faults {
	uint32_t loss_ppm;
	uint32_t to_bad_ppm, to_good_ppm, bad_loss_ppm; /* Gilbert-Elliott: good to bad, back, and loss while bad */
	uint64_t lost_mask;                             /* frame n is lost if bit n % mask_bits is set */
	uint32_t mask_bits;                             /* 1 to 64; 0: no mask */
	uint32_t duplicate_ppm;
	uint32_t reorder_ppm;                           /* late by reorder_ns: those behind it overtake */
	uint64_t reorder_ns;
	uint64_t jitter_ns;                             /* up to so much later, the order kept */
};

struct impair {
	struct impair_faults faults;
	uint64_t seed, rate_bps, delay_ns;              /* rate 0: no limit */
	uint32_t queue_bytes;
	uint64_t police_bps;                            /* a token bucket: frames beyond this rate are dropped, never queued; 0: none */
	uint32_t police_burst_bytes;                    /* what the bucket holds; full at first */
	/* From here on: its state, and counts. */
	uint64_t ordinal, free_ns, latest_ns, policed_ns;
	double tokens_bytes;                            /* at policed_ns */
	bool bad;
	uint64_t dropped, lost, policed, doubled, late;
};

/* Bytes that wait in front of a frame that comes now. */
uint64_t impair_waiting_bytes(const struct impair *i, uint64_t now_ns);
/* The fate of the next frame, len bytes: how many copies of it arrive (0 to 2), and when.  True in *dropped: the FIFO was full. */
unsigned impair_frame(struct impair *i, uint64_t now_ns, size_t len, uint64_t arrival_ns[2], bool *dropped);

#endif
