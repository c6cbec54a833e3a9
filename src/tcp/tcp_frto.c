/* SPDX-License-Identifier: MIT */
/*
 * tcp_frto.c - after a retransmission timeout: state Loss (RFC 5681 3.1, RFC 6675 5.1), and whether the timeout was spurious: F-RTO (RFC 5682).
 *
 *	tcp_enter_loss()     the RTO: what is in flight is lost, but for what was sent less than a round trip ago (RFC 8985 6.3); cwnd 1
 *	tcp_process_loss()   each dubious ACK in Loss
 *
 * A timeout is spurious when the segments were only late.  The echoed timestamp may say so (Eifel, tcp_undo.c).  Without timestamps:
 * after the head was sent again, the first ACK that moves snd_una but not past high_seq lets *new* data go out instead of further
 * retransmissions (step 2b: ctx->rexmit REXMIT_NEW).  If then data is acknowledged or SACKed that was sent only once before the timeout, it was on
 * its way all the time: the reduction is undone (TCPSpuriousRTOs).  If duplicates come or SACKs that say no such thing, the loss was real, and
 * all that is marked is sent again in slow start (step 3a).  frto says that the question is open (tcp_frto 0: never asked).
 */
#include "tcp/tcp_input.h"

/* --- the timeout -------------------------------------------------------------------------------------------------------- */

static void mark_lost(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *head = tcp_rtx_queue_head(sk), *skb;

	if (head && (TCP_SKB_CB(head)->sacked & TCPCB_SACKED_ACKED)) {
		/* The receiver took back what it had SACKed. */
		NET_INC_STATS(sk->sk_net, TCPSACKReneging);
		tp->is_sack_reneg = 1;
		tcp_sack_clear_all(sk);
	} else if (!tcp_is_sack(tp)) {
		tcp_reset_reno_sacks(tp);
	}
	for (skb = head; skb; skb = rb_to_skb(rb_next(&skb->rbnode))) {
		sk->sk_net->tcp->recovery_work++;
		if (skb == head || tp->is_sack_reneg || tcp_rack_skb_timeout(tp, skb, 0) <= 0)
			tcp_mark_skb_lost(sk, skb);
	}
}

/* ssthresh is cut once a window; what it was is remembered for an undo. */
static bool cut_is_due(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct inet_connection_sock *icsk = inet_csk(sk);

	return icsk->icsk_ca_state <= TCP_CA_Disorder || !seq_after(tp->high_seq, tp->snd_una) ||
	       (icsk->icsk_ca_state == TCP_CA_Loss && !icsk->icsk_retransmits);
}

void tcp_enter_loss(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	struct inet_connection_sock *icsk = inet_csk(sk);
	const struct netns_tcp *nt = sk->sk_net->tcp;
	uint32_t reordering = (uint32_t)nt->sysctl_tcp_reordering;
	bool new_recovery = icsk->icsk_ca_state < TCP_CA_Recovery;

	if (!act)
		return;
	mark_lost(sk);
	if (cut_is_due(sk)) {
		act->prior_ssthresh = tcp_current_ssthresh(sk);
		act->prior_cwnd = tp->snd_cwnd;
		tp->snd_ssthresh = icsk->icsk_ca_ops->ssthresh(sk);
		tcp_ca_event(sk, CA_EVENT_LOSS);
		tcp_init_undo(tp);
	}
	tp->snd_cwnd = tcp_packets_in_flight(tp) + 1;
	tp->snd_cwnd_cnt = 0;
	tp->snd_cwnd_stamp_ns = sk->sk_net->now_ns;
	/* SACKs came, yet not enough for recovery: the tolerance for reordering was too large. */
	if (icsk->icsk_ca_state <= TCP_CA_Disorder && tp->sacked_out >= reordering)
		tp->reordering = MIN(tp->reordering, reordering);
	tcp_set_ca_state(sk, TCP_CA_Loss);
	tp->high_seq = tp->snd_nxt;
	act->tlp_high_seq = 0;
	tcp_ecn_queue_cwr(tp);
	/* RFC 5682 step 1: not while an earlier recovery goes on, but again at each backed-off timeout. */
	tp->frto = nt->sysctl_tcp_frto && (new_recovery || icsk->icsk_retransmits);
}

/* --- after it -------------------------------------------------------------------------------------------------------------- */

static bool unsent_data_fits(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return !tcp_write_queue_empty(sk) && seq_after(tcp_wnd_end(tp), tp->snd_nxt);
}

/* RFC 5682 3.1, the SACK-enhanced variant.  True: the answer is found, or new data is to go first. */
static bool frto_step(struct sock *sk, struct tcp_ack_ctx *ctx, bool recovered)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if ((ctx->flag & FLAG_ORIG_SACK_ACKED) && tcp_try_undo_loss(sk, true))
		return true; /* 3b: it had been on its way */
	if (seq_after(tp->snd_nxt, tp->high_seq)) {
		if ((ctx->flag & FLAG_DATA_SACKED) || ctx->num_dupack)
			tp->frto = 0; /* 3a: the loss was real */
	} else if ((ctx->flag & FLAG_SND_UNA_ADVANCED) && !recovered) {
		tp->high_seq = tp->snd_nxt;
		if (unsent_data_fits(sk)) {
			ctx->rexmit = REXMIT_NEW; /* 2b */
			return true;
		}
		tp->frto = 0;
	}
	return false;
}

void tcp_process_loss(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	struct tcp_sock *tp = tcp_sk(sk);
	bool advanced = ctx->flag & FLAG_SND_UNA_ADVANCED, recovered = !seq_before(tp->snd_una, tp->high_seq);

	if ((advanced || tp->tfo_rsk) && tcp_try_undo_loss(sk, false))
		return;
	if (tp->frto && frto_step(sk, ctx, recovered))
		return;
	if (recovered) {
		tcp_try_undo_recovery(sk);
		return;
	}
	if (!tcp_is_sack(tp)) {
		/* A duplicate here means that new data of step 2b arrived. */
		if (seq_after(tp->snd_nxt, tp->high_seq) && ctx->num_dupack)
			tcp_add_reno_sacks(sk, ctx->num_dupack);
		else if (advanced)
			tcp_reset_reno_sacks(tp);
	}
	ctx->rexmit = REXMIT_LOST;
}
