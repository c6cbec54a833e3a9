/* SPDX-License-Identifier: MIT */
/*
 * icmp_rcv.c - received ICMP: echo and timestamp are answered, errors go to the transport whose packet they quote (I5).
 *
 * An error is believed only by who recognises the quoted packet as its own: raw and ping sockets, and net_protocol.err_handler.  A path
 * MTU for a protocol that has no connections to check it against is remembered only when its handler found a socket for the quoted packet;
 * TCP, which checks sequence numbers too, does that by itself (RFC 5927).  Redirects are counted and ignored.
 *
 * RFC 792, RFC 1122 section 3.2.2, RFC 1191.
 */
#include "ip/ip_internal.h"
#include "ip/raw.h"
#include "wire/icmp.h"

static struct icmphdr *icmp_hdr(const struct sk_buff *skb)
{
	return (struct icmphdr *)(void *)skb_transport_header(skb);
}

static void count_in(struct net *net, uint8_t type)
{
	static const struct { uint8_t type; uint16_t mib; } counters[] = {
		{ICMP_ECHOREPLY, MIB_IcmpInEchoReps}, {ICMP_DEST_UNREACH, MIB_IcmpInDestUnreachs}, {ICMP_SOURCE_QUENCH, MIB_IcmpInSrcQuenchs},
		{ICMP_REDIRECT, MIB_IcmpInRedirects}, {ICMP_ECHO, MIB_IcmpInEchos}, {ICMP_TIME_EXCEEDED, MIB_IcmpInTimeExcds},
		{ICMP_PARAMETERPROB, MIB_IcmpInParmProbs}, {ICMP_TIMESTAMP, MIB_IcmpInTimestamps}, {ICMP_TIMESTAMPREPLY, MIB_IcmpInTimestampReps},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(counters); i++)
		if (counters[i].type == type)
			net->mib.counter[counters[i].mib]++;
}

/* --- questions -------------------------------------------------------------------------------------------------------- */

static void answer(struct sk_buff *skb, struct icmp_reply *r)
{
	struct ip_options_data opt;

	ip_options_echo(&opt, skb);
	r->opt = opt.optlen ? &opt : NULL;
	r->tos = ip_hdr(skb)->tos;
	r->daddr = ip_hdr(skb)->saddr;
	r->saddr = fib_compute_spec_dst(skb);
	icmp_reply(skb->net, skb, r);
}

static void icmp_echo(struct sk_buff *skb)
{
	if (skb->net->ipv4->sysctl_icmp_echo_ignore_all)
		return;
	struct icmp_reply r = {.type = ICMP_ECHOREPLY, .rest = icmp_hdr(skb)->un.gateway, .offset = (int)sizeof(struct icmphdr),
			       .body_len = skb->len - (unsigned)sizeof(struct icmphdr)};
	answer(skb, &r);
}

/* Originate timestamp as it came; receive and transmit are ours, the same. */
static void icmp_timestamp(struct sk_buff *skb)
{
	struct net *net = skb->net;
	uint32_t now_ms = (uint32_t)(net->env.realtime_ns(net->env.ctx) / NSEC_PER_MSEC % 86400000);
	uint8_t times[12];

	if (skb_copy_bits(skb, sizeof(struct icmphdr), times, 4)) {
		NET_INC_STATS(net, IcmpInErrors);
		return;
	}
	put_be32(times + 4, now_ms);
	put_be32(times + 8, now_ms);
	struct icmp_reply r = {.type = ICMP_TIMESTAMPREPLY, .rest = icmp_hdr(skb)->un.gateway, .body = times, .body_len = sizeof(times)};
	answer(skb, &r);
}

/* --- errors ----------------------------------------------------------------------------------------------------------- */

/* To whom sent the quoted packet, at whose IP header skb->data stands. */
static void socket_deliver(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	struct net *net = skb->net;

	if (!pskb_may_pull(skb, ((const struct iphdr *)(const void *)skb->data)->ihl * 4u + 8)) {
		NET_INC_STATS(net, IcmpInErrors);
		return;
	}
	const struct iphdr *iph = (const struct iphdr *)(const void *)skb->data;
	const uint8_t protocol = iph->protocol;
	const be32 daddr = iph->daddr;
	raw_icmp_error(skb, protocol, type, code, info);
	const struct net_protocol *p = net->ipv4->priv->protos[protocol];
	if (!p || !p->err_handler)
		return;
	int err = p->err_handler(skb, type, code, info);
	if (!err && type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED && protocol != IPPROTO_TCP)
		ipv4_update_pmtu(net, daddr, info);
}

static void icmp_unreach(struct sk_buff *skb)
{
	struct net *net = skb->net;
	const struct icmphdr icmph = *icmp_hdr(skb);
	uint32_t info = 0;

	skb_pull(skb, sizeof(struct icmphdr));
	const struct iphdr *iph = (const struct iphdr *)(const void *)skb->data;
	if (!pskb_may_pull(skb, sizeof(*iph)))
		goto malformed;
	iph = (const struct iphdr *)(const void *)skb->data;
	if (iph->version != 4 || iph->ihl < 5)
		goto malformed;
	switch (icmph.type) {
	case ICMP_DEST_UNREACH:
		if (icmph.code > NR_ICMP_UNREACH)
			return;
		if (icmph.code == ICMP_FRAG_NEEDED) {
			if (net->ipv4->sysctl_ip_no_pmtu_disc == 2)
				return;
			info = be16_to_cpu(icmph.un.frag.mtu);
		}
		break;
	case ICMP_PARAMETERPROB:
		info = be32_to_cpu(icmph.un.gateway) >> 24;
		break;
	case ICMP_TIME_EXCEEDED:
		if (icmph.code == ICMP_EXC_FRAGTIME)
			return;
		break;
	}
	/* Errors about broadcasts are against the rules (RFC 1122 3.2.2), some routers send them all the same. */
	if (!net->ipv4->sysctl_icmp_ignore_bogus_error_responses && inet_addr_type(net, iph->daddr) == RTN_BROADCAST)
		return;
	socket_deliver(skb, icmph.type, icmph.code, info);
	return;

malformed:
	NET_INC_STATS(net, IcmpInErrors);
}

/* An error about an ICMP message of ours: an echo request by a ping socket. */
static int icmp_err(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	const struct iphdr *iph = (const struct iphdr *)(const void *)skb->data;
	const struct icmphdr *quoted = (const struct icmphdr *)(const void *)(skb->data + iph->ihl * 4);

	if (quoted->type != ICMP_ECHO)
		return -ENOENT;
	ping_err(skb, type, code, info);
	return 0;
}

/* --- reception ----------------------------------------------------------------------------------------------------------- */

static bool checksum_ok(const struct sk_buff *skb)
{
	if (skb->ip_summed == CHECKSUM_UNNECESSARY || skb->ip_summed == CHECKSUM_PARTIAL)
		return true;
	return !csum_fold(skb_checksum(skb, 0, skb->len, 0));
}

/* A broadcast or multicast ICMP message: only questions, and not those that make us an amplifier. */
static bool cast_allowed(const struct net *net, uint8_t type)
{
	if (type == ICMP_ECHO || type == ICMP_TIMESTAMP)
		return !net->ipv4->sysctl_icmp_echo_ignore_broadcasts;
	return type == 17 || type == 18; /* address mask: ignored below */
}

static int icmp_rcv(struct sk_buff *skb)
{
	struct net *net = skb->net;
	enum skb_drop_reason reason = SKB_DROP_REASON_PKT_TOO_SMALL;
	bool wanted = true;

	trace_skb(skb, TP_icmp_rcv);
	NET_INC_STATS(net, IcmpInMsgs);
	if (!checksum_ok(skb)) {
		NET_INC_STATS(net, IcmpInCsumErrors);
		reason = SKB_DROP_REASON_ICMP_CSUM;
		goto error;
	}
	if (!pskb_may_pull(skb, sizeof(struct icmphdr)))
		goto error;
	const uint8_t type = icmp_hdr(skb)->type;
	count_in(net, type);
	reason = SKB_DROP_REASON_UNHANDLED_PROTO;
	if (type > NR_ICMP_TYPES)
		goto error;
	reason = SKB_DROP_REASON_INVALID_PROTO;
	if ((skb_rtable(skb)->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) && !cast_allowed(net, type))
		goto error;
	switch (type) {
	case ICMP_ECHO:
		icmp_echo(skb);
		break;
	case ICMP_TIMESTAMP:
		icmp_timestamp(skb);
		break;
	case ICMP_ECHOREPLY:
		wanted = ping_rcv(skb);
		break;
	case ICMP_DEST_UNREACH:
	case ICMP_SOURCE_QUENCH:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETERPROB:
		icmp_unreach(skb);
		break;
	default: /* redirects, router discovery, address masks */
		break;
	}
	if (wanted)
		skb_consume(skb);
	else
		skb_drop(skb, SKB_DROP_REASON_NO_SOCKET);
	return 0;

error:
	NET_INC_STATS(net, IcmpInErrors);
	skb_drop(skb, reason);
	return 0;
}

const struct net_protocol icmp_protocol = {
	.handler = icmp_rcv,
	.err_handler = icmp_err,
	.no_policy = true,
};
