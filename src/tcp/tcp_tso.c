/* SPDX-License-Identifier: MIT */
/*
 * tcp_tso.c - super-segments (T4, T5): how many segments an skb counts for, how long it may be, whether it should wait to grow, and
 * cutting one in two.
 *
 * An skb of the write queue holds up to a super-segment; tcp_gso_segs says how many segments it makes on the wire (0: not counted
 * yet) and tcp_gso_size how long each is.  All quotas (cwnd, packets_out, ...) count segments.  Cutting shares the frags and copies only what
 * lies in the linear area.
 */
#include "tcp/tcp_cong.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_txstamp.h"

enum { TSO_DEFER_MAX_MSS = 3 };

void tcp_set_skb_tso_segs(struct sk_buff *skb, unsigned mss_now)
{
	struct tcp_skb_cb *tcb = TCP_SKB_CB(skb);

	if (skb->len <= mss_now) {
		tcb->tcp_gso_segs = 1;
		tcb->tcp_gso_size = 0;
	} else {
		tcb->tcp_gso_segs = (uint16_t)DIV_ROUND_UP(skb->len, mss_now);
		tcb->tcp_gso_size = (uint16_t)mss_now;
	}
}

unsigned tcp_init_tso_segs(struct sk_buff *skb, unsigned mss_now)
{
	unsigned segs = tcp_skb_pcount(skb);

	if (!segs || (segs > 1 && tcp_skb_mss(skb) != mss_now)) {
		tcp_set_skb_tso_segs(skb, mss_now);
		segs = tcp_skb_pcount(skb);
	}
	return segs;
}

/* skb, already sent, counts for decr segments fewer than before. */
void tcp_adjust_pcount(struct sock *sk, const struct sk_buff *skb, int decr)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct tcp_skb_cb *tcb = TCP_SKB_CB(skb);
	uint32_t n = (uint32_t)decr; /* modulo 2^32: may be negative */

	tp->packets_out -= n;
	if (tcb->sacked & TCPCB_SACKED_ACKED)
		tp->sacked_out -= n;
	if (tcb->sacked & TCPCB_SACKED_RETRANS)
		tp->retrans_out -= n;
	if (tcb->sacked & TCPCB_LOST)
		tp->lost_out -= n;
	if (!tcp_is_sack(tp) && decr > 0) /* Reno's sacked_out is a guess from duplicate ACKs */
		tp->sacked_out -= MIN(tp->sacked_out, n);
}

/* --- how long ------------------------------------------------------------------------------------------------------- */

/* Segments for about a millisecond at the pacing rate, more for a peer that is near; at least min_segs. */
static unsigned tcp_tso_autosize(const struct sock *sk, unsigned mss_now, unsigned min_segs)
{
	unsigned rtt_log = (unsigned)sock_net(sk)->tcp->sysctl_tcp_tso_rtt_log; /* flows nearer than 2^rtt_log us get more; 0: none do */
	uint32_t near = rtt_log && rtt_log < 32 ? tcp_sk(sk)->rtt_min_us >> rtt_log : rtt_log ? 0 : UINT32_MAX;
	uint64_t bytes = sk->sk_pacing_rate >> sk->sk_pacing_shift;
	unsigned segs;

	if (near < 32)
		bytes += bytes < sk->sk_gso_max_size ? sk->sk_gso_max_size >> near : 0;
	segs = (unsigned)MIN(bytes, (uint64_t)sk->sk_gso_max_size) / mss_now;
	return MAX(segs, min_segs);
}

unsigned tcp_tso_segs(struct sock *sk, unsigned mss_now)
{
	const struct tcp_congestion_ops *ca = inet_csk(sk)->icsk_ca_ops;
	unsigned min_segs, segs;

	if (sk->sk_gso_max_segs <= 1 || PROVE_BREAKS("T5"))
		return 1;
	min_segs = ca->min_tso_segs ? ca->min_tso_segs(sk) : (unsigned)sock_net(sk)->tcp->sysctl_tcp_min_tso_segs;
	segs = tcp_tso_autosize(sk, mss_now, min_segs);
	return MIN(segs, (unsigned)sk->sk_gso_max_segs);
}

/*
 * Bytes of skb that may go now: window and quota bound it; a partial segment at its end stays where Nagle wants it to wait.
 */
unsigned tcp_mss_split_point(const struct sock *sk, const struct sk_buff *skb, unsigned mss_now, unsigned max_segs, int nonagle)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	uint32_t window = tcp_wnd_end(tp) - TCP_SKB_CB(skb)->seq;
	uint32_t most = mss_now * max_segs, needed, partial;

	if (likely(most <= window && !tcp_skb_is_last(sk, skb)))
		return most;
	needed = MIN(skb->len, window);
	if (most <= needed)
		return most;
	partial = needed % mss_now;
	if (tcp_nagle_check(partial != 0, tp, nonagle))
		return needed - partial;
	return needed;
}

/* Bytes that window and quota together allow, against the least worth sending at once. */
static bool allowance_is_enough(const struct sock *sk, uint32_t limit)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	unsigned divisor = (unsigned)sock_net(sk)->tcp->sysctl_tcp_tso_win_divisor;

	if (divisor) {
		uint64_t chunk = MIN((uint64_t)tp->snd_wnd, (uint64_t)tp->snd_cwnd * tp->mss_cache);
		return limit >= chunk / divisor;
	}
	return limit > (uint32_t)TSO_DEFER_MAX_MSS * tp->mss_cache;
}

/* Is the ACK of the oldest segment, a round trip after it was sent, due within a millisecond (half a round trip where that is less)? */
static bool ack_is_near(const struct tcp_sock *tp, const struct sk_buff *head, uint64_t now)
{
	uint64_t srtt_ns = (uint64_t)tp->srtt_us * NSEC_PER_USEC >> 3;

	return head->skb_mstamp_ns + srtt_ns <= now + MIN(srtt_ns / 2, (uint64_t)NSEC_PER_MSEC);
}

/*
 * A short super-segment may wait for the ACK that is due soon, so that it goes as one larger one.  Never while recovering, never when
 * the last transmission is more than a millisecond ago, never when no ACK will come as soon: waiting longer would make bursts of a steady flow.
 */
bool tcp_tso_should_defer(struct sock *sk, struct sk_buff *skb, bool *is_cwnd_limited, bool *is_rwnd_limited, unsigned max_segs)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct sk_buff *head;
	uint64_t now = sock_net(sk)->now_ns, cong_win;
	uint32_t in_flight = tcp_packets_in_flight(tp), send_win, limit;

	if (inet_csk(sk)->icsk_ca_state >= TCP_CA_Recovery)
		return false;
	if (now - tp->lsndtime_ns > NSEC_PER_MSEC)
		return false;
	send_win = tcp_wnd_end(tp) - TCP_SKB_CB(skb)->seq;
	cong_win = (uint64_t)(tp->snd_cwnd > in_flight ? tp->snd_cwnd - in_flight : 0) * tp->mss_cache;
	limit = (uint32_t)MIN((uint64_t)send_win, cong_win);
	if (limit >= max_segs * tp->mss_cache)
		return false;
	if (!tcp_skb_is_last(sk, skb) && limit >= skb->len)
		return false; /* it will not grow, and all of it fits */
	if (allowance_is_enough(sk, limit))
		return false;
	head = tcp_rtx_queue_head(sk);
	if (!head || !ack_is_near(tp, head, now))
		return false;
	if (cong_win < send_win) {
		if (cong_win <= skb->len) {
			*is_cwnd_limited = true;
			return true;
		}
	} else if (send_win <= skb->len) {
		*is_rwnd_limited = true;
		return true;
	}
	return !((TCP_SKB_CB(skb)->tcp_flags & TCPHDR_FIN) || TCP_SKB_CB(skb)->eor);
}

/* --- cutting --------------------------------------------------------------------------------------------------------- */

/* The skb's shared info is about to change: it needs one of its own.  Its accounted size stays. 0 or -ENOMEM. */
int tcp_skb_unclone(struct sk_buff *skb, enum mem_prio prio)
{
	uint32_t truesize = skb->truesize;
	int err;

	if (likely(!skb_cloned(skb)))
		return 0;
	err = pskb_expand_head(skb, MAX_TCP_HEADER, 0, prio);
	skb->truesize = truesize;
	return err;
}

/* Moves what lies behind the first len bytes of skb to the new skb buff, which stands behind it in the same queue afterwards. */
static void split_off(struct sock *sk, bool in_rtx_queue, struct sk_buff *skb, struct sk_buff *buff, uint32_t len, unsigned mss_now)
{
	struct tcp_skb_cb *tcb = TCP_SKB_CB(skb), *ncb = TCP_SKB_CB(buff);
	uint32_t linear = skb_headlen(skb) > len ? skb_headlen(skb) - len : 0, moved = skb->len - len - linear;
	int before = (int)tcp_skb_pcount(skb), diff;

	sk_wmem_charge(sk, (int)buff->truesize);
	buff->truesize += moved;
	skb->truesize -= moved;
	*ncb = *tcb;
	ncb->seq = tcb->seq + len;
	tcb->end_seq = ncb->seq;
	tcb->tcp_flags &= (uint8_t)~(TCPHDR_FIN | TCPHDR_PSH);
	tcb->eor = 0;
	skb_split(skb, buff, len);
	tcp_fragment_tstamp(skb, buff);
	buff->skb_mstamp_ns = skb->skb_mstamp_ns;
	tcp_set_skb_tso_segs(skb, mss_now);
	tcp_set_skb_tso_segs(buff, mss_now);
	if (!in_rtx_queue) {
		skb_queue_after(&sk->sk_write_queue, skb, buff);
		return;
	}
	diff = before - (int)tcp_skb_pcount(skb) - (int)tcp_skb_pcount(buff);
	if (diff)
		tcp_adjust_pcount(sk, skb, diff);
	tcp_rtx_queue_insert(sk, buff);
	tcp_tsorted_place_behind(sk, skb, buff);
}

/*
 * Cuts skb of the write or retransmit queue at len.  0, -EINVAL, -ENOMEM (nothing changed).  A peer that SACKs every other byte
 * must not blow up the queue: beyond twice the send buffer only the ends may still be cut.
 */
int tcp_fragment(struct sock *sk, bool in_rtx_queue, struct sk_buff *skb, uint32_t len, unsigned mss_now, enum mem_prio prio)
{
	uint64_t limit = (uint64_t)sk->sk_sndbuf + 2 * GSO_MAX_SIZE;
	struct sk_buff *buff;
	uint32_t linear = skb_headlen(skb) > len ? skb_headlen(skb) - len : 0;

	if (len > skb->len)
		return -EINVAL;
	if (unlikely((sk->sk_wmem_queued >> 1) > limit && in_rtx_queue && skb != tcp_rtx_queue_head(sk) && skb != tcp_rtx_queue_tail(sk))) {
		NET_INC_STATS(sock_net(sk), TCPWqueueTooBig);
		return -ENOMEM;
	}
	if (tcp_skb_unclone(skb, prio))
		return -ENOMEM;
	buff = tcp_stream_alloc_skb(sk, linear, prio, true);
	if (!buff)
		return -ENOMEM;
	split_off(sk, in_rtx_queue, skb, buff, len, mss_now);
	return 0;
}

/* The same for an unsent super-segment that is cut among its frags: nothing is copied.  skb is not cloned: it was never sent. */
int tso_fragment(struct sock *sk, struct sk_buff *skb, unsigned len, unsigned mss_now, enum mem_prio prio)
{
	struct sk_buff *buff;

	tcp_trace(sk, TP_tso_fragment, TCP_SKB_CB(skb)->seq, TCP_SKB_CB(skb)->end_seq, skb->len);
	if (unlikely(skb_headlen(skb) > len || skb_cloned(skb)))
		return tcp_fragment(sk, false, skb, len, mss_now, prio);
	buff = tcp_stream_alloc_skb(sk, 0, prio, true);
	if (unlikely(!buff))
		return -ENOMEM;
	split_off(sk, false, skb, buff, len, mss_now);
	return 0;
}

/*
 * The send head may take what stands behind it, up to `room` bytes more: so what was written piece by piece while the window was closed goes
 * as one super-segment.  Nothing of a super-segment crosses the end of a record (MSG_EOR).  Its segments are to be counted anew.
 */
void tcp_grow_skb(struct sock *sk, struct sk_buff *skb, uint32_t room)
{
	struct sk_buff *next = skb->next;
	struct tcp_skb_cb *tcb = TCP_SKB_CB(skb), *ncb = TCP_SKB_CB(next);
	uint32_t n = MIN(room, next->len);

	if (!n || tcb->eor || !skb_shift(skb, next, n))
		return;
	skb->truesize += n;
	next->truesize -= n;
	tcb->end_seq += n;
	ncb->seq += n;
	tcb->tcp_gso_segs = ncb->tcp_gso_segs = 0;
	if (next->len)
		return;
	tcb->end_seq = ncb->end_seq; /* its FIN comes along */
	tcb->tcp_flags |= ncb->tcp_flags;
	tcb->eor = ncb->eor;
	tcp_skb_collapse_tstamp(skb, next);
	skb_unlink(next, &sk->sk_write_queue);
	tcp_free_skb(sk, next);
}

/* The header pushed in front of what is left must lie on a 4-byte boundary again. */
static void realign_linear(struct sk_buff *skb)
{
	unsigned off = skb_headroom(skb) & 3, n = skb_headlen(skb);

	if (!off)
		return;
	memmove(skb->data - off, skb->data, n);
	skb->data -= off;
	skb->tail -= off;
}

/* The first len bytes of skb, of the retransmit queue, are acknowledged: they go.  0 or -ENOMEM (nothing changed). */
int tcp_trim_head(struct sock *sk, struct sk_buff *skb, uint32_t len)
{
	uint32_t linear = skb_headlen(skb), paged = len > linear ? len - linear : 0;

	if (tcp_skb_unclone(skb, MEM_RESERVE))
		return -ENOMEM;
	if (pskb_pull_any(skb, len))
		return -ENOMEM;
	realign_linear(skb);
	TCP_SKB_CB(skb)->seq += len;
	if (paged) {
		skb->truesize -= paged;
		sk_wmem_queued_add(sk, -(int)paged);
		sk_mem_uncharge(sk, (int)paged);
	}
	if (tcp_skb_pcount(skb) > 1)
		tcp_set_skb_tso_segs(skb, tcp_skb_mss(skb));
	return 0;
}
