/* SPDX-License-Identifier: MIT */
/*
 * tcp_prr.c - how the window is led down: proportional rate reduction (RFC 9937, which replaces RFC 6937) in CWR and Recovery.
 *
 *	tcp_init_cwnd_reduction()   a reduction begins: ssthresh from the congestion control; it lasts until high_seq is acknowledged
 *	tcp_cwnd_reduction()        each ACK: how many segments may go out for those that it delivered
 *	tcp_end_cwnd_reduction()    cwnd becomes ssthresh
 *	tcp_enter_cwr()             a reduction without a loss: ECN echo (RFC 3168 6.1.2), or the local queue refused a segment
 *
 * While more than ssthresh is in flight, ssthresh / prior_cwnd segments go out for each one delivered, so that the flight shrinks to ssthresh
 * within a round trip, at an even pace.  Below ssthresh (the loss itself took much, or the application sends little) as many go out as were
 * delivered (conservative bound); and one more for each ACK that moves snd_una without a new loss, up to ssthresh (slow-start bound).
 * A congestion control with cong_control (BBR) leads cwnd itself; then only the bookkeeping is done here.
 */
#include "tcp/tcp_input.h"

uint32_t tcp_current_ssthresh(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (tcp_in_cwnd_reduction(sk))
		return tp->snd_ssthresh;
	return MAX(tp->snd_ssthresh, (tp->snd_cwnd >> 1) + (tp->snd_cwnd >> 2));
}

void tcp_ecn_queue_cwr(struct tcp_sock *tp)
{
	if (tp->ecn_flags & TCP_ECN_OK)
		tp->ecn_flags |= TCP_ECN_QUEUE_CWR;
}

void tcp_init_cwnd_reduction(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;

	tp->high_seq = tp->snd_nxt;
	act->tlp_high_seq = 0;
	tp->snd_cwnd_cnt = 0;
	act->prior_cwnd = tp->snd_cwnd;
	act->prr_delivered = act->prr_out = 0;
	tp->snd_ssthresh = inet_csk(sk)->icsk_ca_ops->ssthresh(sk);
	tcp_ecn_queue_cwr(tp);
}

void tcp_cwnd_reduction(struct sock *sk, uint32_t newly_acked_sacked, uint32_t newly_lost, int flag)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	int64_t in_flight = tcp_packets_in_flight(tp), room = (int64_t)tp->snd_ssthresh - in_flight, send;

	if (!newly_acked_sacked || !act->prior_cwnd)
		return;
	act->prr_delivered += newly_acked_sacked;
	if (room < 0) {
		uint64_t dividend = (uint64_t)tp->snd_ssthresh * act->prr_delivered + act->prior_cwnd - 1;
		send = (int64_t)(dividend / act->prior_cwnd) - act->prr_out;
	} else {
		send = MAX((int64_t)act->prr_delivered - act->prr_out, (int64_t)newly_acked_sacked);
		if ((flag & FLAG_SND_UNA_ADVANCED) && !newly_lost)
			send++;
		send = MIN(room, send);
	}
	/* The first retransmission goes at once. */
	send = MAX(send, act->prr_out ? 0 : 1);
	tp->snd_cwnd = (uint32_t)(in_flight + send);
}

void tcp_end_cwnd_reduction(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct inet_connection_sock *icsk = inet_csk(sk);

	if (icsk->icsk_ca_ops->cong_control)
		return;
	if (tp->snd_ssthresh < TCP_INFINITE_SSTHRESH && (icsk->icsk_ca_state == TCP_CA_CWR || tp->active->undo_marker)) {
		tp->snd_cwnd = tp->snd_ssthresh;
		tp->snd_cwnd_stamp_ns = sk->sk_net->now_ns;
	}
	tcp_ca_event(sk, CA_EVENT_COMPLETE_CWR);
}

void tcp_enter_cwr(struct sock *sk)
{
	struct tcp_active *act = tcp_act(sk);

	if (!act)
		return;
	act->prior_ssthresh = 0;
	if (inet_csk(sk)->icsk_ca_state < TCP_CA_CWR) {
		act->undo_marker = 0;
		tcp_init_cwnd_reduction(sk);
		tcp_set_ca_state(sk, TCP_CA_CWR);
	}
}
