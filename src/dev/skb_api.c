/* SPDX-License-Identifier: MIT */
/* skb_api.c - packets as drivers see them (xmit/dev.h): what they send, the way up, the device.  What they receive is made in rx_frame.c. */
#include "core/sock.h"
#include "dev/netdev_internal.h"
#include "wire/ip.h"
#include "wire/tcp.h"
#include "wire/udp.h"

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

void xmit_skb_orphan(xmit_skb *skb) { skb_orphan(skb); }

static void count_tx(struct net_device *dev, const struct sk_buff *skb)
{
	unsigned frames = xmit_skb_frames(dev, skb);

	dev->stats.tx_packets += frames;
	dev->stats.tx_bytes += skb->len - (uint32_t)(skb_mac_header(skb) - skb->data); /* without what the driver pushed */
	if (unlikely(frames > 1)) /* cut by the driver: each had headers of its own */
		dev->stats.tx_bytes += (frames - 1) * skb_headlen(skb);
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
