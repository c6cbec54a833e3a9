/* SPDX-License-Identifier: MIT */
/* test_transfer.c - whole TCP transfers between two instances over a vnic link in virtual time, contents compared. */
#include "sim.h"
#include "test.h"
#include <errno.h>

static void transfer(const struct xmit_vnic_config *link, uint64_t seed, uint64_t bytes, uint64_t limit_s)
{
	struct sim s;
	struct sim_flow f;

	sim_init_pair(&s, seed, link);
	sim_flow_start(&f, &s, 0, 1, 80, bytes);
	if (!sim_run_until(&s, sim_flow_done, &f, limit_s * SIM_SEC))
		fprintf(stderr, "seed %llu: %llu of %llu bytes after %llu s\n", (unsigned long long)seed, (unsigned long long)f.received,
			(unsigned long long)bytes, (unsigned long long)limit_s);
	assert_int_equal(f.error, 0);
	assert_true(f.done);
	assert_int_equal(f.received, bytes);
	sim_flow_close(&f);
	sim_run(&s, 200 * SIM_SEC); /* TIME_WAIT and every other timer run out */
	for (int i = 0; i < 2; i++)
		assert_int_equal(xmit_counter(s.host[i], "TcpCurrEstab", NULL), 0);
	sim_exit(&s);
}

static void one_byte(void **state)
{
	(void)state;
	transfer(NULL, 1, 1, 10);
}

static void a_megabyte(void **state)
{
	(void)state;
	transfer(NULL, 2, 1 << 20, 10);
}

static void without_offload(void **state)
{
	struct xmit_vnic_config link = {.size = sizeof(link), .features = XMIT_VNIC_NO_OFFLOAD};

	(void)state;
	transfer(&link, 3, 1 << 20, 10);
}

static void with_software_gso(void **state)
{
	struct xmit_vnic_config link = {.size = sizeof(link), .features = XMIT_F_SG | XMIT_F_CSUM | XMIT_F_RXCSUM | XMIT_F_GRO};

	(void)state;
	transfer(&link, 4, 8 << 20, 10);
}

static void with_delay_and_rate(void **state)
{
	struct xmit_vnic_config link = {.size = sizeof(link), .delay_ns = 20 * SIM_MS, .rate_bps = 100000000};

	(void)state;
	transfer(&link, 5, 4 << 20, 20);
}

static void with_loss(void **state)
{
	struct xmit_vnic_config link = {.size = sizeof(link), .features = XMIT_VNIC_NO_OFFLOAD, .delay_ns = 5 * SIM_MS,
					.rate_bps = 50000000, .loss_ppm = 20000, .seed = 1};

	(void)state;
	for (uint64_t seed = 10; seed < 20; seed++) {
		link.seed = seed;
		transfer(&link, seed, 1 << 20, 300);
	}
}

static void with_every_fault(void **state)
{
	struct xmit_vnic_config link = {.size = sizeof(link), .features = XMIT_F_SG | XMIT_F_CSUM | XMIT_F_RXCSUM | XMIT_F_GRO,
					.delay_ns = 2 * SIM_MS, .rate_bps = 100000000, .loss_ppm = 10000, .duplicate_ppm = 10000,
					.reorder_ppm = 20000, .corrupt_ppm = 5000, .busy_ppm = 20000, .lost_completion_ppm = 5000};

	(void)state;
	for (uint64_t seed = 20; seed < 30; seed++) {
		link.seed = seed;
		transfer(&link, seed, 1 << 20, 300);
	}
}

/* --- goodput ------------------------------------------------------------------------------------------------------------------------ */

/* Percent of the link's rate that one flow's payload reaches, the handshake included. */
static unsigned goodput(const struct xmit_vnic_config *link, uint64_t bytes)
{
	static struct sim s;
	static struct sim_flow f;

	sim_init_pair(&s, 1, link);
	sim_flow_start(&f, &s, 0, 1, 80, bytes);
	assert_true(sim_run_until(&s, sim_flow_done, &f, 600 * SIM_SEC));
	assert_int_equal(f.error, 0);
	double seconds = (double)(f.finished_ns - f.started_ns) / 1e9;
	unsigned percent = (unsigned)((double)bytes * 8 / seconds / (double)link->rate_bps * 100);
	printf("%llu bytes in %.3f s: %u %% of the rate; retransmitted %llu, timeouts %llu\n", (unsigned long long)bytes, seconds, percent,
	       (unsigned long long)xmit_counter(s.host[0], "TcpRetransSegs", NULL), (unsigned long long)xmit_counter(s.host[0], "TcpExtTCPTimeouts", NULL));
	sim_flow_close(&f);
	sim_exit(&s);
	return percent;
}

static void goodput_without_loss(void **state)
{
	(void)state;
	assert_true(goodput(&(struct xmit_vnic_config){.size = sizeof(struct xmit_vnic_config), .delay_ns = 20 * SIM_MS, .rate_bps = 100000000},
			    20000000) >= 85);
}

static void goodput_with_loss(void **state)
{
	struct xmit_vnic_config link = {.size = sizeof(link), .features = XMIT_VNIC_NO_OFFLOAD, .delay_ns = 5 * SIM_MS, .rate_bps = 50000000, .loss_ppm = 1000};

	(void)state;
	for (link.seed = 1; link.seed <= 3; link.seed++)
		assert_true(goodput(&link, 20000000) >= 60);
}

/* The answer to the first SYN takes longer than its timeout: its echo is of the first SYN, and it is accepted. */
static void syn_answered_late(void **state)
{
	struct xmit_vnic_config link = {.size = sizeof(link), .delay_ns = 700 * SIM_MS};
	static struct sim s;
	static struct sim_flow f;

	(void)state;
	sim_init_pair(&s, 1, &link);
	sim_flow_start(&f, &s, 0, 1, 80, 100000);
	assert_true(sim_run_until(&s, sim_flow_done, &f, 60 * SIM_SEC));
	assert_int_equal(f.error, 0);
	assert_int_equal(f.received, 100000);
	assert_true(xmit_counter(s.host[0], "TcpExtTCPSynRetrans", NULL) >= 1);
	assert_int_equal(xmit_drops(s.host[0], "TCP_RFC7323_TSECR"), 0);
	sim_flow_close(&f);
	sim_exit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_byte),
		cmocka_unit_test(a_megabyte),
		cmocka_unit_test(without_offload),
		cmocka_unit_test(with_software_gso),
		cmocka_unit_test(with_delay_and_rate),
		cmocka_unit_test(with_loss),
		cmocka_unit_test(with_every_fault),
		cmocka_unit_test(goodput_without_loss),
		cmocka_unit_test(goodput_with_loss),
		cmocka_unit_test(syn_answered_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
