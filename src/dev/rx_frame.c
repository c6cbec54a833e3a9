/* SPDX-License-Identifier: MIT */
/*
 * rx_frame.c - what a driver received becomes a packet (xmit/dev.h): skbs, and frames that wait to become one.
 *
 * Received frames are laid out so that merging and delivery never copy: the headers, exactly, in a small linear head, the payload in frags.
 * xmit_skb_rx_gather() and xmit_rx_frame_gather() lay payload frame behind frame in one page block of the device, so that GRO finds consecutive
 * segments next to each other.  xmit_rx_buffers() gives 4 KB pages; only those that hold data pass to the skb and are accounted.
 *
 * A struct xmit_rx_frame holds headers and payload apart, as the receive descriptor of a NIC does.  When it is handed up, gro.c looks at it first:
 * one that continues what is held in the common way makes that longer and never becomes an skb.
 */
#include "core/sock.h"
#include "dev/gro.h"
#include "dev/netdev_internal.h"
#include "wire/ip.h"
#include "wire/tcp.h"
#include "wire/udp.h"

enum { RX_FRAME_MAX = MAX_SKB_FRAGS * PAGE_SIZE };

/* --- skbs --------------------------------------------------------------------------------------------------------- */

static inline unsigned ip_headlen(const uint8_t *p, size_t n)
{
	unsigned len = 0, proto = 0;

	if (likely(n >= sizeof(struct iphdr) + sizeof(struct tcphdr) && p[0] == 0x45 && p[9] == IPPROTO_TCP))
		return (unsigned)sizeof(struct iphdr) + (p[sizeof(struct iphdr) + 12] >> 4) * 4u;
	if (n >= sizeof(struct iphdr) && p[0] >> 4 == 4) {
		len = (p[0] & 15u) * 4u;
		proto = p[9];
	} else if (n >= sizeof(struct ipv6hdr) && p[0] >> 4 == 6) {
		len = sizeof(struct ipv6hdr);
		proto = p[6];
	}
	if (proto == IPPROTO_TCP && n >= len + sizeof(struct tcphdr))
		return len + (p[len + 12] >> 4) * 4u;
	if (proto == IPPROTO_UDP)
		return len + (unsigned)sizeof(struct udphdr);
	return MAX(len, 64u);
}

static inline unsigned headlen(const struct net_device *dev, const uint8_t *p, size_t n)
{
	unsigned link = dev->hard_header_len, len;

	if (unlikely(n <= link))
		return (unsigned)n;
	len = link + ip_headlen(p + link, n - link);
	len = MIN(len, (unsigned)RX_HEADER_MAX);
	return (unsigned)MIN(len, n);
}

/* Bytes of headers at p, of which n bytes are there; a guess of at least 64 where they are not understood. */
unsigned eth_get_headlen(const struct net_device *dev, const uint8_t *p, size_t n) { return headlen(dev, p, n); }

/* An skb with n linear bytes of room, the network header aligned. */
static struct sk_buff *rx_alloc(struct net_device *dev, unsigned n)
{
	struct sk_buff *skb = alloc_skb(dev->net, RX_HEADROOM + (dev->hard_header_len & 2u), n, 0);

	if (likely(skb))
		skb->dev = dev;
	return skb;
}

static struct sk_buff *rx_no_memory(struct net_device *dev, struct sk_buff *skb, size_t n)
{
	dev->stats.rx_dropped++;
	if (skb)
		skb_drop(skb, SKB_DROP_REASON_NOMEM);
	else
		trace_drop(dev->net, SKB_DROP_REASON_NOMEM, 0, 0, 0, (uint32_t)n);
	return NULL;
}

struct rx_source { /* where in a driver's pieces we are */
	const struct iovec *iov;
	size_t off;
};

static inline void take_bytes(uint8_t *to, struct rx_source *from, size_t n)
{
	while (n) {
		size_t part = MIN(n, from->iov->iov_len - from->off);

		memcpy(to, (const uint8_t *)from->iov->iov_base + from->off, part);
		to += part;
		n -= part;
		from->off += part;
		if (from->off == from->iov->iov_len) {
			from->iov++;
			from->off = 0;
		}
	}
}

/* Copies n bytes into the device's page block and hangs them on skb. */
static bool rx_copy_frags(struct net_device *dev, struct sk_buff *skb, struct rx_source *from, size_t n)
{
	struct page_frag *pf = &dev->rx_frag;

	if (likely(n <= PAGE_SIZE && n <= from->iov->iov_len - from->off && page_frag_refill(dev->net, pf, (unsigned)n, MEM_NORMAL))) {
		uint8_t *to = pf->page + pf->offset;

		memcpy(to, (const uint8_t *)from->iov->iov_base + from->off, n);
		frag_owner_get(pf->owner);
		skb_add_frag(skb, to, (uint32_t)n, pf->owner);
		skb->truesize += (uint32_t)n;
		pf->offset += (uint32_t)n;
		return true;
	}
	while (n) {
		uint32_t chunk;

		if (skb_shinfo(skb)->nr_frags == MAX_SKB_FRAGS || !page_frag_refill(dev->net, pf, (unsigned)MIN(n, (size_t)PAGE_SIZE), MEM_NORMAL))
			return false;
		chunk = (uint32_t)MIN(n, (size_t)(pf->size - pf->offset));
		take_bytes(pf->page + pf->offset, from, chunk);
		frag_owner_get(pf->owner);
		skb_add_frag(skb, pf->page + pf->offset, chunk, pf->owner);
		skb->truesize += chunk;
		pf->offset += chunk;
		n -= chunk;
	}
	return true;
}

xmit_skb *xmit_skb_rx_gather(xmit_dev *dev, const struct iovec *iov, int pieces)
{
	struct rx_source from = {iov, 0};
	size_t n = 0;
	unsigned linear;
	struct sk_buff *skb;

	for (int i = 0; i < pieces; i++)
		n += iov[i].iov_len;
	if (unlikely(n > RX_FRAME_MAX)) {
		dev->stats.rx_errors++;
		trace_drop(dev->net, SKB_DROP_REASON_PKT_TOO_BIG, 0, 0, 0, (uint32_t)n);
		return NULL;
	}
	linear = n <= SKB_RX_COPYBREAK ? (unsigned)n : eth_get_headlen(dev, iov[0].iov_base, iov[0].iov_len);
	skb = rx_alloc(dev, linear);
	if (unlikely(!skb))
		return rx_no_memory(dev, NULL, n);
	take_bytes(skb_put(skb, linear), &from, linear);
	if (n <= SKB_RX_COPYBREAK) {
		dev->net->copied.rx_small += n;
		return skb;
	}
	if (unlikely(!rx_copy_frags(dev, skb, &from, n - linear)))
		return rx_no_memory(dev, skb, n);
	dev->net->copied.device += n - linear;
	return skb;
}

/*
 * What Linux allocates for a packet that a program hands to its tun device, and so what it charges the receiver with: a head of 576 bytes, or
 * of a power of two up to a page, that holds headroom, packet and shared info; what does not fit, in whole pages behind it.  Windows
 * follow from the charge, so a stack that is to offer what Linux offers has to charge alike.
 */
enum { TUN_HEADROOM = 64, TUN_SHINFO = 320, TUN_SKB = 256, TUN_SMALL_HEAD = 576, TUN_LINEAR_MOST = PAGE_SIZE - TUN_HEADROOM - TUN_SHINFO };

static unsigned tun_head_bytes(unsigned linear)
{
	unsigned head = TUN_SMALL_HEAD;

	for (; head < TUN_HEADROOM + linear + TUN_SHINFO; head = head == TUN_SMALL_HEAD ? 1024 : head * 2)
		;
	return head;
}

/* The rest of from, n bytes, in whole pages. */
static bool rx_whole_pages(struct net_device *dev, struct sk_buff *skb, struct rx_source *from, size_t n)
{
	while (n) {
		uint32_t take = (uint32_t)MIN(n, (size_t)PAGE_SIZE);
		uint8_t *page = skb_shinfo(skb)->nr_frags < MAX_SKB_FRAGS ? page_alloc(dev->net, 0, MEM_NORMAL) : NULL;

		if (unlikely(!page))
			return false;
		take_bytes(page, from, take);
		skb_add_frag(skb, page, take, page_owner(dev->net, page));
		skb->truesize += PAGE_SIZE;
		n -= take;
	}
	return true;
}

xmit_skb *xmit_skb_rx_linear(xmit_dev *dev, const struct iovec *iov, int pieces)
{
	struct rx_source from = {iov, 0};
	size_t n = 0;

	for (int i = 0; i < pieces; i++)
		n += iov[i].iov_len;
	if (unlikely(n > RX_FRAME_MAX)) {
		dev->stats.rx_errors++;
		trace_drop(dev->net, SKB_DROP_REASON_PKT_TOO_BIG, 0, 0, 0, (uint32_t)n);
		return NULL;
	}
	unsigned linear = (unsigned)MIN(n, (size_t)TUN_LINEAR_MOST), head = tun_head_bytes(linear);
	/* Of a page our own shared info leaves less than Linux's does. */
	unsigned most = PAGE_SIZE - RX_HEADROOM - 2 - (unsigned)sizeof(struct skb_shared_info);
	unsigned room = MAX(linear, MIN(head - TUN_HEADROOM - TUN_SHINFO, most & ~7u));
	struct sk_buff *skb = alloc_skb(dev->net, RX_HEADROOM + (dev->hard_header_len & 2u), room, SKB_ALLOC_EXACT);

	if (unlikely(!skb))
		return rx_no_memory(dev, NULL, n);
	skb->dev = dev;
	skb->truesize = TUN_SKB + head;
	take_bytes(skb_put(skb, linear), &from, linear);
	if (unlikely(!rx_whole_pages(dev, skb, &from, n - linear)))
		return rx_no_memory(dev, skb, n);
	dev->net->copied.device += n;
	return skb;
}

xmit_skb *xmit_skb_rx_copy(xmit_dev *dev, const void *buf, size_t n)
{
	const struct iovec whole = {(void *)(uintptr_t)buf, n};

	return xmit_skb_rx_gather(dev, &whole, 1);
}

int xmit_rx_buffers(xmit_dev *dev, size_t n, struct iovec *iov, int max)
{
	int i = 0;

	while (n) {
		void *page = i < max ? page_alloc(dev->net, 0, MEM_NORMAL) : NULL;

		if (unlikely(!page)) {
			xmit_rx_buffers_free(dev, iov, i);
			return -1;
		}
		iov[i++] = (struct iovec){page, PAGE_SIZE};
		n -= MIN(n, (size_t)PAGE_SIZE);
	}
	return i;
}

void xmit_rx_buffers_free(xmit_dev *dev, struct iovec *iov, int n)
{
	while (n-- > 0)
		page_put(dev->net, iov[n].iov_base);
}

/* The first len bytes of iov, from skip on, into p. */
static void gather(uint8_t *p, const struct iovec *iov, int n, size_t skip, size_t len)
{
	for (int i = 0; i < n && len; i++) {
		size_t take = MIN(len, iov[i].iov_len - skip);

		memcpy(p, (const uint8_t *)iov[i].iov_base + skip, take);
		p += take;
		len -= take;
		skip = 0;
	}
}

static int pieces_holding(const struct iovec *iov, int n, size_t bytes)
{
	int i = 0;

	for (; i < n && bytes; i++)
		bytes -= MIN(bytes, iov[i].iov_len);
	return bytes ? -1 : i;
}

xmit_skb *xmit_skb_rx_buffers(xmit_dev *dev, const struct iovec *iov, int n, size_t skip, size_t len, int *used)
{
	int pieces = pieces_holding(iov, n, skip + len);
	bool small = len <= SKB_RX_COPYBREAK;
	struct sk_buff *skb;
	size_t off = skip;
	unsigned linear;

	*used = 0;
	if (pieces < 0 || pieces > MAX_SKB_FRAGS || skip > iov[0].iov_len) {
		dev->stats.rx_errors++;
		return NULL;
	}
	linear = small ? (unsigned)len : eth_get_headlen(dev, (const uint8_t *)iov[0].iov_base + skip, MIN(len, iov[0].iov_len - skip));
	skb = rx_alloc(dev, linear);
	if (unlikely(!skb))
		return rx_no_memory(dev, NULL, len);
	gather(skb_put(skb, linear), iov, pieces, skip, linear);
	if (small) {
		dev->net->copied.rx_small += len;
		return skb;
	}
	len -= linear;
	off += linear;
	for (int i = 0; i < pieces; i++) {
		uint32_t take = (uint32_t)MIN(len, iov[i].iov_len - off);

		if (likely(take)) {
			skb_add_frag(skb, (uint8_t *)iov[i].iov_base + off, take, page_owner(dev->net, iov[i].iov_base));
			skb->truesize += PAGE_SIZE;
		} else {
			page_put(dev->net, iov[i].iov_base); /* held nothing but headers */
		}
		len -= take;
		off = 0;
	}
	*used = pieces;
	return skb;
}

void xmit_skb_rx_free(xmit_dev *dev, xmit_skb *skb)
{
	dev->stats.rx_dropped++;
	skb_drop(skb, SKB_DROP_REASON_DEV_READY);
}

void xmit_skb_set_offload(xmit_skb *skb, const struct xmit_offload *o)
{
	static const uint16_t type[] = {0, SKB_GSO_TCPV4, SKB_GSO_TCPV6, SKB_GSO_UDP_L4};
	struct skb_shared_info *si = skb_shinfo(skb);

	/* A sum that lies outside the packet is not there: the transport will find the packet broken. */
	if (o->needs_csum && pskb_may_pull(skb, o->csum_start + o->csum_offset + 2u)) {
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = (uint16_t)(skb_headroom(skb) + o->csum_start);
		skb->csum_offset = o->csum_offset;
	} else if (o->csum_valid && (skb->dev->features & XMIT_F_RXCSUM)) {
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	}
	si = skb_shinfo(skb);
	if (o->gso_size && o->gso && o->gso < ARRAY_SIZE(type)) {
		si->gso_size = o->gso_size;
		si->gso_type = (uint16_t)(type[o->gso] | SKB_GSO_DODGY | (o->ecn ? SKB_GSO_TCP_ECN : 0));
	}
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

/* Payload of at most a page that lies in one piece: into the device's page block. */
static inline bool lay_payload(struct net_device *dev, struct xmit_rx_frame *f, const struct rx_source *from, uint32_t n)
{
	struct page_frag *pf = &dev->rx_frag;

	if (unlikely(n > PAGE_SIZE || n > from->iov->iov_len - from->off || !page_frag_refill(dev->net, pf, n, MEM_NORMAL)))
		return false;
	f->payload = pf->page + pf->offset;
	f->payload_len = n;
	f->owner = pf->owner;
	memcpy(f->payload, (const uint8_t *)from->iov->iov_base + from->off, not_constant(n));
	frag_owner_get(pf->owner);
	pf->offset += n;
	dev->net->copied.device += n;
	return true;
}

/* n <= XMIT_HEADER_MOST bytes, mostly those of Ethernet, IPv4 and TCP with timestamps: in overlapping steps, without a call. */
static inline void copy_header(uint8_t *to, const uint8_t *from, unsigned n)
{
	if (unlikely(n < 64)) {
		memcpy(to, from, not_constant(n));
		return;
	}
	memcpy(to, from, 32);
	memcpy(to + 32, from + 32, 32);
	memcpy(to + n - 32, from + n - 32, 32);
}

/* Headers apart, payload in one piece; false, with nothing taken: the frame is not of that kind. */
static inline bool split(struct net_device *dev, struct xmit_rx_frame *f, const struct iovec *iov, uint32_t n)
{
	struct rx_source from = {iov, 0};
	unsigned headers = headlen(dev, iov[0].iov_base, iov[0].iov_len);

	if (unlikely(headers > XMIT_HEADER_MOST))
		return false;
	if (likely(headers == iov[0].iov_len))
		from.iov++;
	else
		from.off = headers;
	if (unlikely(!lay_payload(dev, f, &from, n - headers)))
		return false;
	copy_header(f->header, iov[0].iov_base, headers);
	f->header_len = (uint16_t)headers;
	f->skb = NULL;
	return true;
}

bool xmit_rx_frame_gather(xmit_dev *dev, struct xmit_rx_frame *f, const struct iovec *iov, int n, const struct xmit_offload *o)
{
	size_t bytes = 0;

	for (int i = 0; i < n; i++)
		bytes += iov[i].iov_len;
	if (likely(bytes > SKB_RX_COPYBREAK && !o->gso_size && split(dev, f, iov, (uint32_t)bytes))) {
		f->offload = *o;
		return true;
	}
	f->skb = xmit_skb_rx_gather(dev, iov, n);
	if (unlikely(!f->skb))
		return false;
	xmit_skb_set_offload(f->skb, o);
	return true;
}

/* The skb that f stands for; NULL: no memory, counted.  f is empty. */
static struct sk_buff *to_skb(struct net_device *dev, struct xmit_rx_frame *f)
{
	struct sk_buff *skb = f->skb;

	if (skb)
		return skb;
	skb = rx_alloc(dev, f->header_len);
	if (unlikely(!skb)) {
		frag_owner_put(f->owner);
		return rx_no_memory(dev, NULL, f->header_len + f->payload_len);
	}
	memcpy(skb_put(skb, f->header_len), f->header, f->header_len);
	skb_add_frag(skb, f->payload, f->payload_len, f->owner);
	skb->truesize += f->payload_len;
	xmit_skb_set_offload(skb, &f->offload);
	return skb;
}

void xmit_rx_frame_receive(xmit_dev *dev, unsigned queue, struct xmit_rx_frame *f)
{
	struct sk_buff *skb;

	if (likely(!f->skb && netif_running(dev) && !dev->net->trace.on && napi_gro_append(&dev->napi[queue], f))) {
		dev->stats.rx_packets++;
		dev->stats.rx_bytes += f->header_len + f->payload_len;
		return;
	}
	skb = to_skb(dev, f);
	if (likely(skb))
		xmit_dev_receive(dev, queue, skb);
}

void xmit_rx_frame_free(xmit_dev *dev, struct xmit_rx_frame *f)
{
	struct sk_buff *skb = to_skb(dev, f);

	if (skb)
		xmit_skb_rx_free(dev, skb);
}
