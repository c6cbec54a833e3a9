/* SPDX-License-Identifier: MIT */
/*
 * tcp_syncookies.c - connections without a SYN queue: what a request would have kept lies in the SYN-ACK's ISN (Bernstein's SYN
 * cookies, RFC 4987 3.6).
 *
 *	cookie = H0(tuple) + client's ISN + (minute mod 256) * 2^24 + (H1(tuple, client's ISN, minute) + MSS index) mod 2^24
 *
 * H0 and H1 are SipHash-2-4 under two keys.  The last ACK gives the cookie back; it is good for MAX_AGE minutes, and one guess
 * in 179 million fits.  The index names one of eight MSS values.  Window scale, SACK and ECN lie in the low six bits of the SYN-ACK's
 * timestamp, where the client uses timestamps: 4 bits of scale (15: none), 1 SACK, 1 ECN.
 *
 * A listener takes cookies only for a while after it has sent one, so that ACKs out of nowhere cost nothing at other times.
 */
#include "tcp/tcp_conn.h"

enum {
	COOKIE_BITS = 24,
	COOKIE_MASK = (1 << COOKIE_BITS) - 1,
	MAX_AGE = 2,            /* minutes */
	TS_WSCALE = 0xf, TS_SACK = 0x10, TS_ECN = 0x20, TS_BITS = 6, TS_MASK = (1 << TS_BITS) - 1,
};
#define MINUTE_NS (60 * NSEC_PER_SEC)

/* What peers announce: dialled-up, X.25, default, tunnels, PPPoE, Ethernet with and without tunnel, jumbo is served as Ethernet. */
static const uint16_t msstab[8] = {216, 536, 996, 1220, 1300, 1400, 1440, 1460};

struct cookie_tuple { be32 saddr, daddr; be16 source, dest; };

static struct cookie_tuple tuple_of(const struct sk_buff *skb)
{
	return (struct cookie_tuple){ip_hdr(skb)->saddr, ip_hdr(skb)->daddr, tcp_hdr(skb)->source, tcp_hdr(skb)->dest};
}

static uint32_t hash_base(const struct net *net, const struct cookie_tuple *t)
{
	return (uint32_t)siphash(t, sizeof(*t), &net->tcp->secret_cookie[0]);
}

static uint32_t hash_minute(const struct net *net, const struct cookie_tuple *t, uint32_t client_isn, uint32_t minute)
{
	const struct { struct cookie_tuple t; uint32_t isn, minute; } key = {*t, client_isn, minute};
	return (uint32_t)siphash(&key, sizeof(key), &net->tcp->secret_cookie[1]);
}

static uint32_t minute_now(const struct net *net) { return (uint32_t)(net->now_ns / MINUTE_NS); }

uint32_t cookie_v4_init_sequence(struct net *net, const struct sk_buff *skb, uint16_t *mss)
{
	const struct cookie_tuple t = tuple_of(skb);
	uint32_t isn = TCP_SKB_CB(skb)->seq, minute = minute_now(net), i = ARRAY_SIZE(msstab) - 1;

	while (i && *mss < msstab[i])
		i--;
	*mss = msstab[i];
	return hash_base(net, &t) + isn + (minute << COOKIE_BITS) + ((hash_minute(net, &t, isn, minute) + i) & COOKIE_MASK);
}

/* The MSS that the cookie names; 0: not one of ours, or too old. */
static uint16_t cookie_mss(const struct net *net, const struct sk_buff *skb)
{
	const struct cookie_tuple t = tuple_of(skb);
	uint32_t isn = TCP_SKB_CB(skb)->seq - 1, minute = minute_now(net);
	uint32_t rest = TCP_SKB_CB(skb)->ack_seq - 1 - hash_base(net, &t) - isn;
	uint32_t age = (minute - (rest >> COOKIE_BITS)) & 0xff, i;

	if (age > MAX_AGE || age > minute)
		return 0;
	i = (rest - hash_minute(net, &t, isn, minute - age)) & COOKIE_MASK;
	return i < ARRAY_SIZE(msstab) ? msstab[i] : 0;
}

uint32_t cookie_init_timestamp(const struct request_sock *req, uint32_t now_ms)
{
	uint32_t options = req->wscale_ok ? req->snd_wscale : TS_WSCALE, ts;

	if (req->sack_ok)
		options |= TS_SACK;
	if (req->ecn_ok)
		options |= TS_ECN;
	ts = (now_ms & ~(uint32_t)TS_MASK) | options;
	return seq_after(ts, now_ms) ? ts - (1u << TS_BITS) : ts; /* never ahead of the clock */
}

/* False: the timestamp says what we would not have said. */
static bool cookie_timestamp_decode(const struct net *net, struct tcp_options_received *opt)
{
	uint32_t options = opt->rcv_tsecr & TS_MASK;

	if (!opt->saw_tstamp)
		return true;
	if (!net->tcp->sysctl_tcp_timestamps)
		return false;
	opt->sack_ok = options & TS_SACK ? 1 : 0;
	if (opt->sack_ok && !net->tcp->sysctl_tcp_sack)
		return false;
	opt->wscale_ok = (options & TS_WSCALE) != TS_WSCALE;
	opt->snd_wscale = opt->wscale_ok ? options & TS_WSCALE : 0;
	return !opt->wscale_ok || net->tcp->sysctl_tcp_window_scaling;
}

bool tcp_synq_no_recent_overflow(const struct sock *sk)
{
	uint64_t last = inet_csk(sk)->icsk_listen->overflow_ns;
	return !last || sk->sk_net->now_ns > last + MAX_AGE * MINUTE_NS;
}

/* sk itself: not a cookie's ACK, the listener answers.  NULL: dropped for *reason. */
struct sock *cookie_v4_check(struct sock *sk, struct sk_buff *skb, enum skb_drop_reason *reason)
{
	const struct tcphdr *th = tcp_hdr(skb);
	struct net *net = sk->sk_net;
	struct tcp_options_received opt = {.mss_clamp = TCP_MSS_DEFAULT};
	struct request_sock *req;
	struct dst_entry *dst;
	uint16_t mss;

	if (!net->tcp->sysctl_tcp_syncookies || (th->flags & (TCPHDR_ACK | TCPHDR_RST | TCPHDR_SYN)) != TCPHDR_ACK)
		return sk;
	if (tcp_synq_no_recent_overflow(sk))
		return sk;
	mss = cookie_mss(net, skb);
	if (!mss) {
		NET_INC_STATS(net, SyncookiesFailed);
		return sk;
	}
	NET_INC_STATS(net, SyncookiesRecv);
	tcp_parse_options(net, skb, &opt, false);
	if (opt.saw_tstamp && opt.rcv_tsecr)
		opt.rcv_tsecr -= secure_tcp_ts_off(net, ip_hdr(skb)->daddr, ip_hdr(skb)->saddr);
	if (!cookie_timestamp_decode(net, &opt))
		return sk;

	*reason = SKB_DROP_REASON_NOMEM;
	req = inet_reqsk_alloc(sk, skb);
	if (!req)
		return NULL;
	opt.mss_clamp = mss;
	opt.tstamp_ok = opt.saw_tstamp;
	tcp_openreq_init(req, &opt, skb);
	req->is_cookie = 1;
	req->rcv_isn = TCP_SKB_CB(skb)->seq - 1;
	req->rcv_nxt = TCP_SKB_CB(skb)->seq;
	req->snt_isn = TCP_SKB_CB(skb)->ack_seq - 1;
	req->ecn_ok = opt.saw_tstamp && (opt.rcv_tsecr & TS_ECN) && net->tcp->sysctl_tcp_ecn;
	req->txhash = net_random_u32(net);
	if (opt.tstamp_ok)
		req->ts_off = secure_tcp_ts_off(net, req->loc_addr, req->rmt_addr);

	*reason = SKB_DROP_REASON_IP_OUTNOROUTES;
	dst = inet_csk_route_req(sk, req);
	if (!dst) {
		reqsk_free(req);
		return NULL;
	}
	tcp_openreq_init_rwin(req, sk, dst);
	*reason = SKB_DROP_REASON_TCP_LISTEN_OVERFLOW;
	return tcp_get_cookie_sock(sk, skb, req, dst);
}
