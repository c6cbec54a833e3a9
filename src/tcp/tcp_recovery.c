/* SPDX-License-Identifier: MIT */
/*
 * tcp_recovery.c - what an unusual ACK means and what is done about it (T11): the congestion states.
 *
 *	Open      nothing unusual
 *	Disorder  duplicate ACKs or SACKs, not yet enough to call it loss; new data goes out meanwhile (limited transmit, RFC 3042:
 *	          SACKed segments, or duplicate ACKs without SACK, leave the flight, so the window lets new ones in)
 *	CWR       the window is led down for ECN or local congestion; nothing is lost
 *	Recovery  fast retransmit: lost segments go out again, the window is led down
 *	Loss      after an RTO: slow start from one segment
 *
 * CWR, Recovery and Loss last until snd_una reaches high_seq, the snd_nxt of when they began.
 *
 *	tcp_fastretrans_alert()   called by tcp_ack() for dubious ACKs: leave a finished state, then the step of the present one
 *	tcp_enter_recovery()      by it, or by the reordering timer (tcp_rack.c)
 *
 * Each question has its file: what has arrived, tcp_sack.c; what is lost, tcp_rack.c with SACK and tcp_newreno.c without; how the window is led
 * down, tcp_prr.c; what a timeout does, tcp_frto.c; the lost end of a flight, tcp_tlp.c; whether it was all for nothing, tcp_undo.c;
 * sending again, tcp_retransmit.c.
 */
#include "tcp/tcp_input.h"
#include "tcp/tcp_mtu_probe.h"

/* --- steps ------------------------------------------------------------------------------------------------------------ */

/* Marks what this ACK shows to be lost. */
static void identify_losses(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t prior_retrans = tp->retrans_out;

	if (tcp_rtx_queue_empty(sk))
		return;
	if (!tcp_is_sack(tp)) {
		tcp_newreno_mark_lost(sk, ctx->flag & FLAG_SND_UNA_ADVANCED);
		return;
	}
	if (tcp_rack_mark_lost(sk))
		ctx->flag &= ~FLAG_SET_XMIT_TIMER; /* the reordering timer stands in its place */
	if (prior_retrans > tp->retrans_out)
		ctx->flag |= FLAG_LOST_RETRANS;
}

void tcp_enter_recovery(struct sock *sk, bool ece)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;

	tcp_trace(sk, TP_tcp_enter_recovery, tp->snd_una, tp->snd_nxt, tp->sacked_out);
	/* The clock of undo and of patience starts with this recovery's first retransmission. */
	if (!tcp_any_retrans_done(sk))
		act->retrans_stamp_ms = 0;
	if (tcp_is_sack(tp))
		NET_INC_STATS(sk->sk_net, TCPSackRecovery);
	else
		NET_INC_STATS(sk->sk_net, TCPRenoRecovery);
	act->prior_ssthresh = 0;
	tcp_init_undo(tp);
	if (!tcp_in_cwnd_reduction(sk)) {
		if (!ece)
			act->prior_ssthresh = tcp_current_ssthresh(sk);
		tcp_init_cwnd_reduction(sk);
	}
	tcp_set_ca_state(sk, TCP_CA_Recovery);
}

static void try_to_open(struct sock *sk, int flag)
{
	if (!tcp_any_retrans_done(sk))
		tcp_act(sk)->retrans_stamp_ms = 0;
	if (flag & FLAG_ECE)
		tcp_enter_cwr(sk);
	if (inet_csk(sk)->icsk_ca_state != TCP_CA_CWR)
		tcp_try_keep_open(sk);
}

/* The receiver dropped what it had SACKed: give the ACK that may be under way half a round trip, then take the RTO's way. */
static bool check_reneging(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (!(ctx->flag & FLAG_SACK_RENEGING) || !(ctx->flag & FLAG_SND_UNA_ADVANCED))
		return false;
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, MAX(tp->srtt_us >> 4, 10000u));
	ctx->flag &= ~FLAG_SET_XMIT_TIMER;
	return true;
}

/* Everything sent before the state began is acknowledged: leave it.  True: stay, nothing more to do. */
static bool leave_state(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint8_t state = inet_csk(sk)->icsk_ca_state;

	if (state == TCP_CA_Open) {
		tp->active->retrans_stamp_ms = 0;
		return false;
	}
	if (seq_before(tp->snd_una, tp->high_seq))
		return false;
	if (state == TCP_CA_CWR && tp->snd_una != tp->high_seq) {
		/* One segment more than high_seq: CWR took effect at the peer. */
		tcp_end_cwnd_reduction(sk);
		tcp_set_ca_state(sk, TCP_CA_Open);
	} else if (state == TCP_CA_Recovery) {
		if (!tcp_is_sack(tp))
			tcp_reset_reno_sacks(tp);
		if (tcp_try_undo_recovery(sk))
			return true;
		tcp_end_cwnd_reduction(sk);
	}
	return false;
}

/* Recovery goes on, or an undo ended it and, for what is lost all the same, another begins.  False: there is nothing to send again. */
static bool step_recovery(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	if (!(ctx->flag & FLAG_SND_UNA_ADVANCED)) {
		if (!tcp_is_sack(tcp_sk(sk)))
			tcp_add_reno_sacks(sk, ctx->num_dupack);
	} else if (tcp_try_undo_partial(sk, ctx->prior_snd_una)) {
		return false;
	}
	if (tcp_try_undo_dsack(sk))
		try_to_open(sk, ctx->flag);
	identify_losses(sk, ctx);
	if (inet_csk(sk)->icsk_ca_state == TCP_CA_Recovery)
		return true;
	if (!tcp_sk(sk)->lost_out)
		return false;
	tcp_enter_recovery(sk, ctx->flag & FLAG_ECE);
	return true;
}

/* Open, Disorder, CWR; and Loss whose retransmissions are lost too.  True: it became Recovery. */
static bool step_open(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!tcp_is_sack(tp)) {
		if (ctx->flag & FLAG_SND_UNA_ADVANCED)
			tcp_reset_reno_sacks(tp);
		tcp_add_reno_sacks(sk, ctx->num_dupack);
	}
	if (inet_csk(sk)->icsk_ca_state <= TCP_CA_Disorder)
		tcp_try_undo_dsack(sk);
	identify_losses(sk, ctx);
	if (!tp->lost_out) {
		try_to_open(sk, ctx->flag);
		return false;
	}
	if (unlikely(tp->mtup_enabled) && inet_csk(sk)->icsk_ca_state < TCP_CA_CWR && tcp_mtup_probe_is_head(sk)) {
		tcp_mtup_probe_failed(sk);
		tp->snd_cwnd++; /* it counted as two */
		tcp_simple_retransmit(sk);
		return false;
	}
	tcp_enter_recovery(sk, ctx->flag & FLAG_ECE);
	return true;
}

/* True: Loss is over, or its retransmissions are lost: to be looked at as an open state. */
static bool step_loss(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	tcp_process_loss(sk, ctx);
	identify_losses(sk, ctx);
	return inet_csk(sk)->icsk_ca_state == TCP_CA_Open || (ctx->flag & FLAG_LOST_RETRANS);
}

void tcp_fastretrans_alert(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (unlikely(!tp->active))
		return;
	if (!tp->packets_out)
		tp->sacked_out = 0;
	if (ctx->flag & FLAG_ECE)
		tp->active->prior_ssthresh = 0;
	if (check_reneging(sk, ctx))
		return;
	DEBUG_ASSERT(tcp_left_out(tp) <= tp->packets_out);
	if (leave_state(sk))
		return;

	switch (inet_csk(sk)->icsk_ca_state) {
	case TCP_CA_Recovery:
		if (!step_recovery(sk, ctx))
			return;
		break;
	case TCP_CA_Loss:
		if (!step_loss(sk, ctx))
			return;
		__attribute__((fallthrough));
	default:
		if (!step_open(sk, ctx))
			return;
	}
	ctx->rexmit = REXMIT_LOST;
}

/* --- beginnings and ends without an ACK --------------------------------------------------------------------------------- */

void tcp_clear_retrans(struct tcp_sock *tp)
{
	tp->retrans_out = 0;
	tp->lost_out = 0;
	tp->sacked_out = 0;
	tp->is_sack_reneg = 0;
	if (tp->active) {
		tp->active->undo_marker = 0;
		tp->active->undo_retrans = -1;
		tp->active->retrans_stamp_ms = 0;
	}
}

/* State Loss, but neither cwnd nor ssthresh is cut: the packets were too large, or not wanted on a SYN; not too many. */
void tcp_non_congestion_loss_retransmit(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (tcp_activate(sk))
		return; /* the timer finds them */
	if (inet_csk(sk)->icsk_ca_state != TCP_CA_Loss) {
		tp->high_seq = tp->snd_nxt;
		tp->snd_ssthresh = tcp_current_ssthresh(sk);
		tp->active->prior_ssthresh = 0;
		tp->active->undo_marker = 0;
		tcp_set_ca_state(sk, TCP_CA_Loss);
	}
	tcp_xmit_retransmit_queue(sk);
}

/* The path MTU shrank: what is larger than a segment now is lost for sure, without any congestion. */
void tcp_simple_retransmit(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	unsigned mss = tcp_current_mss(sk);
	/* A SYN with data is two skbs here, and was one packet. */
	bool all = tp->syn_data && sk->sk_state == TCP_SYN_SENT;

	if (all && !act && !tcp_activate(sk))
		act = tp->active;
	if (!act)
		return;
	for (struct sk_buff *skb = tcp_rtx_queue_head(sk); skb; skb = rb_to_skb(rb_next(&skb->rbnode))) {
		unsigned seg = tcp_skb_pcount(skb) > 1 ? tcp_skb_mss(skb) : skb->len;
		if (seg > mss || all)
			tcp_mark_skb_lost(sk, skb);
	}
	if (!tp->lost_out) /* a lost probe has been marked already */
		return;
	if (!tcp_is_sack(tp))
		tcp_limit_reno_sacks(sk);
	tcp_non_congestion_loss_retransmit(sk);
}
