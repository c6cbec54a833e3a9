/* SPDX-License-Identifier: MIT */
/*
 * listen.c - listen() and accept().
 *
 * The program's listening placeholder listens natively (so that poll, epoll with its edges and EPOLLEXCLUSIVE, and several workers after a
 * fork behave as they do); for each connection that the stack accepts we connect a unix socket to it, which makes it readable.  That
 * socket is bound to a name of its own: accept() takes a connection off the placeholder's queue, and the peer's name says which one it is.
 *
 * At most OFFERED_MAX connections per listener stand in the placeholder's queue; the others stay in the stack, which enforces the backlog.
 * Bytes begin to move when the program has accepted.  If the caller vanished before it got its descriptor (a killed worker), the
 * connection is offered anew, with what had been moved already.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

long sys_listen(struct supervisor *sup, struct call *c)
{
	struct object *o = c->obj;

	if (o->kind != OBJ_STREAM)
		return -EOPNOTSUPP;
	if (o->state != ST_FRESH && o->state != ST_LISTEN)
		return -EINVAL;
	if (xmit_listen(sup->net, o->sfd, (int)c->req.data.args[1]) < 0)
		return -errno;
	if (listen(c->dup, 65535) < 0)
		return -errno;
	if (o->state != ST_LISTEN) {
		o->state = ST_LISTEN;
		sup->n_listeners++;
		sup->next_sweep_ns = sup->now_ns;
		list_del_init(&o->named_node); /* listeners stand first */
		list_add(&o->named_node, &sup->named);
	}
	schedule(sup, o);
	return 0;
}

/* A socket of ours, with a name, connected to the listening placeholder: the descriptor, or -errno. */
static int knock(struct supervisor *sup, struct object *listener, struct object *o)
{
	struct sockaddr_un un;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	uint64_t name = ++sup->next_name;
	socklen_t len = abstract_name(sup, 'c', name, &un);
	int rc = bind(fd, (struct sockaddr *)&un, len);
	if (!rc) {
		len = abstract_name(sup, 'p', listener->name, &un);
		rc = connect(fd, (struct sockaddr *)&un, len);
	}
	if (rc < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	o->end_name = name;
	return fd;
}

/* Puts o into the placeholder's queue.  0, or -errno: o is as before. */
static int offer(struct supervisor *sup, struct object *listener, struct object *o)
{
	int end = knock(sup, listener, o);

	if (end < 0)
		return end;
	o->end = end;
	o->state = ST_OFFERED;
	o->listener = listener;
	list_add_tail(&o->offered_node, &listener->offered);
	listener->n_offered++;
	return 0;
}

void listen_offer(struct supervisor *sup, struct object *l)
{
	while (l->n_offered < OFFERED_MAX) {
		int sfd = xmit_accept4(sup->net, l->sfd, NULL, NULL, SOCK_NONBLOCK);
		if (sfd < 0)
			return;
		struct object *o = object_new(sup, OBJ_STREAM, sfd);
		if (!o) {
			xmit_close(sup->net, sfd);
			return;
		}
		o->domain = l->domain;
		o->type = l->type;
		o->protocol = l->protocol;
		o->linger0 = l->linger0;
		xmit_set_event_cb(sup->net, sfd, stream_stack_event, o);
		int rc = offer(sup, l, o);
		if (rc == 0)
			continue;
		object_free(sup, o);
		if (rc == -ECONNREFUSED) { /* the listener was closed */
			object_free(sup, l);
			return;
		}
	}
}

static struct object *find_offered(struct supervisor *sup, struct object *l, const struct sockaddr_un *from, socklen_t len)
{
	uint64_t name = abstract_serial(sup, 'c', from, len);
	struct object *o;

	list_for_each_entry(o, &l->offered, offered_node)
		if (o->end_name == name)
			return o;
	return NULL;
}

/* Takes the oldest connection off the queue: the program's end, or -EAGAIN. */
static int take(struct supervisor *sup, struct call *c, int flags, struct object **res)
{
	struct sockaddr_un from;

	for (;;) {
		struct pollfd p = { .fd = c->dup, .events = POLLIN };
		socklen_t len = sizeof(from);

		listen_offer(sup, c->obj);
		if (c->obj->gone)
			return -EINVAL;
		if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN))
			return -EAGAIN;
		int fd = accept4(c->dup, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | (flags & SOCK_NONBLOCK));
		if (fd < 0 && errno == EINVAL) { /* the program has shut it: SYNs are refused from now on */
			(void)xmit_shutdown(sup->net, c->obj->sfd, SHUT_RD);
			return -EINVAL;
		}
		if (fd < 0)
			return -errno;
		*res = find_offered(sup, c->obj, &from, len);
		if (*res)
			return fd;
		close(fd); /* a stranger, or a connection that ended in the queue */
	}
}

static void copy_options(int from, int to)
{
	static const int options[] = { SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVLOWAT, SO_OOBINLINE, SO_PEEK_OFF };
	struct timeval tv; /* room for an int, too */

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		socklen_t len = sizeof(tv);
		if (getsockopt(from, SOL_SOCKET, options[i], &tv, &len) == 0)
			(void)setsockopt(to, SOL_SOCKET, options[i], &tv, len);
	}
}

/* Moves what the program's end has not read yet into a new connection to the listener. */
static void offer_again(struct supervisor *sup, struct object *l, struct object *o, int fd)
{
	bool fin = o->down_done;
	ssize_t n;

	source_del(sup, o->end);
	int old = o->end;
	hlist_del_init(&o->hash_node);
	if (offer(sup, l, o) < 0) {
		o->end = -1;
		close(old);
		object_free(sup, o);
		return;
	}
	list_del_init(&o->work_node);
	set_sndbuf(o->end, SNDBUF_TO_PROGRAM);
	while ((n = recv(fd, sup->bounce, BOUNCE_BYTES, MSG_DONTWAIT)) > 0)
		if (send(o->end, sup->bounce, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) != n)
			break;
	if (fin)
		shutdown(o->end, SHUT_WR);
	close(old);
	schedule(sup, l);
}

/* o was taken off l's queue; its end on the program's side is fd.  Gives it to the caller. */
static long hand_over(struct supervisor *sup, struct call *c, struct object *l, struct object *o, int fd, int flags)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	long rc = 0;

	list_del_init(&o->offered_node);
	l->n_offered--;
	o->listener = NULL;
	object_set_cookie(sup, o, fd);
	set_sndbuf(fd, SNDBUF_FROM_PROGRAM);
	if (l->has_options)
		copy_options(c->dup, fd);
	if (c->req.data.args[1]) {
		if (xmit_getpeername(sup->net, o->sfd, (struct sockaddr *)&peer, &len) < 0)
			len = 0;
		rc = mem_write_addr(sup, c, c->req.data.args[1], c->req.data.args[2], &peer, len);
	}
	if (rc < 0) {
		object_free(sup, o);
		return rc;
	}
	o->state = ST_LINKED;
	o->accepting = fd;
	stream_linked(sup, o, o->end);
	stream_pump(sup, o); /* what has come can be read as soon as the call returns */
	o->accepting = -1;
	int number = notify_addfd(sup, c, fd, flags & SOCK_CLOEXEC);
	if (number == -ENOENT && o->state == ST_LINKED) {
		offer_again(sup, l, o, fd);
		return CALL_DONE;
	}
	if (number < 0) {
		object_free(sup, o);
		return number;
	}
	o->last_tid = (pid_t)c->req.pid;
	o->last_fd = number;
	schedule(sup, l); /* there is room for another */
	return CALL_DONE;
}

long sys_accept(struct supervisor *sup, struct call *c)
{
	int flags = c->req.data.nr == SYS_accept4 ? (int)c->req.data.args[3] : 0;
	struct object *l = c->obj, *o = NULL;

	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	if (l->kind != OBJ_STREAM)
		return -EOPNOTSUPP;
	if (l->state != ST_LISTEN)
		return -EINVAL;
	int fd = take(sup, c, flags, &o);
	if (fd == -EAGAIN)
		return call_again(c, 0, SO_RCVTIMEO);
	if (fd < 0)
		return fd;
	long result = hand_over(sup, c, l, o, fd, flags);
	close(fd);
	return result;
}
