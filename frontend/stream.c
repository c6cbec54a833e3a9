/* SPDX-License-Identifier: MIT */
/*
 * stream.c - moving bytes between a program's placeholder and its TCP socket in the stack.
 *
 * One copy on each side: upwards our end is read straight into stack memory (xmit_send_fill), downwards our end is written straight from the
 * receive queue (xmit_recv_iov, sendmsg, xmit_recv_skip).  Both ends are reported by edges, kept here as flags: in_ready and stack_in say
 * that a look is worth while, up_blocked and down_blocked that the other side has no room.  A pump moves at most ROUND_BYTES each way
 * and schedules itself again if there is more; so back-pressure is that of the two buffers, and nobody starves.
 *
 * How an end of the placeholder is understood (what the program does, what we see at our end):
 *   shutdown(SHUT_WR)           end of stream, RDHUP alone         -> FIN
 *   close, or shut both ways    end of stream with HUP             -> the close of TCP, at once (no FIN before it: linger 0 counts)
 *   close with unread bytes     ECONNRESET                         -> RST
 *   shutdown(SHUT_RD)           EPIPE on write                     -> what comes is discarded
 * and the other way: a FIN of the peer shuts our end for writing.  A reset must make the program see ECONNRESET, which AF_UNIX reports only
 * where an end closes with unread bytes: if there are none, one is written into the program's own end first.
 *
 * Urgent data: the stack's socket has its urgent byte in line; at the mark it is sent to the program with MSG_OOB, by itself, and what the program is to
 * see of it (SO_OOBINLINE, the mark, SIGURG) is AF_UNIX's affair.  A kernel whose AF_UNIX has no MSG_OOB loses the byte.
 *
 * A closed connection is shut for sending and stays on the list `closing` until all is acknowledged (looked at every 10 ms), so that the
 * end of the command can wait for it; bytes that come meanwhile are answered with RST, as Linux does after a close.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>
#include <unistd.h>
#include "xmit/trace.h"

#define RECV_PIECES 32
#define WALK_TRIES 500

void stream_linked(struct supervisor *sup, struct object *o, int end)
{
	int on = 1;

	o->end = end;
	o->src.ready = stream_end_ready;
	o->stack_in = true; /* in_ready: epoll reports what is there already */
	o->up_blocked = o->down_blocked = false;
	set_sndbuf(end, SNDBUF_TO_PROGRAM);
	(void)setsockopt(end, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)); /* urgent bytes travel as ordinary ones */
	(void)xmit_setsockopt(sup->net, o->sfd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)); /* where it is in the stream is what we ask */
	source_add(sup, end, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET, &o->src);
	if (sup->config->walk && !sup->walk_cookie) {
		socklen_t len = sizeof(o->trace_cookie);
		xmit_getsockopt(sup->net, o->sfd, XMIT_SOL_XMIT, XMIT_SO_COOKIE, &o->trace_cookie, &len);
	}
	schedule(sup, o);
}

void stream_end_ready(struct supervisor *sup, struct source *src, uint32_t events)
{
	struct object *o = container_of(src, struct object, src);

	if (!o->in_ready)
		o->seen_ns = sup->now_ns;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLPRI))
		o->odd = true;
	end_changed(sup, o, events);
}

void stream_stack_event(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	struct object *o = ctx;
	struct supervisor *sup = o->sup;

	(void)net, (void)fd;
	if (events & (XMIT_EPOLLIN | XMIT_EPOLLRDHUP | XMIT_EPOLLERR | XMIT_EPOLLHUP))
		o->stack_in = true;
	if (events & XMIT_EPOLLPRI)
		o->urgent = true;
	if (events & (XMIT_EPOLLERR | XMIT_EPOLLHUP))
		o->stack_err = true;
	if (events & (XMIT_EPOLLOUT | XMIT_EPOLLERR | XMIT_EPOLLHUP))
		o->up_blocked = false;
	schedule(sup, o);
}

/* --- from the program to the stack --- */

static ssize_t fill_from_placeholder(void *ctx, void *dst, size_t n)
{
	struct object *o = ctx;

	if (!o->in_ready)
		return 0;
	ssize_t got = recv(o->end, dst, n, MSG_DONTWAIT);
	if (got > 0) {
		if ((size_t)got < n && !o->odd) /* it was empty then: what comes later is a new edge */
			o->in_ready = false;
		return got;
	}
	if (got < 0 && errno == EINTR)
		return 0;
	o->in_ready = false;
	if (got == 0)
		o->in_eof = true;
	else if (errno != EAGAIN)
		o->in_reset = true;
	return 0;
}

static void note_placeholder_time(struct supervisor *sup, struct object *o)
{
	int waiting = 0;

	if (ioctl(o->end, SIOCINQ, &waiting) < 0 || waiting <= 0)
		return;
	uint64_t now = monotonic_ns();
	xmit_trace_outside(sup->net, o->trace_cookie, o->up_bytes, (uint32_t)waiting, now > o->seen_ns ? now - o->seen_ns : 0);
	if (!sup->walk_cookie) {
		sup->walk_cookie = o->trace_cookie;
		sup->next_walk_ns = sup->now_ns + NSEC_PER_MSEC;
	}
}

/* After the end of the program's stream there is only this to be learnt from a read. */
static void look_for_reset(struct object *o)
{
	char byte;

	if (o->in_ready && recv(o->end, &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNRESET)
		o->in_reset = true;
	o->in_ready = false;
}

/* True: the connection is still there.  Sets *more when the round's share was used up. */
static bool pump_up(struct supervisor *sup, struct object *o, bool *more)
{
	size_t budget = ROUND_BYTES;
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (o->hup ? MSG_MORE : 0); /* closed already: the FIN goes with the last of its bytes */

	if (o->up_done) {
		look_for_reset(o);
		return true;
	}
	if (unlikely(o->trace_cookie && o->in_ready))
		note_placeholder_time(sup, o);
	while (o->in_ready && !o->up_blocked && budget) {
		ssize_t n = xmit_send_fill(sup->net, o->sfd, fill_from_placeholder, o, budget, flags);
		if (n > 0) {
			budget -= MIN((size_t)n, budget);
			o->up_bytes += (uint32_t)n;
		} else if (n == 0) {
			break;
		} else if (errno == EAGAIN) {
			o->up_blocked = true;
		} else {
			stream_error(sup, o, errno);
			return false;
		}
	}
	*more = *more || (o->in_ready && !o->up_blocked);
	return true;
}

/* --- from the stack to the program --- */

static size_t discard_or_block(struct object *o, size_t total)
{
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM) {
		o->down_blocked = errno == EAGAIN;
		return 0;
	}
	o->in_ready = true; /* EPIPE: shut for reading, or closed, which the next read tells */
	return total;
}

/* Sends what xmit_recv_iov() has shown, k pieces, *total bytes; of the urgent byte, which comes first then, that alone.  Bytes taken, or -1. */
static ssize_t send_down(struct supervisor *sup, struct object *o, struct iovec *iov, int k, size_t *total)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)k };
	int at_mark = 0, flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	ssize_t n;

	if (o->urgent)
		(void)xmit_ioctl(sup->net, o->sfd, SIOCATMARK, &at_mark);
	if (at_mark) {
		iov[0].iov_len = 1;
		msg.msg_iovlen = 1;
		flags |= MSG_OOB;
	}
	*total = 0;
	for (size_t i = 0; i < msg.msg_iovlen; i++)
		*total += iov[i].iov_len;
	n = sendmsg(o->end, &msg, flags);
	return n < 0 && at_mark && errno == EOPNOTSUPP ? 1 : n;
}

static bool pump_down(struct supervisor *sup, struct object *o, bool *more)
{
	size_t budget = ROUND_BYTES;

	while (o->stack_in && !o->down_done && !o->down_blocked && budget) {
		struct iovec iov[RECV_PIECES];
		size_t total;
		int k = xmit_recv_iov(sup->net, o->sfd, iov, RECV_PIECES);

		if (k == 0) {
			shutdown(o->end, SHUT_WR);
			o->down_done = true;
			break;
		}
		if (k < 0) {
			o->stack_in = false;
			if (errno == EAGAIN || errno == EINTR)
				break;
			stream_error(sup, o, errno);
			return false;
		}
		ssize_t n = send_down(sup, o, iov, k, &total);
		size_t used = n >= 0 ? (size_t)n : discard_or_block(o, total);
		if (n >= 0 && used < total)
			o->down_blocked = true;
		if (used)
			xmit_recv_skip(sup->net, o->sfd, used);
		else if (!o->down_blocked)
			break;
		budget -= MIN(used, budget);
	}
	*more = *more || (o->stack_in && !o->down_done && !o->down_blocked);
	return true;
}

/* --- ends --- */

static void keep_names(struct supervisor *sup, struct object *o)
{
	o->local_len = o->peer_len = sizeof(o->local);
	if (xmit_getsockname(sup->net, o->sfd, (struct sockaddr *)&o->local, &o->local_len) < 0)
		o->local_len = 0;
	if (xmit_getpeername(sup->net, o->sfd, (struct sockaddr *)&o->peer, &o->peer_len) < 0)
		o->peer_len = 0;
}

void stream_dead(struct supervisor *sup, struct object *o)
{
	object_close_end(o);
	o->sfd = -1;
	o->state = ST_DEAD;
	o->trace_cookie = 0;
	list_del_init(&o->offered_node);
	list_add_tail(&o->offered_node, &sup->dead);
	list_del_init(&o->named_node); /* kept until DEAD_KEPT others have ended, whether its placeholder lives or not */
	sup->n_dead++;
}

static void reset_stack(struct supervisor *sup, int sfd)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };

	xmit_setsockopt(sup->net, sfd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	xmit_set_event_cb(sup->net, sfd, NULL, NULL);
	xmit_close(sup->net, sfd);
}

/* The program closed it (or shut it both ways). */
static void stream_closed(struct supervisor *sup, struct object *o)
{
	keep_names(sup, o);
	xmit_set_event_cb(sup->net, o->sfd, NULL, NULL);
	if (o->in_reset) {
		reset_stack(sup, o->sfd);
	} else if (o->linger0) {
		xmit_close(sup->net, o->sfd);
	} else {
		closing_add(sup, o->sfd);
	}
	stream_dead(sup, o);
}

/* Makes the program's end report ECONNRESET once ours is closed. */
static void poison(struct supervisor *sup, struct object *o)
{
	int unread = 0, fd = o->accepting;

	if (ioctl(o->end, SIOCINQ, &unread) == 0 && unread > 0)
		return;
	if (fd < 0)
		fd = object_fetch(sup, o);
	if (fd < 0)
		return;
	(void)!send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (fd != o->accepting)
		close(fd);
}

void stream_error(struct supervisor *sup, struct object *o, int error)
{
	struct iovec iov[RECV_PIECES];
	int k;

	/* What had arrived before the error may still be read. */
	while (!o->down_done && !o->down_blocked && (k = xmit_recv_iov(sup->net, o->sfd, iov, RECV_PIECES)) > 0) {
		size_t total;
		ssize_t n = send_down(sup, o, iov, k, &total);
		if (n <= 0)
			break;
		xmit_recv_skip(sup->net, o->sfd, (size_t)n);
	}
	o->err = error;
	keep_names(sup, o);
	xmit_set_event_cb(sup->net, o->sfd, NULL, NULL);
	xmit_close(sup->net, o->sfd);
	if (!o->down_done)
		poison(sup, o);
	stream_dead(sup, o);
}

static int stack_error(struct supervisor *sup, struct object *o)
{
	int err = 0;
	socklen_t len = sizeof(err);

	return xmit_getsockopt(sup->net, o->sfd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ? 0 : err;
}

/* The program's stream has ended: is it shut, or closed? */
static void program_ended(struct supervisor *sup, struct object *o)
{
	struct pollfd p = { .fd = o->end, .events = POLLIN };

	if (!o->hup && poll(&p, 1, 0) > 0 && (p.revents & POLLHUP))
		o->hup = true;
	if (o->hup) {
		stream_closed(sup, o);
		return;
	}
	xmit_shutdown(sup->net, o->sfd, SHUT_WR);
	o->up_done = true;
	o->in_eof = false;
	if (o->down_done) /* both ways are done: nothing would tell us of the close */
		stream_closed(sup, o);
}

void stream_pump(struct supervisor *sup, struct object *o)
{
	bool more = false;

	if (!pump_up(sup, o, &more))
		return;
	if (o->in_reset || (o->up_done && o->hup) || (o->hup && o->linger0 && o->up_blocked)) { /* the last: what is unsent is not to go */
		stream_closed(sup, o);
		return;
	}
	if (o->in_eof) {
		program_ended(sup, o);
		if (o->state != ST_LINKED)
			return;
	}
	bool was_down_done = o->down_done;
	if (!pump_down(sup, o, &more))
		return;
	if (o->stack_err && (o->down_done || o->down_blocked)) { /* nobody reads the stack now, which would tell */
		o->stack_err = false;
		int err = stack_error(sup, o);
		if (err) {
			stream_error(sup, o, err);
			return;
		}
	}
	if (o->down_done && !was_down_done && o->up_done) {
		stream_closed(sup, o);
		return;
	}
	if (more)
		schedule(sup, o);
}

/* --- closed connections --- */

/* True: it was ended. */
static bool closing_ended(struct supervisor *sup, int sfd)
{
	struct iovec iov;
	int unacked = 0, err = 0;
	socklen_t len = sizeof(err);
	int k = xmit_recv_iov(sup->net, sfd, &iov, 1);

	if (k > 0) {
		reset_stack(sup, sfd);
		return true;
	}
	/* What is unacked after an error stays so: SIOCOUTQ tells no difference. */
	if ((k == 0 || errno == EAGAIN) && xmit_getsockopt(sup->net, sfd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && !err &&
	    xmit_ioctl(sup->net, sfd, SIOCOUTQ, &unacked) == 0 && unacked > 0)
		return false;
	xmit_close(sup->net, sfd);
	return true;
}

void closing_add(struct supervisor *sup, int sfd)
{
	struct closing *c = malloc(sizeof(*c));

	xmit_shutdown(sup->net, sfd, SHUT_WR);
	if (!c) {
		xmit_close(sup->net, sfd);
		return;
	}
	if (closing_ended(sup, sfd)) {
		free(c);
		return;
	}
	c->sfd = sfd;
	list_add_tail(&c->node, &sup->closing);
}

void closing_check(struct supervisor *sup)
{
	struct closing *c, *next;

	list_for_each_entry_safe(c, next, &sup->closing, node) {
		if (!closing_ended(sup, c->sfd))
			continue;
		list_del_init(&c->node);
		free(c);
	}
}

/* Time is up: what is still unsent goes with the instance. */
void closing_free_all(struct supervisor *sup)
{
	struct closing *c, *next;

	list_for_each_entry_safe(c, next, &sup->closing, node) {
		list_del_init(&c->node);
		free(c);
	}
}

/* --- the walk of one segment, taken as soon as it is whole --- */

void walk_check(struct supervisor *sup)
{
	char *text = NULL;
	size_t len = 0;

	if (!sup->walk_cookie || sup->walk_text || sup->walk_tries > WALK_TRIES)
		return;
	sup->walk_tries++;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return;
	int hops = xmit_trace_walk(sup->net, sup->walk_cookie, 0, f);
	fclose(f);
	if (hops <= 0) {
		free(text);
		return;
	}
	sup->walk_text = text;
	if (!sup->config->trace)
		xmit_trace_stop(sup->net);
}
