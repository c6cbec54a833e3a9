/* SPDX-License-Identifier: MIT */
/*
 * tcp_rcvbuf.c - how much the peer may send: buffer, window, and how they grow (T8).
 *
 *	scaling_ratio  payload that segments bring for each byte of true size, in 256ths: what buffer is worth as window.  A half until segments
 *	               of a new size are seen, which is when it is measured
 *	sk_rcvbuf      bytes of true size that may be queued; grows to tcp_rmem[2] with what the reader takes per round trip
 *	window_clamp   most we ever advertise
 *	rcv_ssthresh   most we advertise now: opened as segments prove to be worth their true size, cut under pressure
 *
 * tcp_grow_window() runs for each segment, tcp_rcv_space_adjust() when the reader has taken data ("dynamic right-sizing",
 * Fisk and Feng 2001): what was read in one round trip, doubled, must fit, and what waits beyond a hole besides.  The round trip as the receiver sees it comes from the
 * timestamps that our ACKs bring back, or from the time in which one window arrives.  Under the protocol's or the instance's memory
 * pressure nothing grows and full buffers shrink the window to two segments.
 */
#include "tcp/tcp_input.h"

static uint32_t rmem_max(const struct sock *sk) { return (uint32_t)sk->sk_net->tcp->sysctl_tcp_rmem[2]; }

/*
 * A segment whose true size is more than the window pays for: worth opening for only while the window is small against the largest,
 * and the less so the more it wastes.
 */
static uint32_t grow_for_wasteful(const struct sock *sk, const struct sk_buff *skb, int truesize)
{
	int window = tcp_win_from_space(sk, (int)rmem_max(sk)) >> 1;

	truesize = tcp_win_from_space(sk, truesize) >> 1;
	for (; (int)tcp_sk(sk)->rcv_ssthresh <= window; truesize >>= 1, window >>= 1)
		if (truesize <= (int)skb->len)
			return 2u * inet_csk(sk)->icsk_ack.rcv_mss;
	return 0;
}

void tcp_set_window_clamp(struct sock *sk, uint32_t clamp)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (clamp < tp->window_clamp)
		tp->rcv_ssthresh = MIN(tp->rcv_ssthresh, clamp);
	else if (clamp > tp->window_clamp)
		tp->rcv_ssthresh = MAX(tp->rcv_ssthresh, MIN(tp->rcv_wnd, clamp));
	tp->window_clamp = clamp;
}

void tcp_measure_scaling_ratio(struct sock *sk, const struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint64_t ratio = ((uint64_t)skb->len << TCP_RMEM_TO_WIN_SCALE) / MAX(skb->truesize, 1u);
	uint8_t was = tp->scaling_ratio;

	tp->scaling_ratio = (uint8_t)MIN(MAX(ratio, (uint64_t)1), (uint64_t)UINT8_MAX);
	if (tp->scaling_ratio == was)
		return;
	tcp_set_window_clamp(sk, (uint32_t)tcp_win_from_space(sk, sk->sk_rcvbuf));
	tp->rcvq_space.space = MIN(tp->rcvq_space.space, tp->window_clamp);
}

/* What skb will be charged with once it is merged: headers in a head of their own then cost nothing more. */
static int truesize_merged(const struct sk_buff *skb)
{
	int head = (int)(sizeof(struct sk_buff) + skb->end + sizeof(struct skb_shared_info));

	return skb_headlen(skb) || (int)skb->truesize <= head ? (int)skb->truesize : (int)skb->truesize - head;
}

void tcp_grow_window(struct sock *sk, const struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	int room = MIN((int)tp->window_clamp, tcp_space(sk)) - (int)tp->rcv_ssthresh;
	int truesize = truesize_merged(skb);
	uint32_t incr;

	if (room <= 0 || tcp_under_memory_pressure(sk))
		return;
	if (tcp_win_from_space(sk, truesize) <= (int)skb->len)
		incr = 2u * tp->advmss;
	else
		incr = grow_for_wasteful(sk, skb, truesize);
	if (!incr)
		return;
	incr = MAX(incr, 2 * skb->len);
	tp->rcv_ssthresh += MIN((uint32_t)room, incr);
	inet_csk(sk)->icsk_ack.quick |= 1; /* the peer should hear of it */
}

/* More is queued than the buffer holds: let it grow to that if it may, else shrink the window. */
void tcp_clamp_window(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct proto_mem *mem = sk_proto_mem(sk);

	inet_csk(sk)->icsk_ack.quick = 0;
	if ((uint32_t)sk->sk_rcvbuf < rmem_max(sk) && !sock_flag(sk, SOCK_F_RCVBUF_LOCK) && !tcp_under_memory_pressure(sk) &&
	    mem->allocated < mem->limit[0])
		sk->sk_rcvbuf = (int32_t)MIN(sk->sk_rmem_alloc, rmem_max(sk));
	if ((int64_t)sk->sk_rmem_alloc > sk->sk_rcvbuf)
		tp->rcv_ssthresh = MIN(tp->window_clamp, 2u * tp->advmss);
}

/* --- round trip as the receiver sees it -------------------------------------------------------------------------- */

/* Scaled by 8.  A window's arrival takes at least a round trip, so that estimate may only fall (win_dep). */
static void rcv_rtt_update(struct tcp_sock *tp, uint32_t sample_us, bool win_dep)
{
	uint32_t rtt = tp->rcv_rtt_est.rtt_us;

	if (!rtt)
		rtt = sample_us << 3;
	else if (!win_dep)
		rtt += sample_us - (rtt >> 3);
	else
		rtt = MIN(rtt, sample_us << 3);
	tp->rcv_rtt_est.rtt_us = rtt ? rtt : 1;
}

static uint32_t sample_clamp(uint64_t us) { return us > UINT32_MAX >> 4 ? UINT32_MAX >> 4 : us ? (uint32_t)us : 1; }

/* Without timestamps: the time from rcv_nxt until the whole window advertised then has come. */
void tcp_rcv_rtt_measure(struct tcp_sock *tp)
{
	if (tp->rx_opt.tstamp_ok)
		return;
	if (tp->rcv_rtt_est.time_us) {
		if (seq_before(tp->rcv_nxt, tp->rcv_rtt_est.seq))
			return;
		rcv_rtt_update(tp, sample_clamp(tp->tcp_mstamp_us - tp->rcv_rtt_est.time_us), true);
	}
	tp->rcv_rtt_est.seq = tp->rcv_nxt + tp->rcv_wnd;
	tp->rcv_rtt_est.time_us = tp->tcp_mstamp_us;
}

/* With timestamps: once for each value that comes back (kept in rcv_rtt_est.seq), of full segments only. */
void tcp_rcv_rtt_measure_ts(struct sock *sk, const struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	uint32_t tsecr = tp->rx_opt.rcv_tsecr, delta_ms;

	if (!tp->rx_opt.saw_tstamp || !tsecr || tsecr == tp->rcv_rtt_est.seq)
		return;
	tp->rcv_rtt_est.seq = tsecr;
	if (cb->end_seq - cb->seq < inet_csk(sk)->icsk_ack.rcv_mss)
		return;
	delta_ms = tcp_time_stamp_ms(tp) - tsecr;
	if (delta_ms < UINT32_MAX / 1000)
		rcv_rtt_update(tp, sample_clamp((uint64_t)(delta_ms ? delta_ms : 1) * 1000), false);
}

/* --- right-sizing --------------------------------------------------------------------------------------------------- */

/*
 * DRS is a round trip late: what comes now may be twice that, and more while it still grows (slow start doubles it).  What waits beyond a
 * hole takes room that the reader cannot give back.
 */
void tcp_rcvbuf_follows(struct sock *sk, uint32_t copied)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t before = MAX(tp->rcvq_space.space, 1u);
	uint64_t window = (uint64_t)copied << 1, rcvbuf;

	tp->rcvq_space.space = copied;
	if (!sk->sk_net->tcp->sysctl_tcp_moderate_rcvbuf || sock_flag(sk, SOCK_F_RCVBUF_LOCK) || tcp_under_memory_pressure(sk))
		return;
	window += window * (copied - before) / before << 1;
	if (!tcp_ofo_empty(sk))
		window += TCP_SKB_CB(tp->active->ooo_last_skb)->end_seq - tp->rcv_nxt;
	rcvbuf = MIN(tcp_space_from_win(sk, (uint32_t)MIN(window, (uint64_t)INT32_MAX)), rmem_max(sk));
	if (rcvbuf <= (uint64_t)MAX(sk->sk_rcvbuf, 0))
		return;
	sk->sk_rcvbuf = (int32_t)rcvbuf;
	tp->window_clamp = (uint32_t)tcp_win_from_space(sk, sk->sk_rcvbuf);
}

/* A reader who waits for more than fits would wait for ever: half the buffer at most, and the buffer grows with it unless it is the user's choice. */
void tcp_set_rcvlowat(struct sock *sk, int val)
{
	struct tcp_sock *tp = tcp_sk(sk);
	bool locked = sock_flag(sk, SOCK_F_RCVBUF_LOCK);
	int most = (locked ? sk->sk_rcvbuf : (int)rmem_max(sk)) >> 1;

	val = MIN(val, most);
	sk->sk_rcvlowat = MAX(val, 1);
	if (tp->rcv_nxt - tp->copied_seq >= (uint32_t)sk->sk_rcvlowat && sk->sk_state != TCP_LISTEN)
		sk_data_ready(sk);
	if (locked || tcp_space_from_win(sk, (uint32_t)val) <= (uint32_t)MAX(sk->sk_rcvbuf, 0))
		return;
	sk->sk_rcvbuf = (int32_t)tcp_space_from_win(sk, (uint32_t)val);
	if (tp->window_clamp && tp->window_clamp < (uint32_t)val)
		tp->window_clamp = (uint32_t)val; /* the window itself grows with what comes */
}

void tcp_rcv_space_adjust(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	int32_t copied;

	tcp_mstamp_refresh(tp);
	if (!tp->rcv_rtt_est.rtt_us || tp->tcp_mstamp_us - tp->rcvq_space.time_us < tp->rcv_rtt_est.rtt_us >> 3)
		return;
	copied = (int32_t)(tp->copied_seq - tp->rcvq_space.seq) - (int32_t)(tp->rcv_nxt - tp->copied_seq); /* a reader that lags needs no more */
	if (copied > (int32_t)tp->rcvq_space.space && !PROVE_BREAKS("T8.tuning"))
		tcp_rcvbuf_follows(sk, (uint32_t)copied);
	tp->rcvq_space.seq = tp->copied_seq;
	tp->rcvq_space.time_us = tp->tcp_mstamp_us;
}

/* --- at establishment --------------------------------------------------------------------------------------------- */

void tcp_initialize_rcv_mss(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	uint32_t hint = MIN(tp->advmss, tp->mss_cache);

	hint = MIN(hint, tp->rcv_wnd / 2);
	hint = MIN(hint, (uint32_t)TCP_MSS_DEFAULT);
	inet_csk(sk)->icsk_ack.rcv_mss = (uint16_t)MAX(hint, (uint32_t)TCP_MIN_MSS);
}

void tcp_init_buffer_space(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	int app_win = sk->sk_net->tcp->sysctl_tcp_app_win;
	uint32_t maxwin;

	if (!sock_flag(sk, SOCK_F_SNDBUF_LOCK))
		tcp_sndbuf_expand(sk);
	tcp_mstamp_refresh(tp);
	tp->rcvq_space.time_us = tp->tcp_mstamp_us;
	tp->rcvq_space.seq = tp->copied_seq;

	maxwin = (uint32_t)MAX(tcp_full_space(sk), 0);
	if (tp->window_clamp >= maxwin) {
		tp->window_clamp = maxwin;
		if (app_win && maxwin > 4u * tp->advmss)
			tp->window_clamp = MAX(maxwin - (maxwin >> app_win), 4u * tp->advmss);
	}
	/* One segment more than the window must always fit. */
	if (app_win && tp->window_clamp > 2u * tp->advmss && tp->window_clamp + tp->advmss > maxwin)
		tp->window_clamp = MAX(2u * tp->advmss, maxwin - tp->advmss);
	tp->rcv_ssthresh = MIN(tp->rcv_ssthresh, tp->window_clamp);
	tp->snd_cwnd_stamp_ns = sk->sk_net->now_ns;
	tp->rcvq_space.space = MIN(tp->rcv_ssthresh, tp->rcv_wnd);
	tp->rcvq_space.space = MIN(tp->rcvq_space.space, (uint32_t)TCP_INIT_CWND * tp->advmss);
}
