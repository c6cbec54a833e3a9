/* SPDX-License-Identifier: MIT */
/*
 * ip_options.c - IPv4 options: checked, recorded into, built into a header, echoed, kept for fragments.
 *
 * Options are rare, so nothing about them is cached with a packet: they are parsed again where they are needed.  Recording (record
 * route, timestamp) happens where the address is known: on delivery for packets to us, on forwarding for others, in ip_options_build() for
 * our own.  Packets with a source route are dropped (accept_source_route = 0, Linux's default; RFC 7126); sending them is possible.
 *
 * RFC 791 section 3.1, RFC 781 (timestamp), RFC 1122 section 3.2.1.8, RFC 2113 (router alert).
 */
#include "ip/ip_internal.h"
#include "wire/icmp.h"

enum { TS_TSONLY = 0, TS_TSANDADDR = 1, TS_PRESPEC = 3, COPIED = 0x80 };

static unsigned fault_at(unsigned offset)
{
	return offset + 1;
}

/* o: the option, at offset `at`; 0 or where its fault is, plus 1. */
static unsigned check_srr(const uint8_t *o, unsigned at, bool for_sending)
{
	if (o[1] < 3)
		return fault_at(at + 1);
	if (o[2] < 4)
		return fault_at(at + 2);
	if (for_sending && (o[2] != 4 || o[1] < 7 || ((o[1] - 3) & 3)))
		return fault_at(at + 1);
	return 0;
}

static unsigned check_rr(const uint8_t *o, unsigned at)
{
	if (o[1] < 3)
		return fault_at(at + 1);
	if (o[2] < 4 || (o[2] <= o[1] && o[2] + 3u > o[1]))
		return fault_at(at + 2);
	return 0;
}

static unsigned check_ts(const uint8_t *o, unsigned at)
{
	if (o[1] < 4)
		return fault_at(at + 1);
	if (o[2] < 5)
		return fault_at(at + 2);
	if (o[2] > o[1]) /* full: the overflow counter must have room */
		return o[3] >> 4 == 15 ? fault_at(at + 3) : 0;
	switch (o[3] & 0xf) {
	case TS_TSONLY:
		return o[2] + 3u > o[1] ? fault_at(at + 2) : 0;
	case TS_TSANDADDR:
	case TS_PRESPEC:
		return o[2] + 7u > o[1] ? fault_at(at + 2) : 0;
	default:
		return fault_at(at + 3);
	}
}

unsigned ip_options_check(uint8_t *opts, unsigned len, bool for_sending, struct ip_options_pos *pos)
{
	*pos = (struct ip_options_pos){IPOPT_ABSENT, IPOPT_ABSENT, IPOPT_ABSENT, false};
	for (unsigned at = 0; at < len; ) {
		uint8_t *o = opts + at, *where = NULL;
		unsigned fault = 0;

		if (o[0] == IPOPT_EOL) {
			memset(o, IPOPT_EOL, len - at);
			return 0;
		}
		if (o[0] == IPOPT_NOP) {
			at++;
			continue;
		}
		if (len - at < 2 || o[1] < 2 || o[1] > len - at)
			return fault_at(at);
		if (PROVE_BREAKS("MUST-50") && o[0] == 30)
			return fault_at(at);
		switch (o[0]) {
		case IPOPT_LSRR:
		case IPOPT_SSRR:
			fault = check_srr(o, at, for_sending);
			where = &pos->srr;
			break;
		case IPOPT_RR:
			fault = check_rr(o, at);
			where = &pos->rr;
			break;
		case IPOPT_TS:
			fault = check_ts(o, at);
			where = &pos->ts;
			break;
		case IPOPT_RTRALERT:
			if (o[1] < 4)
				fault = fault_at(at + 1);
			else if (!o[2] && !o[3])
				pos->router_alert = true;
			break;
		}
		if (where && *where != IPOPT_ABSENT)
			return fault_at(at); /* each at most once */
		if (fault)
			return fault;
		if (where)
			*where = (uint8_t)at;
		at += o[1];
	}
	return 0;
}

/* Milliseconds since midnight UT (RFC 781). */
static uint32_t midnight_ms(struct net *net)
{
	return (uint32_t)(net->env.realtime_ns(net->env.ctx) / NSEC_PER_MSEC % 86400000);
}

static void record_ts(struct net *net, uint8_t *o, be32 addr)
{
	uint8_t *slot = o + o[2] - 1;
	be32 specified;

	if (o[2] > o[1]) {
		o[3] = (uint8_t)((o[3] & 0xf) | (((o[3] >> 4) + 1) << 4));
		return;
	}
	switch (o[3] & 0xf) {
	case TS_TSANDADDR:
		memcpy(slot, &addr, 4);
		slot += 4;
		break;
	case TS_PRESPEC: /* only who is named writes */
		memcpy(&specified, slot, 4);
		if (inet_addr_type(net, specified) != RTN_LOCAL)
			return;
		slot += 4;
		break;
	}
	put_be32(slot, midnight_ms(net));
	o[2] = (uint8_t)(slot + 4 - o + 1);
}

bool ip_options_record(struct net *net, uint8_t *opts, const struct ip_options_pos *pos, be32 addr)
{
	if (pos->rr != IPOPT_ABSENT) {
		uint8_t *o = opts + pos->rr;
		if (o[2] <= o[1]) {
			memcpy(o + o[2] - 1, &addr, 4);
			o[2] = (uint8_t)(o[2] + 4);
		}
	}
	if (pos->ts != IPOPT_ABSENT)
		record_ts(net, opts + pos->ts, addr);
	return pos->rr != IPOPT_ABSENT || pos->ts != IPOPT_ABSENT;
}

static uint8_t *header_options(struct sk_buff *skb)
{
	return (uint8_t *)(ip_hdr(skb) + 1);
}

bool ip_rcv_options(struct sk_buff *skb)
{
	struct net *net = skb->net;
	unsigned len = ip_hdrlen(skb) - (unsigned)sizeof(struct iphdr), fault;
	struct ip_options_pos pos;

	if (skb_cow_head(skb, skb_headroom(skb))) {
		NET_INC_STATS(net, IpInDiscards);
		skb_drop(skb, SKB_DROP_REASON_NOMEM);
		return false;
	}
	IPCB(skb)->optlen = (uint8_t)len;
	fault = ip_options_check(header_options(skb), len, false, &pos);
	if (fault) {
		NET_INC_STATS(net, IpInHdrErrors);
		icmp_send(skb, ICMP_PARAMETERPROB, 0, (uint32_t)(sizeof(struct iphdr) + fault - 1) << 24);
		skb_drop(skb, SKB_DROP_REASON_IP_INHDR);
		return false;
	}
	if (pos.srr != IPOPT_ABSENT) {
		skb_drop(skb, SKB_DROP_REASON_IP_INHDR);
		return false;
	}
	if ((skb_rtable(skb)->rt_flags & RTCF_LOCAL) && ip_options_record(net, header_options(skb), &pos, fib_compute_spec_dst(skb)))
		ip_send_check(ip_hdr(skb));
	return true;
}

void ip_forward_options(struct sk_buff *skb)
{
	struct ip_options_pos pos;

	if (ip_options_check(header_options(skb), IPCB(skb)->optlen, false, &pos))
		return;
	be32 addr = inet_select_addr(skb->net, skb->dst->dev, rt_nexthop(skb_rtable(skb), ip_hdr(skb)->daddr), RT_SCOPE_UNIVERSE);
	if (ip_options_record(skb->net, header_options(skb), &pos, addr))
		ip_send_check(ip_hdr(skb));
}

void ip_options_build(struct net *net, struct iphdr *iph, const struct ip_options_data *opt, be32 daddr, be32 saddr)
{
	uint8_t *o = (uint8_t *)(iph + 1);
	struct ip_options_pos pos;

	memcpy(o, opt->data, opt->optlen);
	iph->ihl = (5u + opt->optlen / 4u) & 0xf;
	if (ip_options_check(o, opt->optlen, false, &pos))
		return;
	if (pos.srr != IPOPT_ABSENT)
		memcpy(o + pos.srr + o[pos.srr + 1] - 4, &daddr, 4);
	ip_options_record(net, o, &pos, saddr);
}

void ip_options_fragment(struct iphdr *iph)
{
	uint8_t *o = (uint8_t *)(iph + 1);
	unsigned len = iph->ihl * 4u - (unsigned)sizeof(*iph);

	for (unsigned at = 0; at < len && o[at] != IPOPT_EOL; ) {
		if (o[at] == IPOPT_NOP) {
			at++;
			continue;
		}
		if (len - at < 2 || o[at + 1] < 2 || o[at + 1] > len - at)
			return;
		unsigned optlen = o[at + 1];
		if (!(o[at] & COPIED))
			memset(o + at, IPOPT_NOP, optlen);
		at += optlen;
	}
}

static void echo_one(struct ip_options_data *dopt, const uint8_t *o)
{
	if (dopt->optlen + o[1] > IP_OPTIONS_MAX)
		return;
	memcpy(dopt->data + dopt->optlen, o, o[1]);
	dopt->optlen = (uint8_t)(dopt->optlen + o[1]);
}

void ip_options_echo(struct ip_options_data *dopt, const struct sk_buff *skb)
{
	uint8_t opts[IP_OPTIONS_MAX];
	unsigned len = ip_hdrlen(skb) - (unsigned)sizeof(struct iphdr);
	struct ip_options_pos pos;

	*dopt = (struct ip_options_data){0};
	if (likely(!len))
		return;
	memcpy(opts, ip_hdr(skb) + 1, len);
	if (ip_options_check(opts, len, false, &pos))
		return;
	if (pos.rr != IPOPT_ABSENT)
		echo_one(dopt, opts + pos.rr);
	if (pos.ts != IPOPT_ABSENT)
		echo_one(dopt, opts + pos.ts);
	while (dopt->optlen & 3)
		dopt->data[dopt->optlen++] = IPOPT_EOL;
}

int ip_options_parse(const void *data, size_t len, struct ip_options_data *opt)
{
	struct ip_options_pos pos;

	*opt = (struct ip_options_data){0};
	memcpy(opt->data, data, len);
	opt->optlen = (uint8_t)ALIGN_UP(len, (size_t)4);
	if (ip_options_check(opt->data, opt->optlen, true, &pos))
		return -EINVAL;
	if (pos.srr != IPOPT_ABSENT) { /* the first hop is where the packet is sent; the rest moves up */
		uint8_t *o = opt->data + pos.srr;
		memcpy(&opt->faddr, o + 3, 4);
		memmove(o + 3, o + 7, o[1] - 7u);
		memset(o + o[1] - 4, 0, 4);
	}
	return 0;
}

int ip_options_get(struct net *net, const void *data, size_t len, struct ip_options_data **res)
{
	struct ip_options_data opt;

	*res = NULL;
	if (len > IP_OPTIONS_MAX)
		return -EINVAL;
	if (!len)
		return 0;
	if (ip_options_parse(data, len, &opt))
		return -EINVAL;
	*res = net_alloc(net, sizeof(opt), MEM_NORMAL);
	if (!*res)
		return -ENOMEM;
	**res = opt;
	return 0;
}

unsigned ip_options_undo(const struct ip_options_data *opt, uint8_t out[IP_OPTIONS_MAX])
{
	struct ip_options_pos pos;

	memcpy(out, opt->data, opt->optlen);
	if (opt->faddr && !ip_options_check(out, opt->optlen, false, &pos) && pos.srr != IPOPT_ABSENT) {
		uint8_t *o = out + pos.srr;
		memmove(o + 7, o + 3, o[1] - 7u);
		memcpy(o + 3, &opt->faddr, 4);
	}
	return opt->optlen;
}
