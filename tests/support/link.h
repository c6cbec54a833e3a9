/* SPDX-License-Identifier: MIT */
/*
 * link.h - a bottleneck that is not the sender's own device: two packet devices joined by a queue, a rate and a delay in each direction.
 *
 * Frames leave a host at once (its small queues and its ring see nothing of the bottleneck, as with a router on the way), wait in a FIFO of
 * bounded bytes, go out at the rate and arrive after the delay.  The queue may mark (CE instead of ECT above mark_bytes: RFC 8257's K) and
 * the line may lose, double and delay frames (impair.h), all counted.  In virtual time: sim_step() runs it.
 */
#ifndef XMIT_TESTS_LINK_H
#define XMIT_TESTS_LINK_H

#include "impair.h"
#include "sim.h"

struct link_config {
	uint64_t rate_bps, delay_ns; /* each way; rate 0: no limit */
	uint32_t queue_bytes;        /* frames beyond are dropped; 0: 1 MiB */
	uint32_t mark_bytes;         /* 0: no marking */
	uint32_t loss_ppm;           /* of frames from host 0 to host 1, besides the faults */
	uint64_t police_bps;         /* from host 0 to host 1: a token bucket in front (impair.h) */
	uint32_t police_burst_bytes;
	struct impair_faults faults; /* in both directions, each with draws of its own */
};

struct link_frame;
struct link_way {
	struct link *link;
	int to;
	struct impair line;
	struct link_frame *first, *last; /* in flight, by arrival */
	uint64_t frames, bytes, dropped, lost, marked;
	uint64_t queue_sum, queue_most; /* bytes in front of each frame that came: for the average */
	uint64_t burst_ns;           /* frames of this moment, and the most of one moment */
	uint32_t burst, burst_most;
};

struct link {
	struct sim *s;
	struct link_config c;
	xmit_dev *dev[2];
	struct link_way way[2];      /* [0]: from host 0 to host 1 */
};

/* Two hosts, 192.0.2.1/24 and 192.0.2.2/24, joined by l; sim_exit() first, then link_exit(). */
void link_init_pair(struct link *l, struct sim *s, uint64_t seed, const struct link_config *c);
void link_exit(struct link *l);
/* Forgets the counts of way[0] so far. */
void link_reset_counts(struct link *l);
static inline uint64_t link_mean_queue(const struct link *l) { return l->way[0].frames ? l->way[0].queue_sum / l->way[0].frames : 0; }

#endif
