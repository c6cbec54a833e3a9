/* SPDX-License-Identifier: MIT */
/*
 * tcp_offload.c - super-segments of TCP over IPv4: cutting them in software (T5) and merging received segments (GRO).
 *
 * Cutting: skb_segment() makes the pieces with copies of all headers; here each gets its sequence number, flags and checksum.  FIN and PSH belong to
 * the last piece, CWR to the first (RFC 3168 6.1.2).  The checksum stays partial where the device can complete it.
 *
 * Merging: a segment joins the held one of its flow when it continues it exactly (next sequence number, same ACK and options, no flag of
 * its own but PSH and FIN) and is no longer than the segments before it; so the result, cut again at gso_size, is what came in.  A shorter one, or one
 * with a flag, is the last.  Called by ip/ (net_offload) from dev/gso.c and dev/gro.c; checksums are verified before anything is merged.
 */
#include "dev/gro.h"
#include "ip/protocol.h"
#include "tcp/tcp_internal.h"

/* --- cutting ------------------------------------------------------------------------------------------------------------------- */

/* A folded, not complemented sum after a 16-bit word of what it covers changed from `from` to `to`. */
static uint16_t adjust_pseudo_len(uint16_t sum, uint32_t from, uint32_t to)
{
	csum32 s = csum_sub(sum, (csum32)cpu_to_be16((uint16_t)from));

	return (uint16_t)~csum_fold(csum_add(s, (csum32)cpu_to_be16((uint16_t)to)));
}

/* The super-segment's checksum was computed in full (it was forwarded, or the route's device lacked the feature): back to partial. */
static void make_partial(struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);

	tcp_hdr(skb)->check = (uint16_t)~csum_tcpudp_magic(iph->saddr, iph->daddr, skb->len, IPPROTO_TCP, 0);
	skb->csum_start = skb->transport_header;
	skb->csum_offset = offsetof(struct tcphdr, check);
	skb->ip_summed = CHECKSUM_PARTIAL;
}

static void mend_segment(struct sk_buff *seg, uint32_t seq, uint8_t clear, uint16_t check)
{
	struct tcphdr *th = tcp_hdr(seg);

	th->seq = cpu_to_be32(seq);
	th->flags &= (uint8_t)~clear;
	th->check = check;
}

static struct sk_buff *tcp4_gso_segment(struct sk_buff *skb, uint32_t features, int *err)
{
	struct sk_buff *segs, *seg;
	const struct tcphdr *th;
	uint32_t seq, mss = skb_shinfo(skb)->gso_size;
	unsigned hdr_len;
	uint16_t check;

	*err = -EINVAL;
	if (!pskb_may_pull(skb, sizeof(*th)))
		return NULL;
	hdr_len = tcp_hdrlen_of(tcp_hdr(skb));
	if (hdr_len < sizeof(*th) || !pskb_may_pull(skb, hdr_len))
		return NULL;
	if (unlikely(skb->ip_summed != CHECKSUM_PARTIAL))
		make_partial(skb);
	seq = be32_to_cpu(tcp_hdr(skb)->seq);
	segs = skb_segment(skb, hdr_len, features, err);
	check = adjust_pseudo_len(tcp_hdr(skb)->check, skb->len, hdr_len + mss); /* all but the last are of the same length */
	for (seg = segs; seg; seg = seg->next, seq += mss) {
		uint8_t clear = seg == segs ? 0 : TCPHDR_CWR;
		if (likely(seg->next))
			clear |= TCPHDR_FIN | TCPHDR_PSH;
		else
			check = adjust_pseudo_len(tcp_hdr(skb)->check, skb->len, seg->len - (uint32_t)skb_transport_offset(seg));
		mend_segment(seg, seq, clear, check);
	}
	return segs;
}

/* --- merging --------------------------------------------------------------------------------------------------------------------- */

static inline bool sum_is_good(const struct sk_buff *skb, const struct iphdr *iph, unsigned off)
{
	uint32_t len = skb->len - off;

	return !csum_tcpudp_magic(iph->saddr, iph->daddr, len, IPPROTO_TCP, skb_checksum(skb, off, len, 0));
}

static inline bool segment_sum_is_good(const struct gro_segment *seg, const struct iphdr *iph)
{
	uint32_t hdr = seg->header_len - (uint32_t)sizeof(*iph); /* even: the payload's words lie as in the packet */
	csum32 sum = csum_partial(seg->payload, seg->payload_len, csum_partial(seg->header + sizeof(*iph), hdr, 0));

	return !csum_tcpudp_magic(iph->saddr, iph->daddr, hdr + seg->payload_len, IPPROTO_TCP, sum);
}

static bool checksum_is_good(struct sk_buff *skb, unsigned off)
{
	if (skb_csum_vouched(skb) || NAPI_GRO_CB(skb)->csum_ok)
		return true;
	return NAPI_GRO_CB(skb)->csum_ok = sum_is_good(skb, ip_hdr(skb), off);
}

static bool same_ports(const struct tcphdr *a, const struct tcphdr *b) { return a->source == b->source && a->dest == b->dest; }

/* The held packet of this flow; those of other flows lose same_flow. */
static struct sk_buff *find_held(struct napi_struct *napi, const struct tcphdr *th)
{
	struct sk_buff *p, *found = NULL;

	for (p = napi->gro_list; p; p = p->next) {
		if (!NAPI_GRO_CB(p)->same_flow)
			continue;
		if (same_ports(th, tcp_hdr(p)))
			found = p;
		else
			NAPI_GRO_CB(p)->same_flow = false;
	}
	return found;
}

/* Payload bytes held; hdr: bytes of headers from data on, the same for both. */
static uint32_t held_payload(const struct sk_buff *p, unsigned hdr) { return p->len - hdr; }

/* Bytes per segment of the held packet so far: the first one's. */
static uint32_t held_mss(const struct sk_buff *p, unsigned hdr)
{
	return skb_is_gso(p) ? skb_shinfo(p)->gso_size : held_payload(p, hdr);
}

/* TCPOLEN_TSTAMP_ALIGNED bytes of options, as two words that overlap: without a call. */
static inline bool same_timestamps(const uint8_t *x, const uint8_t *y)
{
	return !memcmp(x, y, 8) && !memcmp(x + TCPOLEN_TSTAMP_ALIGNED - 8, y + TCPOLEN_TSTAMP_ALIGNED - 8, 8);
}

static inline bool continues(const struct sk_buff *p, const struct tcphdr *th, unsigned hdr, uint32_t payload)
{
	const struct tcphdr *held = tcp_hdr(p);
	const uint8_t may_differ = TCPHDR_CWR | TCPHDR_FIN | TCPHDR_PSH;
	unsigned hdr_len = tcp_hdrlen_of(th);

	if (NAPI_GRO_CB(p)->flush || (th->flags & TCPHDR_CWR) || ((th->flags ^ held->flags) & (uint8_t)~may_differ))
		return false;
	if (th->ack_seq != held->ack_seq || th->doff_res != held->doff_res || payload - 1 >= held_mss(p, hdr)) /* empty ones neither */
		return false;
	if (be32_to_cpu(held->seq) + held_payload(p, hdr) != be32_to_cpu(th->seq))
		return false;
	if (likely(hdr_len == sizeof(*th) + TCPOLEN_TSTAMP_ALIGNED))
		return same_timestamps((const uint8_t *)(th + 1), (const uint8_t *)(held + 1));
	return !memcmp(th + 1, held + 1, hdr_len - sizeof(*th));
}

/* The TCP header at the offset that IP left, whole and within the linear area; NULL. */
static struct tcphdr *gro_header(struct sk_buff *skb)
{
	unsigned off = NAPI_GRO_CB(skb)->data_offset, hdr_len;

	if (!pskb_may_pull(skb, off + (unsigned)sizeof(struct tcphdr)))
		return NULL;
	skb_set_transport_header(skb, (int)off);
	hdr_len = tcp_hdrlen_of(tcp_hdr(skb));
	if (hdr_len < sizeof(struct tcphdr) || !pskb_may_pull(skb, off + hdr_len))
		return NULL;
	return tcp_hdr(skb);
}

/*
 * Bulk data in one look: a full segment with timestamps and no flag but ACK, whose headers differ from those of the held one only as they must.
 * (No fragment and of five words of IP header: the held one is.)
 */
static unsigned tcp4_gro_follows(const struct sk_buff *p, const struct gro_segment *seg)
{
	enum { HDR = sizeof(struct iphdr) + sizeof(struct tcphdr) + TCPOLEN_TSTAMP_ALIGNED };
	const struct iphdr *ip0 = ip_hdr(p);
	const struct tcphdr *held = tcp_hdr(p);
	struct iphdr iph;
	struct tcphdr th;
	uint16_t step;

	if (seg->header_len != HDR || held->doff_res >> 4 != (HDR - sizeof(iph)) / 4 || seg->payload_len != held_mss(p, HDR))
		return 0;
	memcpy(&iph, seg->header, sizeof(iph)); /* wherever it lies */
	memcpy(&th, seg->header + sizeof(iph), sizeof(th));
	step = (uint16_t)(be16_to_cpu(iph.id) - be16_to_cpu(ip0->id));
	if (memcmp(&iph, ip0, 2) || be16_to_cpu(iph.tot_len) != HDR + seg->payload_len || memcmp(&iph.frag_off, &ip0->frag_off, 4) ||
	    memcmp(&iph.saddr, &ip0->saddr, 2 * sizeof(iph.saddr)) || ip_fast_csum(&iph, 5))
		return 0;
	if (step != NAPI_GRO_CB(p)->count && (step || !(iph.frag_off & CPU_TO_BE16(IP_DF))))
		return 0;
	if (memcmp(&th, held, 4) || th.ack_seq != held->ack_seq || th.doff_res != held->doff_res || th.flags != TCPHDR_ACK ||
	    held->flags != TCPHDR_ACK || be32_to_cpu(held->seq) + held_payload(p, HDR) != be32_to_cpu(th.seq) ||
	    !same_timestamps(seg->header + sizeof(iph) + sizeof(th), (const uint8_t *)(held + 1)))
		return 0;
	return seg->vouched || segment_sum_is_good(seg, &iph) ? HDR : 0;
}

static struct sk_buff *tcp4_gro_receive(struct napi_struct *napi, struct sk_buff *skb)
{
	struct napi_gro_cb *cb = NAPI_GRO_CB(skb);
	const uint8_t last_flags = TCPHDR_URG | TCPHDR_PSH | TCPHDR_RST | TCPHDR_SYN | TCPHDR_FIN;
	const struct tcphdr *th = gro_header(skb);
	struct sk_buff *p;
	uint32_t payload, mss = 1;
	unsigned hdr;
	uint8_t flags;

	if (unlikely(!th || !checksum_is_good(skb, cb->data_offset))) {
		cb->flush = true;
		return NULL;
	}
	flags = th->flags;
	hdr = cb->data_offset + tcp_hdrlen_of(th);
	payload = skb->len - hdr;
	p = find_held(napi, th);
	if (p && !cb->flush && continues(p, th, hdr, payload)) {
		mss = held_mss(p, hdr);
		if (likely(!skb_gro_merge(p, skb, hdr))) {
			tcp_hdr(p)->flags |= flags & (TCPHDR_FIN | TCPHDR_PSH);
			return payload < mss || (flags & last_flags) ? p : NULL;
		}
	}
	/* Not merged: what is held of this flow goes first.  Nothing can follow an empty segment or one that ends a run. */
	if (!payload || (flags & last_flags))
		cb->flush = true;
	if (cb->data_offset == sizeof(struct iphdr))
		cb->follows = tcp4_gro_follows;
	return p;
}

static void tcp4_gro_complete(struct sk_buff *skb, unsigned thoff)
{
	const struct iphdr *iph = ip_hdr(skb);
	struct tcphdr *th = (struct tcphdr *)(void *)(skb->data + thoff);

	skb_set_transport_header(skb, (int)thoff);
	th->check = (uint16_t)~csum_tcpudp_magic(iph->saddr, iph->daddr, skb->len - thoff, IPPROTO_TCP, 0);
	skb->csum_start = skb->transport_header;
	skb->csum_offset = offsetof(struct tcphdr, check);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb_shinfo(skb)->gso_type = SKB_GSO_TCPV4 | (th->flags & TCPHDR_CWR ? SKB_GSO_TCP_ECN : 0);
}

const struct net_offload tcpv4_offload = {
	.gso_segment = tcp4_gso_segment,
	.gro_receive = tcp4_gro_receive,
	.gro_complete = tcp4_gro_complete,
};
