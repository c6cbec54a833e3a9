/* SPDX-License-Identifier: MIT */
/*
 * connect.c - socket() and connect().
 *
 * socket(): a stream socket becomes an unconnected, named AF_UNIX stream placeholder, which polls OUT|HUP as a fresh TCP socket does; a
 * datagram socket becomes one end of a SOCK_SEQPACKET pair (dgram.c).
 *
 * connect(), stream: the stack's own state machine gives the results (EINPROGRESS, EALREADY, 0 once, EISCONN, the error of a
 * failed attempt), so the call is simply made on the stack's socket, and made again when a held caller is repeated.
 *   blocking:      held until the stack says 0 or an error; only then the placeholder is connected to our listener, so that after a
 *                  failure it is still fresh and can be tried again.
 *   non-blocking:  the placeholder is connected at once and filled with plug bytes until it is not writable.  Success reads the plug back,
 *                  which makes it writable, with an edge.  Failure closes our end with the plug unread: the program sees IN, OUT, ERR, HUP,
 *                  RDHUP as with TCP.  The placeholder is spent then; another connect() on it puts a new one in its place.
 *                  A blocking caller that is sent away by a signal or its time-out leaves a plugged placeholder too.
 * While it is plugged the placeholder's send buffer is as small as the kernel allows, so that few bytes fill it.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef SOCK_TYPE_MASK
#define SOCK_TYPE_MASK 0xf
#endif

static long stream_socket(struct supervisor *sup, struct call *c, int sfd, int flags)
{
	struct object *o = object_new(sup, OBJ_STREAM, sfd);

	if (!o) {
		xmit_close(sup->net, sfd);
		return -ENOBUFS;
	}
	o->domain = (int)c->req.data.args[0];
	o->type = (int)c->req.data.args[1] & SOCK_TYPE_MASK;
	o->protocol = (int)c->req.data.args[2];
	int fd = placeholder_new(sup, o, flags);
	if (fd < 0) {
		object_free(sup, o);
		return fd;
	}
	object_set_cookie(sup, o, fd);
	xmit_set_event_cb(sup->net, sfd, stream_stack_event, o);
	int number = notify_addfd(sup, c, fd, flags & SOCK_CLOEXEC);
	close(fd);
	if (number < 0) {
		object_free(sup, o);
		return number;
	}
	o->last_tid = (pid_t)c->req.pid;
	o->last_fd = number;
	return CALL_DONE;
}

long sys_socket(struct supervisor *sup, struct call *c)
{
	int domain = (int)c->req.data.args[0], type = (int)c->req.data.args[1], protocol = (int)c->req.data.args[2];
	int flags = type & (SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (domain == AF_NETLINK)
		return netlink_socket(sup, c);
	if (domain == AF_PACKET)
		return -EPERM; /* frames are the stack's own; capture with --pcap */
	if (type & ~(SOCK_TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	int sfd = xmit_socket(sup->net, domain, (type & SOCK_TYPE_MASK) | SOCK_NONBLOCK, protocol);
	if (sfd < 0)
		return -errno;
	if ((type & SOCK_TYPE_MASK) == SOCK_STREAM)
		return stream_socket(sup, c, sfd, flags);
	return dgram_new(sup, c, OBJ_DGRAM, sfd, flags);
}

/* --- joining a placeholder to us --- */

/* Connects the program's end fd to our listener: our end, or -errno. */
static int join(struct supervisor *sup, const struct object *o, int fd)
{
	struct sockaddr_un un, from;
	socklen_t len = abstract_name(sup, 'l', 0, &un);

	if (connect(fd, (struct sockaddr *)&un, len) < 0)
		return -errno;
	for (;;) {
		len = sizeof(from);
		int end = accept4(sup->link_fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (end < 0)
			return -errno;
		if (abstract_serial(sup, 'p', &from, len) == o->name)
			return end;
		close(end); /* a stranger found the name */
	}
}

static void plug(struct object *o, int fd, int end)
{
	static const char bytes[1024];
	ssize_t n;

	set_sndbuf(fd, 1);
	o->plug_bytes = 0;
	while ((n = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		o->plug_bytes += (uint32_t)n;
	o->end = end;
}

static void unplug(struct supervisor *sup, struct object *o, int fd)
{
	char buf[4096];
	ssize_t n = 1;
	int dup = fd >= 0 ? fd : object_fetch(sup, o);

	if (dup >= 0)
		set_sndbuf(dup, SNDBUF_FROM_PROGRAM);
	if (dup >= 0 && dup != fd)
		close(dup);
	while (o->plug_bytes && n > 0) {
		n = recv(o->end, buf, MIN(sizeof(buf), o->plug_bytes), MSG_DONTWAIT);
		if (n > 0)
			o->plug_bytes -= (uint32_t)n;
	}
}

static void plugged_end_ready(struct supervisor *sup, struct source *src, uint32_t events)
{
	struct object *o = container_of(src, struct object, src);

	if (o->gone || !(events & (EPOLLHUP | EPOLLERR)))
		return;
	object_free(sup, o); /* the program gave up: no SYN is repeated */
}

/* The connection stands: the program's end is fd (-1: to be fetched).  0 or -errno. */
static int established(struct supervisor *sup, struct object *o, int fd)
{
	int end = o->end;

	if (end >= 0) {
		unplug(sup, o, fd);
		source_del(sup, end);
	} else {
		int dup = fd >= 0 ? fd : object_fetch(sup, o);
		if (dup < 0)
			return -EBADF;
		end = join(sup, o, dup);
		if (dup != fd)
			close(dup);
		if (end < 0)
			return end;
	}
	o->state = ST_LINKED;
	stream_linked(sup, o, end);
	return 0;
}

static void failed(struct object *o)
{
	object_close_end(o); /* with the plug unread */
	o->state = ST_FAILED;
}

/* Something happened to a socket that connects.  Held callers are repeated after this, and ask for themselves. */
void connect_progress(struct supervisor *sup, struct object *o)
{
	struct pollfd p = { .fd = o->sfd, .events = POLLOUT };

	if (o->end < 0 && !list_empty(&o->waiters))
		return;
	if (xmit_poll_sockets(sup->net, &p, 1, 0) <= 0)
		return;
	if (p.revents & (POLLERR | POLLHUP)) {
		if (o->end >= 0)
			failed(o);
		else
			o->state = ST_FRESH; /* its caller was interrupted; the next connect() gets the error */
	} else if (p.revents & POLLOUT) {
		(void)established(sup, o, -1);
	}
}

/* A spent placeholder is replaced by a fresh one under the same number. */
static int renew(struct supervisor *sup, struct call *c)
{
	struct object *o = c->obj;
	char path[64], line[128];
	unsigned flags = 0;
	int fd = placeholder_new(sup, o, c->nonblock ? SOCK_NONBLOCK : 0);

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%u/fdinfo/%d", c->req.pid, (int)c->req.data.args[0]);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "flags: %o", &flags) == 1)
			break;
	if (f)
		fclose(f);
	int rc = notify_replace_fd(sup, c, fd, (int)c->req.data.args[0], flags & O_CLOEXEC);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	if (o->state == ST_LISTEN)
		listen_ended(sup, o);
	object_close_end(o);
	object_rehash(sup, o, fd);
	close(c->dup);
	c->dup = fd;
	o->state = ST_FRESH;
	o->in_eof = o->in_reset = o->hup = o->odd = o->up_done = o->down_done = o->stack_err = false;
	return 0;
}

/* Plugs the program's end fd.  0 or -errno. */
static int start_plugged(struct supervisor *sup, struct object *o, int fd)
{
	int end = join(sup, o, fd);

	if (end < 0)
		return end;
	plug(o, fd, end);
	o->src.ready = plugged_end_ready;
	source_add(sup, end, EPOLLRDHUP | EPOLLET, &o->src);
	o->state = ST_CONNECTING;
	return 0;
}

/* A caller is sent away from its blocking connect(), by a signal or its time-out; the stack goes on. */
void connect_left(struct supervisor *sup, struct object *o)
{
	int fd = o->state == ST_CONNECTING && o->end < 0 ? object_fetch(sup, o) : -1;

	if (fd < 0)
		return;
	(void)start_plugged(sup, o, fd);
	close(fd);
}

static long begin_waiting(struct supervisor *sup, struct call *c, int error)
{
	struct object *o = c->obj;

	if (o->state == ST_FAILED) {
		int rc = renew(sup, c);
		if (rc < 0)
			return rc;
	}
	if (c->nonblock) {
		int rc = o->state == ST_FRESH ? start_plugged(sup, o, c->dup) : 0;
		return rc < 0 ? rc : -error;
	}
	if (o->state == ST_FRESH)
		o->state = ST_CONNECTING;
	c->timeout_ns = socket_timeout(c->dup, SO_SNDTIMEO);
	c->timeout_error = EINPROGRESS;
	return CALL_HOLD;
}

static long stream_disconnect(struct supervisor *sup, struct call *c, const struct sockaddr *sa, socklen_t len)
{
	struct object *o = c->obj;

	if (o->state == ST_DEAD)
		return -EISCONN;
	if (xmit_connect(sup->net, o->sfd, sa, len) < 0)
		return -errno;
	return o->state == ST_FRESH ? 0 : renew(sup, c); /* its placeholder is connected, or listens: a fresh one */
}

static long stream_connect(struct supervisor *sup, struct call *c, const struct sockaddr *sa, socklen_t len)
{
	struct object *o = c->obj;

	if (o->state == ST_DEAD)
		return -EISCONN;
	int rc = xmit_connect(sup->net, o->sfd, sa, len) < 0 ? errno : 0;
	if (rc == EINPROGRESS || rc == EALREADY)
		return begin_waiting(sup, c, rc);
	if (rc == 0 || rc == EISCONN) {
		if (o->state == ST_FAILED && renew(sup, c) < 0)
			return -ENOBUFS;
		if (o->state == ST_FRESH || o->state == ST_CONNECTING) {
			int err = established(sup, o, c->dup);
			if (err < 0)
				return err;
		}
		return -rc;
	}
	if (o->state == ST_CONNECTING) {
		if (o->end >= 0)
			failed(o);
		else
			o->state = ST_FRESH;
	}
	return -rc;
}

long sys_connect(struct supervisor *sup, struct call *c)
{
	struct sockaddr_storage ss;
	socklen_t len = (socklen_t)c->req.data.args[2];
	int rc = mem_read_addr(sup, c, c->req.data.args[1], c->req.data.args[2], &ss);

	if (rc)
		return rc;
	if (c->obj->kind == OBJ_STREAM && len >= sizeof(sa_family_t) && ss.ss_family == AF_UNSPEC)
		return stream_disconnect(sup, c, (struct sockaddr *)&ss, len);
	if (c->obj->kind == OBJ_STREAM)
		return stream_connect(sup, c, (struct sockaddr *)&ss, len);
	if (c->obj->kind == OBJ_NETLINK)
		return 0; /* its only peer is the stack */
	dgram_drain(sup, c->obj);
	return xmit_connect(sup->net, c->obj->sfd, (struct sockaddr *)&ss, len) < 0 ? -errno : 0;
}
