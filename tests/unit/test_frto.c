/* SPDX-License-Identifier: MIT */
/* test_frto.c - the timeout (RFC 5681 3.1, RFC 8985 6.3) and F-RTO (RFC 5682 section 3.1, with SACK), step by step.  No timestamps: only F-RTO can tell. */
#include "recovery_fixture.h"

static struct tcp_ack_ctx on_ack(int flag, uint32_t dupacks)
{
	struct tcp_ack_ctx ctx = {.flag = flag, .num_dupack = dupacks, .ack = f.tp.snd_una};

	tcp_process_loss(SK, &ctx);
	return ctx;
}

/* Data that was not sent yet lies in the write queue; it is segment 31. */
static void more_to_send(void)
{
	skb_queue_tail(&SK->sk_write_queue, &f.skb[31]);
	f.tp.write_seq += MSS;
}

/* Ten segments, none answered, and the timer. */
static void timed_out(void)
{
	begin();
	send_segs(0, 9);
	at_ms(400);
	inet_csk(SK)->icsk_retransmits = 1;
	tcp_enter_loss(SK);
	resend_seg(0);
}

/* RFC 5681 3.1 and 5.1: ssthresh half, the window one segment, all that was sent a round trip ago is lost. */
static void a_timeout_begins_anew(void **state)
{
	(void)state;
	timed_out();
	assert_int_equal(inet_csk(SK)->icsk_ca_state, TCP_CA_Loss);
	assert_int_equal(f.tp.snd_ssthresh, 10);
	assert_int_equal(f.tp.snd_cwnd, 1);
	assert_int_equal(f.tp.lost_out, 10);
	assert_int_equal(f.tp.high_seq, 10 * MSS + 1);
	assert_int_equal(f.active.prior_cwnd, 20);
	assert_true(f.tp.frto);
}

/* RFC 8985 6.3: what was sent less than a round trip ago may still arrive; the head is lost in any case. */
static void the_young_are_not_lost(void **state)
{
	(void)state;
	begin();
	f.active.rack_rtt_us = RTT_US;
	send_segs(0, 3);
	at_ms(350);
	send_segs(4, 5);
	at_ms(400);
	tcp_enter_loss(SK);
	assert_int_equal(f.tp.lost_out, 4);
	assert_false(is_lost(4));
	assert_int_equal(f.tp.snd_cwnd, 3); /* two in flight and one */
}

/* The second timeout for the same data does not cut ssthresh again. */
static void a_second_timeout_does_not_cut_again(void **state)
{
	(void)state;
	timed_out();
	f.tp.snd_cwnd = 4;
	at_ms(1000);
	inet_csk(SK)->icsk_retransmits = 2;
	tcp_enter_loss(SK);
	assert_int_equal(f.tp.snd_ssthresh, 10);
}

/* Step 2b: the first ACK moves snd_una but not past high_seq: new data goes, nothing else is sent again. */
static void step_2b_new_data_first(void **state)
{
	(void)state;
	timed_out();
	more_to_send();
	at_ms(500);
	ack_to(1);
	assert_int_equal(on_ack(FLAG_DATA_ACKED | FLAG_SND_UNA_ADVANCED, 0).rexmit, REXMIT_NEW);
	assert_true(f.tp.frto);
	assert_int_equal(inet_csk(SK)->icsk_ca_state, TCP_CA_Loss);
}

/* Step 3b: then something is acknowledged or SACKed that was sent once, before the timeout: it was spurious, and is undone. */
static void step_3b_spurious(void **state)
{
	(void)state;
	step_2b_new_data_first(NULL);
	send_segs(10, 11);
	at_ms(510);
	ack_to(2);
	on_ack(FLAG_DATA_ACKED | FLAG_SND_UNA_ADVANCED | FLAG_ORIG_SACK_ACKED, 0);
	assert_int_equal(inet_csk(SK)->icsk_ca_state, TCP_CA_Open);
	assert_int_equal(f.tp.snd_cwnd, 20);
	assert_int_equal(f.tp.lost_out, 0);
	assert_int_equal(COUNTED(TCPSpuriousRTOs), 1);
}

/* Step 3a: duplicate ACKs or SACKs of the new data instead: the loss was real, retransmission goes on. */
static void step_3a_real(void **state)
{
	(void)state;
	step_2b_new_data_first(NULL);
	send_segs(10, 11);
	at_ms(600);
	sack_seg(10);
	assert_int_equal(on_ack(FLAG_DATA_SACKED, 1).rexmit, REXMIT_LOST);
	assert_false(f.tp.frto);
	assert_int_equal(inet_csk(SK)->icsk_ca_state, TCP_CA_Loss);
	assert_int_equal(f.tp.snd_ssthresh, 10);
	assert_int_equal(COUNTED(TCPSpuriousRTOs), 0);
	/* And the question is closed: what comes now undoes nothing. */
	ack_to(1);
	on_ack(FLAG_DATA_ACKED | FLAG_SND_UNA_ADVANCED, 0);
	assert_int_equal(inet_csk(SK)->icsk_ca_state, TCP_CA_Loss);
}

/* Step 2: without new data, or a window for it, the ordinary way. */
static void without_new_data_the_ordinary_way(void **state)
{
	(void)state;
	timed_out();
	at_ms(500);
	ack_to(0);
	assert_int_equal(on_ack(FLAG_DATA_ACKED | FLAG_SND_UNA_ADVANCED, 0).rexmit, REXMIT_LOST);
	assert_false(f.tp.frto);

	end(NULL);
	timed_out();
	more_to_send();
	f.tp.snd_wnd = 8 * MSS;
	ack_to(0);
	assert_int_equal(on_ack(FLAG_DATA_ACKED | FLAG_SND_UNA_ADVANCED, 0).rexmit, REXMIT_LOST);
}

/* Step 2a: a duplicate ACK first: likewise. */
static void a_duplicate_first_the_ordinary_way(void **state)
{
	(void)state;
	timed_out();
	more_to_send();
	at_ms(500);
	assert_int_equal(on_ack(0, 1).rexmit, REXMIT_LOST);
}

/* All of it acknowledged at once: nothing is left to ask about. */
static void the_end_of_loss(void **state)
{
	(void)state;
	timed_out();
	at_ms(500);
	ack_to(9);
	on_ack(FLAG_DATA_ACKED | FLAG_SND_UNA_ADVANCED, 0);
	assert_int_equal(inet_csk(SK)->icsk_ca_state, TCP_CA_Open);
	assert_int_equal(f.tp.lost_out + f.tp.retrans_out, 0);
}

static void switched_off(void **state)
{
	(void)state;
	begin();
	f.tcp.sysctl_tcp_frto = 0;
	send_segs(0, 9);
	at_ms(400);
	tcp_enter_loss(SK);
	assert_false(f.tp.frto);
}

/* RFC 5682 step 1: not where recovery was going on; but again at the next timeout of the same data. */
static void not_within_another_recovery(void **state)
{
	(void)state;
	begin();
	send_segs(0, 9);
	inet_csk(SK)->icsk_ca_state = TCP_CA_Recovery;
	f.tp.high_seq = f.tp.snd_nxt;
	at_ms(400);
	tcp_enter_loss(SK);
	assert_false(f.tp.frto);
	inet_csk(SK)->icsk_retransmits = 1;
	tcp_enter_loss(SK);
	assert_true(f.tp.frto);
}

#define T(name) cmocka_unit_test_teardown(name, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_timeout_begins_anew), T(the_young_are_not_lost), T(a_second_timeout_does_not_cut_again), T(step_2b_new_data_first), T(step_3b_spurious),
		T(step_3a_real), T(without_new_data_the_ordinary_way), T(a_duplicate_first_the_ordinary_way), T(the_end_of_loss), T(switched_off),
		T(not_within_another_recovery),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
