/* SPDX-License-Identifier: MIT */
/*
 * ip_fragment.c - a packet larger than the MTU becomes several, each its own skb (I4), or is refused (DF).
 *
 * Payload that lies in frags is shared by the fragments, one more reference each; only what lies in the linear area (or in more pieces than an
 * skb can hold) is copied, and counted in net->copied.fragment.  Options go into later fragments by their copied flag; the header keeps its
 * length.  DF is not set in fragments.
 *
 * Called by ip_finish_output() and ip_forward()'s way out; calls `output` for each piece.  RFC 791 section 3.2, RFC 1191 section 4.
 */
#include "ip/ip_internal.h"
#include "wire/icmp.h"

/* Of the n bytes from off on: how many must lie linear in a fragment, the rest being in few enough frags to be shared. */
static unsigned bytes_to_copy(const struct sk_buff *skb, unsigned off, unsigned n)
{
	const struct skb_shared_info *si = skb_shinfo(skb);
	unsigned headlen = skb_headlen(skb), end = headlen, pieces = 0;

	for (unsigned i = 0; i < si->nr_frags; i++) {
		unsigned start = end;
		end += si->frags[i].len;
		pieces += start < off + n && end > off;
	}
	if (off + n > end || pieces > MAX_SKB_FRAGS)
		return n;
	return off < headlen ? MIN(n, headlen - off) : 0;
}

/* Adds the n bytes from off on, all in skb's frags, to frag. */
static void share_range(struct sk_buff *frag, const struct sk_buff *skb, unsigned off, unsigned n)
{
	const struct skb_shared_info *si = skb_shinfo(skb);

	off -= skb_headlen(skb);
	for (unsigned i = 0; n && i < si->nr_frags; i++) {
		const struct skb_frag *f = &si->frags[i];
		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		unsigned take = MIN(n, f->len - off);
		frag_owner_get(f->owner);
		skb_add_frag(frag, f->addr + off, take, f->owner);
		frag->truesize += take;
		off = 0;
		n -= take;
	}
}

static void copy_metadata(struct sk_buff *frag, const struct sk_buff *skb, unsigned hlen)
{
	frag->pkt_type = skb->pkt_type;
	frag->priority = skb->priority;
	frag->protocol = skb->protocol;
	frag->mark = skb->mark;
	frag->dev = skb->dev;
	frag->skb_iif = skb->skb_iif;
	frag->dst = dst_hold(skb->dst);
	frag->hash = skb->hash;
	frag->queue_mapping = skb->queue_mapping;
	frag->skb_mstamp_ns = skb->skb_mstamp_ns;
	frag->rerouted = skb->rerouted;
	frag->trace_cookie = skb->trace_cookie;
	frag->trace_seq = skb->trace_seq;
	frag->trace_end = skb->trace_end;
	frag->trace_rx_id = skb->trace_rx_id;
	*IPCB(frag) = (struct inet_skb_parm){.iif = IPCB(skb)->iif, .flags = IPCB(skb)->flags, .optlen = IPCB(skb)->optlen};
	skb_reset_network_header(frag);
	skb_set_transport_header(frag, (int)hlen);
}

/* The n bytes of payload from off on behind a copy of the header.  NULL: no memory. */
static struct sk_buff *make_fragment(struct sk_buff *skb, unsigned hlen, unsigned off, unsigned n)
{
	unsigned linear = bytes_to_copy(skb, off, n);
	struct sk_buff *frag = alloc_skb(skb->net, LL_RESERVED_SPACE(skb->dst->dev), hlen + linear, 0);

	if (!frag)
		return NULL;
	memcpy(skb_put(frag, hlen), skb_network_header(skb), hlen);
	if (linear) {
		skb_copy_bits(skb, off, skb_put(frag, linear), linear);
		skb->net->copied.fragment += linear;
	}
	if (linear < n)
		share_range(frag, skb, off + linear, n - linear);
	copy_metadata(frag, skb, hlen);
	if (skb->sk)
		skb_set_owner_w(frag, skb->sk);
	return frag;
}

/* The first fragment's header and those behind it differ in offset, flags, length and options. */
static void finish_header(struct sk_buff *frag, unsigned offset, bool more, bool first)
{
	struct iphdr *iph = ip_hdr(frag);
	unsigned field = offset >> 3;

	if (more)
		field |= IP_MF;
	if (IPCB(frag)->flags & IPSKB_FRAG_PMTU)
		field |= IP_DF;
	if (!first && iph->ihl > 5)
		ip_options_fragment(iph);
	iph->frag_off = cpu_to_be16((uint16_t)field);
	iph->tot_len = cpu_to_be16((uint16_t)frag->len);
	ip_send_check(iph);
}

static int do_fragment(struct net *net, struct sock *sk, struct sk_buff *skb, unsigned mtu, ip_output_fn output)
{
	const unsigned hlen = ip_hdrlen(skb);
	const unsigned field = be16_to_cpu(ip_hdr(skb)->frag_off);
	unsigned offset = (field & IP_OFFSET) << 3, off = hlen, left = skb->len - hlen;
	int err = 0;

	if (mtu < hlen + 8)
		return -EMSGSIZE;
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		err = skb_checksum_help(skb);
	if (!err && !pskb_may_pull(skb, hlen))
		err = -ENOMEM;
	while (left && !err) {
		unsigned n = left > mtu - hlen ? (mtu - hlen) & ~7u : left;
		struct sk_buff *frag = make_fragment(skb, hlen, off, n);
		if (!frag)
			return -ENOMEM;
		left -= n;
		if (off == hlen) { /* it is the first whose stations are told */
			skb_shinfo(frag)->tx_flags = skb_shinfo(skb)->tx_flags;
			skb_shinfo(frag)->tskey = skb_shinfo(skb)->tskey;
		}
		finish_header(frag, offset, left || (field & IP_MF), off == hlen);
		off += n;
		offset += n;
		NET_INC_STATS(net, IpFragCreates);
		err = net_xmit_eval(output(net, sk, frag));
	}
	return err;
}

int ip_fragment(struct net *net, struct sock *sk, struct sk_buff *skb, unsigned mtu, ip_output_fn output)
{
	const unsigned frag_max = IPCB(skb)->frag_max_size;

	trace_skb(skb, TP_ip_fragment);
	if (unlikely(((ip_hdr(skb)->frag_off & CPU_TO_BE16(IP_DF)) && !skb->ignore_df && skb->len > mtu) || frag_max > mtu)) {
		NET_INC_STATS(net, IpFragFails);
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu);
		skb_drop(skb, SKB_DROP_REASON_PKT_TOO_BIG);
		return -EMSGSIZE;
	}
	if (frag_max)
		mtu = MIN(mtu, frag_max);
	if (skb->len <= mtu)
		return output(net, sk, skb);
	int err = do_fragment(net, sk, skb, mtu, output);
	if (err) {
		NET_INC_STATS(net, IpFragFails);
		skb_drop(skb, err == -ENOMEM ? SKB_DROP_REASON_NOMEM : SKB_DROP_REASON_PKT_TOO_BIG);
		return err;
	}
	NET_INC_STATS(net, IpFragOKs);
	skb_consume(skb);
	return 0;
}
