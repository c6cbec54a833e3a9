/* SPDX-License-Identifier: MIT */
/*
 * tcp_undo.c - a loss that was none: taking a window reduction back.
 *
 * When recovery begins, undo_marker is set to snd_una and prior_ssthresh remembers the window.  It was spurious if
 *	- an ACK of the data first retransmitted echoes a timestamp from before the retransmission (Eifel, RFC 3522), or
 *	- D-SACKs report each retransmission as a duplicate: undo_retrans counts down to 0 (RFC 3708).
 * Then cwnd and ssthresh are restored (RFC 4015).  An ECN echo is true congestion and clears prior_ssthresh: nothing to restore.
 * F-RTO (RFC 5682, tcp_frto.c) calls tcp_try_undo_loss(sk, true) when it has found a timeout spurious.
 */
#include "tcp/tcp_input.h"

void tcp_init_undo(struct tcp_sock *tp)
{
	struct tcp_active *act = tp->active;

	act->undo_marker = tp->snd_una;
	/* Retransmissions and a probe in flight may cause D-SACKs and count; none: wait for the first. */
	act->undo_retrans = (int32_t)tp->retrans_out + (act->tlp_high_seq && act->tlp_retrans);
	if (!act->undo_retrans)
		act->undo_retrans = -1;
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

/* Eifel: the echoed timestamp is older than the first retransmission, or there was none yet and what was missing came all the same. */
static bool packet_was_delayed(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (tp->active->retrans_stamp_ms)
		return tcp_echo_before(tp, tp->active->retrans_stamp_ms);
	/* Cases in which retransmissions happened, and the stamp was forgotten meanwhile. */
	if (!tcp_is_sack(tp) && !seq_before(tp->snd_una, tp->high_seq))
		return false;
	return sk->sk_state != TCP_SYN_SENT;
}

static bool may_undo(const struct sock *sk)
{
	const struct tcp_active *act = tcp_act(sk);

	return act->undo_marker && (!act->undo_retrans || packet_was_delayed(sk));
}

/* RFC 4015 3.2: the window as it was. */
static void undo_cwnd_reduction(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;

	if (act->prior_ssthresh) {
		tp->snd_cwnd = inet_csk(sk)->icsk_ca_ops->undo_cwnd(sk);
		if (act->prior_ssthresh > tp->snd_ssthresh) {
			tp->snd_ssthresh = act->prior_ssthresh;
			tp->ecn_flags &= (uint8_t)~TCP_ECN_QUEUE_CWR;
		}
	}
	tp->snd_cwnd_stamp_ns = sk->sk_net->now_ns;
	act->undo_marker = 0;
	act->rack_advanced = 1; /* what is lost in spite of it, the next look finds */
}

/*
 * Without SACK a state is held until something above high_seq is acknowledged (RFC 6582 5): duplicate ACKs of our own retransmissions would
 * begin a false recovery at exactly this place.
 */
static bool hold_reno(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (tp->snd_una != tp->high_seq || tcp_is_sack(tp))
		return false;
	if (!tcp_any_retrans_done(sk))
		tp->active->retrans_stamp_ms = 0;
	return true;
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

	if (may_undo(sk)) {
		bool loss = inet_csk(sk)->icsk_ca_state == TCP_CA_Loss;
		undo_cwnd_reduction(sk);
		if (loss)
			NET_INC_STATS(sk->sk_net, TCPLossUndo);
		else
			NET_INC_STATS(sk->sk_net, TCPFullUndo);
	} else if (tp->rack_reo_persist) {
		tp->rack_reo_persist--;
	}
	if (hold_reno(sk))
		return true;
	tcp_set_ca_state(sk, TCP_CA_Open);
	tp->is_sack_reneg = 0;
	return false;
}

/* D-SACKs have told of every retransmission. */
bool tcp_try_undo_dsack(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!tp->active->undo_marker || tp->active->undo_retrans)
		return false;
	tcp_rack_persist(tp);
	undo_cwnd_reduction(sk);
	NET_INC_STATS(sk->sk_net, TCPDSACKUndo);
	return true;
}

/* In Loss; frto_undo: F-RTO has found the timeout spurious. */
bool tcp_try_undo_loss(struct sock *sk, bool frto_undo)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!frto_undo && !may_undo(sk))
		return false;
	tcp_rack_unmark_lost(sk, true);
	undo_cwnd_reduction(sk);
	NET_INC_STATS(sk->sk_net, TCPLossUndo);
	if (frto_undo)
		NET_INC_STATS(sk->sk_net, TCPSpuriousRTOs);
	inet_csk(sk)->icsk_retransmits = 0;
	if (hold_reno(sk))
		return true;
	if (frto_undo || tcp_is_sack(tp)) {
		tcp_set_ca_state(sk, TCP_CA_Open);
		tp->is_sack_reneg = 0;
	}
	return true;
}

/* A partial ACK in recovery: did it come for the original?  True: recovery pauses until retransmissions in flight tell more. */
bool tcp_try_undo_partial(struct sock *sk, uint32_t prior_snd_una)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!tp->active->undo_marker || !packet_was_delayed(sk))
		return false;
	tcp_check_sack_reordering(sk, prior_snd_una, true);
	if (tp->retrans_out)
		return true;
	if (!tcp_any_retrans_done(sk))
		tp->active->retrans_stamp_ms = 0;
	tcp_rack_unmark_lost(sk, false);
	undo_cwnd_reduction(sk);
	NET_INC_STATS(sk->sk_net, TCPPartialUndo);
	tcp_try_keep_open(sk);
	return false;
}
