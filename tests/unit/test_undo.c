/* SPDX-License-Identifier: MIT */
/* test_undo.c - reductions taken back: Eifel by timestamps (RFC 3522, RFC 4015) and D-SACK (RFC 3708), rule by rule. */
#include "recovery_fixture.h"

/* Ten out, the first taken for lost at 100 ms and sent again. */
static void in_recovery(void)
{
	begin();
	f.tp.ecn_flags = TCP_ECN_OK;
	send_segs(0, 9);
	at_ms(100);
	for (int i = 1; i < 4; i++)
		sack_seg(i);
	tcp_rack_mark_lost(SK);
	assert_true(is_lost(0));
	tcp_enter_recovery(SK, false);
	f.tp.snd_cwnd = 8;
	resend_seg(0);
	f.active.undo_retrans = 1;
	assert_int_equal(f.tp.snd_ssthresh, 10);
	assert_true(f.tp.ecn_flags & TCP_ECN_QUEUE_CWR);
}

static void echo_ms(uint64_t ms)
{
	f.tp.rx_opt.saw_tstamp = 1;
	f.tp.rx_opt.rcv_tsecr = (uint32_t)(5000 + ms);
}

static void is_undone(bool yes)
{
	assert_int_equal(f.tp.snd_cwnd, yes ? 20 : 8);
	assert_int_equal(f.tp.snd_ssthresh, yes ? TCP_INFINITE_SSTHRESH : 10);
	assert_int_equal(!(f.tp.ecn_flags & TCP_ECN_QUEUE_CWR), yes); /* nor is the peer told of a reduction */
	assert_int_equal(!f.active.undo_marker, yes);
}

/* RFC 3522 3.2 step 5: the echo is older than the retransmission: it was the original that arrived. */
static void eifel_at_the_end(void **state)
{
	(void)state;
	in_recovery();
	at_ms(130);
	ack_to(9);
	echo_ms(99);
	assert_false(tcp_try_undo_recovery(SK));
	is_undone(true);
	assert_int_equal(inet_csk(SK)->icsk_ca_state, TCP_CA_Open);
	assert_int_equal(COUNTED(TCPFullUndo), 1);
}

static void an_echo_of_the_retransmission_undoes_nothing(void **state)
{
	(void)state;
	in_recovery();
	at_ms(200);
	ack_to(9);
	echo_ms(100);
	assert_false(tcp_try_undo_recovery(SK));
	is_undone(false);
	assert_int_equal(inet_csk(SK)->icsk_ca_state, TCP_CA_Open);
}

static void without_timestamps_eifel_is_silent(void **state)
{
	(void)state;
	in_recovery();
	at_ms(200);
	ack_to(9);
	assert_false(tcp_try_undo_recovery(SK));
	is_undone(false);
}

/* RFC 3708: each retransmission has been reported as a duplicate. */
static void dsack_of_every_retransmission(void **state)
{
	(void)state;
	in_recovery();
	f.active.undo_retrans = 2;
	assert_false(tcp_try_undo_dsack(SK));
	f.active.undo_retrans = 1;
	assert_false(tcp_try_undo_dsack(SK));
	f.active.undo_retrans = 0;
	assert_true(tcp_try_undo_dsack(SK));
	is_undone(true);
	assert_int_equal(COUNTED(TCPDSACKUndo), 1);
	assert_true(f.tp.rack_reo_persist >= 1);
	assert_false(tcp_try_undo_dsack(SK)); /* once */
}

/* A partial ACK for the original: the reduction is taken back as soon as no retransmission is out any more. */
static void a_partial_ack_undoes(void **state)
{
	uint32_t before;

	(void)state;
	in_recovery();
	at_ms(120);
	before = f.tp.snd_una;
	ack_to(0);
	echo_ms(10);
	assert_int_equal(f.tp.retrans_out, 0);
	assert_false(tcp_try_undo_partial(SK, before));
	is_undone(true);
	assert_int_equal(COUNTED(TCPPartialUndo), 1);
	assert_int_equal(f.tp.reord_seen, 1); /* it was reordering, then */
	assert_int_equal(f.tp.lost_out, 0);
}

static void while_another_retransmission_is_out_it_waits(void **state)
{
	uint32_t before;

	(void)state;
	in_recovery();
	tcp_mark_skb_lost(SK, &f.skb[4]);
	resend_seg(4);
	at_ms(120);
	before = f.tp.snd_una;
	ack_to(0);
	echo_ms(10);
	assert_true(tcp_try_undo_partial(SK, before));
	is_undone(false);
}

/* In Loss: what was marked is in flight as before. */
static void a_spurious_timeout(void **state)
{
	(void)state;
	begin();
	send_segs(0, 9);
	at_ms(400);
	inet_csk(SK)->icsk_retransmits = 1;
	tcp_enter_loss(SK);
	resend_seg(0);
	assert_int_equal(f.tp.lost_out, 10);
	at_ms(410);
	ack_to(0);
	echo_ms(0);
	assert_true(tcp_try_undo_loss(SK, false));
	assert_int_equal(f.tp.lost_out, 0);
	assert_int_equal(f.tp.snd_cwnd, 20);
	assert_int_equal(inet_csk(SK)->icsk_ca_state, TCP_CA_Open);
	assert_int_equal(inet_csk(SK)->icsk_retransmits, 0);
	assert_int_equal(COUNTED(TCPLossUndo), 1);
	assert_int_equal(COUNTED(TCPSpuriousRTOs), 0);
	assert_int_equal(list_empty(&f.active.tsorted), 0);
}

/* An ECN echo was no mistake. */
static void congestion_that_was_told_is_not_undone(void **state)
{
	(void)state;
	in_recovery();
	f.active.prior_ssthresh = 0;
	f.active.undo_retrans = 0;
	assert_true(tcp_try_undo_dsack(SK));
	assert_int_equal(f.tp.snd_cwnd, 8);
	assert_int_equal(f.tp.snd_ssthresh, 10);
}

/* RFC 6582 5: without SACK the state is held until more than high_seq is acknowledged. */
static void without_sack_the_state_is_held(void **state)
{
	(void)state;
	in_recovery();
	f.tp.rx_opt.sack_ok = 0;
	f.active.undo_marker = 0;
	at_ms(200);
	ack_to(9);
	assert_int_equal(f.tp.snd_una, f.tp.high_seq);
	assert_true(tcp_try_undo_recovery(SK));
	assert_int_equal(inet_csk(SK)->icsk_ca_state, TCP_CA_Recovery);
	send_segs(10, 10);
	ack_to(10);
	assert_false(tcp_try_undo_recovery(SK));
	assert_int_equal(inet_csk(SK)->icsk_ca_state, TCP_CA_Open);
}

#define T(name) cmocka_unit_test_teardown(name, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(eifel_at_the_end), T(an_echo_of_the_retransmission_undoes_nothing), T(without_timestamps_eifel_is_silent), T(dsack_of_every_retransmission),
		T(a_partial_ack_undoes), T(while_another_retransmission_is_out_it_waits), T(a_spurious_timeout), T(congestion_that_was_told_is_not_undone),
		T(without_sack_the_state_is_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
