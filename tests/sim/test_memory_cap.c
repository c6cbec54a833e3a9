/* SPDX-License-Identifier: MIT */
/*
 * test_memory_cap.c - memory stays within the cap: a hundred bulk connections in 15 MB run at the link's speed over loss, a thousand all finish.  And
 * an idle one takes 1,024 bytes at most, all told.
 */
#include "core/mem_internal.h"
#include "sim.h"
#include "test.h"

static struct sim_flow flows[1000];

static bool all_done(void *ctx)
{
	int n = *(int *)ctx;

	for (int i = 0; i < n; i++)
		if (!flows[i].done)
			return false;
	return true;
}

static double run(int n, uint64_t bytes_each, size_t memory, uint64_t limit_s)
{
	struct xmit_vnic_config link = {.size = sizeof(link), .features = XMIT_F_SG | XMIT_F_CSUM | XMIT_F_RXCSUM | XMIT_F_GRO, .delay_ns = 5 * SIM_MS,
					.rate_bps = 400000000, .loss_ppm = 3000, .seed = 9};
	struct sim s;
	struct xmit_memory m;

	sim_init_pair_mem(&s, 5, &link, memory, memory);
	for (int i = 0; i < n; i++)
		sim_flow_start(&flows[i], &s, 0, 1, (uint16_t)(2000 + i), bytes_each);
	uint64_t start = s.now_ns;
	for (uint64_t t = 0; t < limit_s && !all_done(&n); t++) {
		sim_run_until(&s, all_done, &n, SIM_SEC);
		for (int i = 0; i < n; i++)
			sim_flow_poke(&flows[i]);
	}
	double seconds = (double)(s.now_ns - start) / 1e9;
	for (int i = 0; i < n; i++) {
		if (!flows[i].done || flows[i].error)
			fprintf(stderr, "flow %d: %llu of %llu bytes, error %d\n", i, (unsigned long long)flows[i].received,
				(unsigned long long)bytes_each, flows[i].error);
		assert_true(flows[i].done && !flows[i].error);
	}
	for (int i = 0; i < 2; i++) {
		xmit_memory(s.host[i], &m);
		assert_true(m.peak_bytes <= m.cap_bytes);
		printf("host %d: peak %.2f of %.2f MB, %llu allocations refused\n", i, (double)m.peak_bytes / 1e6, (double)m.cap_bytes / 1e6,
		       (unsigned long long)m.failures);
	}
	for (int i = 0; i < n; i++)
		sim_flow_close(&flows[i]);
	sim_run(&s, 200 * SIM_SEC);
	sim_exit(&s);
	return seconds;
}

static void a_hundred_in_15_megabytes(void **state)
{
	(void)state;
	double capped = run(100, 1 << 20, 15 << 20, 300), roomy = run(100, 1 << 20, 256 << 20, 300);

	printf("100 connections of 1 MiB: %.2f s in 15 MB, %.2f s in 256 MB\n", capped, roomy);
	/* Virtual time: not a timing of this machine, but what the protocol made of its memory. */
	assert_true(capped < roomy * 1.15);
}

static void a_thousand_in_15_megabytes_all_finish(void **state)
{
	(void)state;
	run(1000, 64 << 10, 15 << 20, 1000);
}

/* Connected, a byte there and back, and silence: what the server's instance holds more than before. */
static void an_idle_connection_takes_1024_bytes(void **state)
{
	enum { CONNECTIONS = 1000 };
	static int fd[CONNECTIONS][2];
	struct sim s;
	struct sockaddr_in a = sim_addr(1, 80);
	struct xmit_memory before, after;
	char byte = 1;

	(void)state;
	sim_init_pair_mem(&s, 1, NULL, 64 << 20, 64 << 20);
	int l = xmit_socket(s.host[1], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(xmit_bind(s.host[1], l, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(xmit_listen(s.host[1], l, 128), 0);
	xmit_memory(s.host[1], &before);
	for (int i = 0; i < CONNECTIONS; i++) {
		int c = fd[i][0] = xmit_socket(s.host[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		FAILS(xmit_connect(s.host[0], c, (struct sockaddr *)&a, sizeof(a)), EINPROGRESS);
		sim_run(&s, SIM_MS);
		int r = fd[i][1] = xmit_accept4(s.host[1], l, NULL, NULL, SOCK_NONBLOCK);
		assert_int_equal(xmit_send(s.host[0], c, &byte, 1, 0), 1);
		sim_run(&s, SIM_MS);
		assert_int_equal(xmit_recv(s.host[1], r, &byte, 1, 0), 1);
		assert_int_equal(xmit_send(s.host[1], r, &byte, 1, 0), 1);
		sim_run(&s, SIM_MS);
		assert_int_equal(xmit_recv(s.host[0], c, &byte, 1, 0), 1);
	}
	sim_run(&s, 10 * SIM_SEC);
	xmit_memory(s.host[1], &after);
	printf("an idle connection: %.0f bytes\n", (double)(after.used_bytes - before.used_bytes) / CONNECTIONS);
	if (!SLAB_REDZONE) /* a sanitizer's build keeps bytes between objects */
		assert_in_range(after.used_bytes - before.used_bytes, CONNECTIONS * 200, CONNECTIONS * 1024);
	sim_exit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_in_15_megabytes),
		cmocka_unit_test(a_thousand_in_15_megabytes_all_finish),
		cmocka_unit_test(an_idle_connection_takes_1024_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
