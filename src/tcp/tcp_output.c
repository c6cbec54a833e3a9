/* SPDX-License-Identifier: MIT */
/*
 * tcp_output.c - may it go? (T4) The send loop and its gates.
 *
 * sk_write_queue holds what is unsent; its head is the send head.  tcp_write_xmit() takes skbs from there while congestion window, send window,
 * Nagle's rule, TSO deferral and the small-queue limit allow, hands each to tcp_transmit_skb() (T9) and moves it into the
 * retransmit tree (tcp_rtx_queue, by sequence).  What stopped it is a trace event (tcp_stall_*), and each reason has somebody who
 * comes back: its timer (pacing: tcp_pacing.c), an ACK (cwnd, window, Nagle, deferral: tcp_data_snd_check), a transmit completion (small queues:
 * tcp_tsq.c), the writer (Nagle, cork), the probe timer (nothing in flight).
 *
 * Called by tcp_sendmsg.c (push), the ACK side, timers and tcp_tsq.c.  RFC 9293 3.8.6, RFC 1122 4.2.3.4 (Nagle, with Minshall's variant),
 * RFC 5681, RFC 7661 (cwnd not used is not kept).
 */
#include "tcp/tcp_input.h"
#include "tcp/tcp_mtu_probe.h"
#include "tcp/tcp_output.h"

/* Rightmost as a rule: new data goes behind all that is in flight. */
void tcp_rtx_queue_insert(struct sock *sk, struct sk_buff *skb)
{
	struct rb_node **link = &sk->tcp_rtx_queue.node, *parent = NULL;
	uint32_t seq = TCP_SKB_CB(skb)->seq;

	while (*link) {
		parent = *link;
		link = seq_before(seq, TCP_SKB_CB(rb_to_skb(parent))->seq) ? &parent->left : &parent->right;
	}
	rb_link_node(&skb->rbnode, parent, link);
	rb_insert_color(&skb->rbnode, &sk->tcp_rtx_queue);
	if (likely(tcp_act(sk)))
		tcp_tsorted_add(tcp_act(sk), skb);
}

/* --- the congestion window and its use -------------------------------------------------------------------------------- */

/* Silence for idle_ns, more than an RTO: the window says nothing about the path any more (RFC 5681 4.1); halved for each RTO of it. */
void tcp_cwnd_restart(struct sock *sk, uint64_t idle_ns)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint64_t rto_ns = (uint64_t)inet_csk(sk)->icsk_rto_us * NSEC_PER_USEC;
	uint32_t floor = tcp_init_cwnd(tp, __sk_dst_get(sk)), cwnd = tp->snd_cwnd;

	tcp_ca_event(sk, CA_EVENT_CWND_RESTART);
	tp->snd_ssthresh = tcp_current_ssthresh(sk);
	floor = MIN(floor, cwnd);
	for (; rto_ns && idle_ns > rto_ns && cwnd > floor; idle_ns -= rto_ns)
		cwnd >>= 1;
	tp->snd_cwnd = MAX(cwnd, floor);
	tp->snd_cwnd_stamp_ns = sock_net(sk)->now_ns;
	if (tp->active)
		tp->active->snd_cwnd_used = 0;
}

/* Asked before new data goes: when they are written, and when a window opens for those that wait. */
void tcp_slow_start_after_idle_check(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	uint64_t idle_ns = sock_net(sk)->now_ns - tp->lsndtime_ns;

	if (tp->packets_out || !sock_net(sk)->tcp->sysctl_tcp_slow_start_after_idle || inet_csk(sk)->icsk_ca_ops->cong_control)
		return;
	if (idle_ns > (uint64_t)inet_csk(sk)->icsk_rto_us * NSEC_PER_USEC && tp->lsndtime_ns)
		tcp_cwnd_restart(sk, idle_ns);
}

/* The application did not fill the window for an RTO: what was not used is not kept (RFC 7661's aim). */
static void cwnd_application_limited(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (inet_csk(sk)->icsk_ca_state == TCP_CA_Open && !sock_flag(sk, SOCK_F_NOSPACE)) {
		uint32_t init = tcp_init_cwnd(tp, __sk_dst_get(sk));
		uint32_t used = MAX(tp->active->snd_cwnd_used, init);
		if (used < tp->snd_cwnd) {
			tp->snd_ssthresh = tcp_current_ssthresh(sk);
			tp->snd_cwnd = (tp->snd_cwnd + used) >> 1;
		}
		tp->active->snd_cwnd_used = 0;
	}
	tp->snd_cwnd_stamp_ns = sock_net(sk)->now_ns;
}

/* Remembers whether cwnd was what held us during this flight; growth (tcp_is_cwnd_limited) and validation depend on it. */
static void cwnd_validate(struct sock *sk, bool is_cwnd_limited)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	uint64_t now = sock_net(sk)->now_ns;

	if (!act)
		return; /* a FIN alone */
	if (seq_after_eq(tp->snd_una, act->cwnd_usage_seq) || is_cwnd_limited ||
	    (!tp->is_cwnd_limited && tp->packets_out > act->max_packets_out)) {
		tp->is_cwnd_limited = is_cwnd_limited;
		act->max_packets_out = tp->packets_out;
		act->cwnd_usage_seq = tp->snd_nxt;
	}
	if (tcp_is_cwnd_limited(sk)) {
		act->snd_cwnd_used = 0;
		tp->snd_cwnd_stamp_ns = now;
		return;
	}
	if (tp->packets_out > act->snd_cwnd_used)
		act->snd_cwnd_used = tp->packets_out;
	if (sock_net(sk)->tcp->sysctl_tcp_slow_start_after_idle && !inet_csk(sk)->icsk_ca_ops->cong_control &&
	    now - tp->snd_cwnd_stamp_ns >= (uint64_t)inet_csk(sk)->icsk_rto_us * NSEC_PER_USEC)
		cwnd_application_limited(sk);
	/* All is sent, the window has room, and a writer waits: its buffer is what is too small. */
	if (tcp_write_queue_empty(sk) && sock_flag(sk, SOCK_F_NOSPACE) && (TCPF(sk->sk_state) & (TCPF(TCP_ESTABLISHED) | TCPF(TCP_CLOSE_WAIT))))
		tcp_chrono_start(sk, TCP_CHRONO_SNDBUF_LIMITED);
}

/* --- the gates --------------------------------------------------------------------------------------------------------- */

/* Segments that the congestion window lets go now; at most half of it in one skb, so that ACKs keep coming. */
static unsigned tcp_cwnd_test(const struct tcp_sock *tp)
{
	uint32_t in_flight = tcp_packets_in_flight(tp), cwnd = tp->snd_cwnd, half;

	if (in_flight >= cwnd && !PROVE_BREAKS("T4"))
		return 0;
	half = MAX(cwnd >> 1, 1u);
	return PROVE_BREAKS("T4") ? half : MIN(half, cwnd - in_flight);
}

/* At least the first segment of skb lies in the peer's window. */
static bool tcp_snd_wnd_test(const struct tcp_sock *tp, const struct sk_buff *skb, unsigned mss_now)
{
	uint32_t end = TCP_SKB_CB(skb)->end_seq;

	if (skb->len > mss_now)
		end = TCP_SKB_CB(skb)->seq + mss_now;
	return !seq_after(end, tcp_wnd_end(tp)) || PROVE_BREAKS("T7") || PROVE_BREAKS("SHLD-15");
}

/* Minshall: only an unacknowledged *small* segment holds back the next small one. */
static bool minshall_check(const struct tcp_sock *tp)
{
	return seq_after(tp->snd_sml, tp->snd_una) && !seq_after(tp->snd_sml, tp->snd_nxt);
}

/* True when a partial segment has to wait. */
bool tcp_nagle_check(bool partial, const struct tcp_sock *tp, int nonagle)
{
	if (PROVE_BREAKS("MUST-17"))
		nonagle &= TCP_NAGLE_CORK;
	return partial && ((nonagle & TCP_NAGLE_CORK) || (!nonagle && tp->packets_out && minshall_check(tp) && !PROVE_BREAKS("SHLD-7")));
}

static bool tcp_nagle_test(const struct tcp_sock *tp, const struct sk_buff *skb, unsigned mss_now, int nonagle)
{
	if ((nonagle & TCP_NAGLE_PUSH) || PROVE_BREAKS("T4.nagle"))
		return true;
	if (tcp_urg_mode(tp) || (TCP_SKB_CB(skb)->tcp_flags & TCPHDR_FIN))
		return true;
	return !tcp_nagle_check(skb->len < mss_now, tp, nonagle);
}

static void stall(const struct sock *sk, const struct sk_buff *skb, enum trace_point why)
{
	tcp_trace(sk, why, TCP_SKB_CB(skb)->seq, TCP_SKB_CB(skb)->end_seq, skb->len);
}

/* What one run of tcp_write_xmit() knows and finds out. */
struct xmit_run {
	unsigned mss_now, max_segs;
	int nonagle, push_one;
	enum mem_prio prio;
	unsigned sent;                         /* segments */
	bool is_cwnd_limited, is_rwnd_limited;
};

/* Bytes of the send head that may go now; 0: it must wait. */
static unsigned may_send(struct sock *sk, struct sk_buff *skb, struct xmit_run *run)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	unsigned segs = tcp_init_tso_segs(skb, run->mss_now), quota = tcp_cwnd_test(tp), most;

	if (unlikely(!quota)) {
		if (run->push_one != 2) { /* a loss probe may pass one */
			run->is_cwnd_limited = true;
			stall(sk, skb, TP_tcp_stall_cwnd);
			return 0;
		}
		quota = 1;
	}
	most = MIN(quota, run->max_segs) * run->mss_now;
	if (unlikely(skb->len < most) && !tcp_skb_is_last(sk, skb)) {
		tcp_grow_skb(sk, skb, most - skb->len);
		segs = tcp_init_tso_segs(skb, run->mss_now);
	}
	if (unlikely(!tcp_snd_wnd_test(tp, skb, run->mss_now))) {
		run->is_rwnd_limited = true;
		stall(sk, skb, TP_tcp_stall_rwnd);
		return 0;
	}
	if (segs == 1) {
		if (unlikely(!tcp_nagle_test(tp, skb, run->mss_now, tcp_skb_is_last(sk, skb) ? run->nonagle : TCP_NAGLE_PUSH))) {
			stall(sk, skb, TP_tcp_stall_nagle);
			return 0;
		}
		return run->mss_now;
	}
	if (!run->push_one && !PROVE_BREAKS("T4.defer") && tcp_tso_should_defer(sk, skb, &run->is_cwnd_limited, &run->is_rwnd_limited, run->max_segs)) {
		stall(sk, skb, TP_tcp_stall_tso_defer);
		return 0;
	}
	if (unlikely(tcp_urg_mode(tp)))
		return run->mss_now;
	return tcp_mss_split_point(sk, skb, run->mss_now, MIN(quota, run->max_segs), run->nonagle);
}

/* A segment shorter than full was sent: Nagle's rule (Minshall) measures by the last of these. */
static void tcp_minshall_update(struct tcp_sock *tp, unsigned mss_now, const struct sk_buff *skb)
{
	if (skb->len < tcp_skb_pcount(skb) * mss_now)
		tp->snd_sml = TCP_SKB_CB(skb)->end_seq;
}

/* The send head went out for the first time: from now on it waits for its acknowledgment. */
void tcp_event_new_data_sent(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t prior_packets = tp->packets_out;

	tp->snd_nxt = TCP_SKB_CB(skb)->end_seq;
	skb_unlink(skb, &sk->sk_write_queue);
	tcp_rtx_queue_insert(sk, skb);
	tp->packets_out += tcp_skb_pcount(skb);
	if (!prior_packets)
		tcp_rearm_rto(sk); /* a loss probe that is pending moves once after the burst */
	NET_ADD_STATS(sock_net(sk), TCPOrigDataSent, tcp_skb_pcount(skb));
	tcp_check_space(sk);
}

/* Sends the send head as far as it may; false: stop. */
static bool send_one(struct sock *sk, struct sk_buff *skb, struct xmit_run *run)
{
	unsigned limit;

	if (tcp_pacing_check(sk)) {
		stall(sk, skb, TP_tcp_stall_pacing);
		return false;
	}
	limit = may_send(sk, skb, run);
	if (!limit)
		return false;
	if (skb->len > limit && unlikely(tso_fragment(sk, skb, limit, run->mss_now, run->prio)))
		return false;
	if (tcp_small_queue_check(sk, skb, 0)) {
		stall(sk, skb, TP_tcp_stall_tsq);
		return false;
	}
	if (unlikely(TCP_SKB_CB(skb)->end_seq == TCP_SKB_CB(skb)->seq)) /* just entailed, its bytes are still to come */
		return false;
	if (unlikely(tcp_transmit_skb(sk, skb, 1, run->prio)))
		return false;
	tcp_event_new_data_sent(sk, skb);
	tcp_minshall_update(tcp_sk(sk), run->mss_now, skb);
	run->sent += tcp_skb_pcount(skb);
	return !run->push_one;
}

/*
 * push_one: 0 all that may go, 1 one skb, 2 one segment beyond cwnd (loss probe).  True: nothing is in flight although data waits, so that a
 * timer has to look after it (tcp_check_probe_timer).
 */
bool tcp_write_xmit(struct sock *sk, unsigned mss_now, int nonagle, int push_one, enum mem_prio prio)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct xmit_run run = {.mss_now = mss_now, .nonagle = nonagle, .push_one = push_one, .prio = prio};
	struct sk_buff *skb = tcp_send_head(sk);

	if (!skb)
		return false;
	tcp_trace(sk, TP_tcp_write_xmit, TCP_SKB_CB(skb)->seq, TCP_SKB_CB(skb)->end_seq, skb->len);
	tcp_mstamp_refresh(tp);
	if (unlikely(tp->mtup_enabled) && !push_one) {
		int probed = tcp_mtu_probe(sk);
		if (!probed)
			return false;
		run.sent = probed > 0;
		skb = tcp_send_head(sk);
	}
	run.max_segs = tcp_tso_segs(sk, mss_now);
	while (skb && send_one(sk, skb, &run))
		skb = tcp_send_head(sk);
	if (unlikely(run.is_rwnd_limited))
		tcp_chrono_start(sk, TCP_CHRONO_RWND_LIMITED);
	else
		tcp_chrono_stop(sk, TCP_CHRONO_RWND_LIMITED);
	run.is_cwnd_limited |= tcp_packets_in_flight(tp) >= tp->snd_cwnd;
	if (run.sent || run.is_cwnd_limited)
		cwnd_validate(sk, run.is_cwnd_limited);
	if (!run.sent)
		return !tp->packets_out && !tcp_write_queue_empty(sk);
	if (unlikely(tcp_in_cwnd_reduction(sk)) && tp->active)
		tp->active->prr_out += run.sent;
	if (push_one != 2 && !tcp_schedule_loss_probe(sk, false) && inet_csk(sk)->icsk_pending == ICSK_TIME_LOSS_PROBE)
		tcp_rearm_rto(sk);
	return false;
}

/* Everything that may go; a probe timer where data waits with nothing in flight. */
void __tcp_push_pending_frames(struct sock *sk, unsigned cur_mss, int nonagle)
{
	if (unlikely(sk->sk_state == TCP_CLOSE))
		return;
	if (tcp_write_xmit(sk, cur_mss, nonagle, 0, MEM_NORMAL))
		tcp_check_probe_timer(sk);
}

/* One skb at once, full as it is, while the writer goes on filling the next. */
void tcp_push_one(struct sock *sk, unsigned mss_now)
{
	tcp_write_xmit(sk, mss_now, TCP_NAGLE_PUSH, 1, MEM_NORMAL);
}
