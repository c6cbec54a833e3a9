/* SPDX-License-Identifier: MIT */
/*
 * test_net.h - a bare instance for unit tests: memory, timers, settings and skbs, with a clock that the test moves and a
 * random source that a seed decides.  No devices, no protocols.
 */
#ifndef XMIT_TESTS_SUPPORT_TEST_NET_H
#define XMIT_TESTS_SUPPORT_TEST_NET_H

#include "core/net.h"
#include "core/skbuff.h"
#include "core/sysctl.h"

struct test_net {
	struct net net;
	uint64_t clock_ns;      /* what env.now_ns returns; advances by clock_step_ns at each reading */
	uint64_t clock_step_ns;
	uint64_t random_state;  /* splitmix64 */
	uint64_t discarded_bytes;
	unsigned log_lines;
	char last_log[256];
};

/* A fresh instance with `cap` bytes of memory (a multiple of 256 KiB; 0: 16 MiB).  Aborts when it cannot be made. */
struct test_net *test_net_new(size_t cap, uint64_t seed);
/* Checks that nothing is left allocated (fails the test otherwise) and frees it. */
void test_net_free(struct test_net *tn);
/* Moves the clock and the cached time of the instance. */
void test_net_set_time(struct test_net *tn, uint64_t ns);
uint64_t test_random(uint64_t *state); /* splitmix64 */

#endif
