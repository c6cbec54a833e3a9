/* SPDX-License-Identifier: MIT */
/*
 * dgram.c - datagram sockets: a SOCK_SEQPACKET pair between the program and the stack.
 *
 * A pair, because datagram sockets need no listen() and may be written at once; SEQPACKET, because AF_UNIX datagram sockets neither tell of
 * the other end's close nor queue more than ten.  Calls with an address or control data are trapped and carried out here, by
 * message.c; plain read, write, send and recv go to the pair and are moved by dgram_pump().  A trapped send first moves what was
 * written before it, which keeps the order.
 *
 * Every datagram put into the pair has an `origin` in a queue beside it: its sender, control data, length.  The program may take
 * datagrams out by plain reads, of which we learn nothing; so before a trapped receive the bytes that are left in the pair (SIOCINQ) are
 * compared with the queue, and origins of datagrams that are gone are dropped from its front.
 *
 * An error of the stack (ICMP) is an origin with `error` and an empty datagram, which wakes whoever polls; the next trapped call answers the
 * error, a plain recv() sees the empty datagram.  Netlink objects (netlink.c) use the same pair, with requests instead of a stack's socket.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ROUND_DATAGRAMS 128

static void dgram_end_ready(struct supervisor *sup, struct source *src, uint32_t events)
{
	end_changed(sup, container_of(src, struct object, src), events);
}

void dgram_stack_event(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	struct object *o = ctx;

	(void)net, (void)fd;
	if (events & XMIT_EPOLLIN)
		o->stack_in = true;
	if (events & XMIT_EPOLLERR)
		o->stack_err = o->stack_in = true;
	if (events & XMIT_EPOLLOUT)
		o->up_blocked = false;
	schedule(o->sup, o);
}

int dgram_new(struct supervisor *sup, struct call *c, enum object_kind kind, int sfd, int flags)
{
	int pair[2], number = -ENOBUFS;
	struct object *o = object_new(sup, kind, sfd);

	if (!o) {
		if (sfd >= 0)
			xmit_close(sup->net, sfd);
		return -ENOBUFS;
	}
	o->domain = (int)c->req.data.args[0];
	o->type = (int)c->req.data.args[1] & 0xf;
	o->protocol = (int)c->req.data.args[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		goto out_free;
	o->end = pair[0];
	o->src.ready = dgram_end_ready;
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	if (flags & SOCK_NONBLOCK)
		fcntl(pair[1], F_SETFL, O_NONBLOCK);
	set_sndbuf(pair[0], SNDBUF_TO_PROGRAM);
	set_sndbuf(pair[1], SNDBUF_FROM_PROGRAM);
	object_set_cookie(sup, o, pair[1]);
	source_add(sup, o->end, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &o->src);
	if (sfd >= 0)
		xmit_set_event_cb(sup->net, sfd, dgram_stack_event, o);
	number = notify_addfd(sup, c, pair[1], flags & SOCK_CLOEXEC);
	close(pair[1]);
	if (number < 0)
		goto out_free;
	o->last_tid = (pid_t)c->req.pid;
	o->last_fd = number;
	return CALL_DONE;
out_free:
	object_free(sup, o);
	return number;
}

void dgram_free(struct object *o)
{
	while (o->origins) {
		struct origin *next = o->origins->next;
		free(o->origins);
		o->origins = next;
	}
	o->origins_tail = &o->origins;
	o->n_origins = 0;
	free(o->parked);
	free(o->undelivered);
	free(o->undelivered_data);
	o->parked = o->undelivered_data = NULL;
	o->undelivered = NULL;
}

/* --- from the program --- */

/* One datagram to the stack; false: no room there, try again when told. */
static bool send_up(struct supervisor *sup, struct object *o, const void *data, size_t len)
{
	for (int i = 0; i < 2; i++) {
		if (o->kind == OBJ_NETLINK) {
			netlink_request(sup, o, data, len);
			return true;
		}
		if (xmit_send(sup->net, o->sfd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return true;
		if (errno == EAGAIN) {
			o->up_blocked = true;
			return false;
		}
		if (errno != ECONNREFUSED && errno != EHOSTUNREACH && errno != ENETUNREACH)
			return true; /* lost: the program's send() has returned long since */
		o->err = errno; /* of an earlier datagram: this one goes yet */
		o->stack_err = true;
	}
	return true;
}

/* Nothing was read: the end of the program's sending, not an empty datagram? */
static bool shut_for_writing(struct supervisor *sup, struct object *o)
{
	struct pollfd p = { .fd = o->end, .events = POLLRDHUP };
	int left = 0;

	if (poll(&p, 1, 0) <= 0 || ioctl(o->end, SIOCINQ, &left) < 0 || left > 0)
		return false;
	if (!o->up_done && o->sfd >= 0)
		xmit_shutdown(sup->net, o->sfd, SHUT_WR);
	o->up_done = true;
	return true;
}

void dgram_drain(struct supervisor *sup, struct object *o)
{
	if (o->parked && !o->up_blocked) {
		if (!send_up(sup, o, o->parked, o->parked_len))
			return;
		free(o->parked);
		o->parked = NULL;
	}
	for (int i = 0; i < ROUND_DATAGRAMS && !o->up_blocked; i++) {
		ssize_t n = recv(o->end, sup->pump_bounce, BOUNCE_BYTES, MSG_DONTWAIT);
		if (n < 0 || (n == 0 && shut_for_writing(sup, o))) {
			o->in_ready = n < 0 && errno == EINTR;
			return;
		}
		if (send_up(sup, o, sup->pump_bounce, (size_t)n))
			continue;
		o->parked = malloc((size_t)n + 1);
		if (o->parked) {
			memcpy(o->parked, sup->pump_bounce, (size_t)n);
			o->parked_len = (size_t)n;
		}
	}
}

/* --- to the program --- */

static void drop_oldest_origin(struct object *o)
{
	struct origin *from = o->origins;

	o->origins = from->next;
	if (!o->origins)
		o->origins_tail = &o->origins;
	o->n_origins--;
	free(from);
}

bool dgram_deliver(struct object *o, struct origin *from, const void *data)
{
	if (send(o->end, data, from->len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EAGAIN) {
			o->down_blocked = true;
			return false;
		}
		free(from); /* it reads no more */
		return true;
	}
	from->next = NULL;
	*o->origins_tail = from;
	o->origins_tail = &from->next;
	if (++o->n_origins > ORIGINS_MAX) /* it was read long ago: so many do not fit into the pair */
		drop_oldest_origin(o);
	return true;
}

static bool deliver_or_keep(struct object *o, struct origin *from, const void *data)
{
	if (dgram_deliver(o, from, data))
		return true;
	o->undelivered_data = malloc(from->len + 1);
	if (!o->undelivered_data) {
		free(from);
		return false;
	}
	memcpy(o->undelivered_data, data, from->len);
	o->undelivered = from;
	return false;
}

static bool deliver_undelivered(struct object *o)
{
	if (!o->undelivered)
		return true;
	if (o->down_blocked || !dgram_deliver(o, o->undelivered, o->undelivered_data))
		return false;
	free(o->undelivered_data);
	o->undelivered_data = NULL;
	o->undelivered = NULL;
	return true;
}

static void report_error(struct supervisor *sup, struct object *o)
{
	int err = 0;
	socklen_t len = sizeof(err);

	o->stack_err = false;
	if (!o->err && xmit_getsockopt(sup->net, o->sfd, SOL_SOCKET, SO_ERROR, &err, &len) == 0)
		o->err = err;
	struct origin *from = o->err ? calloc(1, sizeof(*from)) : NULL;
	if (!from)
		return;
	from->error = o->err;
	(void)deliver_or_keep(o, from, "");
}

static struct origin *receive_from_stack(struct supervisor *sup, struct object *o)
{
	struct sockaddr_storage ss;
	unsigned char control[512];
	struct iovec iov = { sup->pump_bounce, BOUNCE_BYTES };
	struct msghdr msg = { .msg_name = &ss, .msg_namelen = sizeof(ss), .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = xmit_recvmsg(sup->net, o->sfd, &msg, MSG_DONTWAIT);

	if (n < 0) {
		o->stack_in = false;
		return NULL;
	}
	struct origin *from = malloc(sizeof(*from) + msg.msg_controllen);
	if (!from)
		return NULL;
	from->len = (size_t)n;
	from->error = 0;
	from->addr_len = msg.msg_namelen;
	from->addr = ss;
	from->control_len = msg.msg_controllen;
	memcpy(from->control, control, msg.msg_controllen);
	return from;
}

void dgram_pump(struct supervisor *sup, struct object *o)
{
	if (o->in_ready || o->parked)
		dgram_drain(sup, o);
	if (o->hup && !o->in_ready && !o->parked) {
		object_free(sup, o);
		return;
	}
	if (o->kind == OBJ_NETLINK)
		return;
	int left = ROUND_DATAGRAMS;
	while (deliver_undelivered(o) && o->stack_in && left-- > 0) {
		if (o->stack_err) {
			report_error(sup, o);
			continue;
		}
		struct origin *from = receive_from_stack(sup, o);
		if (!from)
			break;
		(void)deliver_or_keep(o, from, sup->pump_bounce);
	}
	if ((o->in_ready && !o->up_blocked) || (o->stack_in && !o->undelivered))
		schedule(sup, o);
}

/* --- trapped calls --- */

/* Forgets the origins of datagrams that plain reads have taken. */
static void sync_origins(struct object *o, int fd)
{
	size_t known = 0;
	int left = 0;

	if (ioctl(fd, SIOCINQ, &left) < 0)
		return;
	for (const struct origin *from = o->origins; from; from = from->next)
		known += from->len;
	while (o->origins && known > (size_t)left) {
		known -= o->origins->len;
		drop_oldest_origin(o);
	}
}

/* The oldest origin is a report: takes its empty datagram too, unless a plain read has taken it. */
static void drop_report(struct object *o, int fd)
{
	char byte;

	if (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC) == 0)
		(void)!recv(fd, &byte, 1, MSG_DONTWAIT);
	drop_oldest_origin(o);
}

void dgram_forget_reports(struct object *o, int fd)
{
	sync_origins(o, fd);
	while (o->origins && o->origins->error)
		drop_report(o, fd);
}

static long owed_error(struct object *o, int fd)
{
	int err = o->err;

	dgram_forget_reports(o, fd);
	o->err = 0;
	return -err;
}

long dgram_send(struct supervisor *sup, struct call *c, struct message *m, int flags)
{
	struct object *o = c->obj;
	struct iovec iov = { m->data, m->len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	dgram_drain(sup, o);
	if (o->kind == OBJ_NETLINK) {
		netlink_request(sup, o, m->data, m->len);
		return (long)m->len;
	}
	if (o->err)
		return owed_error(o, c->dup);
	if (o->parked || (o->in_ready && o->up_blocked)) /* what was written before is not through */
		return call_again(c, flags, SO_SNDTIMEO);
	if (m->has_addr) {
		msg.msg_name = &m->addr;
		msg.msg_namelen = m->addr_len;
	}
	if (m->control_len) {
		msg.msg_control = m->control;
		msg.msg_controllen = m->control_len;
	}
	ssize_t n = xmit_sendmsg(sup->net, o->sfd, &msg, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN)
		return call_again(c, flags, SO_SNDTIMEO);
	return n < 0 ? -errno : n;
}

static long receive_error_queue(struct supervisor *sup, struct call *c, struct message *m, size_t size, int flags)
{
	struct iovec iov = { m->data, MIN(size, (size_t)BOUNCE_BYTES) };
	struct msghdr msg = { .msg_name = &m->addr, .msg_namelen = sizeof(m->addr), .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = m->control, .msg_controllen = sizeof(m->control) };
	struct object *o = c->obj;
	ssize_t n = xmit_recvmsg(sup->net, o->sfd, &msg, flags | MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	o->err = 0; /* it is told by this; that of the next, if there is one, will be reported */
	dgram_forget_reports(o, c->dup);
	m->len = MIN((size_t)n, iov.iov_len);
	m->has_addr = msg.msg_namelen > 0;
	m->addr_len = msg.msg_namelen;
	m->control_len = msg.msg_controllen;
	m->flags = msg.msg_flags;
	return n;
}

/* The datagram's origin goes into the message. */
static void take_origin(struct object *o, struct message *m, bool peek)
{
	const struct origin *from = o->origins;

	if (!from)
		return;
	m->has_addr = from->addr_len > 0;
	m->addr_len = from->addr_len;
	m->addr = from->addr;
	m->control_len = MIN(from->control_len, sizeof(m->control));
	memcpy(m->control, from->control, m->control_len);
	if (!peek)
		drop_oldest_origin(o);
}

long dgram_recv(struct supervisor *sup, struct call *c, struct message *m, size_t size, int flags)
{
	struct object *o = c->obj;
	bool peek = flags & MSG_PEEK;

	if ((flags & MSG_ERRQUEUE) && o->sfd >= 0)
		return receive_error_queue(sup, c, m, size, flags);
	dgram_pump(sup, o);
	if (o->gone)
		return 0;
	for (;;) {
		sync_origins(o, c->dup);
		if (o->origins && o->origins->error) {
			if (o->err)
				return owed_error(o, c->dup);
			drop_report(o, c->dup); /* it was told by another call */
			continue;
		}
		ssize_t n = recv(c->dup, m->data, BOUNCE_BYTES, MSG_DONTWAIT | MSG_TRUNC | (peek ? MSG_PEEK : 0));
		if (n < 0)
			return errno == EAGAIN ? call_again(c, flags, SO_RCVTIMEO) : -errno;
		take_origin(o, m, peek);
		m->len = MIN((size_t)n, size);
		if ((size_t)n > size)
			m->flags |= MSG_TRUNC;
		return flags & MSG_TRUNC ? n : (long)m->len;
	}
}
