/* SPDX-License-Identifier: MIT */
/* test_tcp_metrics.c - what a connection leaves to the next one: how much of it is believed, how long, and of how many destinations. */
#include "tcp/tcp_metrics.h"
#include "recovery_fixture.h"
#include "xmit/xmit.h"

static struct dst_entry route;

static void to_peer(unsigned n)
{
	inet_sk(SK)->inet_saddr.ip = cpu_to_be32(0xc0000201);
	inet_sk(SK)->inet_daddr.ip = cpu_to_be32(0xc6336400 + n);
}

static void begin_to_peer(void)
{
	begin();
	memset(&route, 0, sizeof(route));
	SK->sk_dst_cache = &route;
	f.tcp.sysctl_tcp_no_ssthresh_metrics_save = 1;
	to_peer(1);
}

static int end_of_all(void **state)
{
	tcp_metrics_flush(f.net);
	return end(state);
}

static void ends_with_rtt(uint32_t us)
{
	f.tp.srtt_us = us << 3;
	tcp_update_metrics(SK);
}

/* A connection whose handshake took 10 ms. */
static uint32_t first_rto_us(void)
{
	f.tp.srtt_us = 10000 << 3;
	inet_csk(SK)->icsk_rto_us = 210000;
	tcp_init_metrics(SK);
	return inet_csk(SK)->icsk_rto_us;
}

static void the_longer_way_sets_the_first_rto(void **state)
{
	(void)state;
	begin_to_peer();
	assert_int_equal(first_rto_us(), 210000);
	ends_with_rtt(300000);
	assert_int_equal(first_rto_us(), 900000);
	ends_with_rtt(60000); /* an eighth of the difference */
	assert_int_equal(first_rto_us(), 270000 * 3);
	ends_with_rtt(400000); /* longer: at once */
	assert_int_equal(first_rto_us(), 1200000);
	inet_csk(SK)->icsk_rto_max_us = 1000000;
	assert_int_equal(first_rto_us(), 1000000);
}

static void a_short_way_changes_nothing(void **state)
{
	(void)state;
	begin_to_peer();
	ends_with_rtt(9000);
	assert_int_equal(first_rto_us(), 210000);
	ends_with_rtt(20000);
	assert_int_equal(first_rto_us(), 20000 + TCP_RTO_MIN_US);
}

/* RFC 6298 5.7, unless something is remembered. */
static void without_a_measurement(void **state)
{
	(void)state;
	begin_to_peer();
	f.tp.srtt_us = 0;
	tcp_init_metrics(SK);
	assert_int_equal(inet_csk(SK)->icsk_rto_us, TCP_TIMEOUT_FALLBACK_US);
	assert_int_equal(f.tp.rttvar_us, TCP_TIMEOUT_FALLBACK_US);
	ends_with_rtt(200000);
	f.tp.srtt_us = 0;
	tcp_init_metrics(SK);
	assert_int_equal(inet_csk(SK)->icsk_rto_us, 600000);
}

/* It gave up while nothing came back. */
static void silence_makes_the_round_trip_unknown(void **state)
{
	(void)state;
	begin_to_peer();
	ends_with_rtt(300000);
	assert_true(tcp_peer_is_proven(f.net, inet_sk(SK)->inet_saddr.ip, inet_sk(SK)->inet_daddr.ip));
	inet_csk(SK)->icsk_backoff = 1;
	ends_with_rtt(300000);
	assert_int_equal(first_rto_us(), 210000);
	assert_false(tcp_peer_is_proven(f.net, inet_sk(SK)->inet_saddr.ip, inet_sk(SK)->inet_daddr.ip));
}

static uint32_t first_ssthresh(void)
{
	f.tp.snd_ssthresh = 7;
	tcp_init_metrics(SK);
	return f.tp.snd_ssthresh;
}

static void ends_with_windows(uint32_t cwnd, uint32_t ssthresh, uint8_t ca_state)
{
	f.tp.snd_cwnd = cwnd;
	f.tp.snd_ssthresh = ssthresh;
	inet_csk(SK)->icsk_ca_state = ca_state & 15;
	tcp_update_metrics(SK);
}

static void ssthresh_if_asked_for(void **state)
{
	(void)state;
	begin_to_peer();
	ends_with_windows(40, 16, TCP_CA_Open);
	assert_int_equal(first_ssthresh(), TCP_INFINITE_SSTHRESH);
	f.tcp.sysctl_tcp_no_ssthresh_metrics_save = 0;
	assert_int_equal(first_ssthresh(), TCP_INFINITE_SSTHRESH); /* nor was it kept */
	ends_with_windows(40, 16, TCP_CA_Open);
	assert_int_equal(first_ssthresh(), 20);
	ends_with_windows(20, 16, TCP_CA_Open); /* avoidance: as it is now */
	assert_int_equal(first_ssthresh(), 16);
	ends_with_windows(10, 12, TCP_CA_Open); /* cut: only upwards */
	assert_int_equal(first_ssthresh(), 16);
	ends_with_windows(10, 18, TCP_CA_Recovery);
	assert_int_equal(first_ssthresh(), 18);
	ends_with_windows(50, TCP_INFINITE_SSTHRESH, TCP_CA_Open); /* nothing was lost: half of it surely fits */
	assert_int_equal(first_ssthresh(), 25);
	f.tp.snd_cwnd_clamp = 11;
	assert_int_equal(first_ssthresh(), 11);
}

static uint32_t first_reordering(void)
{
	f.tp.reordering = 3;
	tcp_init_metrics(SK);
	return f.tp.reordering;
}

static void reordering_of_a_cut_window(void **state)
{
	(void)state;
	begin_to_peer();
	f.tp.reordering = 9;
	ends_with_windows(20, TCP_INFINITE_SSTHRESH, TCP_CA_Open);
	assert_int_equal(first_reordering(), 3);
	f.tp.reordering = 9;
	ends_with_windows(20, 10, TCP_CA_Open);
	assert_int_equal(first_reordering(), 3);
	f.tp.reordering = 9;
	ends_with_windows(5, 10, TCP_CA_Open);
	assert_int_equal(first_reordering(), 9);
	f.tp.reordering = 6; /* never downwards */
	ends_with_windows(5, 10, TCP_CA_Open);
	assert_int_equal(first_reordering(), 9);
}

static void saving_switched_off(void **state)
{
	(void)state;
	begin_to_peer();
	f.tcp.sysctl_tcp_no_metrics_save = 1;
	ends_with_rtt(300000);
	assert_null(f.tcp.metrics);
	f.tcp.sysctl_tcp_no_metrics_save = 0;
	ends_with_rtt(300000);
	f.tcp.sysctl_tcp_no_metrics_save = 1; /* what is there is used */
	assert_int_equal(first_rto_us(), 900000);
	tcp_metrics_flush(f.net);
	assert_int_equal(first_rto_us(), 210000);
}

static void an_hour_later(void **state)
{
	(void)state;
	begin_to_peer();
	ends_with_rtt(300000);
	at_ms(3600 * 1000);
	assert_int_equal(first_rto_us(), 900000);
	at_ms(3600 * 1000 + 1);
	assert_int_equal(first_rto_us(), 210000);
	ends_with_rtt(60000); /* a new entry: nothing of the old one is mixed in */
	assert_int_equal(first_rto_us(), 60000 + TCP_RTO_MIN_US);
}

/* Ten thousand destinations, then a few hundred of the last are known, and each only under its own address. */
static void bounded(void **state)
{
	unsigned known = 0;

	(void)state;
	begin_to_peer();
	for (unsigned n = 0; n < 10000; n++) {
		at_ms(n);
		to_peer(n);
		ends_with_rtt(100000 + n);
	}
	for (unsigned n = 0; n < 10000; n++) {
		to_peer(n);
		uint32_t rto = first_rto_us();
		assert_true(rto == 210000 || rto == 3 * (100000 + n));
		known += rto != 210000;
	}
	assert_in_range(known, 400, 512);
	to_peer(9999);
	assert_int_equal(first_rto_us(), 3 * 109999);
	inet_sk(SK)->inet_saddr.ip ^= cpu_to_be32(1);
	assert_int_equal(first_rto_us(), 210000);
}

static void without_memory(void **state)
{
	(void)state;
	begin_to_peer();
	xmit_fail_allocation(f.net, 1);
	ends_with_rtt(300000);
	assert_int_equal(first_rto_us(), 210000);
	ends_with_rtt(300000);
	assert_int_equal(first_rto_us(), 900000);
}

#define T(name) cmocka_unit_test_teardown(name, end_of_all)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_longer_way_sets_the_first_rto), T(a_short_way_changes_nothing), T(without_a_measurement), T(silence_makes_the_round_trip_unknown),
		T(ssthresh_if_asked_for), T(reordering_of_a_cut_window), T(saving_switched_off), T(an_hour_later), T(bounded), T(without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
