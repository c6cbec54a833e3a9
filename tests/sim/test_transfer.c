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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
