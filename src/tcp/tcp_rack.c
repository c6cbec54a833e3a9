/* SPDX-License-Identifier: MIT */
/*
 * tcp_rack.c - what is lost, told by time: RACK (RFC 8985), and the two lists that every skb in flight or lost is in.
 *
 * An skb is lost when something that was sent after it has been delivered, and a round trip and a reordering window have passed since
 * it was sent.  Sent means: last sent; so a lost retransmission is found like a lost original, and the end of a flight like its middle.
 *
 *	tsorted     in flight: by the time of the last transmission, oldest first
 *	lost_list   lost and not sent again yet: by sequence
 *
 *	sent -> tsorted -> acknowledged, SACKed: out
 *	           |  ^
 *	     lost  v  |  sent again: to the end of tsorted
 *	         lost_list
 *
 * Transmissions of a connection have stamps that differ, if only by a nanosecond: so of two the later is known also where many go out at
 * one moment of the instance's clock.
 *
 * Cost.  Marking takes skbs off the head of tsorted and stops at the first that was sent too late to be lost, so each transmission is looked at once;
 * tcp_xmit_retransmit_queue() takes the head of lost_list.  Neither ever walks over what is SACKed, sent again or not lost.  The place
 * of an skb in lost_list is found from the ends or from the last one that joined: losses are found in runs of ascending sequence.
 *
 * The reordering window is 0 once as many segments are SACKed as duplicate ACKs would have begun recovery before, or in recovery, as long
 * as this path has never reordered; else a quarter of the least RTT.  D-SACKs, which say that a retransmission was for nothing, widen it
 * by a quarter each round trip, for the next 16 recoveries (tcp_recovery: 1 RACK, which is always on; 2 the window stays; 4 no threshold).
 * While only that window holds a segment back, ICSK_TIME_REO_TIMEOUT looks again.
 *
 * Called by tcp_recovery.c (after ACKs that are dubious), tcp_ack.c and tcp_sack.c (tcp_rack_advance), tcp_timer.c.
 */
#include "tcp/tcp_input.h"

enum {
	RACK_STATIC_REO_WND = 2, RACK_NO_DUPTHRESH = 4, /* tcp_recovery */
	RACK_RECOVERY_THRESH = 16, RACK_STEPS_MAX = 254,
	RACK_WAITING_MAX = 32, /* skbs within the reordering window that one ACK looks at */
};

static struct sk_buff *skb_of(struct list_head *n) { return container_of(n, struct sk_buff, tcp_tsorted); }
static uint32_t seq_of(struct list_head *n) { return TCP_SKB_CB(skb_of(n))->seq; }

/* --- the two lists ------------------------------------------------------------------------------------------------- */

/* skb, in neither list, joins lost_list at its place. */
static void lost_insert(struct tcp_active *act, struct sk_buff *skb)
{
	struct list_head *lost = &act->lost_list, *at;
	uint32_t seq = TCP_SKB_CB(skb)->seq, work = 0;

	if (list_empty(lost) || seq_after(seq, seq_of(lost->prev))) {
		list_add_tail(&skb->tcp_tsorted, lost);
		return; /* the hint stays where the lower ones are: new and old data may take turns */
	}
	if (seq_before(seq, seq_of(lost->next))) {
		list_add(&skb->tcp_tsorted, lost);
	} else { /* between two others, so both walks end */
		at = act->lost_hint ? &act->lost_hint->tcp_tsorted : lost->next;
		for (; seq_after(seq_of(at), seq); work++)
			at = at->prev;
		for (; seq_before(seq_of(at->next), seq); work++)
			at = at->next;
		act->sk->sk_net->tcp->recovery_work += work;
		list_add(&skb->tcp_tsorted, at);
	}
	act->lost_hint = skb;
}

void tcp_rack_sent_again(struct sock *sk, struct sk_buff *skb)
{
	tcp_tsorted_unlink(sk, skb);
	if (tcp_act(sk))
		tcp_tsorted_add(tcp_act(sk), skb);
}

void tcp_mark_skb_lost(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	uint32_t pcount = tcp_skb_pcount(skb);

	if ((cb->sacked & TCPCB_SACKED_ACKED) || PROVE_BREAKS("T11"))
		return;
	if ((cb->sacked & (TCPCB_LOST | TCPCB_SACKED_RETRANS)) == TCPCB_LOST)
		return;
	if (cb->sacked & TCPCB_SACKED_RETRANS) {
		cb->sacked &= (uint8_t)~TCPCB_SACKED_RETRANS;
		tp->retrans_out -= pcount;
		NET_ADD_STATS(sk->sk_net, TCPLostRetransmit, pcount);
	}
	if (!(cb->sacked & TCPCB_LOST)) {
		cb->sacked |= TCPCB_LOST;
		tp->lost_out += pcount;
	}
	act->lost_total += pcount;
	tcp_tsorted_unlink(sk, skb);
	lost_insert(act, skb);
}

/*
 * Nothing counts as lost any more.  in_flight: those not sent again are in flight as they were before the timeout, at the head of tsorted;
 * else they are left alone: what RACK once held for lost only a timeout will do again.
 */
void tcp_rack_unmark_lost(struct sock *sk, bool in_flight)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	struct sk_buff *skb;

	if (tp->retrans_out)
		list_for_each_entry(skb, &act->tsorted, tcp_tsorted) {
			sk->sk_net->tcp->recovery_work++;
			TCP_SKB_CB(skb)->sacked &= (uint8_t)~TCPCB_LOST;
		}
	while (!list_empty(&act->lost_list)) {
		sk->sk_net->tcp->recovery_work++;
		skb = skb_of(act->lost_list.prev);
		TCP_SKB_CB(skb)->sacked &= (uint8_t)~TCPCB_LOST;
		tcp_tsorted_unlink(sk, skb);
		if (in_flight)
			list_add(&skb->tcp_tsorted, &act->tsorted);
	}
	tp->lost_out = 0;
}

/* --- the clock ---------------------------------------------------------------------------------------------------------- */

/* RFC 8985 5.2, step 2: skb was delivered.  The echoed timestamp, or a round trip too short, tell that it was not the last transmission. */
void tcp_rack_advance(struct sock *sk, const struct sk_buff *skb)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	uint64_t us = skb->skb_mstamp_ns / NSEC_PER_USEC;
	uint32_t rtt_us = tp->tcp_mstamp_us > us ? (uint32_t)(tp->tcp_mstamp_us - us) : 0;

	if (unlikely(!act))
		return;
	if (unlikely((TCP_SKB_CB(skb)->sacked & TCPCB_RETRANS) && rtt_us < tp->rtt_min_us))
		return;
	act->rack_advanced = 1;
	act->rack_rtt_us = rtt_us;
	if (tcp_sent_after(skb->skb_mstamp_ns, TCP_SKB_CB(skb)->end_seq, act->rack_mstamp_ns, act->rack_end_seq)) {
		act->rack_mstamp_ns = skb->skb_mstamp_ns;
		act->rack_end_seq = TCP_SKB_CB(skb)->end_seq;
	}
}

int64_t tcp_rack_skb_timeout(const struct tcp_sock *tp, const struct sk_buff *skb, uint32_t reo_wnd_us)
{
	return (int64_t)tp->active->rack_rtt_us + reo_wnd_us - (int64_t)(tp->tcp_mstamp_us - skb->skb_mstamp_ns / NSEC_PER_USEC);
}

static uint32_t rack_reo_wnd_us(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	uint64_t wnd;

	if (!tp->reord_seen) {
		if (inet_csk(sk)->icsk_ca_state >= TCP_CA_Recovery)
			return 0;
		if (tp->sacked_out >= tp->reordering && !(sk->sk_net->tcp->sysctl_tcp_recovery & RACK_NO_DUPTHRESH))
			return 0;
	}
	wnd = (uint64_t)(tp->rtt_min_us >> 2) * (tp->rack_reo_steps + 1u);
	return (uint32_t)MIN(wnd, (uint64_t)(tp->srtt_us >> 3));
}

/* RFC 8985 7.2 step 4, the round trip measured in deliveries. */
void __tcp_rack_update_reo_wnd(struct sock *sk, const struct rate_sample *rs)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;

	if ((sk->sk_net->tcp->sysctl_tcp_recovery & RACK_STATIC_REO_WND) || !rs->prior_mstamp_us)
		return;
	if (seq_before(rs->prior_delivered, act->rack_last_delivered))
		act->rack_dsack_seen = 0; /* what was acknowledged now had been sent before the last widening */
	if (act->rack_dsack_seen) {
		if (tp->rack_reo_steps < RACK_STEPS_MAX)
			tp->rack_reo_steps++;
		act->rack_dsack_seen = 0;
		act->rack_last_delivered = tp->delivered;
		tp->rack_reo_persist = RACK_RECOVERY_THRESH;
	} else if (!tp->rack_reo_persist) {
		tp->rack_reo_steps = 0;
	}
}

/* A recovery was taken back because of D-SACKs: the wider window is kept a little longer. */
void tcp_rack_persist(struct tcp_sock *tp) { tp->rack_reo_persist = (uint8_t)MIN(tp->rack_reo_persist + 1, (int)RACK_RECOVERY_THRESH); }

/* --- losses ------------------------------------------------------------------------------------------------------------- */

/* RFC 8985 5.2, step 5: marks what is lost.  Microseconds until the last skb that only the reordering window holds back would be; 0: none. */
static uint64_t rack_detect_loss(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	uint32_t reo_wnd_us = rack_reo_wnd_us(sk), waiting = 0;
	int64_t remaining, timeout = 0;
	struct sk_buff *skb, *next;

	list_for_each_entry_safe(skb, next, &act->tsorted, tcp_tsorted) {
		if (!tcp_sent_after(act->rack_mstamp_ns, act->rack_end_seq, skb->skb_mstamp_ns, TCP_SKB_CB(skb)->end_seq))
			break;
		sk->sk_net->tcp->recovery_work++;
		remaining = tcp_rack_skb_timeout(tp, skb, reo_wnd_us);
		if (remaining <= 0) {
			tcp_mark_skb_lost(sk, skb);
			continue;
		}
		timeout = MAX(timeout, remaining);
		if (++waiting == RACK_WAITING_MAX) /* they go on like this: all of them are due when the one that was delivered would be */
			return (uint64_t)MAX((int64_t)act->rack_rtt_us + reo_wnd_us - (int64_t)(tp->tcp_mstamp_us - act->rack_mstamp_ns / NSEC_PER_USEC), timeout);
	}
	return (uint64_t)timeout;
}

bool tcp_rack_mark_lost(struct sock *sk)
{
	struct tcp_active *act = tcp_act(sk);
	uint64_t timeout_us;

	if (!act->rack_advanced)
		return false;
	act->rack_advanced = 0;
	timeout_us = rack_detect_loss(sk);
	if (!timeout_us)
		return false;
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_REO_TIMEOUT, MIN(timeout_us + TCP_TIMEOUT_MIN_US, (uint64_t)inet_csk(sk)->icsk_rto_us));
	return true;
}

void tcp_rack_reo_timeout(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t prior_in_flight = tcp_packets_in_flight(tp), prior_lost;

	if (!tp->active)
		return;
	prior_lost = tp->active->lost_total;
	rack_detect_loss(sk);
	if (prior_in_flight != tcp_packets_in_flight(tp)) {
		if (inet_csk(sk)->icsk_ca_state != TCP_CA_Recovery) {
			tcp_enter_recovery(sk, false);
			if (!inet_csk(sk)->icsk_ca_ops->cong_control)
				tcp_cwnd_reduction(sk, 1, tp->active->lost_total - prior_lost, 0);
		}
		tcp_xmit_retransmit_queue(sk);
	}
	if (inet_csk(sk)->icsk_pending != ICSK_TIME_RETRANS)
		tcp_rearm_rto(sk);
}
