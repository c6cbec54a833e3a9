/* SPDX-License-Identifier: MIT */
/* test_rack.c - RACK against RFC 8985 section 6, by hand: who is lost when, and how the reordering window adapts.  Round trip 100 ms. */
#include "recovery_fixture.h"

static void detect(void) { tcp_rack_mark_lost(SK); }

/* 6.2 step 5: sent before what was delivered, and a round trip and the reordering window (a quarter of it) ago. */
static void lost_after_a_round_trip_and_a_quarter(void **state)
{
	(void)state;
	begin();
	send_segs(0, 4);
	at_ms(100);
	sack_seg(1);
	detect();
	assert_int_equal(f.tp.lost_out, 0);
	assert_int_equal(inet_csk(SK)->icsk_pending, ICSK_TIME_REO_TIMEOUT);
	/* 6.2: the timer, for what only that window holds back: 25 ms. */
	assert_in_range((inet_csk(SK)->icsk_timeout_ns - f.net->now_ns) / NSEC_PER_MSEC, 25, 28);
	at_ms(124);
	f.active.rack_advanced = 1;
	detect();
	assert_false(is_lost(0));
	at_ms(125);
	f.active.rack_advanced = 1;
	detect();
	assert_true(is_lost(0));
	assert_int_equal(f.tp.lost_out, 1);
	assert_false(is_lost(2)); /* sent after what was delivered */
}

/* 6.2.3: with DupThresh segments SACKed and no reordering ever seen there is no window. */
static void three_sacked_segments_need_no_wait(void **state)
{
	(void)state;
	begin();
	send_segs(0, 4);
	at_ms(100);
	sack_seg(1);
	sack_seg(2);
	detect();
	assert_false(is_lost(0));
	sack_seg(3);
	detect();
	assert_true(is_lost(0));
	assert_false(is_lost(4));
}

static void where_reordering_was_seen_there_is_a_wait(void **state)
{
	(void)state;
	begin();
	f.tp.reord_seen = 1;
	send_segs(0, 4);
	at_ms(100);
	for (int i = 1; i < 5; i++)
		sack_seg(i);
	inet_csk(SK)->icsk_ca_state = TCP_CA_Recovery;
	detect();
	assert_false(is_lost(0));
	at_ms(126);
	f.active.rack_advanced = 1;
	detect();
	assert_true(is_lost(0));
}

/* In recovery there is no window either, as long as nothing was ever reordered. */
static void in_recovery_the_next_is_lost_at_once(void **state)
{
	(void)state;
	begin();
	inet_csk(SK)->icsk_ca_state = TCP_CA_Recovery;
	send_segs(0, 2);
	at_ms(100);
	sack_seg(1);
	detect();
	assert_true(is_lost(0));
}

/* 6.2 step 2: a retransmission that was answered sooner than the least round trip was answered for the original: it proves nothing. */
static void an_answer_too_early_is_of_the_original(void **state)
{
	(void)state;
	begin();
	inet_csk(SK)->icsk_ca_state = TCP_CA_Recovery;
	send_segs(0, 3);
	at_ms(100);
	sack_seg(1);
	detect();
	assert_true(is_lost(0));
	resend_seg(0);
	at_ms(110);
	send_segs(4, 4);
	at_ms(150);
	ack_to(0);
	assert_true(f.active.rack_mstamp_ns < 5 * NSEC_PER_SEC + NSEC_PER_MSEC);
}

/* A retransmission is lost by the same rule: it was sent before something that has been delivered. */
static void a_lost_retransmission_is_found(void **state)
{
	(void)state;
	begin();
	inet_csk(SK)->icsk_ca_state = TCP_CA_Recovery;
	send_segs(0, 3);
	at_ms(100);
	sack_seg(1);
	detect();
	resend_seg(0);
	assert_int_equal(f.tp.retrans_out, 1);
	at_ms(101);
	send_segs(4, 4);
	at_ms(201);
	sack_seg(4);
	detect();
	assert_int_equal(f.tp.retrans_out, 0);
	assert_int_equal(f.tp.lost_out, 3); /* and those that were sent with it first */
	assert_int_equal(COUNTED(TCPLostRetransmit), 1);
	assert_int_equal(f.active.lost_total, 4);
}

/* What is to be sent again goes in order of sequence, in whatever order it was found. */
static void the_lost_are_in_order(void **state)
{
	uint32_t last = 0;
	struct sk_buff *skb;

	(void)state;
	begin();
	send_segs(0, 7);
	for (int i = 0; i < 8; i++)
		tcp_mark_skb_lost(SK, &f.skb[i * 5 % 8]);
	tcp_mark_skb_lost(SK, &f.skb[3]); /* twice is once */
	assert_int_equal(f.tp.lost_out, 8);
	list_for_each_entry(skb, &f.active.lost_list, tcp_tsorted) {
		assert_true(TCP_SKB_CB(skb)->seq > last);
		last = TCP_SKB_CB(skb)->seq;
	}
	assert_int_equal(last, 7 * MSS + 1);
}

/* 6.2.4: each round trip with a D-SACK widens the window by a quarter of the least round trip, up to srtt, for sixteen recoveries. */
static void dsacks_widen_the_window(void **state)
{
	struct rate_sample rs = {.prior_mstamp_us = 1};

	(void)state;
	begin();
	f.tp.delivered = 10;
	f.active.rack_dsack_seen = 1;
	rs.prior_delivered = 10;
	tcp_rack_update_reo_wnd(SK, &rs);
	assert_int_equal(f.tp.rack_reo_steps, 1);
	assert_int_equal(f.tp.rack_reo_persist, 16);
	/* Within the same round trip: not again. */
	f.active.rack_dsack_seen = 1;
	rs.prior_delivered = 9;
	tcp_rack_update_reo_wnd(SK, &rs);
	assert_int_equal(f.tp.rack_reo_steps, 1);
	/* The window is now half a round trip. */
	f.tp.reord_seen = 1;
	send_segs(0, 1);
	at_ms(100);
	sack_seg(1);
	at_ms(149);
	detect();
	assert_false(is_lost(0));
	at_ms(150);
	f.active.rack_advanced = 1;
	detect();
	assert_true(is_lost(0));
	/* Sixteen recoveries without: back to a quarter. */
	f.tp.rack_reo_persist = 0;
	tcp_rack_update_reo_wnd(SK, &rs);
	assert_int_equal(f.tp.rack_reo_steps, 0);
}

/* However wide, no wider than the smoothed round trip. */
static void the_window_ends_at_srtt(void **state)
{
	(void)state;
	begin();
	f.tp.reord_seen = 1;
	f.tp.rack_reo_steps = 200;
	send_segs(0, 1);
	at_ms(100);
	sack_seg(1);
	at_ms(199);
	detect();
	assert_false(is_lost(0));
	at_ms(200);
	f.active.rack_advanced = 1;
	detect();
	assert_true(is_lost(0));
}

#define T(name) cmocka_unit_test_teardown(name, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(lost_after_a_round_trip_and_a_quarter), T(three_sacked_segments_need_no_wait), T(where_reordering_was_seen_there_is_a_wait),
		T(in_recovery_the_next_is_lost_at_once), T(an_answer_too_early_is_of_the_original), T(a_lost_retransmission_is_found),
		T(the_lost_are_in_order), T(dsacks_widen_the_window), T(the_window_ends_at_srtt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
