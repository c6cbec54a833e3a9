/* SPDX-License-Identifier: MIT */
/*
 * vnet_fd.c - the ring of a device behind a descriptor (TAP, TUN, AF_PACKET): one frame a system call, offloads by virtio-net header.
 *
 * Down: start_xmit() posts to a ring; the doorbell writes every posted frame by scatter-gather straight from the skb's pieces.  "The
 * write returned" counts as done, but is reaped in poll() like any completion, so that small queues and byte limits see one behaviour.
 * EAGAIN leaves the rest posted and asks for POLLOUT.  Without the header super-segments are cut here, a frame a write.
 *
 * Up: a frame is read by scatter into 4 KB pages that stand ready; the pages that were touched go with the skb, the others wait for the
 * next frame.  A read that fails for good (interface gone) takes the carrier away, so that nobody spins on the descriptor.
 */
#define _GNU_SOURCE
#include "drivers/vnet_fd.h"
#include "lib/compiler.h"
#include "wire/virtio_net.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	RING_SIZE = 512,
	TX_PIECES = 20,
	RX_BYTES = 65536 + 64,   /* the longest super-segment with its link header */
	RX_PIECES = 24,
	CUT_FRAMES = 1024,       /* more than a super-segment of a usual MTU makes */
};

struct vnet_fd {
	xmit_dev *dev;
	int fd;
	bool vnet_hdr, blocked, gone;
	uint32_t posted, sent, reaped;       /* running indices: reaped <= sent <= posted */
	xmit_skb *ring[RING_SIZE];
	bool failed[RING_SIZE];              /* written with an error: counts as a drop */
	bool cutting;                        /* the skb to be sent next is partly sent; seg is its next frame */
	struct xmit_cut cut;
	struct xmit_seg seg;
	struct iovec rx[RX_PIECES];          /* pages that stand ready */
	int rx_pieces;
	size_t rx_bytes;
};

static void offload_to_vnet(const struct xmit_offload *o, struct virtio_net_hdr *h)
{
	*h = (struct virtio_net_hdr){0};
	if (o->needs_csum) {
		h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h->csum_start = o->csum_start;
		h->csum_offset = o->csum_offset;
	} else if (o->csum_valid) {
		h->flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	if (o->gso_size) {
		h->gso_type = o->gso == XMIT_GSO_TCPV4 ? VIRTIO_NET_HDR_GSO_TCPV4
			      : o->gso == XMIT_GSO_TCPV6 ? VIRTIO_NET_HDR_GSO_TCPV6
							 : VIRTIO_NET_HDR_GSO_UDP_L4;
		if (o->ecn)
			h->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
		h->gso_size = o->gso_size;
		h->hdr_len = o->hdr_len;
	}
}

static void vnet_to_offload(const struct virtio_net_hdr *h, struct xmit_offload *o)
{
	*o = (struct xmit_offload){0};
	o->needs_csum = h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	o->csum_valid = h->flags & VIRTIO_NET_HDR_F_DATA_VALID;
	o->csum_start = h->csum_start;
	o->csum_offset = h->csum_offset;
	o->gso_size = h->gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : h->gso_size;
	o->hdr_len = h->hdr_len;
	o->ecn = h->gso_type & VIRTIO_NET_HDR_GSO_ECN;
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4: o->gso = XMIT_GSO_TCPV4; break;
	case VIRTIO_NET_HDR_GSO_TCPV6: o->gso = XMIT_GSO_TCPV6; break;
	case VIRTIO_NET_HDR_GSO_UDP_L4: o->gso = XMIT_GSO_UDP_L4; break;
	default: o->gso = XMIT_GSO_NONE; break;
	}
}

static void device_gone(struct vnet_fd *v)
{
	v->gone = true;
	xmit_dev_carrier(v->dev, false);
}

/* 0, or -errno: -EAGAIN when the descriptor takes no more now. */
static int write_pieces(struct vnet_fd *v, const struct iovec *iov, int n)
{
	ssize_t w;

	do
		w = writev(v->fd, iov, n);
	while (w < 0 && errno == EINTR);
	return w < 0 ? (errno == ENOBUFS ? -EAGAIN : -errno) : 0;
}

/* A super-segment, frame by frame; after -EAGAIN it goes on where it stopped. */
static int write_cut(struct vnet_fd *v, const xmit_skb *skb)
{
	struct iovec iov[TX_PIECES];
	int first_err = 0;

	if (!v->cutting) {
		xmit_cut_begin(&v->cut, v->dev, skb);
		v->cutting = xmit_cut_next(&v->cut, &v->seg);
	}
	while (v->cutting) {
		int n = xmit_seg_iov(skb, &v->seg, iov, TX_PIECES), err = n < 0 ? -EMSGSIZE : write_pieces(v, iov, n);

		if (err == -EAGAIN)
			return err;
		first_err = first_err ? first_err : err;
		v->cutting = xmit_cut_next(&v->cut, &v->seg);
	}
	return first_err;
}

static int write_frame(struct vnet_fd *v, const xmit_skb *skb)
{
	struct iovec iov[TX_PIECES + 1];
	struct virtio_net_hdr hdr;
	int lead = v->vnet_hdr ? 1 : 0, n;

	if (xmit_skb_frames(v->dev, skb) > 1)
		return write_cut(v, skb);
	n = xmit_skb_iov(skb, iov + lead, TX_PIECES);
	if (n < 0)
		return -EMSGSIZE;
	if (lead) {
		struct xmit_offload o;
		xmit_skb_offload(skb, &o);
		offload_to_vnet(&o, &hdr);
		iov[0] = (struct iovec){&hdr, sizeof(hdr)};
	}
	return write_pieces(v, iov, n + lead);
}

static void ring_doorbell(struct vnet_fd *v)
{
	while (v->sent != v->posted && !v->blocked) {
		uint32_t slot = v->sent % RING_SIZE;
		int err = v->gone ? -ENODEV : write_frame(v, v->ring[slot]);

		if (err == -EAGAIN) {
			v->blocked = true;
			break;
		}
		v->failed[slot] = err;
		v->sent++;
		if (err == -EBADFD || err == -ENODEV || err == -ENXIO)
			device_gone(v);
	}
	if (v->sent != v->reaped)
		xmit_dev_schedule(v->dev, 0);
}

static int vnet_start_xmit(xmit_dev *dev, xmit_skb *skb, unsigned queue, bool more)
{
	struct vnet_fd *v = xmit_dev_priv(dev);

	if (v->posted - v->reaped == RING_SIZE)
		return XMIT_TX_BUSY;
	v->ring[v->posted++ % RING_SIZE] = skb;
	xmit_skb_tx_posted(dev, queue, skb);
	if (v->posted - v->reaped == RING_SIZE) {
		xmit_dev_tx_stop(dev, queue);
		more = false;
	}
	if (!more)
		ring_doorbell(v);
	return XMIT_TX_OK;
}

static void reap_completions(struct vnet_fd *v, unsigned queue)
{
	while (v->reaped != v->sent) {
		uint32_t slot = v->reaped++ % RING_SIZE;
		if (v->failed[slot])
			xmit_skb_tx_failed(v->dev, queue, v->ring[slot]);
		else
			xmit_skb_tx_done(v->dev, queue, v->ring[slot]);
	}
	if (xmit_dev_tx_stopped(v->dev, queue) && v->posted - v->reaped <= RING_SIZE / 2)
		xmit_dev_tx_wake(v->dev, queue);
}

/* Pages for the longest frame stand ready; false: no memory. */
static bool rx_refill(struct vnet_fd *v)
{
	if (v->rx_bytes >= RX_BYTES)
		return true;
	int n = xmit_rx_buffers(v->dev, RX_BYTES - v->rx_bytes, v->rx + v->rx_pieces, RX_PIECES - v->rx_pieces);
	if (n < 0)
		return v->rx_bytes >= 4096; /* short of memory: small frames still come in */
	for (int i = 0; i < n; i++)
		v->rx_bytes += v->rx[v->rx_pieces + i].iov_len;
	v->rx_pieces += n;
	return true;
}

static void rx_take(struct vnet_fd *v, int used)
{
	for (int i = 0; i < used; i++)
		v->rx_bytes -= v->rx[i].iov_len;
	v->rx_pieces -= used;
	memmove(v->rx, v->rx + used, (size_t)v->rx_pieces * sizeof(v->rx[0]));
}

/* Reads one frame and hands it up; false when there is none. */
static bool read_frame(struct vnet_fd *v, unsigned queue)
{
	struct virtio_net_hdr hdr;
	struct iovec iov[RX_PIECES + 1];
	int lead = v->vnet_hdr ? 1 : 0;
	int used = 0;

	if (!rx_refill(v))
		return false;
	iov[0] = (struct iovec){&hdr, sizeof(hdr)};
	memcpy(iov + lead, v->rx, (size_t)v->rx_pieces * sizeof(v->rx[0]));
	ssize_t n = readv(v->fd, iov, v->rx_pieces + lead);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ENETDOWN && errno != ENOBUFS)
			device_gone(v);
		return errno == EINTR;
	}
	size_t lead_bytes = lead ? sizeof(hdr) : 0;
	if ((size_t)n <= lead_bytes) {
		xmit_dev_count_rx_error(v->dev);
		return true;
	}
	xmit_skb *skb = xmit_skb_rx_buffers(v->dev, v->rx, v->rx_pieces, 0, (size_t)n - lead_bytes, &used);
	rx_take(v, used);
	if (!skb)
		return true;
	if (lead) {
		struct xmit_offload o;
		vnet_to_offload(&hdr, &o);
		xmit_skb_set_offload(skb, &o);
	}
	xmit_dev_receive(v->dev, queue, skb);
	return true;
}

static int vnet_poll(xmit_dev *dev, unsigned queue, int budget)
{
	struct vnet_fd *v = xmit_dev_priv(dev);
	int n = 0;

	if (v->blocked) {
		v->blocked = false;
		ring_doorbell(v);
	}
	reap_completions(v, queue);
	while (n < budget && !v->gone && read_frame(v, queue))
		n++;
	return n;
}

/* Only the descriptor knows, and asking costs what reading costs. */
static bool vnet_ready(xmit_dev *dev)
{
	struct vnet_fd *v = xmit_dev_priv(dev);

	return !v->gone;
}

static int vnet_fds(xmit_dev *dev, struct pollfd *fds, int max)
{
	struct vnet_fd *v = xmit_dev_priv(dev);

	if (v->gone)
		return 0;
	if (max > 0)
		fds[0] = (struct pollfd){.fd = v->fd, .events = (short)(POLLIN | (v->blocked ? POLLOUT : 0))};
	return 1;
}

static void vnet_stop(xmit_dev *dev)
{
	struct vnet_fd *v = xmit_dev_priv(dev);

	while (v->reaped != v->posted)
		xmit_skb_tx_failed(dev, 0, v->ring[v->reaped++ % RING_SIZE]);
	v->sent = v->posted;
	v->blocked = v->cutting = false;
	xmit_rx_buffers_free(dev, v->rx, v->rx_pieces);
	v->rx_pieces = 0;
	v->rx_bytes = 0;
}

static void vnet_destroy(xmit_dev *dev)
{
	struct vnet_fd *v = xmit_dev_priv(dev);

	close(v->fd);
}

static const struct xmit_dev_ops vnet_fd_ops = {
	.size = sizeof(vnet_fd_ops),
	.stop = vnet_stop,
	.start_xmit = vnet_start_xmit,
	.poll = vnet_poll,
	.fds = vnet_fds,
	.ready = vnet_ready,
	.destroy = vnet_destroy,
};

static int vnet_init(xmit_dev *dev, void *arg)
{
	const struct vnet_fd_config *c = arg;
	struct vnet_fd *v = xmit_dev_priv(dev);

	v->dev = dev;
	v->fd = c->fd;
	v->vnet_hdr = c->vnet_hdr;
	return 0;
}

void vnet_fd_stable_mac(struct vnet_fd_config *c, const uint8_t wanted[6], const char *ifname)
{
	static const uint8_t none[6];
	uint32_t hash = 2166136261u; /* FNV-1a */

	if (wanted && memcmp(wanted, none, sizeof(none)) != 0) {
		memcpy(c->mac, wanted, sizeof(c->mac));
		return;
	}
	if (!ifname)
		return;
	for (const char *p = ifname; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	const uint8_t mac[6] = {0x02, 0x78, (uint8_t)(hash >> 24), (uint8_t)(hash >> 16), (uint8_t)(hash >> 8), (uint8_t)hash};
	memcpy(c->mac, mac, sizeof(mac));
}

xmit_dev *vnet_fd_new(xmit_net *net, const struct vnet_fd_config *c)
{
	struct xmit_dev_desc desc = {
		.size = sizeof(desc),
		.name = c->name ? c->name : "eth%d",
		.type = c->type,
		.ops = &vnet_fd_ops,
		.priv_size = sizeof(struct vnet_fd),
		.features = XMIT_F_SG | XMIT_F_GRO | XMIT_F_COPIES,
		.mtu = c->mtu,
		.cut_frames = c->vnet_hdr ? 0 : CUT_FRAMES,
		.init_arg = (void *)(uintptr_t)c,
		.init = vnet_init,
	};

	if (c->vnet_hdr)
		desc.features |= XMIT_F_CSUM | XMIT_F_TSO | XMIT_F_RXCSUM;
	memcpy(desc.mac, c->mac, sizeof(desc.mac));
	xmit_dev *dev = xmit_dev_new(net, &desc);
	if (dev)
		xmit_dev_carrier(dev, true);
	return dev;
}
