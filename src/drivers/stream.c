/* SPDX-License-Identifier: MIT */
/*
 * stream.c - frames over a stream socket, each behind its length as a 32-bit big-endian number: the framing of QEMU's stream
 * netdev, which passt speaks.
 *
 * A stream may take half a frame.  The frame at the front of the ring remembers how many of its bytes are out (tx_offset) and
 * is completed when the last one is.  What comes in is gathered in one buffer, from which whole frames are copied.
 * A stream that ends, or a length that cannot be, takes the carrier away: there is no way to find the next frame's start.
 */
#define _GNU_SOURCE
#include "lib/compiler.h"
#include "wire/byteorder.h"
#include "xmit/dev.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	RING_SIZE = 256,
	PIECES = 20,
	LENGTH_BYTES = 4,
	FRAME_MOST = 65536 + 64,
	RX_BUFFER = 2 * (FRAME_MOST + LENGTH_BYTES),
};

struct stream_dev {
	xmit_dev *dev;
	int fd;
	bool blocked, gone;
	uint32_t posted, sent, reaped;     /* running indices: reaped <= sent <= posted */
	uint32_t tx_offset;                /* bytes of ring[sent] and its length field that are out */
	xmit_skb *ring[RING_SIZE];
	uint8_t *rx;                       /* RX_BUFFER bytes while up */
	size_t rx_start, rx_end;
};

static void stream_gone(struct stream_dev *d)
{
	d->gone = true;
	xmit_dev_carrier(d->dev, false);
}

/* Drops the first `skip` bytes of iov. Returns the entry to start from. */
static int iov_skip(struct iovec *iov, int n, size_t skip)
{
	int i = 0;

	while (i < n && skip >= iov[i].iov_len)
		skip -= iov[i++].iov_len;
	if (i < n) {
		iov[i].iov_base = (uint8_t *)iov[i].iov_base + skip;
		iov[i].iov_len -= skip;
	}
	return i;
}

/* Writes what is left of the front frame. 0 when all of it is out, -EAGAIN, or another -errno. */
static int write_frame(struct stream_dev *d, const xmit_skb *skb)
{
	struct iovec iov[PIECES + 1];
	uint8_t length[LENGTH_BYTES];
	uint32_t len = xmit_skb_len(skb);
	int n = xmit_skb_iov(skb, iov + 1, PIECES);

	if (n < 0)
		return -EMSGSIZE;
	put_be32(length, len);
	iov[0] = (struct iovec){length, LENGTH_BYTES};
	while (d->tx_offset < len + LENGTH_BYTES) {
		struct iovec rest[PIECES + 1];
		memcpy(rest, iov, (size_t)(n + 1) * sizeof(iov[0]));
		int first = iov_skip(rest, n + 1, d->tx_offset);
		struct msghdr m = {.msg_iov = rest + first, .msg_iovlen = (size_t)(n + 1 - first)};
		ssize_t w = sendmsg(d->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		d->tx_offset += (uint32_t)w;
	}
	return 0;
}

static void ring_doorbell(struct stream_dev *d)
{
	while (d->sent != d->posted && !d->blocked) {
		int err = d->gone ? -EPIPE : write_frame(d, d->ring[d->sent % RING_SIZE]);
		if (err == -EAGAIN) {
			d->blocked = true;
			break;
		}
		if (err) {
			xmit_dev_count_tx_error(d->dev);
			if (err != -EMSGSIZE)
				stream_gone(d);
		}
		d->tx_offset = 0;
		d->sent++;
	}
	if (d->sent != d->reaped)
		xmit_dev_schedule(d->dev, 0);
}

static int stream_start_xmit(xmit_dev *dev, xmit_skb *skb, unsigned queue, bool more)
{
	struct stream_dev *d = xmit_dev_priv(dev);

	if (d->posted - d->reaped == RING_SIZE)
		return XMIT_TX_BUSY;
	d->ring[d->posted++ % RING_SIZE] = skb;
	xmit_skb_tx_posted(dev, queue, skb);
	if (d->posted - d->reaped == RING_SIZE) {
		xmit_dev_tx_stop(dev, queue);
		more = false;
	}
	if (!more)
		ring_doorbell(d);
	return XMIT_TX_OK;
}

/* Larger frames go into pages, as a device's DMA would put them. */
static xmit_skb *frame_skb(struct stream_dev *d, const uint8_t *frame, size_t len)
{
	struct iovec iov[PIECES + 4];
	int used = 0;

	if (len <= 256)
		return xmit_skb_rx_copy(d->dev, frame, len);
	int n = xmit_rx_buffers(d->dev, len, iov, PIECES + 4);
	if (n < 0)
		return NULL;
	size_t at = 0;
	for (int i = 0; i < n && at < len; i++) {
		size_t c = MIN(iov[i].iov_len, len - at);
		memcpy(iov[i].iov_base, frame + at, c);
		at += c;
	}
	xmit_dev_count_copy(d->dev, len);
	xmit_skb *skb = xmit_skb_rx_buffers(d->dev, iov, n, 0, len, &used);
	if (used < n)
		xmit_rx_buffers_free(d->dev, iov + used, n - used);
	return skb;
}

/* Hands up the first whole frame of the buffer; false when there is none. */
static bool deliver_frame(struct stream_dev *d, unsigned queue)
{
	size_t have = d->rx_end - d->rx_start;

	if (have < LENGTH_BYTES)
		return false;
	uint32_t len = get_be32(d->rx + d->rx_start);
	if (!len || len > FRAME_MOST) {
		xmit_dev_count_rx_error(d->dev);
		stream_gone(d);
		return false;
	}
	if (have < LENGTH_BYTES + len)
		return false;
	xmit_skb *skb = frame_skb(d, d->rx + d->rx_start + LENGTH_BYTES, len);
	d->rx_start += LENGTH_BYTES + len;
	if (skb)
		xmit_dev_receive(d->dev, queue, skb);
	return true;
}

/* Reads more behind what is there; false when nothing came. */
static bool fill_buffer(struct stream_dev *d)
{
	if (d->rx_start) {
		memmove(d->rx, d->rx + d->rx_start, d->rx_end - d->rx_start);
		d->rx_end -= d->rx_start;
		d->rx_start = 0;
	}
	ssize_t n = recv(d->fd, d->rx + d->rx_end, RX_BUFFER - d->rx_end, MSG_DONTWAIT);
	if (n > 0) {
		d->rx_end += (size_t)n;
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		stream_gone(d);
	return false;
}

static int stream_poll(xmit_dev *dev, unsigned queue, int budget)
{
	struct stream_dev *d = xmit_dev_priv(dev);
	int n = 0;

	if (d->blocked) {
		d->blocked = false;
		ring_doorbell(d);
	}
	while (d->reaped != d->sent)
		xmit_skb_tx_done(dev, queue, d->ring[d->reaped++ % RING_SIZE]);
	if (xmit_dev_tx_stopped(dev, queue) && d->posted - d->reaped <= RING_SIZE / 2)
		xmit_dev_tx_wake(dev, queue);
	while (n < budget && !d->gone) {
		if (deliver_frame(d, queue))
			n++;
		else if (d->gone || !fill_buffer(d))
			break;
	}
	return n;
}

static bool stream_ready(xmit_dev *dev)
{
	struct stream_dev *d = xmit_dev_priv(dev);

	return !d->gone;
}

static int stream_fds(xmit_dev *dev, struct pollfd *fds, int max)
{
	struct stream_dev *d = xmit_dev_priv(dev);

	if (d->gone)
		return 0;
	if (max > 0)
		fds[0] = (struct pollfd){.fd = d->fd, .events = (short)(POLLIN | (d->blocked ? POLLOUT : 0))};
	return 1;
}

static int stream_open(xmit_dev *dev)
{
	struct stream_dev *d = xmit_dev_priv(dev);

	d->rx = xmit_dev_alloc(dev, RX_BUFFER);
	d->rx_start = d->rx_end = 0;
	return d->rx ? 0 : -ENOMEM;
}

static void stream_stop(xmit_dev *dev)
{
	struct stream_dev *d = xmit_dev_priv(dev);

	/* Half a frame is out: the stream's framing is lost with it. */
	if (d->tx_offset)
		stream_gone(d);
	while (d->reaped != d->posted)
		xmit_skb_tx_failed(dev, 0, d->ring[d->reaped++ % RING_SIZE]);
	d->sent = d->posted;
	d->tx_offset = 0;
	d->blocked = false;
	xmit_dev_mem_free(dev, d->rx);
	d->rx = NULL;
}

static void stream_destroy(xmit_dev *dev)
{
	struct stream_dev *d = xmit_dev_priv(dev);

	close(d->fd);
}

static const struct xmit_dev_ops stream_ops = {
	.size = sizeof(stream_ops),
	.open = stream_open,
	.stop = stream_stop,
	.start_xmit = stream_start_xmit,
	.poll = stream_poll,
	.fds = stream_fds,
	.ready = stream_ready,
	.destroy = stream_destroy,
};

static int stream_init(xmit_dev *dev, void *arg)
{
	struct stream_dev *d = xmit_dev_priv(dev);

	d->dev = dev;
	d->fd = *(int *)arg;
	return 0;
}

xmit_dev *xmit_stream_new(xmit_net *net, int fd, const char *name, unsigned mtu)
{
	struct xmit_dev_desc desc = {
		.size = sizeof(desc),
		.name = name ? name : "eth%d",
		.type = XMIT_DEV_ETHER,
		.ops = &stream_ops,
		.priv_size = sizeof(struct stream_dev),
		.features = XMIT_F_SG | XMIT_F_GRO | XMIT_F_COPIES,
		.mtu = mtu,
		.init_arg = &fd,
		.init = stream_init,
	};

	if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		errno = EBADF;
		return NULL;
	}
	xmit_dev *dev = xmit_dev_new(net, &desc);
	if (dev)
		xmit_dev_carrier(dev, true);
	return dev;
}
