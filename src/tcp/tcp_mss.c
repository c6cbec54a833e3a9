/* SPDX-License-Identifier: MIT */
/*
 * tcp_mss.c - how large a segment may be (T1): MSS from the path MTU, what the route's device can do, and the size of a super-segment.
 *
 * MSS = MTU - IP header - TCP header - options, so that IP need not fragment (RFC 9293 3.7.1, RFC 6691).  mss_cache holds it for the usual
 * options; SACK blocks in flight shorten it for the moment.  mss_cache was made from the path MTU in icsk_pmtu_cookie and is made anew when the
 * route's MTU differs.
 */
#include "dev/netdevice.h"
#include "tcp/tcp_mtu_probe.h"
#include "tcp/tcp_output.h"

enum { TCP_MIN_GSO_GOAL = 68 };

/* Bytes of payload in a segment over `pmtu`, without deducting options. */
static int mtu_to_bare_mss(struct sock *sk, int pmtu)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct inet_connection_sock *icsk = inet_csk(sk);
	int mss = pmtu - icsk->icsk_af_ops->net_header_len - (int)sizeof(struct tcphdr);

	if (mss > tp->rx_opt.mss_clamp && !PROVE_BREAKS("MUST-16"))
		mss = tp->rx_opt.mss_clamp;
	mss -= icsk->icsk_ext_hdr_len;
	return MAX(mss, sock_net(sk)->tcp->sysctl_tcp_min_snd_mss);
}

int tcp_mtu_to_mss(struct sock *sk, int pmtu)
{
	int options = tcp_sk(sk)->tcp_header_len - (int)sizeof(struct tcphdr);

	return mtu_to_bare_mss(sk, pmtu) - options;
}

int tcp_mss_to_mtu(struct sock *sk, int mss)
{
	return mss + tcp_sk(sk)->tcp_header_len + inet_csk(sk)->icsk_ext_hdr_len + inet_csk(sk)->icsk_af_ops->net_header_len;
}

/* Never more than half of the largest window the peer ever offered: else a small window would stall on one segment (RFC 9293 3.8.6.2.1). */
uint32_t tcp_bound_to_half_wnd(const struct tcp_sock *tp, uint32_t bytes)
{
	uint32_t cutoff = tp->max_window > TCP_MSS_DEFAULT ? tp->max_window >> 1 : tp->max_window;

	if (cutoff && bytes > cutoff)
		return MAX(cutoff, (uint32_t)TCP_MIN_GSO_GOAL - MIN(tp->tcp_header_len, (uint32_t)TCP_MIN_GSO_GOAL - 1));
	return bytes;
}

/* The path MTU is now pmtu: mss_cache follows.  Returns it. */
unsigned tcp_sync_mss(struct sock *sk, uint32_t pmtu)
{
	struct tcp_sock *tp = tcp_sk(sk);
	int mss = tcp_mtu_to_mss(sk, (int)MIN(pmtu, 0x7fffffffu));

	mss = (int)tcp_bound_to_half_wnd(tp, (uint32_t)MAX(mss, 1));
	inet_csk(sk)->icsk_pmtu_cookie = pmtu;
	if (unlikely(tp->mtup_on))
		mss = (int)tcp_mtup_bound(sk, pmtu, (uint32_t)mss);
	tp->mss_cache = (uint16_t)MIN(mss, 0xffff);
	return tp->mss_cache;
}

void tcp_resync_mss(struct sock *sk)
{
	const struct dst_entry *dst = __sk_dst_get(sk);
	uint32_t pmtu = dst ? dst_mtu(dst) : inet_csk(sk)->icsk_pmtu_cookie;

	if (pmtu)
		tcp_sync_mss(sk, pmtu);
}

/* MSS for a segment sent now, with the options it would carry. */
unsigned tcp_current_mss(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct dst_entry *dst = __sk_dst_get(sk);
	unsigned mss = tp->mss_cache, sack;

	if (likely(dst)) {
		uint32_t mtu = dst_mtu(dst);
		if (unlikely(mtu != inet_csk(sk)->icsk_pmtu_cookie))
			mss = tcp_sync_mss(sk, mtu);
		if (unlikely(sk->sk_route_caps != dst->dev->features))
			tcp_init_xmit_tso(sk);
	}
	sack = tcp_sack_options_len(tp);
	if (unlikely(sack))
		mss = mss > sack + TCP_MIN_SNDMSS / 2 ? mss - sack : mss;
	return mss;
}

/* What a SYN announces: what the route can carry towards us, at most TCP_MAXSEG. */
uint16_t tcp_advertise_mss(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct dst_entry *dst = __sk_dst_get(sk);
	uint32_t mss = tp->advmss;

	if (dst && dst_metric_advmss(dst) < mss) {
		mss = dst_metric_advmss(dst);
		tp->advmss = (uint16_t)mss;
	}
	return (uint16_t)mss;
}

/*
 * Scatter-gather decides where payload lies (frags, or linear where the device lacks it); with it super-segments are built, which the
 * device cuts or, at the last moment, validate_xmit_skb_list().  Without it one skb is one segment: cutting would copy the bytes again.
 */
void tcp_init_xmit_tso(struct sock *sk)
{
	const struct dst_entry *dst = __sk_dst_get(sk);

	if (!dst)
		return;
	const struct net_device *dev = dst->dev;
	sk->sk_route_caps = dev->features;
	if ((dev->features & XMIT_F_SG) && likely(!tcp_sk(sk)->md5)) {
		uint32_t room = (dev->gso_max_size ? dev->gso_max_size : GSO_MAX_SIZE) - 1;
		sk->sk_gso_type = SKB_GSO_TCPV4;
		sk->sk_gso_max_size = room > 2 * MAX_TCP_HEADER ? room - MAX_TCP_HEADER : room;
		sk->sk_gso_max_segs = dev->gso_max_segs ? dev->gso_max_segs : GSO_MAX_SEGS;
	} else {
		sk->sk_gso_type = 0;
		sk->sk_gso_max_size = 0;
		sk->sk_gso_max_segs = 1;
	}
}

/* Bytes to gather in one skb: as many whole segments as fit a super-segment and half the peer's window. */
static unsigned xmit_size_goal(struct sock *sk, unsigned mss_now, bool large_allowed)
{
	struct tcp_sock *tp = tcp_sk(sk);
	unsigned most, goal;

	if (!large_allowed || !sk->sk_gso_type)
		return mss_now;
	most = tcp_bound_to_half_wnd(tp, sk->sk_gso_max_size);
	goal = tp->gso_segs * mss_now;
	if (unlikely(most < goal || most >= goal + mss_now)) { /* a division only when the answer changes */
		unsigned segs = most / mss_now;
		tp->gso_segs = (uint16_t)MIN(segs, (unsigned)sk->sk_gso_max_segs);
		goal = tp->gso_segs * mss_now;
	}
	return MAX(goal, mss_now);
}

int tcp_send_mss(struct sock *sk, int *size_goal, unsigned flags)
{
	unsigned mss_now = tcp_current_mss(sk);

	*size_goal = (int)xmit_size_goal(sk, mss_now, !(flags & MSG_OOB));
	return (int)mss_now;
}
