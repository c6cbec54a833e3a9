/* SPDX-License-Identifier: MIT */
/*
 * netdev.c - the interface between script and stack: packets of the script come in, packets of the stack wait to be looked at.
 *
 * The interface is a device for bare IP packets, like the kernel's tun that scripts are written for.  It gathers, so that the stack builds
 * super-segments as over any modern device, and has no other offload: checksums are complete and segments are cut when they leave.  It has no
 * queue, so it never holds a sender back (xmit_skb_orphan), and does not merge what comes in (no GRO).
 */
#include "adapter.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LOCAL "192.168.0.1/16" /* packetdrill's own default */
#define PATIENCE_NS (UINT64_C(4) * 3600 * NSEC_PER_SEC) /* of waiting for a packet, virtual: more than a keepalive's two hours */
enum { RING = 1024, PIECES = 20, DEFAULT_MTU = 1500, LEARNT_BITS = 16, DEFAULT_METRIC = 1 << 20 };

/* --- the driver ------------------------------------------------------------------------------------------------------ */

struct tun {
	struct adapter *a;
	xmit_skb *done[RING], *input[RING]; /* sent, to be given back; come in, to be handed up */
	unsigned posted, reaped, in_tail, in_head; /* running indices */
};

/* A copy to the end of what waits to be looked at. */
static bool keep_packet(struct adapter *a, const xmit_skb *skb)
{
	struct iovec iov[PIECES];
	int n = xmit_skb_iov(skb, iov, PIECES);
	size_t len = xmit_skb_len(skb), at = 0;
	struct packet *p = n >= 0 && a->n_packets < PACKETS_MOST ? malloc(sizeof(*p) + len) : NULL;

	if (!p)
		return false;
	*p = (struct packet){.sent_ns = atomic_load(&a->now_ns), .n = len};
	for (int i = 0; i < n; i++) {
		memcpy(p->bytes + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	*a->last = p;
	a->last = &p->next;
	a->n_packets++;
	return true;
}

static int start_xmit(xmit_dev *dev, xmit_skb *skb, unsigned queue, bool more)
{
	struct tun *t = xmit_dev_priv(dev);

	(void)more;
	if (t->posted - t->reaped == RING)
		return XMIT_TX_BUSY;
	t->done[t->posted++ % RING] = skb;
	xmit_skb_tx_posted(dev, queue, skb);
	if (!keep_packet(t->a, skb))
		xmit_dev_count_tx_error(dev);
	xmit_skb_orphan(skb);
	if (t->posted - t->reaped == RING)
		xmit_dev_tx_stop(dev, queue);
	xmit_dev_schedule(dev, queue);
	return XMIT_TX_OK;
}

static int poll_dev(xmit_dev *dev, unsigned queue, int budget)
{
	struct tun *t = xmit_dev_priv(dev);
	int n = 0;

	while (t->reaped != t->posted)
		xmit_skb_tx_done(dev, queue, t->done[t->reaped++ % RING]);
	if (xmit_dev_tx_stopped(dev, queue))
		xmit_dev_tx_wake(dev, queue);
	for (; n < budget && t->in_head != t->in_tail; n++)
		xmit_dev_receive(dev, queue, t->input[t->in_head++ % RING]);
	return n;
}

static bool ready(xmit_dev *dev)
{
	struct tun *t = xmit_dev_priv(dev);

	return t->in_head != t->in_tail || t->reaped != t->posted;
}

static uint64_t next_event_of(xmit_dev *dev) { return ready(dev) ? 0 : XMIT_NEVER; }

static void stop_dev(xmit_dev *dev)
{
	struct tun *t = xmit_dev_priv(dev);

	while (t->reaped != t->posted)
		xmit_skb_tx_done(dev, 0, t->done[t->reaped++ % RING]);
	while (t->in_head != t->in_tail)
		xmit_skb_rx_free(dev, t->input[t->in_head++ % RING]);
}

static int init_dev(xmit_dev *dev, void *adapter)
{
	struct tun *t = xmit_dev_priv(dev);

	t->a = adapter;
	return 0;
}

static const struct xmit_dev_ops ops = {
	.size = sizeof(ops), .stop = stop_dev, .start_xmit = start_xmit, .poll = poll_dev, .ready = ready, .next_event = next_event_of,
};

/* 0; -1: no room, no memory. */
static int take_input(struct adapter *a, const void *packet, size_t n)
{
	struct tun *t = xmit_dev_priv(a->dev);
	const struct iovec whole = {(void *)(uintptr_t)packet, n};
	xmit_skb *skb = t->in_tail - t->in_head < RING ? xmit_skb_rx_linear(a->dev, &whole, 1) : NULL;

	if (!skb)
		return -1;
	t->input[t->in_tail++ % RING] = skb;
	xmit_dev_schedule(a->dev, 0);
	return 0;
}

/* --- out -------------------------------------------------------------------------------------------------------------- */

static bool has_packet(struct adapter *a) { return a->first; }

int pd_netdev_receive(void *userdata, void *buf, size_t *n, long long *usec)
{
	struct adapter *a = userdata;

	pthread_mutex_lock(&a->lock);
	namespace_look(a);
	uint64_t now = atomic_load(&a->now_ns);
	drive(a, a->first ? now : now + PATIENCE_NS, has_packet);
	struct packet *p = a->first;
	size_t room = *n;

	*n = 0;
	*usec = (long long)(atomic_load(&a->now_ns) / NSEC_PER_USEC);
	if (p) {
		a->first = p->next;
		a->last = a->first ? a->last : &a->first;
		a->n_packets--;
		*n = p->n < room ? p->n : room;
		*usec = (long long)(p->sent_ns / NSEC_PER_USEC);
		memcpy(buf, p->bytes, *n);
		free(p);
	}
	counters_write(a);
	pthread_mutex_unlock(&a->lock);
	return 0;
}

/* --- in ------------------------------------------------------------------------------------------------------------ */

void interface_learn(struct adapter *a, struct in_addr addr)
{
	if (a->flags.n_local || addr.s_addr == htonl(INADDR_ANY) || ntohl(addr.s_addr) >> 24 == 127 || IN_MULTICAST(ntohl(addr.s_addr)))
		return;
	if (xmit_addr_add(a->dev, addr, LEARNT_BITS) && errno != EEXIST)
		fprintf(stderr, "xmit-packetdrill: %s is no address for the interface: %s\n", inet_ntoa(addr), strerror(errno));
}

/* Where nobody said which addresses are ours, a packet's destination is one. */
static void learn_destination(struct adapter *a, const uint8_t *packet, size_t n)
{
	struct in_addr dst;

	if (a->flags.n_local || n < 20 || packet[0] >> 4 != 4)
		return;
	memcpy(&dst, packet + 16, sizeof(dst));
	interface_learn(a, dst);
}

int pd_netdev_send(void *userdata, const void *packet, size_t n)
{
	struct adapter *a = userdata;

	enter(a);
	learn_destination(a, packet, n);
	return (int)leave(a, take_input(a, packet, n));
}

/* --- set-up -------------------------------------------------------------------------------------------------------- */

static int add_addresses(struct adapter *a, struct in_addr kernels, unsigned bits)
{
	for (unsigned i = 0; i < a->flags.n_local; i++)
		if (xmit_addr_add_text(a->dev, a->flags.local[i]))
			return -1;
	if (a->flags.n_local)
		return 0;
	return kernels.s_addr ? xmit_addr_add(a->dev, kernels, bits) : xmit_addr_add_text(a->dev, DEFAULT_LOCAL);
}

/* Everything is reached by the interface; what the namespace's routes say goes before. */
static int add_default_route(struct adapter *a)
{
	const struct xmit_route r = {.size = sizeof(r), .dev = a->dev, .priority = DEFAULT_METRIC};

	return xmit_route_add(a->net, &r);
}

int interface_init(struct adapter *a)
{
	struct likeness like = {0};
	struct in_addr addr = {0};
	unsigned bits = 0;

	a->last = &a->first;
	bool found = a->flags.dev[0] && likeness_read(a->flags.dev, &like, &addr, &bits);
	unsigned mtu = a->flags.mtu ? a->flags.mtu : found && like.mtu ? like.mtu : DEFAULT_MTU;
	const struct xmit_dev_desc desc = {.size = sizeof(desc), .name = "tun0", .type = XMIT_DEV_NONE, .ops = &ops, .priv_size = sizeof(struct tun),
		.features = XMIT_F_SG | XMIT_F_COPIES, .mtu = mtu, .init_arg = a, .init = init_dev};
	a->dev = xmit_dev_new(a->net, &desc);
	if (!a->dev || xmit_dev_set_features(a->dev, XMIT_F_SG | XMIT_F_COPIES) || xmit_dev_up(a->dev))
		return -1;
	xmit_dev_carrier(a->dev, true);
	if (a->flags.pcap[0] && xmit_pcap_start(a->dev, a->flags.pcap, 0))
		return -1;
	if (add_addresses(a, addr, bits) || add_default_route(a))
		return -1;
	a->found_dev = found;
	if (found)
		likeness_apply(a, &like);
	return 0;
}

void interface_free(struct adapter *a)
{
	while (a->first) {
		struct packet *p = a->first;
		a->first = p->next;
		free(p);
	}
}
