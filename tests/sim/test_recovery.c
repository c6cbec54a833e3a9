/* SPDX-License-Identifier: MIT */
/*
 * test_recovery.c - loss recovery over a link (T11): what its rules are worth together.  Each rule alone is held by a script in
 * tests/pkt/recovery/.
 */
#include "path.h"

enum { SEGS = 40 };

static unsigned lose_from, lose_to; /* data segments of host 0, from 0, the first transmissions and later ones alike */

static bool lose_range(const struct frame *f, int end, unsigned nr)
{
	static unsigned data;

	if (end != 0 || !is_tcp(f) || !payload_of(f))
		return false;
	if (!nr || data > p.passed[0])
		data = 0;
	data++;
	return data - 1 >= lose_from && data - 1 < lose_to;
}

/* Milliseconds until the client's n segments have all been acknowledged. */
static uint64_t send_all_ms(unsigned n)
{
	static char big[SEGS * PATH_MSS];
	uint64_t start = p.s.now_ns;

	assert_int_equal(xmit_write(p.a, p.c, big, n * PATH_MSS), n * PATH_MSS);
	while (!tcp_rtx_and_write_queues_empty(sk_of(p.a, p.c))) {
		assert_true(p.s.now_ns - start < 60 * SIM_SEC);
		sim_run(&p.s, SIM_MS);
		drain(p.b, p.d);
	}
	return (p.s.now_ns - start) / SIM_MS;
}

static int start(void **state)
{
	(void)state;
	path_link(&(struct xmit_vnic_config){PATH_PLAIN, .delay_ns = 20 * SIM_MS});
	for (int i = 0; i < 2; i++)
		set_sysctl(p.s.host[i], "net.ipv4.tcp_congestion_control", "reno");
	path_connect();
	return 0;
}

static void the_tail_is_repaired_without_a_timeout(void **state)
{
	(void)state;
	lose_from = 7;
	lose_to = 10; /* the last three of ten */
	path_lose(lose_range);
	assert_in_range(send_all_ms(10), 120, 300); /* round trip, delayed ACK, probe after two more, its answer, and one for the rest */
	assert_int_equal(count_of(p.a, "TcpExtTCPTimeouts"), 0);
	assert_int_equal(count_of(p.a, "TcpExtTCPLossProbes"), 1);
	assert_int_equal(count_of(p.a, "TcpExtTCPSackRecovery"), 1);
}

/* The third segment, and its first retransmission. */
static bool lose_twice(const struct frame *f, int end, unsigned nr)
{
	static uint32_t first;
	static unsigned lost;
	uint32_t una = tp_of(p.a, p.c)->snd_una;

	if (end != 0 || !is_tcp(f) || !payload_of(f))
		return false;
	if (!nr)
		lost = 0;
	if (!lost && seq_of(f) == una + 2 * PATH_MSS) {
		first = seq_of(f);
		lost = 1;
		return true;
	}
	if (lost == 1 && seq_of(f) == first) {
		lost = 2;
		return true;
	}
	return false;
}

static void a_lost_retransmission_costs_no_timeout(void **state)
{
	(void)state;
	path_lose(lose_twice);
	assert_in_range(send_all_ms(SEGS), 120, 400);
	assert_int_equal(count_of(p.a, "TcpExtTCPTimeouts"), 0);
	assert_int_equal(count_of(p.a, "TcpExtTCPLostRetransmit"), 1);
	assert_int_equal(count_of(p.a, "TcpRetransSegs"), 2);
}

/* Every tenth frame comes 8 ms late, after many others: nothing is lost, and the window knows it. */
static void reordering_costs_no_window(void **state)
{
	struct xmit_vnic_config link = {.size = sizeof(link), PATH_PLAIN, .delay_ns = 20 * SIM_MS, .reorder_ppm = 100000,
					.reorder_delay_ns = 8 * SIM_MS, .seed = 3};

	(void)state;
	assert_int_equal(xmit_vnic_set(p.s.dev[0], &link), 0);
	for (unsigned i = 0; i < 20; i++)
		send_all_ms(SEGS);
	assert_int_equal(count_of(p.a, "TcpExtTCPTimeouts"), 0);
	assert_true(tp_of(p.a, p.c)->reord_seen > 0);
	assert_true(tp_of(p.a, p.c)->snd_cwnd >= SEGS);
	/* What the first surprise cost was given back; later ones cost nothing. */
	assert_true(count_of(p.a, "TcpRetransSegs") < 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_tail_is_repaired_without_a_timeout, start, path_end),
		cmocka_unit_test_setup_teardown(a_lost_retransmission_costs_no_timeout, start, path_end),
		cmocka_unit_test_setup_teardown(reordering_costs_no_window, start, path_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
