/* SPDX-License-Identifier: MIT */
/*
 * tcp_delack.c - when to acknowledge: at once, later, or by riding on data (RFC 1122 4.2.3.2, RFC 5681 4.2).
 *
 * Data schedules an ACK (ICSK_ACK_SCHED).  After the segment has been handled, __tcp_ack_snd_check() sends it at once when more than
 * one full segment waits and the reader keeps the window open, in quick-ACK mode, when something asked for it
 * (ICSK_ACK_NOW: a hole was filled, CWR came), or while data is out of order (duplicate ACKs drive the peer's recovery); else the
 * delayed-ACK timer is set, by the estimate `ato` of the time between segments.
 *
 * Quick-ACK mode: at the start of a connection, after silence, and after trouble, the peer's window grows by our ACKs, so
 * the next `quick` of them are not delayed, unless the connection is interactive (pingpong), where the answer carries the ACK.
 *
 * Compressed ACKs: each segment beyond a hole would be worth a duplicate ACK; after the first three for one hole, which drive the sender's recovery,
 * up to tcp_comp_sack_nr of them are left out and told by one a little later (compressed_ack_timer), whose SACK blocks say as much.
 *
 * A short segment, or one with PSH, ends what the peer had to say for now: its ACK goes when the reader has taken it (tcp_cleanup_rbuf(), by
 * ICSK_ACK_PUSHED), unless the connection is interactive.
 *
 * rcv_mss estimates the peer's segment size: it says what "a full segment" is and how much a window must open.
 * Called from tcp_input.c, tcp_rcvqueue.c; sends by tcp_output.c.
 */
#include "tcp/tcp_input.h"

bool tcp_in_quickack_mode(const struct sock *sk)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);

	if (icsk->icsk_ack.quick && !inet_csk_in_pingpong_mode(sk))
		return true;
	return sk->sk_dst_cache && dst_metric(sk->sk_dst_cache, RTAX_QUICKACK);
}

void tcp_incr_quickack(struct sock *sk, unsigned max_quickacks)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	/* Enough for half the window, by which time the peer's window has opened. */
	unsigned quick = icsk->icsk_ack.rcv_mss ? tcp_sk(sk)->rcv_wnd / (2u * icsk->icsk_ack.rcv_mss) : 0;

	quick = MIN(MAX(quick, 2), max_quickacks);
	if (quick > icsk->icsk_ack.quick)
		icsk->icsk_ack.quick = (uint8_t)quick;
}

void tcp_enter_quickack_mode(struct sock *sk, unsigned max_quickacks)
{
	tcp_incr_quickack(sk, max_quickacks);
	inet_csk_exit_pingpong_mode(sk);
	inet_csk(sk)->icsk_ack.ato_us = TCP_ATO_MIN_US;
}

/* A segment below the estimate: two alike in a row lower it, if they look full (no PSH, or long enough). */
static bool lower_rcv_mss(struct sock *sk, const struct sk_buff *skb, unsigned last_seg_size)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	unsigned seg = skb->len + (unsigned)(skb->data - skb_transport_header(skb));
	bool push = TCP_SKB_CB(skb)->tcp_flags & TCPHDR_PSH;

	if (seg < TCP_MSS_DEFAULT + sizeof(struct tcphdr) && (seg < TCP_MIN_MSS + sizeof(struct tcphdr) || push))
		return false;
	seg -= MIN(seg, tcp_sk(sk)->tcp_header_len);
	icsk->icsk_ack.last_seg_size = (uint16_t)MIN(seg, UINT16_MAX);
	if (seg != last_seg_size)
		return false;
	icsk->icsk_ack.rcv_mss = (uint16_t)MIN(seg, UINT16_MAX);
	return true;
}

/* skb->data is at the payload. */
void tcp_measure_rcv_mss(struct sock *sk, const struct sk_buff *skb)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	unsigned last_seg_size = icsk->icsk_ack.last_seg_size, len = skb_shinfo(skb)->gso_size;

	if (!len)
		len = skb->len;
	icsk->icsk_ack.last_seg_size = 0;
	if (len >= icsk->icsk_ack.rcv_mss) {
		if (len != icsk->icsk_ack.rcv_mss)
			tcp_measure_scaling_ratio(sk, skb);
		/* A full segment with PSH may end a write, and its sender's window with it: the second one might never come. */
		if (len > icsk->icsk_ack.rcv_mss + (unsigned)TCP_MAX_OPTION_SPACE || (TCP_SKB_CB(skb)->tcp_flags & TCPHDR_PSH))
			icsk->icsk_ack.pending |= ICSK_ACK_PUSHED;
		icsk->icsk_ack.rcv_mss = (uint16_t)MIN(len, tcp_sk(sk)->advmss);
		return;
	}
	if (lower_rcv_mss(sk, skb, last_seg_size))
		return;
	if (icsk->icsk_ack.pending & ICSK_ACK_PUSHED)
		icsk->icsk_ack.pending |= ICSK_ACK_PUSHED2;
	icsk->icsk_ack.pending |= ICSK_ACK_PUSHED;
}

/* ato follows the time between segments: half old, half new, never below its minimum nor above the RTO. */
static void estimate_ato(struct sock *sk, uint64_t now_ns)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	uint64_t gap_us = (now_ns - icsk->icsk_lrcvtime_ns) / NSEC_PER_USEC;
	uint32_t ato = icsk->icsk_ack.ato_us;

	if (gap_us <= TCP_ATO_MIN_US / 2) {
		ato = ato / 2 + TCP_ATO_MIN_US / 2;
	} else if (gap_us < ato) {
		ato = MIN(ato / 2 + (uint32_t)gap_us, icsk->icsk_rto_us);
	} else if (gap_us > icsk->icsk_rto_us) {
		/* The peer was silent and probably restarts from a small window. */
		tcp_incr_quickack(sk, TCP_MAX_QUICKACKS);
	}
	icsk->icsk_ack.ato_us = ato;
}

void tcp_event_data_recv(struct sock *sk, struct sk_buff *skb)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	uint64_t now_ns = sk->sk_net->now_ns;

	inet_csk_schedule_ack(sk);
	tcp_measure_rcv_mss(sk, skb);
	tcp_rcv_rtt_measure(tcp_sk(sk));
	if (unlikely(!icsk->icsk_ack.ato_us)) {
		tcp_incr_quickack(sk, TCP_MAX_QUICKACKS);
		icsk->icsk_ack.ato_us = TCP_ATO_MIN_US;
	} else {
		estimate_ato(sk, now_ns);
	}
	icsk->icsk_lrcvtime_ns = now_ns;
	if (skb->len >= 128)
		tcp_grow_window(sk, skb);
}

/* --- compressed ACKs -------------------------------------------------------------------------------------------------------- */

/* 5 % of the round trip, as either side sees it, at most tcp_comp_sack_delay_ns; and the slack, which Linux's timer uses to the full where nothing
 * else wakes it.  The estimates are scaled by 8. */
static uint64_t compress_delay_ns(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	uint64_t rtt = tp->rcv_rtt_est.rtt_us;

	if (tp->srtt_us && tp->srtt_us < rtt)
		rtt = tp->srtt_us;
	return MIN(sk->sk_net->tcp->sysctl_tcp_comp_sack_delay_ns, rtt * (NSEC_PER_USEC >> 3) / 20) + MIN(sk->sk_net->tcp->sysctl_tcp_comp_sack_slack_ns, NSEC_PER_SEC);
}

/* Data is out of order.  False: the ACK is to go at once; else it is told with those that follow, by one. */
static bool compress_ack(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	uint32_t most = (uint32_t)sk->sk_net->tcp->sysctl_tcp_comp_sack_nr;

	if (!tcp_is_sack(tp) || (tp->compressed ? act->compressed_ack : 0) >= most)
		return false;
	if (act->compressed_ack_rcv_nxt != tp->rcv_nxt) {
		act->compressed_ack_rcv_nxt = tp->rcv_nxt;
		tp->dup_ack_counter = 0;
	}
	/* The first few drive the sender's recovery. */
	if (tp->dup_ack_counter < TCP_FASTRETRANS_THRESH) {
		tp->dup_ack_counter++;
		return false;
	}
	if (!tp->compressed) {
		act->compressed_ack = 0;
		if (hrtimer_start(sk->sk_net, &act->compressed_ack_timer, sk->sk_net->now_ns + compress_delay_ns(sk)))
			return false;
		tp->compressed = 1;
	}
	act->compressed_ack++;
	return true;
}

/* An ACK goes out: instead of one of those that were left out, or beside them. */
void tcp_compressed_ack_sent(struct sock *sk, bool instead)
{
	struct tcp_sock *tp = tcp_sk(sk);

	NET_ADD_STATS(sk->sk_net, TCPAckCompressed, tp->active->compressed_ack - instead);
	hrtimer_cancel(sk->sk_net, &tp->active->compressed_ack_timer);
	tp->active->compressed_ack = 0;
	tp->compressed = 0;
}

void tcp_compressed_ack_timer(struct net *net, struct hrtimer *t)
{
	struct sock *sk = container_of(t, struct tcp_active, compressed_ack_timer)->sk;

	(void)net;
	if (tcp_sk(sk)->compressed)
		tcp_sack_compress_send_ack(sk);
}

void tcp_sack_compress_send_ack(struct sock *sk)
{
	if (likely(!tcp_sk(sk)->compressed))
		return;
	tcp_compressed_ack_sent(sk, true);
	tcp_mstamp_refresh(tcp_sk(sk));
	tcp_send_ack(sk);
}

void __tcp_ack_snd_check(struct sock *sk, bool ofo_possible)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct inet_connection_sock *icsk = inet_csk(sk);
	bool second_full = tp->rcv_nxt - tp->rcv_wup > icsk->icsk_ack.rcv_mss && !PROVE_BREAKS("SHLD-19");

	/* A reader that is about to be woken may open the window and so send a better ACK, unless the window is open already. */
	if (second_full && !(tp->rcv_nxt - tp->copied_seq < (uint32_t)sk->sk_rcvlowat || __tcp_select_window(sk) >= tp->rcv_wnd))
		second_full = false;
	if (second_full || (icsk->icsk_ack.pending & ICSK_ACK_NOW) || tcp_in_quickack_mode(sk))
		tcp_send_ack(sk);
	else if (!ofo_possible || tcp_ofo_empty(sk))
		tcp_send_delayed_ack(sk);
	else if (!compress_ack(sk))
		tcp_send_ack(sk);
}

void tcp_ack_snd_check(struct sock *sk)
{
	if (inet_csk_ack_scheduled(sk))
		__tcp_ack_snd_check(sk, true);
}
