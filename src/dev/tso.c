/* SPDX-License-Identifier: MIT */
/*
 * tso.c - super-segments cut by the driver, straight into its ring (T5).
 *
 * A device that does not cut leaves two ways.  The stack's (gso.c) makes an skb of every frame, whatever the packet looks like.  Here the driver takes
 * the super-segment whole and asks for its frames one after the other: the headers of each are written to memory of the driver, the payload
 * stays where it is and is named by where it begins.  No skb is made or freed for a frame; one completion ends them all.
 *
 * Only what TCP sends in bulk is cut so: IPv4, all headers linear and nothing else, payload in frags.  The rest, and everything while somebody
 * looks at the frames one by one (a tap, the trace), goes by the stack's way, with the same bytes on the wire.
 *
 * Called by dev_xmit.c (which of the two ways) and by drivers (xmit/dev.h).  RFC 9293; RFC 6864 for the IDs; RFC 1624 for the checksums, RFC 3168 6.1.2 for CWR.
 */
#include "core/sock.h"
#include "dev/netdev_internal.h"
#include "wire/ip.h"
#include "wire/tcp.h"

static inline unsigned header_bytes(const struct sk_buff *skb)
{
	return skb->transport_header - skb_headroom(skb) + tcp_hdrlen_of((const struct tcphdr *)(const void *)skb_transport_header(skb));
}

bool tso_driver_cuts(const struct net_device *dev, const struct sk_buff *skb)
{
	const struct skb_shared_info *si = skb_shinfo(skb);

	if (!dev->cut_frames || si->gso_segs > dev->cut_frames || !(dev->features & XMIT_F_SG) || dev->tap_fn || skb->net->trace.on)
		return false;
	if (!(si->gso_type & SKB_GSO_TCPV4) || si->frag_list || skb->ip_summed != CHECKSUM_PARTIAL || skb->csum_start != skb->transport_header)
		return false;
	return skb_headlen(skb) == header_bytes(skb) && skb_headlen(skb) <= XMIT_HEADER_MOST &&
	       skb->end - skb_headroom(skb) >= XMIT_HEADER_MOST && si->gso_segs == DIV_ROUND_UP(skb->data_len, (uint32_t)si->gso_size);
}

unsigned xmit_skb_frames(const xmit_dev *dev, const xmit_skb *skb)
{
	return likely(!skb_is_gso(skb) || device_cuts(dev, skb)) ? 1 : skb_shinfo(skb)->gso_segs;
}

static inline void put16(uint8_t *p, uint16_t v) { memcpy(p, &v, sizeof(v)); }
static inline void put32(uint8_t *p, be32 v) { memcpy(p, &v, sizeof(v)); }

void xmit_cut_begin(struct xmit_cut *c, const xmit_dev *dev, const xmit_skb *skb)
{
	const struct iphdr *iph = (const struct iphdr *)(const void *)skb_network_header(skb);
	struct tcphdr th;
	struct iphdr ip = *iph;
	unsigned ihl = iph->ihl * 4u;

	memcpy(&th, skb_transport_header(skb), sizeof(th));
	*c = (struct xmit_cut){
		.skb = skb, .left = skb->data_len, .seq = be32_to_cpu(th.seq), .mss = skb_shinfo(skb)->gso_size, .id = be16_to_cpu(iph->id),
		.header_len = (uint16_t)skb_headlen(skb), .network = (uint16_t)(skb->network_header - skb_headroom(skb)),
		.transport = (uint16_t)(skb->transport_header - skb_headroom(skb)), .flags = th.flags, .first = true,
	};
	if (dev->features & XMIT_F_CSUM)
		c->offload = (struct xmit_offload){
			.needs_csum = true, .csum_start = (uint16_t)(skb->csum_start - skb_headroom(skb)), .csum_offset = skb->csum_offset,
		};
	/* What is the same in every frame is summed once: the IP header without length and ID; the pseudo-header without the length. */
	ip.tot_len = ip.id = 0;
	ip.check = 0;
	c->ip_sum = csum_partial(&ip, sizeof(ip), 0);
	if (unlikely(ihl > sizeof(ip)))
		c->ip_sum = csum_partial(iph + 1, ihl - (unsigned)sizeof(ip), c->ip_sum);
	c->tcp_sum = csum_tcpudp_nofold(iph->saddr, iph->daddr, 0, IPPROTO_TCP, 0);
}

/* Sums n bytes of payload from where the cut stands. */
static csum32 payload_sum(const struct xmit_cut *c, uint32_t n)
{
	const struct skb_frag *f = &skb_shinfo(c->skb)->frags[c->frag];
	uint32_t off = c->frag_off, done = 0;
	csum32 sum = 0;

	for (; done < n; f++, off = 0) {
		uint32_t take = MIN(n - done, f->len - off);

		sum = csum_block_add(sum, csum_partial(f->addr + off, take, 0), done);
		done += take;
	}
	return sum;
}

static inline void advance(struct xmit_cut *c, uint32_t n)
{
	const struct skb_frag *f = &skb_shinfo(c->skb)->frags[c->frag];

	c->left -= n;
	n += c->frag_off;
	while (unlikely(n >= f->len && c->left)) {
		n -= f++->len;
		c->frag++;
	}
	c->frag_off = n;
}

static inline void mend_ip(const struct xmit_cut *c, uint8_t *p, uint32_t n)
{
	be16 len = cpu_to_be16((uint16_t)(c->header_len - c->network + n)), id = cpu_to_be16(c->id);

	memcpy(p + offsetof(struct iphdr, tot_len), &len, sizeof(len));
	memcpy(p + offsetof(struct iphdr, id), &id, sizeof(id));
	put16(p + offsetof(struct iphdr, check), csum_fold(csum_add(c->ip_sum, (csum32)(uint16_t)len + (csum32)(uint16_t)id)));
}

/* FIN and PSH are the last frame's, CWR the first one's. */
static inline uint8_t flags_of(const struct xmit_cut *c, bool last)
{
	uint8_t clear = c->first ? 0 : TCPHDR_CWR;

	return c->flags & (uint8_t)~(last ? clear : clear | TCPHDR_FIN | TCPHDR_PSH);
}

static inline void mend_tcp(const struct xmit_cut *c, uint8_t *p, uint32_t n)
{
	unsigned hdr_len = (unsigned)(c->header_len - c->transport);
	csum32 pseudo = csum_add(c->tcp_sum, (csum32)cpu_to_be16((uint16_t)(hdr_len + n)));

	put32(p + offsetof(struct tcphdr, seq), cpu_to_be32(c->seq));
	p[offsetof(struct tcphdr, flags)] = flags_of(c, n == c->left);
	if (likely(c->offload.needs_csum)) {
		put16(p + offsetof(struct tcphdr, check), (uint16_t)~csum_fold(pseudo));
		return;
	}
	put16(p + offsetof(struct tcphdr, check), 0);
	uint16_t check = csum_fold(csum_add(csum_partial(p, hdr_len, pseudo), payload_sum(c, n))); /* hdr_len is even */
	put16(p + offsetof(struct tcphdr, check), check ? check : 0xffff); /* as skb_checksum_help() */
}

/* The head is long enough (tso_driver_cuts), and a constant number of steps costs least. */
static inline void copy_headers(uint8_t *restrict to, const uint8_t *restrict from)
{
	memcpy(to, from, 32);
	memcpy(to + 32, from + 32, 32);
	memcpy(to + 64, from + 64, 32);
	static_assert(XMIT_HEADER_MOST == 96, "three steps");
}

bool xmit_cut_next(struct xmit_cut *restrict c, struct xmit_seg *restrict seg)
{
	uint32_t n = MIN((uint32_t)c->mss, c->left);

	if (unlikely(!n))
		return false;
	copy_headers(seg->header, c->skb->data);
	seg->header_len = c->header_len;
	seg->frag = c->frag;
	seg->frag_off = c->frag_off;
	seg->payload = n;
	seg->offload = c->offload;
	mend_ip(c, seg->header + c->network, n);
	mend_tcp(c, seg->header + c->transport, n);
	advance(c, n);
	c->seq += n;
	c->id++;
	c->first = false;
	return true;
}

int xmit_seg_iov(const xmit_skb *skb, const struct xmit_seg *seg, struct iovec *iov, int max)
{
	const struct skb_frag *f = &skb_shinfo(skb)->frags[seg->frag];
	uint32_t left = seg->payload, off = seg->frag_off;
	int n = 1;

	iov[0] = (struct iovec){(void *)(uintptr_t)seg->header, seg->header_len};
	if (likely(off + left <= f->len && max >= 2)) {
		iov[1] = (struct iovec){f->addr + off, left};
		return 2;
	}
	for (; left; f++, off = 0) {
		uint32_t take = MIN(left, f->len - off);

		if (unlikely(n == max))
			return -1;
		iov[n++] = (struct iovec){f->addr + off, take};
		left -= take;
	}
	return n;
}
