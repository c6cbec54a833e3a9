/* SPDX-License-Identifier: MIT */
/*
 * test_nomem.c - every allocation fails once, in turn, over a transfer: no crash, no leak, and the other sockets live.
 *
 * Two connections run; the n-th allocation of one host fails.  Whatever the first connection makes of it (an error at a call, a lost
 * segment), the second must deliver everything, a third opened afterwards must work, and closing all leaves nothing allocated that was not there before.
 */
#include "sim.h"
#include "test.h"
#include <errno.h>

enum { BYTES = 200000, FIRST_ALLOCATIONS = 4000, STRIDE_LATER = 17 };

struct pair_done {
	struct sim_flow *a, *b;
};

static bool both_done(void *ctx)
{
	struct pair_done *d = ctx;

	return d->a->done && d->b->done;
}

/* True when the fault was reached (so that there is a next n to try). */
static bool run_with_fault(uint64_t n, int faulty)
{
	struct xmit_vnic_config link = {.size = sizeof(link), .features = XMIT_F_SG | XMIT_F_CSUM | XMIT_F_RXCSUM | XMIT_F_GRO,
					.delay_ns = SIM_MS, .rate_bps = 100000000, .loss_ppm = 5000, .seed = 3};
	struct sim s;
	struct sim_flow a, b, c;
	struct xmit_memory before, after;

	sim_init_pair_mem(&s, 7, &link, 8 << 20, 8 << 20);
	sim_flow_start(&b, &s, 0, 1, 81, BYTES);
	xmit_memory(s.host[faulty], &before);
	uint64_t failures = before.failures;
	xmit_fail_allocation(s.host[faulty], n);
	sim_flow_start(&a, &s, 0, 1, 80, BYTES);
	struct pair_done d = {&a, &b};
	/* The flow may be stuck by an error that its owner was told; the event callbacks then go on at the next event. */
	for (int i = 0; i < 120 && !both_done(&d); i++) {
		sim_run_until(&s, both_done, &d, SIM_SEC);
		sim_flow_poke(&a);
		sim_flow_poke(&b);
	}
	xmit_memory(s.host[faulty], &after);
	bool reached = after.failures > failures;
	xmit_fail_allocation(s.host[faulty], 0);
	if (!b.done || b.error)
		fprintf(stderr, "allocation %llu of host %d: the other socket has %llu of %d bytes, error %d\n", (unsigned long long)n, faulty,
			(unsigned long long)b.received, BYTES, b.error);
	assert_true(b.done && !b.error);
	sim_flow_start(&c, &s, 1, 0, 82, 10000);
	assert_true(sim_run_until(&s, sim_flow_done, &c, 60 * SIM_SEC));
	assert_int_equal(c.error, 0);
	sim_flow_close(&a);
	sim_flow_close(&b);
	sim_flow_close(&c);
	sim_run(&s, 400 * SIM_SEC);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(xmit_counter(s.host[i], "TcpCurrEstab", NULL), 0);
		xmit_memory(s.host[i], &after);
		if (after.live_objects > 600)
			fprintf(stderr, "allocation %llu of host %d: %llu objects live on host %d\n", (unsigned long long)n, faulty,
				(unsigned long long)after.live_objects, i);
	}
	sim_exit(&s); /* asserts inside that every cache is empty */
	return reached;
}

static void every_allocation_of(int host)
{
	uint64_t n = 1, tried = 0;

	/* All of the beginning (sockets, handshake, first segments), then a sample of the steady state. */
	while (run_with_fault(n, host) && n < 100000) {
		n += n < 400 ? 1 : STRIDE_LATER;
		tried++;
	}
	printf("host %d: %llu failures injected, up to allocation %llu\n", host, (unsigned long long)tried, (unsigned long long)n);
	assert_true(tried > 100);
}

static void sender_allocations(void **state)
{
	(void)state;
	every_allocation_of(0);
}

static void receiver_allocations(void **state)
{
	(void)state;
	every_allocation_of(1);
}

/* Making an instance, too: each allocation of xmit_net_new() fails in turn. */
static uint64_t fail_at;

static void *reserve(void *ctx, size_t n)
{
	(void)ctx;
	return fail_at == 1 ? NULL : aligned_alloc(256 << 10, n);
}

static void release(void *ctx, void *p, size_t n)
{
	(void)ctx;
	(void)n;
	free(p);
}

static void no_memory_at_all(void **state)
{
	struct xmit_config c = {.size = sizeof(c), .env = {.size = sizeof(c.env), .reserve = reserve, .release = release}};

	(void)state;
	fail_at = 1;
	errno = 0;
	assert_null(xmit_net_new(&c));
	assert_int_equal(errno, ENOMEM);
	fail_at = 0;
	c.memory_bytes = 1000;
	assert_null(xmit_net_new(&c));
	assert_int_equal(errno, EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sender_allocations),
		cmocka_unit_test(receiver_allocations),
		cmocka_unit_test(no_memory_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
