/* SPDX-License-Identifier: MIT */
/*
 * test_bbr.c - BBR's state machine and integers against draft-cardwell-iccrg-bbr-congestion-control-00, fed with rate samples: a path
 * is imitated by its bandwidth and round trip; nothing is sent.
 */
#include "bbr_fixture.h"

/* A window's worth over the imitated path: what exceeds its BDP waits in its queue. */
static void path_round(void)
{
	uint32_t n = f.tp.snd_cwnd, us = n > PATH_SEGS ? (uint32_t)((uint64_t)RTT_US * n / PATH_SEGS) : RTT_US;

	round_trip(n, us, us, n, false);
}

static void startup_paces_the_first_window_over_the_round_trip(void **state)
{
	(void)state;
	begin();
	assert_int_equal(SK->sk_pacing_status, SK_PACING_NEEDED);
	/* 10 segments in 40 ms times 2.887, less 1 % */
	assert_close(SK->sk_pacing_rate, 10 * 1000 * 25 * 2.8867 * 0.99, 2);
	path_round();
	assert_int_equal(told().pacing_gain, STARTUP_GAIN);
	assert_int_equal(told().cwnd_gain, STARTUP_GAIN);

	/* No round trip known: a millisecond is assumed, until there is one. */
	begin();
	f.tp.srtt_us = 0;
	f.tp.rtt_min_us = UINT32_MAX;
	memset(f.active.ca_priv, 0, sizeof(f.active.ca_priv));
	tcp_bbr.init(SK);
	assert_close(SK->sk_pacing_rate, 10 * 1000 * 1000 * 2.8867 * 0.99, 2);
	f.tp.srtt_us = RTT_US * 8;
	round_trip(1, RTT_US, RTT_US, 9, true);
	assert_close(SK->sk_pacing_rate, 11 * 1000 * 25 * 2.8867 * 0.99, 100);
}

static void startup_ends_when_three_rounds_bring_less_than_a_quarter(void **state)
{
	int rounds = 0;

	(void)state;
	begin();
	while (told().pacing_gain != DRAIN_GAIN && rounds < 20) {
		uint32_t before = f.tp.snd_cwnd;
		path_round();
		if (f.tp.snd_cwnd < PATH_SEGS)
			assert_int_equal(f.tp.snd_cwnd, 2 * before);
		rounds++;
	}
	/* 10, 20, 40, 80, 160 grow by half or more each; 200 does (a quarter); then three that do not. */
	assert_int_equal(rounds, 9);
	assert_int_equal(told().pacing_gain, DRAIN_GAIN);
	assert_close(told().bw_lo, 5000000, 5);
	assert_close(SK->sk_pacing_rate, 5000000 / 2.885 * 0.99, 10);
}

static void an_application_that_pauses_does_not_end_startup(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < 20; i++)
		round_trip(10, RTT_US, RTT_US, 10, true);
	assert_int_equal(told().pacing_gain, STARTUP_GAIN);
}

static void to_probe_bw(void)
{
	begin();
	for (int i = 0; i < 9; i++)
		path_round();
	assert_int_equal(told().pacing_gain, DRAIN_GAIN);
	round_trip(PATH_SEGS, RTT_US, RTT_US, PATH_SEGS + 50, false);
	assert_int_equal(told().pacing_gain, DRAIN_GAIN);
	round_trip(PATH_SEGS, RTT_US, RTT_US, PATH_SEGS, false); /* no more than a BDP left */
	assert_int_equal(told().cwnd_gain, 512);
}

static void drain_ends_at_one_bdp_in_flight(void **state)
{
	(void)state;
	to_probe_bw();
	/* Twice the BDP and what the hosts need. */
	for (int i = 0; i < 4; i++)
		round_trip(PATH_SEGS, RTT_US, RTT_US, PATH_SEGS, false);
	assert_in_range(f.tp.snd_cwnd, 2 * PATH_SEGS, 2 * PATH_SEGS + 20 + 20);
}

/* One ACK of 2 ms of the path, with so much in flight. */
static void step(uint32_t in_flight)
{
	struct rate_sample rs = {
		.prior_mstamp_us = 1, .prior_delivered = f.tp.delivered - PATH_SEGS, .delivered = PATH_SEGS, .interval_us = RTT_US, .rtt_us = RTT_US,
		.acked_sacked = 10, .prior_in_flight = in_flight,
	};

	f.net.now_ns += 2 * NSEC_PER_MSEC;
	tcp_mstamp_refresh(&f.tp);
	f.tp.delivered += 10;
	f.active.delivered_mstamp_us = f.tp.tcp_mstamp_us;
	f.tp.packets_out = in_flight - 10;
	tcp_bbr.cong_control(SK, 0, 0, &rs);
}

/* Steps until the gain is another; how many milliseconds that took. */
static uint64_t gain_lasts_ms(uint32_t in_flight)
{
	uint32_t gain = told().pacing_gain;
	uint64_t since = f.net.now_ns;

	for (int i = 0; i < 1000 && told().pacing_gain == gain; i++)
		step(in_flight);
	return (f.net.now_ns - since) / NSEC_PER_MSEC;
}

static void the_gain_cycles(void **state)
{
	(void)state;
	to_probe_bw();
	while (told().pacing_gain != 320)
		gain_lasts_ms(300);
	for (int i = 0; i < 3; i++) {
		assert_close(SK->sk_pacing_rate, (uint64_t)told().bw_lo * 5 / 4 * 99 / 100, 3);
		assert_in_range(gain_lasts_ms(300), 40, 44); /* 300 in flight fill 5/4 of the BDP */
		assert_int_equal(told().pacing_gain, 192);
		assert_close(SK->sk_pacing_rate, (uint64_t)told().bw_lo * 3 / 4 * 99 / 100, 3);
		assert_in_range(gain_lasts_ms(300), 40, 44);
		assert_int_equal(told().pacing_gain, 256);
		assert_in_range(gain_lasts_ms(300), 6 * 40, 6 * 44);
		assert_int_equal(told().pacing_gain, 320);
	}
	/* A probe goes on until it has filled the path; draining stops as soon as that is done. */
	for (int i = 0; i < 60; i++)
		step(230);
	assert_int_equal(told().pacing_gain, 320);
	step(300);
	assert_int_equal(told().pacing_gain, 192);
	step(300);
	step(200);
	assert_int_equal(told().pacing_gain, 256);
}

/* No flow begins with the phase that drains: it has nothing to drain. */
static void the_cycle_begins_anywhere_but_at_three_quarters(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (int i = 0; i < 60; i++) {
		to_probe_bw();
		assert_int_not_equal(told().pacing_gain, 192);
		seen |= told().pacing_gain == 320 ? 1 : 2;
	}
	assert_int_equal(seen, 3);
}

static void the_bandwidth_is_the_best_of_ten_rounds(void **state)
{
	(void)state;
	to_probe_bw();
	for (int i = 0; i < 9; i++) {
		round_trip(PATH_SEGS / 2, RTT_US, RTT_US, PATH_SEGS / 2, false);
		assert_close(told().bw_lo, 5000000, 5);
	}
	for (int i = 0; i < 3; i++)
		round_trip(PATH_SEGS / 2, RTT_US, RTT_US, PATH_SEGS / 2, false);
	assert_close(told().bw_lo, 2500000, 5);
	/* Limited by the application: counts only if better. */
	for (int i = 0; i < 20; i++)
		round_trip(PATH_SEGS / 4, RTT_US, RTT_US, PATH_SEGS / 4, true);
	assert_close(told().bw_lo, 2500000, 5);
	round_trip(PATH_SEGS, RTT_US, RTT_US, PATH_SEGS, true);
	assert_close(told().bw_lo, 5000000, 5);
}

static void the_round_trip_is_measured_anew_after_ten_seconds(void **state)
{
	uint64_t begun;

	(void)state;
	to_probe_bw();
	for (int i = 0; i < 260 && f.tp.snd_cwnd > 4; i++) /* the queue never empties: each round trip is longer */
		round_trip(PATH_SEGS, RTT_US + 2000, RTT_US + 2000, PATH_SEGS, false);
	assert_int_equal(f.tp.snd_cwnd, 4);
	assert_int_equal(told().pacing_gain, 256);
	begun = f.net.now_ns;
	round_trip(PATH_SEGS, RTT_US, RTT_US + 2000, 4, false);
	while (f.tp.snd_cwnd == 4) {
		round_trip(4, RTT_US, RTT_US - 10000, 4, false);
		assert_true(f.net.now_ns - begun < NSEC_PER_SEC);
	}
	assert_in_range((f.net.now_ns - begun) / NSEC_PER_MSEC, 200, 310);
	assert_true(f.tp.snd_cwnd > PATH_SEGS); /* twice what now is the BDP */
	assert_int_equal(told().min_rtt, RTT_US - 10000);
	assert_int_equal(told().cwnd_gain, 512);
}

static void restart_from_idle_paces_at_the_bandwidth(void **state)
{
	(void)state;
	to_probe_bw();
	f.net.now_ns += 30 * NSEC_PER_SEC;
	f.active.app_limited = 1;
	f.tp.packets_out = 0;
	tcp_bbr.cwnd_event(SK, CA_EVENT_TX_START);
	assert_close(SK->sk_pacing_rate, (uint64_t)told().bw_lo * 99 / 100, 3);
	/* The least round trip is older than 10 s, but idleness measured it as well as PROBE_RTT would: no need for four segments. */
	round_trip(10, RTT_US, RTT_US, 10, true);
	assert_true(f.tp.snd_cwnd > 4);
}

static void recovery_conserves_packets_for_a_round_and_gives_the_window_back(void **state)
{
	struct rate_sample rs;
	uint32_t before;

	(void)state;
	to_probe_bw();
	for (int i = 0; i < 4; i++)
		round_trip(PATH_SEGS, RTT_US, RTT_US, PATH_SEGS, false);
	before = f.tp.snd_cwnd;
	assert_int_equal(tcp_bbr.ssthresh(SK), f.tp.snd_ssthresh); /* recovery begins: the window is remembered, ssthresh stays */
	inet_csk(SK)->icsk_ca_state = TCP_CA_Recovery;
	f.tp.packets_out = 150;
	rs = (struct rate_sample){.prior_mstamp_us = 1, .prior_delivered = f.tp.delivered - 10, .delivered = 10, .interval_us = 2000, .rtt_us = RTT_US,
				  .acked_sacked = 3, .losses = 2, .prior_in_flight = 155};
	f.tp.delivered += 3;
	tcp_bbr.cong_control(SK, 0, 0, &rs);
	assert_int_equal(f.tp.snd_cwnd, 150 + 3);
	rs.losses = 0;
	rs.acked_sacked = 2;
	f.tp.packets_out = 151;
	f.tp.delivered += 2;
	rs.prior_delivered = f.tp.delivered - 20;
	tcp_bbr.cong_control(SK, 0, 0, &rs);
	assert_int_equal(f.tp.snd_cwnd, 153);
	round_trip(100, RTT_US, RTT_US, 100, false); /* the round is over: growth again, though still in recovery */
	assert_true(f.tp.snd_cwnd > 200);
	inet_csk(SK)->icsk_ca_state = TCP_CA_Open;
	round_trip(1, RTT_US, RTT_US, 100, true);
	assert_in_range(f.tp.snd_cwnd, before - 8, before + 8); /* the probe's two segments aside, what it was */
}

static void a_timeout_changes_the_window_and_not_the_model(void **state)
{
	uint32_t bw;

	(void)state;
	to_probe_bw();
	bw = told().bw_lo;
	tcp_bbr.ssthresh(SK);
	tcp_bbr.set_state(SK, TCP_CA_Loss);
	inet_csk(SK)->icsk_ca_state = TCP_CA_Loss;
	f.tp.snd_cwnd = 1;
	round_trip(1, RTT_US, RTT_US, 1, true);
	assert_int_equal(told().bw_lo, bw);
	assert_int_equal(f.tp.snd_cwnd, 4);
}

static void slow_paths_send_single_segments(void **state)
{
	(void)state;
	begin();
	SK->sk_pacing_rate = 1200000 / 8 - 1;
	assert_int_equal(tcp_bbr.min_tso_segs(SK), 1);
	SK->sk_pacing_rate = 1200000 / 8;
	assert_int_equal(tcp_bbr.min_tso_segs(SK), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(startup_paces_the_first_window_over_the_round_trip),
		cmocka_unit_test(startup_ends_when_three_rounds_bring_less_than_a_quarter),
		cmocka_unit_test(an_application_that_pauses_does_not_end_startup), cmocka_unit_test(drain_ends_at_one_bdp_in_flight),
		cmocka_unit_test(the_gain_cycles), cmocka_unit_test(the_cycle_begins_anywhere_but_at_three_quarters),
		cmocka_unit_test(the_bandwidth_is_the_best_of_ten_rounds), cmocka_unit_test(the_round_trip_is_measured_anew_after_ten_seconds),
		cmocka_unit_test(restart_from_idle_paces_at_the_bandwidth),
		cmocka_unit_test(recovery_conserves_packets_for_a_round_and_gives_the_window_back),
		cmocka_unit_test(a_timeout_changes_the_window_and_not_the_model), cmocka_unit_test(slow_paths_send_single_segments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
