/* SPDX-License-Identifier: MIT */
/* test_mtu_probe.c - finding the path MTU by probing (RFC 4821), over a path that drops large packets without a word. */
#include "path.h"

static uint8_t big[1 << 16];
static unsigned path_mtu;

static bool lose_too_large(const struct frame *f, int end, unsigned nr)
{
	(void)nr;
	return !end && is_tcp(f) && ip_len(f) > path_mtu;
}

static void start(const char *probing, unsigned mtu)
{
	path_link(&(struct xmit_vnic_config){.features = XMIT_F_SG | XMIT_F_CSUM, .rate_bps = UINT64_C(1000000000), .delay_ns = 2 * SIM_MS});
	set_sysctl(p.a, "net.ipv4.tcp_mtu_probing", probing);
	path_mtu = mtu;
	path_connect();
	path_lose(lose_too_large);
}

/* Sends n bytes; how many arrived, all in time. */
static size_t transfer(size_t n, uint64_t limit_ns)
{
	uint64_t until = p.s.now_ns + limit_ns;
	size_t sent = 0, got = 0;

	while (got < n && p.s.now_ns < until) {
		ssize_t r = sent < n ? xmit_send(p.a, p.c, big, n - sent < sizeof(big) ? n - sent : sizeof(big), MSG_DONTWAIT) : 0;
		sent += r > 0 ? (size_t)r : 0;
		sim_run(&p.s, SIM_MS);
		got += drain(p.b, p.d);
	}
	return got;
}

static unsigned largest_sent(void)
{
	unsigned most = 0;

	for (unsigned i = 0; i < p.n && i < PATH_KEPT; i++)
		if (p.f[i].out && is_tcp(&p.f[i]) && ip_len(&p.f[i]) > most)
			most = ip_len(&p.f[i]);
	return most;
}

static void probes_find_the_mtu_without_loss_of_speed(void **state)
{
	(void)state;
	start("2", 1400);
	assert_int_equal(tp_of(p.a, p.c)->mss_cache, 1024); /* tcp_base_mss, to begin with */
	assert_int_equal(transfer(3000000, 20 * SIM_SEC), 3000000);
	/* Within tcp_probe_threshold of the truth, and never a timeout. */
	assert_in_range(tp_of(p.a, p.c)->mss_cache + 52, 1400 - 10, 1400);
	assert_true(count_of(p.a, "TcpExtTCPMTUPSuccess") > 0);
	assert_true(count_of(p.a, "TcpExtTCPMTUPFail") > 0);
	assert_int_equal(count_of(p.a, "TcpExtTCPTimeouts"), 0);
	assert_in_range(largest_sent(), 1401, 1500);
}

static void a_path_without_limit_is_used_in_full(void **state)
{
	(void)state;
	start("2", 1500);
	assert_int_equal(transfer(3000000, 20 * SIM_SEC), 3000000);
	assert_in_range(tp_of(p.a, p.c)->mss_cache + 52, 1490, 1500);
	assert_int_equal(count_of(p.a, "TcpExtTCPMTUPFail"), 0);
	assert_int_equal(count_of(p.a, "TcpRetransSegs"), 0);
}

static void a_black_hole_shows_by_timeouts_and_is_lived_with(void **state)
{
	(void)state;
	start("1", 900);
	assert_int_equal(tp_of(p.a, p.c)->mss_cache, PATH_MSS); /* not before it is needed */
	assert_int_equal(transfer(20000, 60 * SIM_SEC), 20000);
	assert_in_range(tp_of(p.a, p.c)->mss_cache, 400, 900);
}

static void never_where_it_is_off(void **state)
{
	(void)state;
	start("0", 900);
	assert_int_equal(transfer(5000, 20 * SIM_SEC), 0);
	assert_int_equal(tp_of(p.a, p.c)->mss_cache, PATH_MSS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, NULL, path_end)
		T(probes_find_the_mtu_without_loss_of_speed), T(a_path_without_limit_is_used_in_full),
		T(a_black_hole_shows_by_timeouts_and_is_lived_with), T(never_where_it_is_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
