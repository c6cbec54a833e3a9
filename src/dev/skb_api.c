/* SPDX-License-Identifier: MIT */
/*
 * skb_api.c - packets as drivers see them (xmit/dev.h): sending side, receive buffers, the way up.
 *
 * Received frames are laid out so that merging and delivery never copy: the headers, exactly, in a small linear head, the payload in frags.
 * xmit_skb_rx_gather() lays payload frame behind frame in one page block of the device, so that GRO finds consecutive segments
 * next to each other.  xmit_rx_buffers() gives 4 KB pages; only those that hold data pass to the skb and are accounted.
 */
#include "core/sock.h"
#include "dev/netdev_internal.h"
#include "wire/ip.h"
#include "wire/tcp.h"
#include "wire/udp.h"

enum { RX_FRAME_MAX = MAX_SKB_FRAGS * PAGE_SIZE };

/* --- transmission ------------------------------------------------------------------------------------------------- */

uint32_t xmit_skb_len(const xmit_skb *skb) { return skb->len; }

int xmit_skb_iov(const xmit_skb *skb, struct iovec *iov, int max)
{
	const struct skb_shared_info *si = skb_shinfo(skb);
	int n;

	if (likely(si->nr_frags == 1 && max >= 2 && skb_headlen(skb) && !si->frag_list)) { /* a segment: without a call */
		iov[0] = (struct iovec){skb->data, skb_headlen(skb)};
		iov[1] = (struct iovec){si->frags[0].addr, si->frags[0].len};
		return 2;
	}
	n = skb_to_iovec(skb, iov, max);
	return n < 0 ? -1 : n;
}

static uint8_t gso_kind(uint16_t gso_type)
{
	if (gso_type & SKB_GSO_TCPV4)
		return XMIT_GSO_TCPV4;
	return gso_type & SKB_GSO_TCPV6 ? XMIT_GSO_TCPV6 : XMIT_GSO_UDP_L4;
}

void xmit_skb_offload(const xmit_skb *skb, struct xmit_offload *o)
{
	const struct skb_shared_info *si = skb_shinfo(skb);

	*o = (struct xmit_offload){0};
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		o->needs_csum = true;
		o->csum_start = (uint16_t)(skb->csum_start - skb->mac_header);
		o->csum_offset = skb->csum_offset;
	}
	if (si->gso_size) {
		unsigned transport = si->gso_type & SKB_GSO_UDP_L4 ? (unsigned)sizeof(struct udphdr)
					: tcp_hdrlen_of((const struct tcphdr *)(const void *)skb_transport_header(skb));

		o->gso_size = si->gso_size;
		o->hdr_len = (uint16_t)(skb->transport_header - skb->mac_header + transport);
		o->gso = gso_kind(si->gso_type);
		o->ecn = si->gso_type & SKB_GSO_TCP_ECN;
	}
}

void *xmit_skb_push(xmit_skb *skb, unsigned n)
{
	if (unlikely(skb_headroom(skb) < n) && pskb_expand_head(skb, n, 0, MEM_RESERVE))
		return NULL;
	return skb_push(skb, n);
}

void xmit_skb_tx_posted(xmit_dev *dev, unsigned queue, const xmit_skb *skb)
{
	(void)dev;
	(void)queue;
	trace_skb((struct sk_buff *)skb, TP_tx_ring_post);
}

static void count_tx(struct net_device *dev, const struct sk_buff *skb)
{
	dev->stats.tx_packets++;
	dev->stats.tx_bytes += skb->len - (uint32_t)(skb_mac_header(skb) - skb->data); /* without what the driver pushed */
}

void xmit_skb_tx_done(xmit_dev *dev, unsigned queue, xmit_skb *skb)
{
	struct netdev_state *ns = dev->net->netdev;

	(void)queue;
	trace_skb(skb, TP_tx_complete);
	count_tx(dev, skb);
	skb->next = NULL;
	*ns->completed_tail = skb;
	ns->completed_tail = &skb->next;
	raise_softirq(dev->net, NET_TX_SOFTIRQ);
}

void xmit_skb_tx_failed(xmit_dev *dev, unsigned queue, xmit_skb *skb)
{
	bool up = netif_running(dev);

	dev->tx[queue].tx_dropped++;
	if (up)
		dev->stats.tx_errors++;
	else
		dev->stats.tx_dropped++;
	skb_drop(skb, up ? SKB_DROP_REASON_TX_FAILED : SKB_DROP_REASON_DEV_READY);
}

void xmit_skb_tx_loop(xmit_dev *dev, unsigned queue, xmit_skb *skb)
{
	trace_skb(skb, TP_tx_complete);
	count_tx(dev, skb);
	skb_orphan(skb);
	dst_release(skb->dst);
	skb->dst = NULL;
	skb->trace_cookie = 0; /* what was sent is over; what comes in has its own identity */
	skb->trace_rx_id = 0;
	xmit_dev_receive(dev, queue, skb);
}

/* --- making received skbs ------------------------------------------------------------------------------------------ */

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

/* Bytes of headers at p, of which n bytes are there; a guess of at least 64 where they are not understood. */
unsigned eth_get_headlen(const struct net_device *dev, const uint8_t *p, size_t n)
{
	unsigned link = dev->hard_header_len, len;

	if (n <= link)
		return (unsigned)n;
	len = link + ip_headlen(p + link, n - link);
	len = MIN(len, (unsigned)RX_HEADER_MAX);
	return (unsigned)MIN(len, n);
}

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

/* --- up ----------------------------------------------------------------------------------------------------------- */

/* The transport header's offset from data of what claims to be a super-segment of gso_type; 0: it is not. */
static unsigned gso_transport_offset(struct sk_buff *skb, uint16_t gso_type)
{
	uint8_t proto = gso_type & SKB_GSO_UDP_L4 ? IPPROTO_UDP : IPPROTO_TCP;

	if (skb->protocol == CPU_TO_BE16(ETH_P_IP) && !(gso_type & SKB_GSO_TCPV6) && pskb_may_pull(skb, sizeof(struct iphdr))) {
		const struct iphdr *iph = (const struct iphdr *)(const void *)skb->data;

		return iph->ihl >= 5 && iph->protocol == proto && !(iph->frag_off & CPU_TO_BE16(IP_MF | IP_OFFSET)) ? iph->ihl * 4u : 0;
	}
	if (skb->protocol == CPU_TO_BE16(ETH_P_IPV6) && !(gso_type & SKB_GSO_TCPV4) && pskb_may_pull(skb, sizeof(struct ipv6hdr)))
		return skb->data[6] == proto ? (unsigned)sizeof(struct ipv6hdr) : 0;
	return 0;
}

/* A device's word about a super-segment is checked before anybody divides by it.  False: malformed. */
static bool gso_check(struct sk_buff *skb)
{
	uint16_t type = skb_shinfo(skb)->gso_type, size = skb_shinfo(skb)->gso_size;
	unsigned hdr = gso_transport_offset(skb, type);
	struct skb_shared_info *si;

	if (!hdr)
		return false;
	if (type & SKB_GSO_UDP_L4) {
		hdr += (unsigned)sizeof(struct udphdr);
	} else {
		if (!pskb_may_pull(skb, hdr + (unsigned)sizeof(struct tcphdr)) || skb->data[hdr + 12] >> 4 < 5)
			return false;
		hdr += (skb->data[hdr + 12] >> 4) * 4u;
	}
	if (skb->len < hdr || !pskb_may_pull(skb, hdr))
		return false;
	si = skb_shinfo(skb);
	if (skb->len - hdr <= size) {
		si->gso_size = si->gso_type = 0;
		return true;
	}
	si->gso_segs = (uint16_t)MIN(DIV_ROUND_UP(skb->len - hdr, size), (unsigned)GSO_MAX_SEGS);
	return true;
}

/* Link header off, skb->protocol set; false: not a frame. */
static bool read_link_header(struct net_device *dev, struct sk_buff *skb)
{
	uint8_t version;

	if (dev->hard_header_len) {
		if (!pskb_may_pull(skb, ETH_HLEN))
			return false;
		skb->protocol = cpu_to_be16(eth_type_trans(skb, dev));
		return true;
	}
	skb_reset_mac_header(skb);
	skb->mac_len = 0;
	skb->pkt_type = PACKET_HOST;
	if (!pskb_may_pull(skb, 1))
		return false;
	version = skb->data[0] >> 4;
	skb->protocol = cpu_to_be16(version == 4 ? ETH_P_IP : version == 6 ? ETH_P_IPV6 : 0);
	return true;
}

void xmit_dev_receive(xmit_dev *dev, unsigned queue, xmit_skb *skb)
{
	trace_skb(skb, TP_net_rx_action);
	skb->dev = dev;
	skb->skb_iif = dev->ifindex;
	skb->tstamp_ns = dev->net->now_ns;
	skb->queue_mapping = (uint16_t)queue;
	dev->stats.rx_packets++;
	dev->stats.rx_bytes += skb->len;
	if (unlikely(!netif_running(dev))) {
		dev->stats.rx_dropped++;
		skb_drop(skb, SKB_DROP_REASON_DEV_READY);
		return;
	}
	if (unlikely(!read_link_header(dev, skb) || (skb_shinfo(skb)->gso_type & SKB_GSO_DODGY && !gso_check(skb)))) {
		dev->stats.rx_errors++;
		skb_drop(skb, SKB_DROP_REASON_DEV_HDR);
		return;
	}
	if (skb->pkt_type == PACKET_MULTICAST)
		dev->stats.multicast++;
	napi_gro_receive(&dev->napi[queue], skb);
}

/* --- the device ----------------------------------------------------------------------------------------------------- */

xmit_net *xmit_dev_net(const xmit_dev *dev) { return dev->net; }
void *xmit_dev_priv(xmit_dev *dev) { return dev->priv; }
uint64_t xmit_dev_now(const xmit_dev *dev) { return dev->net->now_ns; }
void *xmit_dev_alloc(xmit_dev *dev, size_t n) { return net_zalloc(dev->net, n, MEM_NORMAL); }
void xmit_dev_mem_free(xmit_dev *dev, void *p) { net_free(dev->net, p); }
void xmit_dev_count_tx_error(xmit_dev *dev) { dev->stats.tx_errors++; }
void xmit_dev_count_rx_error(xmit_dev *dev) { dev->stats.rx_errors++; }
void xmit_dev_count_copy(xmit_dev *dev, size_t bytes) { dev->net->copied.device += bytes; }
bool xmit_dev_tx_stopped(const xmit_dev *dev, unsigned queue) { return dev->tx[queue].state & QUEUE_STATE_DRV_XOFF; }

void xmit_dev_schedule(xmit_dev *dev, unsigned queue)
{
	if (queue < dev->num_tx_queues && dev->registered)
		napi_schedule(&dev->napi[queue]);
}

void xmit_dev_tx_stop(xmit_dev *dev, unsigned queue)
{
	dev->tx[queue].state |= QUEUE_STATE_DRV_XOFF;
	if (unlikely(dev->net->trace.on))
		trace_record(dev->net, TP_tx_queue_stopped, 0, 0, 0, 0, 0);
}

void xmit_dev_tx_wake(xmit_dev *dev, unsigned queue)
{
	if (PROVE_BREAKS("D2"))
		return;
	dev->tx[queue].state &= ~(uint32_t)QUEUE_STATE_DRV_XOFF;
	if (netif_running(dev))
		dev->net->sched_ops->schedule(&dev->tx[queue]);
}
