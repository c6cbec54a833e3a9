/* SPDX-License-Identifier: MIT */
/* test_net.c - see test_net.h. */
#include "test_net.h"
#include <stdlib.h>
#include <string.h>

uint64_t test_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t env_now(void *ctx)
{
	struct test_net *tn = ctx;

	tn->clock_ns += tn->clock_step_ns;
	return tn->clock_ns;
}

static void env_random(void *ctx, void *buf, size_t n)
{
	struct test_net *tn = ctx;

	for (uint8_t *p = buf; n; p++, n--)
		*p = (uint8_t)test_random(&tn->random_state);
}

static void *env_reserve(void *ctx, size_t n)
{
	void *p = aligned_alloc((size_t)PAGE_SIZE << PAGE_MAX_ORDER, n);

	(void)ctx;
	if (p)
		memset(p, 0, n);
	return p;
}

static void env_release(void *ctx, void *p, size_t n)
{
	(void)ctx;
	(void)n;
	free(p);
}

static void env_discard(void *ctx, void *p, size_t n)
{
	struct test_net *tn = ctx;

	(void)p;
	tn->discarded_bytes += n;
}

static void env_log(void *ctx, const char *line)
{
	struct test_net *tn = ctx;

	tn->log_lines++;
	snprintf(tn->last_log, sizeof(tn->last_log), "%s", line);
}

struct test_net *test_net_new(size_t cap, uint64_t seed)
{
	struct test_net *tn = calloc(1, sizeof(*tn));

	ASSERT(tn);
	tn->random_state = seed;
	tn->clock_ns = NSEC_PER_SEC;
	tn->net.env = (struct xmit_env){
		.size = sizeof(struct xmit_env), .ctx = tn, .now_ns = env_now, .random = env_random, .reserve = env_reserve,
		.release = env_release, .discard = env_discard, .log = env_log,
	};
	net_clock_update(&tn->net);
	ASSERT(mem_init(&tn->net, cap ? cap : (size_t)16 << 20) == 0);
	ASSERT(timers_init(&tn->net) == 0);
	ASSERT(sysctl_init(&tn->net) == 0);
	ASSERT(skb_init(&tn->net) == 0);
	return tn;
}

void test_net_free(struct test_net *tn)
{
	struct net *net = &tn->net;

	trace_exit(net);
	skb_exit(net);
	sysctl_exit(net);
	timers_exit(net);
	ASSERT(mem_report_live(net) == 0);
	mem_exit(net);
	free(tn);
}

void test_net_set_time(struct test_net *tn, uint64_t ns)
{
	tn->clock_ns = ns;
	tn->net.now_ns = ns;
}
