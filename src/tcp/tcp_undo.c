/* SPDX-License-Identifier: MIT */
/*
 * tcp_undo.c - a loss that was none: taking a window reduction back.
 *
 * When recovery begins, undo_marker is set to snd_una and prior_ssthresh remembers the window.  It was spurious if
 *	- an ACK of the data first retransmitted echoes a timestamp from before the retransmission (Eifel, RFC 3522), or
 *	- D-SACKs report each retransmission as a duplicate: undo_retrans counts down to 0 (RFC 3708).
 * Then cwnd and ssthresh are restored (RFC 4015).  An ECN echo is true congestion and clears prior_ssthresh: nothing to restore.
 * F-RTO (RFC 5682) will call tcp_try_undo_loss(sk, true).
 */
#include "tcp/tcp_input.h"

void tcp_init_undo(struct tcp_sock *tp)
{
	tp->active->undo_marker = tp->snd_una;
	/* Retransmissions still in flight are of an earlier episode and count; none: wait for the first. */
	tp->active->undo_retrans = tp->retrans_out ? (int32_t)tp->retrans_out : -1;
}

bool tcp_any_retrans_done(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct sk_buff *head;

	if (tp->retrans_out)
		return true;
	head = tcp_rtx_queue_head(sk);
	return head && (TCP_SKB_CB(head)->sacked & TCPCB_EVER_RETRANS);
}

/* Eifel: the echoed timestamp is older than the first retransmission. */
static bool packet_was_delayed(const struct tcp_sock *tp)
{
	return tp->active->retrans_stamp_ms && tp->rx_opt.saw_tstamp && tp->rx_opt.rcv_tsecr &&
	       seq_before(tp->rx_opt.rcv_tsecr, tp->active->retrans_stamp_ms);
}

static bool may_undo(const struct tcp_sock *tp)
{
	return tp->active->undo_marker && (!tp->active->undo_retrans || packet_was_delayed(tp));
}

static void unmark_losses(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	for (struct sk_buff *skb = tcp_rtx_queue_head(sk); skb; skb = rb_to_skb(rb_next(&skb->rbnode)))
		TCP_SKB_CB(skb)->sacked &= (uint8_t)~TCPCB_LOST;
	tp->lost_out = 0;
	tp->active->retransmit_skb_hint = NULL;
	tcp_sack_reset_hint(tp);
}

static void undo_cwnd_reduction(struct sock *sk, bool unmark_loss)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;

	if (unmark_loss)
		unmark_losses(sk);
	if (act->prior_ssthresh) {
		tp->snd_cwnd = inet_csk(sk)->icsk_ca_ops->undo_cwnd(sk);
		if (act->prior_ssthresh > tp->snd_ssthresh) {
			tp->snd_ssthresh = act->prior_ssthresh;
			tp->ecn_flags &= (uint8_t)~TCP_ECN_QUEUE_CWR;
		}
	}
	tp->snd_cwnd_stamp_ns = sk->sk_net->now_ns;
	act->undo_marker = 0;
}

/* Nothing lost any more, but perhaps not all is quiet. */
void tcp_try_keep_open(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint8_t state = tcp_left_out(tp) || tcp_any_retrans_done(sk) ? TCP_CA_Disorder : TCP_CA_Open;

	if (inet_csk(sk)->icsk_ca_state != state) {
		tcp_set_ca_state(sk, state);
		tp->high_seq = tp->snd_nxt;
	}
}

/* All that was out when recovery began is acknowledged.  True: the state must be held a little longer. */
bool tcp_try_undo_recovery(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (may_undo(tp)) {
		bool loss = inet_csk(sk)->icsk_ca_state == TCP_CA_Loss;
		undo_cwnd_reduction(sk, false);
		if (loss)
			NET_INC_STATS(sk->sk_net, TCPLossUndo);
		else
			NET_INC_STATS(sk->sk_net, TCPFullUndo);
	}
	/* RFC 6582 5: without SACK, duplicate ACKs of our own retransmissions would begin a false recovery at exactly this place. */
	if (tp->snd_una == tp->high_seq && !tcp_is_sack(tp)) {
		if (!tcp_any_retrans_done(sk))
			tp->active->retrans_stamp_ms = 0;
		return true;
	}
	tcp_set_ca_state(sk, TCP_CA_Open);
	tp->is_sack_reneg = 0;
	return false;
}

bool tcp_try_undo_dsack(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!tp->active->undo_marker || tp->active->undo_retrans)
		return false;
	undo_cwnd_reduction(sk, false);
	NET_INC_STATS(sk->sk_net, TCPDSACKUndo);
	return true;
}

bool tcp_try_undo_loss(struct sock *sk, bool frto_undo)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!frto_undo && !may_undo(tp))
		return false;
	undo_cwnd_reduction(sk, true);
	NET_INC_STATS(sk->sk_net, TCPLossUndo);
	if (frto_undo)
		NET_INC_STATS(sk->sk_net, TCPSpuriousRTOs);
	inet_csk(sk)->icsk_retransmits = 0;
	if (frto_undo || tcp_is_sack(tp)) {
		tcp_set_ca_state(sk, TCP_CA_Open);
		tp->is_sack_reneg = 0;
	}
	return true;
}

/* A partial ACK in recovery shows that the head was late, not lost.  True: recovery pauses or is over. */
bool tcp_try_undo_partial(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!tp->active->undo_marker || !packet_was_delayed(tp))
		return false;
	tcp_check_sack_reordering(sk, tp->snd_una, true);
	/* Retransmissions in flight will tell more: wait for them before believing it. */
	if (tp->retrans_out)
		return true;
	if (!tcp_any_retrans_done(sk))
		tp->active->retrans_stamp_ms = 0;
	undo_cwnd_reduction(sk, true);
	NET_INC_STATS(sk->sk_net, TCPPartialUndo);
	tcp_try_keep_open(sk);
	return true;
}
