/* SPDX-License-Identifier: MIT */
/*
 * tcp_rate.c - how fast the network delivers (draft-cheng-iccrg-delivery-rate-estimation-00): one sample for each ACK that delivers something.
 *
 * Each segment sent notes what had been delivered by then, and when (tcp_skb_cb.tx).  When it is acknowledged or SACKed, the segments that
 * were delivered between these two moments, divided by the time that this took, are a sample of the delivery rate.  The time is the
 * longer of two: that in which the segments were sent, and that in which their ACKs came, so that neither ACKs squeezed together nor a
 * burst sent into an empty pipe make the path look faster than it is.  An interval shorter than the least round trip says nothing.
 *
 *	tcp_rate_skb_sent()            tcp_transmit_skb(): notes into the segment; the first of a flight starts the clock
 *	tcp_rate_skb_delivered()       each skb acknowledged (tcp_ack.c) or SACKed (tcp_sack.c): the newest one of the ACK makes the sample
 *	tcp_rate_gen()                 once an ACK: the sample, for the congestion control (cong_bbr.c) and TCP_INFO
 *	tcp_rate_check_app_limited()   tcp_sendmsg(): the pipe ran empty for want of data: samples of this flight say less than the path can
 *
 * The state of the flight is attached (tcp_active); the latest good sample stays in tcp_sock for TCP_INFO.
 */
#include "tcp/tcp_cong.h"

static uint64_t sent_us(const struct sk_buff *skb) { return skb->skb_mstamp_ns / NSEC_PER_USEC; }

void tcp_rate_skb_sent(struct sock *sk, struct sk_buff *skb)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	struct tcp_skb_cb *tcb = TCP_SKB_CB(skb);

	if (unlikely(!act)) {
		tcb->tx.delivered_mstamp_us = 0;
		return;
	}
	/* Nothing is out: idle time belongs to no interval.  Both clocks begin with this segment. */
	if (!tp->packets_out)
		act->first_tx_mstamp_us = act->delivered_mstamp_us = sent_us(skb);
	tcb->tx.first_tx_mstamp_us = act->first_tx_mstamp_us;
	tcb->tx.delivered_mstamp_us = act->delivered_mstamp_us;
	tcb->tx.delivered = tp->delivered;
	tcb->tx.is_app_limited = act->app_limited != 0;
}

/* skb was sent after the segment that the sample is of so far. */
static bool sent_later(const struct sk_buff *skb, const struct tcp_active *act, const struct rate_sample *rs)
{
	uint64_t us = sent_us(skb);

	return us > act->first_tx_mstamp_us || (us == act->first_tx_mstamp_us && seq_after(TCP_SKB_CB(skb)->end_seq, rs->last_end_seq));
}

void tcp_rate_skb_delivered(struct sock *sk, struct sk_buff *skb, struct rate_sample *rs)
{
	struct tcp_active *act = tcp_act(sk);
	struct tcp_skb_cb *tcb = TCP_SKB_CB(skb);

	if (unlikely(!act || !tcb->tx.delivered_mstamp_us))
		return;
	if (!rs->prior_mstamp_us || sent_later(skb, act, rs)) {
		rs->prior_delivered = tcb->tx.delivered;
		rs->prior_mstamp_us = tcb->tx.delivered_mstamp_us;
		rs->is_app_limited = tcb->tx.is_app_limited;
		rs->is_retrans = tcb->sacked & TCPCB_RETRANS;
		rs->last_end_seq = tcb->end_seq;
		act->first_tx_mstamp_us = sent_us(skb);
		rs->interval_us = (int64_t)(act->first_tx_mstamp_us - tcb->tx.first_tx_mstamp_us);
	}
	/* SACKed now, acknowledged later: it counts once. */
	if (tcb->sacked & TCPCB_SACKED_ACKED)
		tcb->tx.delivered_mstamp_us = 0;
}

/* Worth remembering: not held down by the application, or faster in spite of it. */
static bool tells_more(const struct tcp_sock *tp, const struct rate_sample *rs)
{
	return !rs->is_app_limited || (uint64_t)rs->delivered * tp->rate_interval_us >= (uint64_t)tp->rate_delivered * (uint64_t)rs->interval_us;
}

/* delivered, lost: segments that this ACK brought or cost; is_sack_reneg: what is SACKed may not have arrived at all. */
void tcp_rate_gen(struct sock *sk, uint32_t delivered, uint32_t lost, bool is_sack_reneg, struct rate_sample *rs)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	int64_t ack_us;

	if (unlikely(act->app_limited) && seq_after(tp->delivered, act->app_limited))
		act->app_limited = 0; /* all that was sent before the pipe ran empty has arrived */
	if (delivered)
		act->delivered_mstamp_us = tp->tcp_mstamp_us;
	rs->acked_sacked = delivered;
	rs->losses = (int32_t)lost;
	if (!rs->prior_mstamp_us || is_sack_reneg) {
		rs->delivered = -1;
		rs->interval_us = -1;
		return;
	}
	rs->delivered = (int32_t)(tp->delivered - rs->prior_delivered);
	ack_us = (int64_t)(tp->tcp_mstamp_us - rs->prior_mstamp_us);
	rs->interval_us = MAX(rs->interval_us, ack_us);
	if (unlikely(rs->interval_us < (int64_t)tp->rtt_min_us)) {
		rs->interval_us = -1;
		return;
	}
	if (tells_more(tp, rs)) {
		tp->rate_delivered = (uint32_t)rs->delivered;
		tp->rate_interval_us = (uint32_t)MIN(rs->interval_us, (int64_t)UINT32_MAX);
		tp->rate_app_limited = rs->is_app_limited;
	}
}

/*
 * The application writes: had it kept the pipe full?  No, when less than a segment was left to send, nothing of it waits below, the window has room,
 * and all that was lost has been sent again.
 */
void tcp_rate_check_app_limited(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	uint32_t in_flight = tcp_packets_in_flight(tp), until = tp->delivered + in_flight;

	if (!tp->active || tp->write_seq - tp->snd_nxt >= tp->mss_cache || sk->sk_wmem_alloc > 1 || in_flight >= tp->snd_cwnd ||
	    tp->lost_out > tp->retrans_out)
		return;
	tp->active->app_limited = until ? until : 1;
}

uint64_t tcp_delivery_rate(const struct tcp_sock *tp)
{
	if (!tp->rate_delivered || !tp->rate_interval_us)
		return 0;
	return (uint64_t)tp->rate_delivered * tp->mss_cache * 1000000 / tp->rate_interval_us;
}
