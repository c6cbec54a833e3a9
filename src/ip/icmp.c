/* SPDX-License-Identifier: MIT */
/*
 * icmp.c - ICMP messages that we send: errors about packets (icmp_send), and the answers that icmp_rcv.c asks for (I5).
 *
 * Errors are limited twice: over all destinations by a token bucket (msgs_per_sec, msgs_burst; a message takes 0 to 2 tokens at random, so
 * that nobody can count the errors sent to others), and for each destination to one in ratelimit ms with a burst of six.  Only types in
 * ratemask are limited; "fragmentation needed" never is, path MTU discovery needs it; nor what goes to ourselves.
 *
 * Never answered with an error (RFC 1122 3.2.2): ICMP errors, broadcast and multicast (of link or network), fragments but the first, sources
 * that are not one host.  Called by all of ip/ and the transports.  RFC 792, RFC 1812 section 4.3.2.
 */
#include "ip/ip_internal.h"
#include "wire/icmp.h"

#ifndef ENONET
#define ENONET EHOSTUNREACH
#endif
#ifndef EHOSTDOWN
#define EHOSTDOWN EHOSTUNREACH
#endif

enum {
	QUOTED_MAX = 576,        /* bytes of an error, IP header included (RFC 1812 4.3.2.3) */
	PEER_BURST = 6,
};

struct icmp_state {
	uint64_t last_ns;        /* when the tokens were counted */
	uint64_t tokens_milli;   /* thousandths of a message */
};

const struct icmp_err icmp_err_convert[16] = {
	[ICMP_NET_UNREACH] = {ENETUNREACH, false},
	[ICMP_HOST_UNREACH] = {EHOSTUNREACH, false},
	[ICMP_PROT_UNREACH] = {ENOPROTOOPT, true},
	[ICMP_PORT_UNREACH] = {ECONNREFUSED, true},
	[ICMP_FRAG_NEEDED] = {EMSGSIZE, false},
	[ICMP_SR_FAILED] = {EOPNOTSUPP, false},
	[ICMP_NET_UNKNOWN] = {ENETUNREACH, true},
	[ICMP_HOST_UNKNOWN] = {EHOSTDOWN, true},
	[ICMP_HOST_ISOLATED] = {ENONET, true},
	[ICMP_NET_ANO] = {ENETUNREACH, true},
	[ICMP_HOST_ANO] = {EHOSTUNREACH, true},
	[ICMP_NET_UNR_TOS] = {ENETUNREACH, false},
	[ICMP_HOST_UNR_TOS] = {EHOSTUNREACH, false},
	[ICMP_PKT_FILTERED] = {EHOSTUNREACH, true},
	[ICMP_PREC_VIOLATION] = {EHOSTUNREACH, true},
	[ICMP_PREC_CUTOFF] = {EHOSTUNREACH, true},
};

/* --- rate limits -------------------------------------------------------------------------------------------------- */

static bool is_limited(const struct net *net, uint8_t type, uint8_t code)
{
	if (type > NR_ICMP_TYPES || (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED))
		return false;
	return (uint32_t)net->ipv4->sysctl_icmp_ratemask & 1u << type;
}

static bool global_allow(struct net *net)
{
	struct icmp_state *st = net->ipv4->priv->icmp;
	const uint64_t rate = (uint64_t)net->ipv4->sysctl_icmp_msgs_per_sec, burst = (uint64_t)net->ipv4->sysctl_icmp_msgs_burst * 1000;
	uint64_t ms = MIN((net->now_ns - st->last_ns) / NSEC_PER_MSEC, UINT64_C(1000));

	if (ms) {
		st->tokens_milli = MIN(st->tokens_milli + ms * rate, burst);
		st->last_ns = net->now_ns;
	}
	if (st->tokens_milli < 1000) {
		NET_INC_STATS(net, IcmpOutRateLimitGlobal);
		return false;
	}
	uint64_t cost = UINT64_C(1000) * net_random_below(net, 3);
	st->tokens_milli -= MIN(cost, st->tokens_milli);
	return true;
}

static bool peer_allow(struct net *net, be32 daddr)
{
	struct inet_peer *peer = inet_getpeer(net, daddr);
	const uint64_t interval = (uint64_t)net->ipv4->sysctl_icmp_ratelimit_ms * NSEC_PER_MSEC, full = interval * PEER_BURST;
	uint64_t passed = net->now_ns - peer->rate_last_ns;

	if (!interval)
		return true;
	peer->rate_tokens_ns = peer->rate_tokens_ns > full || passed > full ? full : MIN(peer->rate_tokens_ns + passed, full);
	peer->rate_last_ns = net->now_ns;
	if (peer->rate_tokens_ns < interval) {
		NET_INC_STATS(net, IcmpOutRateLimitHost);
		return false;
	}
	peer->rate_tokens_ns -= interval;
	return true;
}

/* --- sending ------------------------------------------------------------------------------------------------------- */

static void count_out(struct net *net, uint8_t type)
{
	NET_INC_STATS(net, IcmpOutMsgs);
	switch (type) {
	case ICMP_ECHOREPLY:
		NET_INC_STATS(net, IcmpOutEchoReps);
		break;
	case ICMP_DEST_UNREACH:
		NET_INC_STATS(net, IcmpOutDestUnreachs);
		break;
	case ICMP_TIME_EXCEEDED:
		NET_INC_STATS(net, IcmpOutTimeExcds);
		break;
	case ICMP_PARAMETERPROB:
		NET_INC_STATS(net, IcmpOutParmProbs);
		break;
	case ICMP_TIMESTAMPREPLY:
		NET_INC_STATS(net, IcmpOutTimestampReps);
		break;
	}
}

/* n bytes of skb from offset on; a negative offset reaches headers that were pulled already. */
static void copy_body(const struct sk_buff *skb, int offset, uint8_t *buf, unsigned n)
{
	if (offset < 0) {
		unsigned before = MIN((unsigned)-offset, n);
		memcpy(buf, skb->data + offset, before);
		buf += before;
		n -= before;
		offset = 0;
	}
	if (n)
		skb_copy_bits(skb, (unsigned)offset, buf, n);
}

/* What an error quotes: as much as fits 576 bytes, or the path if that is less. */
static unsigned quoted_len(const struct rtable *rt, const struct icmp_reply *r)
{
	unsigned mtu = dst_mtu(&rt->dst), headers = (unsigned)(sizeof(struct iphdr) + sizeof(struct icmphdr)) + (r->opt ? r->opt->optlen : 0);

	mtu = MIN(mtu, (unsigned)QUOTED_MAX);
	return MIN(r->body_len, mtu - MIN(headers, mtu));
}

/* Consumes the reference of rt. */
static void push_reply(struct net *net, struct sk_buff *skb_in, const struct icmp_reply *r, struct rtable *rt, be32 saddr)
{
	unsigned len = r->quote ? quoted_len(rt, r) : r->body_len, optlen = r->opt ? r->opt->optlen : 0;
	uint32_t hop = dst_metric(&rt->dst, RTAX_HOPLIMIT);
	uint8_t ttl = (uint8_t)(hop ? hop : (uint32_t)net->ipv4->sysctl_ip_default_ttl);
	struct sk_buff *skb = alloc_skb(net, LL_RESERVED_SPACE(rt->dst.dev) + IPV4_HLEN_MAX, (unsigned)sizeof(struct icmphdr) + len, 0);

	if (!skb) {
		NET_INC_STATS(net, IcmpOutErrors);
		dst_release(&rt->dst);
		return;
	}
	skb->dst = &rt->dst;
	struct icmphdr *icmph = skb_put(skb, sizeof(*icmph) + len);
	*icmph = (struct icmphdr){.type = r->type, .code = r->code, .un.gateway = r->rest};
	if (r->body)
		memcpy(icmph + 1, r->body, len);
	else
		copy_body(skb_in, r->offset, (uint8_t *)(icmph + 1), len);
	icmph->checksum = csum_fold(csum_partial(icmph, sizeof(*icmph) + len, 0));
	skb_reset_transport_header(skb);
	*IPCB(skb) = (struct inet_skb_parm){0};
	struct iphdr *iph = ip_push_header(skb, optlen, r->tos, false, ttl, IPPROTO_ICMP, saddr, r->daddr);
	if (optlen)
		ip_options_build(net, iph, r->opt, r->daddr, saddr);
	ip_select_ident_segs(net, skb, NULL, 1);
	skb->priority = ip_tos2priority(r->tos);
	skb->mark = r->mark;
	count_out(net, r->type);
	ip_local_out(net, NULL, skb);
}

void icmp_reply(struct net *net, struct sk_buff *skb_in, struct icmp_reply *r)
{
	struct flowi fl = {.proto = IPPROTO_ICMP, .tos = r->tos, .mark = r->mark, .saddr = inet_addr_v4(r->saddr), .daddr = inet_addr_v4(r->daddr)};
	bool limited = is_limited(net, r->type, r->code);
	int err;

	if (limited && !(skb_in->dev && skb_in->dev->loopback) && !global_allow(net))
		return;
	struct rtable *rt = ip_route_output_flow(net, &fl, NULL, &err);
	if (!rt)
		return;
	if (limited && !rt->dst.dev->loopback && !peer_allow(net, r->daddr)) {
		dst_release(&rt->dst);
		return;
	}
	push_reply(net, skb_in, r, rt, fl.saddr.ip);
}

/* Is the packet itself an ICMP error (or not to be told apart from one)? */
static bool about_icmp_error(const struct sk_buff *skb, const struct iphdr *iph)
{
	uint8_t type;

	if (iph->protocol != IPPROTO_ICMP)
		return false;
	int offset = skb_network_offset(skb) + iph->ihl * 4;
	if (offset >= (int)skb->len)
		return true;
	copy_body(skb, offset, &type, 1);
	switch (type) {
	case ICMP_ECHOREPLY:
	case ICMP_ECHO:
	case ICMP_TIMESTAMP:
	case ICMP_TIMESTAMPREPLY:
	case 9: case 10: /* router discovery */
	case 15: case 16: case 17: case 18: /* information, address mask */
		return false;
	default:
		return true;
	}
}

void icmp_send(struct sk_buff *skb_in, uint8_t type, uint8_t code, uint32_t info)
{
	const struct rtable *rt = skb_rtable(skb_in);
	struct net *net = skb_in->net;
	struct ip_options_data opt = {0};

	if (!rt || skb_in->network_header == 0xffff || skb_in->pkt_type != PACKET_HOST || (rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)))
		return;
	const struct iphdr *iph = ip_hdr(skb_in);
	if ((iph->frag_off & CPU_TO_BE16(IP_OFFSET)) || about_icmp_error(skb_in, iph))
		return;
	uint8_t sender = inet_addr_type(net, iph->saddr);
	if (sender != RTN_UNICAST && sender != RTN_LOCAL)
		return;
	if (type != ICMP_PARAMETERPROB) /* bad options are not echoed */
		ip_options_echo(&opt, skb_in);
	struct icmp_reply r = {
		.type = type,
		.code = code,
		.tos = (uint8_t)((iph->tos & 0x1e) | IPTOS_PREC_INTERNETCONTROL),
		.rest = cpu_to_be32(info),
		.saddr = rt->rt_flags & RTCF_LOCAL ? iph->daddr : 0,
		.daddr = iph->saddr,
		.opt = opt.optlen ? &opt : NULL,
		.offset = skb_network_offset(skb_in),
		.body_len = skb_in->len - (unsigned)skb_network_offset(skb_in),
		.quote = true,
	};
	icmp_reply(net, skb_in, &r);
}

int icmp_init(struct net *net)
{
	struct icmp_state *st = net_zalloc(net, sizeof(*st), MEM_NORMAL);

	if (!st)
		return -ENOMEM;
	st->tokens_milli = UINT64_C(1000) * (uint64_t)net->ipv4->sysctl_icmp_msgs_burst;
	st->last_ns = net->now_ns;
	net->ipv4->priv->icmp = st;
	return 0;
}

void icmp_exit(struct net *net)
{
	net_free(net, net->ipv4->priv->icmp);
	net->ipv4->priv->icmp = NULL;
}
