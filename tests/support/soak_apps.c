/* SPDX-License-Identifier: MIT */
/*
 * soak_apps.c - the applications of random scenarios (soak.h).
 *
 * Orderly ones send both ways, stop reading for seconds, close half, and must deliver everything; abrupt ones are closed, reset or shut down at a random
 * moment, and what has arrived until then must be right: every byte is compared.
 */
#include "soak.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct soak soak;
static const char *const ending_names[ENDINGS] = {"orderly", "closed", "reset", "lingered", "shut both ways", "reading shut"};

/* --- random choices ----------------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t soak_draw(void)
{
	return mix(soak.random += UINT64_C(0x9e3779b97f4a7c15));
}

uint64_t soak_below(uint64_t n) { return soak_draw() % n; }
bool soak_one_in(unsigned n) { return soak_below(n) == 0; }

/* Every order of magnitude as likely as the next. */
uint64_t soak_spread(uint64_t least, uint64_t most)
{
	unsigned doublings = 0;

	for (uint64_t v = least; v < most; v *= 2)
		doublings++;
	uint64_t v = least << soak_below(doublings + 1);
	v += soak_below(v);
	return v > most ? most : v;
}

void soak_say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(soak.text + soak.text_len, sizeof(soak.text) - soak.text_len, format, ap);
	va_end(ap);
	soak.text_len = (size_t)n < sizeof(soak.text) - soak.text_len ? soak.text_len + (size_t)n : sizeof(soak.text) - 1;
}

void soak_wrong(const struct end *e, const char *what, int error)
{
	const struct conn *c = e->conn;

	if (!soak.wrong[0])
		snprintf(soak.wrong, sizeof(soak.wrong), "connection %d, %s at %.6f s: %s%s%s", (int)(c - soak.conn), e == &c->end[0] ? "client" : "server",
			 (double)soak.sim.now_ns / 1e9 - 1000, what, error ? ": " : "", error ? strerror(error) : "");
}

static void pattern_fill(uint64_t pattern, uint64_t offset, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		uint64_t at = offset + i, word = mix(pattern ^ (at >> 3));
		for (unsigned b = at & 7; b < 8 && i < n; b++, i++)
			p[i] = (uint8_t)(word >> (8 * b));
	}
}

/* --- the applications ----------------------------------------------------------------------------------------------------------- */

static void end_event(xmit_net *net, int fd, uint32_t events, void *ctx);

static void end_close(struct end *e)
{
	if (e->fd >= 0)
		xmit_close(e->net, e->fd);
	e->fd = -1;
}

static void set_int(struct end *e, int level, int name, int v)
{
	if (xmit_setsockopt(e->net, e->fd, level, name, &v, sizeof(v)))
		soak_wrong(e, "setsockopt", errno);
}

/* An error of the connection: expected only once somebody has broken it off. */
static void end_error(struct end *e, int error)
{
	if (e->conn->ending == ORDERLY)
		soak_wrong(e, "error", error);
	e->error = error;
	end_close(e);
}

static bool pauses(struct end *e, uint64_t *until_ns)
{
	if (soak_below(1000000) >= e->pauses_ppm)
		return false;
	*until_ns = soak.sim.now_ns + 1 + soak_below(e->pause_most_ns);
	return true;
}

static void end_write(struct end *e)
{
	static uint8_t buf[CHUNK_MAX];

	while (e->fd >= 0 && !e->write_at_ns && e->sent < e->bytes) {
		uint64_t left = e->bytes - e->sent, n = 1 + soak_below(e->write_most);
		if (n > left)
			n = left;
		if (e->corks && soak_one_in(8))
			set_int(e, IPPROTO_TCP, XMIT_TCP_CORK, soak_one_in(2));
		pattern_fill(e->pattern, e->sent, buf, (size_t)n);
		ssize_t w = xmit_send(e->net, e->fd, buf, (size_t)n, MSG_DONTWAIT | (e->more && soak_one_in(4) ? MSG_MORE : 0));
		if (w < 0 && (errno == EAGAIN || errno == ENOTCONN))
			return;
		if (w < 0)
			return end_error(e, errno);
		e->sent += (uint64_t)w;
		pauses(e, &e->write_at_ns);
	}
	if (e->fd >= 0 && e->sent == e->bytes && !e->shut && !e->write_at_ns) {
		if (xmit_shutdown(e->net, e->fd, SHUT_WR) == 0)
			e->shut = true;
		else if (errno != ENOTCONN)
			end_error(e, errno);
	}
}

static bool compare(struct end *e, const uint8_t *got, size_t n)
{
	static uint8_t want[CHUNK_MAX];
	const struct end *peer = &e->conn->end[e == &e->conn->end[0]];

	while (n) {
		size_t part = n < sizeof(want) ? n : sizeof(want);
		pattern_fill(peer->pattern, e->received, want, part);
		if (memcmp(got, want, part) != 0)
			return false;
		e->received += part;
		got += part;
		n -= part;
	}
	return true;
}

/* As recv(), in place. */
static ssize_t read_in_place(struct end *e, size_t most, bool *right)
{
	struct iovec iov[4];
	size_t n = 0;
	int pieces = xmit_recv_iov(e->net, e->fd, iov, 4);

	if (pieces <= 0)
		return pieces;
	for (int i = 0; i < pieces && n < most; i++) {
		size_t part = iov[i].iov_len < most - n ? iov[i].iov_len : most - n;
		*right = *right && compare(e, iov[i].iov_base, part);
		n += part;
	}
	if (xmit_recv_skip(e->net, e->fd, n))
		return -1;
	return (ssize_t)n;
}

static void end_read(struct end *e)
{
	static uint8_t buf[CHUNK_MAX];

	while (e->fd >= 0 && !e->read_at_ns && !e->eof) {
		size_t most = 1 + soak_below(e->read_most);
		bool right = true;
		ssize_t n = e->in_place ? read_in_place(e, most, &right) : xmit_recv(e->net, e->fd, buf, most, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
			return;
		if (n < 0)
			return end_error(e, errno);
		if (!e->in_place)
			right = compare(e, buf, (size_t)n);
		if (!right)
			return soak_wrong(e, "other bytes than were sent", 0);
		if (n == 0)
			e->eof = true;
		else
			pauses(e, &e->read_at_ns);
	}
}

/* Whoever has sent and read everything closes; so does, of an abrupt connection, whoever sees its end. */
void soak_end_go_on(struct end *e)
{
	struct conn *c = e->conn;

	end_read(e);
	end_write(e);
	if (e->fd < 0 || !e->eof)
		return;
	const struct end *peer = &c->end[e == &c->end[0]];
	if (c->ending == ORDERLY && e->received != peer->bytes)
		soak_wrong(e, "end of stream before its time", 0);
	if (e->shut || (c->ending != ORDERLY && soak_one_in(2)))
		end_close(e);
}

static void end_event(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	struct end *e = ctx;

	(void)net;
	(void)fd;
	if (events & XMIT_EPOLLERR) {
		int error = 0;
		socklen_t len = sizeof(error);
		xmit_getsockopt(e->net, e->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error)
			return end_error(e, error);
	}
	soak_end_go_on(e);
}

static void choose_buffers(xmit_net *net, int fd)
{
	int v;

	if (soak_one_in(3)) {
		v = (int)soak_spread(1024, 4 << 20);
		xmit_setsockopt(net, fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v));
		soak_say(" sndbuf %d", v);
	}
	if (soak_one_in(3)) {
		v = (int)soak_spread(1024, 4 << 20);
		xmit_setsockopt(net, fd, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v));
		soak_say(" rcvbuf %d", v);
	}
}

static void end_open(struct end *e, int fd)
{
	e->fd = fd;
	if (soak_one_in(3))
		set_int(e, IPPROTO_TCP, XMIT_TCP_NODELAY, 1);
	/* The end of an abrupt connection may be lost; somebody who only reads must still learn of it. */
	if (e->conn->ending != ORDERLY) {
		set_int(e, SOL_SOCKET, SO_KEEPALIVE, 1);
		set_int(e, IPPROTO_TCP, XMIT_TCP_KEEPIDLE, 20);
		set_int(e, IPPROTO_TCP, XMIT_TCP_KEEPINTVL, 5);
	}
	if (xmit_set_event_cb(e->net, fd, end_event, e))
		soak_wrong(e, "set_event_cb", errno);
}

void soak_conn_accept(struct conn *c)
{
	if (c->end[1].fd >= 0 || c->end[1].error || c->listen_fd < 0 || soak.sim.now_ns < c->accept_ns)
		return;
	int fd = xmit_accept4(c->end[1].net, c->listen_fd, NULL, NULL, SOCK_NONBLOCK);
	if (fd < 0)
		return;
	end_open(&c->end[1], fd);
	soak_end_go_on(&c->end[1]);
}

static void listen_event(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	(void)net;
	(void)fd;
	(void)events;
	soak_conn_accept(ctx);
}

void soak_conn_start(struct conn *c)
{
	struct sockaddr_in a = sim_addr(c->server, (uint16_t)(80 + (c - soak.conn)));
	xmit_net *s = c->end[1].net;

	c->started = true;
	soak_say("\n  connection %d after %.3f s, %s", (int)(c - soak.conn), (double)c->start_ns / 1e9 - 1000, ending_names[c->ending]);
	if (c->ending != ORDERLY)
		soak_say(" by %s at %.3f s", c->aborter ? "server" : "client", (double)c->abort_ns / 1e9 - 1000);
	for (int i = 0; i < 2; i++) {
		const struct end *e = &c->end[i];
		soak_say("; %s: %llu bytes, writes to %u, reads to %u, pauses %u ppm to %.3f s", i ? "server" : "client", (unsigned long long)e->bytes,
		    e->write_most, e->read_most, e->pauses_ppm, (double)e->pause_most_ns / 1e9);
	}
	c->listen_fd = xmit_socket(s, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	choose_buffers(s, c->listen_fd);
	if (xmit_bind(s, c->listen_fd, (struct sockaddr *)&a, sizeof(a)) || xmit_listen(s, c->listen_fd, 4) ||
	    xmit_set_event_cb(s, c->listen_fd, listen_event, c))
		soak_wrong(&c->end[1], "listen", errno);
	int fd = xmit_socket(c->end[0].net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	choose_buffers(c->end[0].net, fd);
	end_open(&c->end[0], fd);
	if (xmit_connect(c->end[0].net, fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno != EINPROGRESS)
		end_error(&c->end[0], errno);
}

void soak_conn_abort(struct conn *c)
{
	struct end *e = &c->end[c->aborter];
	struct linger l = {.l_onoff = 1, .l_linger = c->ending == RESET ? 0 : 2};

	c->aborted = true;
	if (c->aborter && c->listen_fd >= 0) {
		xmit_close(e->net, c->listen_fd);
		c->listen_fd = -1;
	}
	if (e->fd < 0)
		return;
	if (c->ending == RESET || c->ending == LINGERED)
		if (xmit_setsockopt(e->net, e->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)))
			soak_wrong(e, "SO_LINGER", errno);
	if (c->ending == SHUT_BOTH || c->ending == SHUT_READ) {
		xmit_shutdown(e->net, e->fd, c->ending == SHUT_BOTH ? SHUT_RDWR : SHUT_RD);
		e->shut = e->shut || c->ending == SHUT_BOTH;
		return;
	}
	end_close(e);
}
