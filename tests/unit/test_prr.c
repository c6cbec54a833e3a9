/* SPDX-License-Identifier: MIT */
/* test_prr.c - proportional rate reduction against RFC 9937 section 6, number by number: a window of 20, ssthresh 10 (Reno). */
#include "recovery_fixture.h"

static void reduce(uint32_t flight)
{
	begin();
	f.tp.packets_out = flight;
	f.tp.snd_nxt = 1 + flight * MSS;
	tcp_init_cwnd_reduction(SK);
	inet_csk(SK)->icsk_ca_state = TCP_CA_Recovery;
	assert_int_equal(f.tp.snd_ssthresh, f.tp.snd_cwnd / 2);
	assert_int_equal(f.active.prior_cwnd, 20);
	assert_int_equal(f.tp.high_seq, f.tp.snd_nxt);
}

/* An ACK that delivers n; how many segments it lets go. */
static uint32_t allowed_by(uint32_t n, uint32_t lost, int flag)
{
	f.tp.sacked_out += n;
	f.tp.lost_out += lost;
	tcp_cwnd_reduction(SK, n, lost, flag);
	return f.tp.snd_cwnd - tcp_packets_in_flight(&f.tp);
}

static void send_n(uint32_t n)
{
	f.tp.retrans_out += n;
	f.active.prr_out += n;
}

/* 6, pipe > ssthresh: one goes for two delivered, ceil(prr_delivered * ssthresh / prior_cwnd) - prr_out. */
static void above_ssthresh_half_go(void **state)
{
	static const uint32_t want[] = {1, 0, 1, 0, 1, 0, 1, 0};

	(void)state;
	reduce(20);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(allowed_by(1, i == 0, 0), want[i]);
		send_n(want[i]);
	}
	assert_int_equal(f.active.prr_delivered, 8);
	assert_int_equal(f.active.prr_out, 4);
}

/* A stretched ACK lets go what the small ones would have. */
static void one_ack_for_many_is_the_same(void **state)
{
	(void)state;
	reduce(20);
	assert_int_equal(allowed_by(6, 1, 0), 3);
}

/* 6, conservative bound: below ssthresh as many as were delivered, one more where snd_una moves and nothing new was lost (slow-start bound). */
static void below_ssthresh_packet_conservation(void **state)
{
	(void)state;
	reduce(20);
	assert_int_equal(allowed_by(3, 13, 0), 3);      /* 4 in flight, 10 allowed: what was delivered */
	send_n(3);
	assert_int_equal(allowed_by(1, 0, 0), 1);       /* SACK only */
	send_n(1);
	assert_int_equal(allowed_by(1, 0, FLAG_SND_UNA_ADVANCED), 2);
	send_n(2);
	assert_int_equal(allowed_by(1, 1, FLAG_SND_UNA_ADVANCED), 1); /* a new loss */
}

/* Never beyond ssthresh, whatever was not used before. */
static void not_beyond_ssthresh(void **state)
{
	(void)state;
	reduce(20);
	allowed_by(5, 8, 0); /* 7 in flight; nothing is sent for it */
	assert_int_equal(allowed_by(1, 0, FLAG_SND_UNA_ADVANCED), 4); /* 6 in flight: 10 - 6, though 6 were delivered and none sent */
	assert_int_equal(f.tp.snd_cwnd, 10);
}

/* "Force a fast retransmit upon entering recovery": the first goes whatever the numbers say. */
static void the_first_retransmission_goes_at_once(void **state)
{
	(void)state;
	reduce(20);
	f.tp.snd_ssthresh = 2;
	f.active.prior_cwnd = 1000;
	assert_int_equal(allowed_by(1, 1, 0), 1);
	send_n(1);
	assert_int_equal(allowed_by(1, 0, 0), 0);
}

/* An ACK that delivers nothing changes nothing. */
static void nothing_delivered_nothing_goes(void **state)
{
	(void)state;
	reduce(20);
	tcp_cwnd_reduction(SK, 0, 3, FLAG_SND_UNA_ADVANCED);
	assert_int_equal(f.tp.snd_cwnd, 20);
	assert_int_equal(f.active.prr_delivered, 0);
}

/* Over a whole recovery the window comes to ssthresh. */
static void the_end_is_ssthresh(void **state)
{
	(void)state;
	reduce(20);
	f.active.undo_marker = 1;
	for (int i = 0; i < 19; i++)
		send_n(allowed_by(1, i == 0, 0));
	assert_in_range(f.active.prr_out, 9, 10);
	assert_in_range(tcp_packets_in_flight(&f.tp), 9, 10);
	tcp_end_cwnd_reduction(SK);
	assert_int_equal(f.tp.snd_cwnd, 10);
	/* What was undone meanwhile has its window back already. */
	f.active.undo_marker = 0;
	f.tp.snd_cwnd = 20;
	tcp_end_cwnd_reduction(SK);
	assert_int_equal(f.tp.snd_cwnd, 20);
}

/* RFC 3168 6.1.2: the reduction for a mark is the same, without a loss, and once a window. */
static void a_mark_reduces_once_a_window(void **state)
{
	(void)state;
	begin();
	f.tp.packets_out = 20;
	f.tp.snd_nxt = 1 + 20 * MSS;
	f.active.prior_ssthresh = 7;
	f.tp.ecn_flags = TCP_ECN_OK;
	tcp_enter_cwr(SK);
	assert_int_equal(inet_csk(SK)->icsk_ca_state, TCP_CA_CWR);
	assert_int_equal(f.tp.snd_ssthresh, 10);
	assert_int_equal(f.active.prior_ssthresh, 0); /* true congestion is not undone */
	assert_true(f.tp.ecn_flags & TCP_ECN_QUEUE_CWR);
	tcp_enter_cwr(SK);
	assert_int_equal(f.tp.snd_ssthresh, 10);
}

#define T(name) cmocka_unit_test_teardown(name, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(above_ssthresh_half_go), T(one_ack_for_many_is_the_same), T(below_ssthresh_packet_conservation), T(not_beyond_ssthresh),
		T(the_first_retransmission_goes_at_once), T(nothing_delivered_nothing_goes), T(the_end_is_ssthresh), T(a_mark_reduces_once_a_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
