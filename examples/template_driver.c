/* SPDX-License-Identifier: MIT */
/*
 * template_driver.c - a driver of one's own, to start from: frames over a SOCK_SEQPACKET socket, one frame a message.
 *
 *	template_driver		two instances, a socket pair between them, one ping-pong of TCP; prints "ok"
 *
 * The shape every driver has: start_xmit() posts to a ring and sends at the doorbell; poll() gives finished skbs back, wakes the queue
 * and hands up what came; fds() says what to wait on.
 */
#include <xmit/control.h>
#include <xmit/dev.h>
#include <xmit/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <unistd.h>

enum { RING = 64, PIECES = 20, FRAME_MOST = 1514 };

struct seqpacket {
	xmit_dev *dev;
	int fd;
	bool blocked;
	unsigned posted, sent, reaped; /* running indices into the ring */
	xmit_skb *ring[RING];
};

static void doorbell(struct seqpacket *d)
{
	for (d->blocked = false; d->sent != d->posted; d->sent++) {
		struct iovec iov[PIECES];
		struct msghdr m = {.msg_iov = iov};
		int n = xmit_skb_iov(d->ring[d->sent % RING], iov, PIECES);

		m.msg_iovlen = (size_t)(n < 0 ? 0 : n);
		if (n < 0 || (sendmsg(d->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)) {
			xmit_dev_count_tx_error(d->dev); /* this frame is lost, the next may pass */
		} else if (n >= 0 && errno == EAGAIN) {
			errno = 0;
			d->blocked = true;
			break;
		}
	}
	if (d->reaped != d->sent)
		xmit_dev_schedule(d->dev, 0); /* the completion "interrupt" */
}

static int start_xmit(xmit_dev *dev, xmit_skb *skb, unsigned queue, bool more)
{
	struct seqpacket *d = xmit_dev_priv(dev);

	if (d->posted - d->reaped == RING)
		return XMIT_TX_BUSY;
	d->ring[d->posted++ % RING] = skb;
	if (d->posted - d->reaped == RING)
		xmit_dev_tx_stop(dev, queue);
	errno = 0;
	if (!more || d->posted - d->reaped == RING)
		doorbell(d);
	return XMIT_TX_OK;
}

static int poll_device(xmit_dev *dev, unsigned queue, int budget)
{
	struct seqpacket *d = xmit_dev_priv(dev);
	unsigned char frame[FRAME_MOST];
	int n = 0;

	errno = 0;
	if (d->blocked)
		doorbell(d);
	while (d->reaped != d->sent)
		xmit_skb_tx_done(dev, queue, d->ring[d->reaped++ % RING]);
	if (xmit_dev_tx_stopped(dev, queue) && d->posted - d->reaped <= RING / 2)
		xmit_dev_tx_wake(dev, queue);
	for (; n < budget; n++) {
		ssize_t len = recv(d->fd, frame, sizeof(frame), MSG_DONTWAIT);
		xmit_skb *skb = len > 0 ? xmit_skb_rx_copy(dev, frame, (size_t)len) : NULL;
		if (len <= 0)
			break;
		if (skb)
			xmit_dev_receive(dev, queue, skb);
	}
	return n;
}

static bool ready(xmit_dev *dev)
{
	(void)dev;
	return true; /* only the descriptor knows: poll() asks it */
}

static int fds(xmit_dev *dev, struct pollfd *p, int max)
{
	struct seqpacket *d = xmit_dev_priv(dev);

	if (max > 0)
		*p = (struct pollfd){.fd = d->fd, .events = (short)(POLLIN | (d->blocked ? POLLOUT : 0))};
	return 1;
}

static void stop(xmit_dev *dev)
{
	struct seqpacket *d = xmit_dev_priv(dev);

	while (d->reaped != d->posted)
		xmit_skb_tx_failed(dev, 0, d->ring[d->reaped++ % RING]);
	d->sent = d->posted;
}

static int init(xmit_dev *dev, void *arg)
{
	*(struct seqpacket *)xmit_dev_priv(dev) = (struct seqpacket){.dev = dev, .fd = *(int *)arg};
	return 0;
}

static const struct xmit_dev_ops ops = {
	.size = sizeof(ops), .start_xmit = start_xmit, .poll = poll_device, .ready = ready, .fds = fds, .stop = stop,
};

/* --- the driver ends here; the rest shows that it works ---------------------------------------------------- */

static xmit_net *make_host(int fd, const char *cidr)
{
	xmit_net *net = xmit_net_new(NULL);
	struct xmit_dev_desc desc = {.size = sizeof(desc), .name = "eth%d", .ops = &ops, .priv_size = sizeof(struct seqpacket),
				     .features = XMIT_F_SG, .mtu = 1500, .init_arg = &fd, .init = init};
	xmit_dev *dev = net ? xmit_dev_new(net, &desc) : NULL;

	if (!dev || xmit_dev_up(dev) || xmit_addr_add_text(dev, cidr)) {
		perror("template_driver: device");
		_exit(1);
	}
	xmit_dev_carrier(dev, true);
	return net;
}

int main(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(7), .sin_addr.s_addr = htonl(0xc6336402)};
	int pair[2];
	char buf[16] = "";

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		return 1;
	xmit_net *client = make_host(pair[0], "198.51.100.1/24"), *server = make_host(pair[1], "198.51.100.2/24");
	int l = xmit_socket(server, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), c = xmit_socket(client, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), s = -1;
	xmit_bind(server, l, (struct sockaddr *)&a, sizeof(a));
	xmit_listen(server, l, 1);
	xmit_connect(client, c, (struct sockaddr *)&a, sizeof(a));
	for (int tries = 0, sent = 0; tries < 100000 && strcmp(buf, "pong") != 0; tries++) {
		xmit_poll(client, 0);
		xmit_poll(server, 0);
		if (!sent && xmit_write(client, c, "ping", 5) == 5)
			sent = 1;
		if (s < 0)
			s = xmit_accept4(server, l, NULL, NULL, SOCK_NONBLOCK);
		if (s >= 0 && xmit_read(server, s, buf, sizeof(buf)) == 5 && !strcmp(buf, "ping"))
			xmit_write(server, s, "pong", 5);
		xmit_read(client, c, buf, sizeof(buf));
	}
	puts(strcmp(buf, "pong") ? "failed" : "ok");
	xmit_net_free(client);
	xmit_net_free(server);
	return strcmp(buf, "pong") != 0;
}
