/* SPDX-License-Identifier: MIT */
/*
 * tcp_parse.c - the options of a received segment, and TS.Recent.
 *
 * Options are bytes a stranger wrote: every length is held against what is left of the header before it is used.  Kind 0 ends the
 * list; kind 1 has no length; a length below 2 or past the header's end stops the parser, what was read before stays.  An option of
 * known kind and wrong length is passed over.  Where the SACK option lies is noted in the skb's control block (sacked: bytes from
 * the TCP header), its blocks are read by tcp_sack.c.
 *
 * The usual segment carries NOP NOP TIMESTAMP and nothing else: three words that are compared and read without the loop.
 * rx_opt.rcv_tsecr is kept on our own clock, less tsoffset.
 *
 * RFC 9293 3.1 (options), RFC 7323 2 to 5 (window scale, timestamps, PAWS), RFC 2018 (SACK).
 */
#include "tcp/tcp_input.h"

#define TCPOPT_TSTAMP_WORD 0x0101080aU /* NOP, NOP, TIMESTAMP, 10 */

static void parse_mss(const uint8_t *p, struct tcp_options_received *opt)
{
	uint16_t mss = get_be16(p);

	if (!mss)
		return;
	if (opt->user_mss && opt->user_mss < mss)
		mss = opt->user_mss;
	opt->mss_clamp = mss;
}

static void parse_timestamp(const uint8_t *p, struct tcp_options_received *opt)
{
	opt->saw_tstamp = 1;
	opt->rcv_tsval = get_be32(p);
	opt->rcv_tsecr = get_be32(p + 4);
}

static bool sack_length_ok(unsigned len)
{
	return len >= TCPOLEN_SACK_BASE + TCPOLEN_SACK_PERBLOCK && (len - TCPOLEN_SACK_BASE) % TCPOLEN_SACK_PERBLOCK == 0;
}

/* One option; p at its kind, len its whole length, already known to lie within the header. */
static void parse_one(const struct net *net, const struct sk_buff *skb, const uint8_t *p, unsigned len, bool syn, bool estab,
		      struct tcp_options_received *opt)
{
	const struct netns_tcp *nt = net->tcp;

	switch (*p) {
	case TCPOPT_MSS:
		if (len == TCPOLEN_MSS && syn && !estab && !PROVE_BREAKS("MUST-14"))
			parse_mss(p + 2, opt);
		break;
	case TCPOPT_WINDOW:
		if (len == TCPOLEN_WINDOW && syn && !estab && nt->sysctl_tcp_window_scaling) {
			opt->wscale_ok = 1;
			opt->snd_wscale = MIN(p[2], TCP_MAX_WSCALE) & 0xf;
		}
		break;
	case TCPOPT_TIMESTAMP:
		if (len == TCPOLEN_TIMESTAMP && (estab ? opt->tstamp_ok : nt->sysctl_tcp_timestamps))
			parse_timestamp(p + 2, opt);
		break;
	case TCPOPT_SACK_PERM:
		if (len == TCPOLEN_SACK_PERM && syn && !estab && nt->sysctl_tcp_sack) {
			opt->sack_ok = TCP_SACK_SEEN;
			opt->num_sacks = 0;
			opt->dsack = 0;
		}
		break;
	case TCPOPT_SACK:
		if (sack_length_ok(len) && opt->sack_ok)
			TCP_SKB_CB(skb)->sacked = (uint8_t)(p - skb_transport_header(skb));
		break;
	}
}

void tcp_parse_options(const struct net *net, const struct sk_buff *skb, struct tcp_options_received *opt, bool estab)
{
	const struct tcphdr *th = tcp_hdr(skb);
	const uint8_t *p = (const uint8_t *)(th + 1), *end = (const uint8_t *)th + tcp_hdrlen_of(th);
	bool syn = th->flags & TCPHDR_SYN;

	opt->saw_tstamp = 0;
	while (p < end && *p != TCPOPT_EOL) {
		if (*p == TCPOPT_NOP && !PROVE_BREAKS("MUST-4") && !(PROVE_BREAKS("MUST-64") && (end - p) % 4 == 0)) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			return;
		if (PROVE_BREAKS("MUST-6") && *p > TCPOPT_TIMESTAMP)
			return;
		parse_one(net, skb, p, p[1], syn, estab, opt);
		p += p[1];
	}
}

bool tcp_parse_aligned_timestamp(struct tcp_sock *tp, const struct tcphdr *th)
{
	const uint8_t *p = (const uint8_t *)(th + 1);

	if (get_be32(p) != TCPOPT_TSTAMP_WORD)
		return false;
	parse_timestamp(p + 4, &tp->rx_opt);
	if (tp->rx_opt.rcv_tsecr)
		tp->rx_opt.rcv_tsecr -= tp->tsoffset;
	return true;
}

bool tcp_fast_parse_options(struct sock *sk, const struct sk_buff *skb, const struct tcphdr *th)
{
	struct tcp_sock *tp = tcp_sk(sk);
	unsigned len = tcp_hdrlen_of(th);

	if (len == sizeof(*th)) {
		tp->rx_opt.saw_tstamp = 0;
		return false;
	}
	if (tp->rx_opt.tstamp_ok && len == sizeof(*th) + TCPOLEN_TSTAMP_ALIGNED && tcp_parse_aligned_timestamp(tp, th))
		return true;
	tcp_parse_options(sk->sk_net, skb, &tp->rx_opt, true);
	if (tp->rx_opt.saw_tstamp && tp->rx_opt.rcv_tsecr)
		tp->rx_opt.rcv_tsecr -= tp->tsoffset;
	return tp->rx_opt.saw_tstamp;
}

/* Instance seconds, never 0, which stands for "no time". */
uint32_t tcp_now_s(const struct tcp_sock *tp)
{
	uint64_t now_ns = ((const struct sock *)tp)->sk_net->now_ns;

	return (uint32_t)(now_ns / NSEC_PER_SEC) + 1;
}

void tcp_store_ts_recent(struct tcp_sock *tp)
{
	tp->rx_opt.ts_recent = tp->rx_opt.rcv_tsval;
	tp->rx_opt.ts_recent_stamp_s = tcp_now_s(tp);
}

/* RFC 7323 5.3 R1: acceptable, with `window` ticks of tolerance; TS.Recent lapses after 24 days of silence (5.5). */
bool tcp_paws_check(const struct tcp_sock *tp, uint32_t window)
{
	const struct tcp_options_received *opt = &tp->rx_opt;

	if ((int32_t)(opt->ts_recent - opt->rcv_tsval) <= (int32_t)window)
		return true;
	if (tcp_now_s(tp) - opt->ts_recent_stamp_s >= TCP_PAWS_24DAYS_S)
		return true;
	return !opt->ts_recent; /* a peer may have sent 0 in its SYN */
}

void tcp_replace_ts_recent(struct tcp_sock *tp, uint32_t seq)
{
	/* 4.3: only of the segment that carries the next byte to be acknowledged, so that delayed ACKs are timed from the first. */
	if (tp->rx_opt.saw_tstamp && !seq_after(seq, tp->rcv_wup) && tcp_paws_check(tp, 0))
		tcp_store_ts_recent(tp);
}
