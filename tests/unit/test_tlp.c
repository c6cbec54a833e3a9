/* SPDX-License-Identifier: MIT */
/*
 * test_tlp.c - the tail loss probe against RFC 8985 section 7: when it is due, and what its answer means.  What it sends is shown by tests/sim/test_recovery.c
 * and tests/pkt/recovery.
 */
#include "recovery_fixture.h"

static uint64_t due_ms(void) { return (inet_csk(SK)->icsk_timeout_ns - f.net->now_ns) / NSEC_PER_MSEC; }

/* 7.2: two smoothed round trips after the last transmission; for a single segment, whose ACK may be delayed, 200 ms more; never later than the RTO. */
static void two_round_trips(void **state)
{
	(void)state;
	begin();
	inet_csk(SK)->icsk_rto_us = 1000000;
	send_segs(0, 3);
	assert_true(tcp_schedule_loss_probe(SK, false));
	assert_int_equal(inet_csk(SK)->icsk_pending, ICSK_TIME_LOSS_PROBE);
	assert_in_range(due_ms(), 200, 210);
}

static void a_single_segment_waits_for_a_delayed_ack(void **state)
{
	(void)state;
	begin();
	inet_csk(SK)->icsk_rto_us = 1000000;
	send_segs(0, 0);
	assert_true(tcp_schedule_loss_probe(SK, false));
	assert_in_range(due_ms(), 400, 400);
}

static void not_later_than_the_rto(void **state)
{
	(void)state;
	begin();
	inet_csk(SK)->icsk_rto_us = 150000;
	send_segs(0, 3);
	at_ms(100);
	assert_true(tcp_schedule_loss_probe(SK, false));
	assert_in_range(due_ms(), 50, 50); /* the RTO's, which runs since the head was sent */
	assert_true(tcp_schedule_loss_probe(SK, true));
	assert_in_range(due_ms(), 150, 150); /* an ACK begins the RTO anew */
}

static void without_a_measured_round_trip_a_second(void **state)
{
	(void)state;
	begin();
	f.tp.srtt_us = 0;
	inet_csk(SK)->icsk_rto_us = 3000000;
	send_segs(0, 3);
	assert_true(tcp_schedule_loss_probe(SK, false));
	assert_in_range(due_ms(), 1000, 1000);
}

/* 7.2: with SACK, outside recovery, and something in flight. */
static void only_in_open_state_with_sack(void **state)
{
	(void)state;
	begin();
	assert_false(tcp_schedule_loss_probe(SK, false));
	send_segs(0, 3);
	for (uint8_t s = TCP_CA_Open; s <= TCP_CA_Loss; s++) {
		inet_csk(SK)->icsk_ca_state = s & 7;
		assert_int_equal(tcp_schedule_loss_probe(SK, false), s == TCP_CA_Open || s == TCP_CA_CWR);
	}
	inet_csk(SK)->icsk_ca_state = TCP_CA_Open;
	f.tcp.sysctl_tcp_early_retrans = 0;
	assert_false(tcp_schedule_loss_probe(SK, false));
	f.tcp.sysctl_tcp_early_retrans = 3;
	f.tp.rx_opt.sack_ok = 0;
	assert_false(tcp_schedule_loss_probe(SK, false));
}

/* --- 7.4.2: the answer ---------------------------------------------------------------------------------------------------- */

static void probe_out(bool retransmission)
{
	begin();
	send_segs(0, 9);
	f.active.tlp_high_seq = f.tp.snd_nxt;
	f.active.tlp_retrans = retransmission;
}

static void answer(uint32_t ack, int flag)
{
	struct tcp_ack_ctx ctx = {.ack = ack, .flag = flag};

	tcp_process_tlp_ack(SK, &ctx);
}

static void an_ack_below_says_nothing(void **state)
{
	(void)state;
	probe_out(true);
	answer(f.active.tlp_high_seq - MSS, FLAG_DATA_ACKED | FLAG_SND_UNA_ADVANCED);
	assert_true(f.active.tlp_high_seq);
	assert_int_equal(f.tp.snd_cwnd, 20);
}

static void new_data_is_no_repair(void **state)
{
	(void)state;
	probe_out(false);
	answer(f.active.tlp_high_seq, FLAG_DATA_ACKED | FLAG_SND_UNA_ADVANCED);
	assert_int_equal(f.active.tlp_high_seq, 0);
	assert_int_equal(f.tp.snd_cwnd, 20);
}

static void a_dsack_says_that_both_arrived(void **state)
{
	(void)state;
	probe_out(true);
	answer(f.active.tlp_high_seq, FLAG_DSACK_TLP);
	assert_int_equal(f.active.tlp_high_seq, 0);
	assert_int_equal(f.tp.snd_cwnd, 20);
}

static void so_does_a_duplicate_ack(void **state)
{
	(void)state;
	probe_out(true);
	answer(f.active.tlp_high_seq, FLAG_DATA_ACKED | FLAG_SND_UNA_ADVANCED); /* of one of the two; the other one is open */
	assert_true(f.active.tlp_high_seq);
	answer(f.active.tlp_high_seq, 0);
	assert_int_equal(f.active.tlp_high_seq, 0);
	assert_int_equal(f.tp.snd_cwnd, 20);
}

/* An ACK beyond without a sign of the second copy: the probe repaired a loss. */
static void a_repaired_loss_halves_the_window(void **state)
{
	(void)state;
	probe_out(true);
	ack_to(9);
	send_segs(10, 11);
	answer(f.active.tlp_high_seq + MSS, FLAG_DATA_ACKED | FLAG_SND_UNA_ADVANCED);
	assert_int_equal(f.active.tlp_high_seq, 0);
	assert_int_equal(f.tp.snd_cwnd, 10);
	assert_int_equal(f.tp.snd_ssthresh, 10);
	assert_int_equal(inet_csk(SK)->icsk_ca_state, TCP_CA_Open);
	assert_int_equal(COUNTED(TCPLossProbeRecovery), 1);
}

#define T(name) cmocka_unit_test_teardown(name, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(two_round_trips), T(a_single_segment_waits_for_a_delayed_ack), T(not_later_than_the_rto), T(without_a_measured_round_trip_a_second),
		T(only_in_open_state_with_sack), T(an_ack_below_says_nothing), T(new_data_is_no_repair), T(a_dsack_says_that_both_arrived),
		T(so_does_a_duplicate_ack), T(a_repaired_loss_halves_the_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
