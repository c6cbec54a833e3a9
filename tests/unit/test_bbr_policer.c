/* SPDX-License-Identifier: MIT */
/*
 * test_bbr_policer.c - BBR's long-term bandwidth (src/tcp/cong_bbr_model.c), rule by rule: what makes an interval, what makes it lossy, when two are
 * the same, how long their mean is used.  The path is imitated by samples: PATH_SEGS a round trip at the most; nothing is sent.
 */
#include "bbr_fixture.h"

/* An ACK that ends a round trip, or not, delivers n segments, and finds `lost` others lost. */
static void lossy_ack(uint32_t n, uint32_t lost, bool app_limited, bool round)
{
	struct rate_sample rs = {
		.prior_mstamp_us = 1, .prior_delivered = f.tp.delivered - !round, .delivered = (int32_t)PATH_SEGS, .interval_us = RTT_US, .rtt_us = RTT_US,
		.acked_sacked = n, .losses = (int32_t)lost, .prior_in_flight = PATH_SEGS, .is_app_limited = app_limited,
	};

	f.net.now_ns += RTT_US * NSEC_PER_USEC;
	tcp_mstamp_refresh(&f.tp);
	f.tp.delivered += n;
	f.active.lost_total += lost;
	f.active.delivered_mstamp_us = f.tp.tcp_mstamp_us;
	f.tp.packets_out = PATH_SEGS;
	tcp_bbr.cong_control(SK, 0, 0, &rs);
}

static void lossy_round(uint32_t n, uint32_t lost, bool app_limited) { lossy_ack(n, lost, app_limited, true); }

static void to_probe_bw(void)
{
	begin();
	for (int i = 0; i < 9; i++)
		round_trip(i < 5 ? 10u << i : PATH_SEGS, RTT_US, RTT_US, PATH_SEGS + 50, false);
	while (told().pacing_gain == STARTUP_GAIN || told().pacing_gain == DRAIN_GAIN)
		round_trip(PATH_SEGS, RTT_US, RTT_US, PATH_SEGS - 50, false);
	lossy_round(PATH_SEGS, 0, false); /* rounds begin with lossy_round() from now on */
	assert_int_equal(told().cwnd_gain, 512);
}

static bool is_policed(uint32_t segs_a_round)
{
	return told().bw_lo / 1000 + 40 >= segs_a_round * 25 && told().bw_lo / 1000 <= segs_a_round * 25 + 40;
}

/* An interval that the loss before it began, and that ends with its last round: `rounds` rounds of n segments and `lost` losses. */
static void interval(uint32_t rounds, uint32_t n, uint32_t lost)
{
	for (uint32_t i = 0; i < rounds; i++)
		lossy_round(n, lost, false);
}

/* The loss that begins the first interval, in the midst of a round. */
static void first_loss(uint32_t n) { lossy_ack(n, 1, false, false); }

static void two_lossy_intervals_alike_make_a_policer(void **state)
{
	(void)state;
	to_probe_bw();
	assert_close(told().bw_lo, 5000000, 5);
	first_loss(100);
	interval(4, 100, 20);
	assert_close(told().bw_lo, 5000000, 5); /* one interval is none */
	interval(3, 100, 20);
	assert_close(told().bw_lo, 5000000, 5); /* and three rounds are too few */
	interval(1, 100, 20);
	assert_true(is_policed(100));
	assert_int_equal(told().pacing_gain, 256);
	assert_close(SK->sk_pacing_rate, 2500000 * 0.99, 5);
}

/* 50 in 256: 79 of 400 are more, 77 less. */
static void a_fifth_of_losses_makes_an_interval_lossy(void **state)
{
	static const struct { uint32_t lost; bool policed; } each[] = {{78, false}, {79, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(each); i++) {
		to_probe_bw();
		first_loss(100);
		for (int k = 0; k < 2; k++) {
			interval(3, 100, 0);
			lossy_round(100, each[i].lost, false);
		}
		assert_int_equal(is_policed(100), each[i].policed);
	}
}

/* The interval ends at a loss, not at the fourth round. */
static void an_interval_ends_at_a_loss(void **state)
{
	(void)state;
	to_probe_bw();
	first_loss(100);
	for (int k = 0; k < 2; k++) {
		interval(3, 100, 60);
		interval(2, 100, 0);
		assert_false(is_policed(100));
		lossy_round(100, 1, false); /* 181 of 600 */
	}
	assert_true(is_policed(100));
}

static void intervals_that_differ_by_more_than_an_eighth_are_two(void **state)
{
	(void)state;
	to_probe_bw();
	first_loss(100);
	interval(4, 100, 30);
	interval(4, 113, 30);
	assert_close(told().bw_lo, 5000000, 5);
	interval(4, 113, 30); /* the same as the one before */
	assert_true(is_policed(113));

	to_probe_bw();
	first_loss(100);
	interval(4, 100, 30);
	interval(4, 112, 30);
	assert_true(is_policed(106)); /* their mean */
}

static void an_interval_of_more_than_sixteen_rounds_is_forgotten(void **state)
{
	(void)state;
	to_probe_bw();
	first_loss(100);
	interval(4, 100, 30);
	interval(16, 100, 0);
	lossy_round(100, 900, false); /* the 17th round: both are gone, and this loss does not begin another */
	assert_false(is_policed(100));
	first_loss(100);
	interval(4, 100, 30);
	assert_false(is_policed(100));
	interval(4, 100, 30);
	assert_true(is_policed(100));
}

static void a_sender_without_data_forgets(void **state)
{
	(void)state;
	to_probe_bw();
	first_loss(100);
	interval(4, 100, 30);
	interval(2, 100, 30);
	lossy_round(100, 30, true);
	first_loss(100);
	interval(4, 100, 30);
	assert_false(is_policed(100));
	interval(4, 100, 30);
	assert_true(is_policed(100));
}

static void to_policed(void)
{
	to_probe_bw();
	first_loss(100);
	interval(8, 100, 30);
	assert_true(is_policed(100));
}

static void it_is_used_for_forty_eight_rounds_without_a_probe(void **state)
{
	int phases = 0;

	(void)state;
	to_policed();
	for (int i = 0; i < 47; i++) {
		lossy_round(100, i % 3 ? 0 : 200, false); /* what is lost meanwhile does not matter */
		assert_true(is_policed(100));
		assert_int_equal(told().pacing_gain, 256);
		assert_int_equal(told().cwnd_gain, 512);
	}
	lossy_round(100, 0, false);
	assert_close(told().bw_lo, 5000000, 5); /* the filter's: the samples say so */
	for (int i = 0; i < 20; i++) { /* a cycle and more, wherever it began */
		phases += told().pacing_gain == 320;
		lossy_round(100, 1, false);
	}
	assert_in_range(phases, 1, 3); /* and it probes again */
}

/* What was taken for losses was reordering. */
static void an_undone_recovery_forgets(void **state)
{
	(void)state;
	to_policed();
	tcp_bbr.undo_cwnd(SK);
	assert_close(told().bw_lo, 5000000, 5);
	first_loss(100);
	interval(4, 100, 30);
	assert_false(is_policed(100));
}

/* A timeout is a loss that no ACK tells of. */
static void a_timeout_ends_an_interval(void **state)
{
	(void)state;
	to_probe_bw();
	first_loss(100);
	interval(4, 100, 30);
	interval(4, 100, 0);
	f.active.lost_total += 100;
	tcp_bbr.set_state(SK, TCP_CA_Loss);
	assert_true(is_policed(100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_lossy_intervals_alike_make_a_policer), cmocka_unit_test(a_fifth_of_losses_makes_an_interval_lossy),
		cmocka_unit_test(an_interval_ends_at_a_loss), cmocka_unit_test(intervals_that_differ_by_more_than_an_eighth_are_two),
		cmocka_unit_test(an_interval_of_more_than_sixteen_rounds_is_forgotten), cmocka_unit_test(a_sender_without_data_forgets),
		cmocka_unit_test(it_is_used_for_forty_eight_rounds_without_a_probe), cmocka_unit_test(an_undone_recovery_forgets),
		cmocka_unit_test(a_timeout_ends_an_interval),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
