/* SPDX-License-Identifier: MIT */
/*
 * message.c - the trapped calls that carry data: sendto and recvfrom with an address, sends and receives with a flag, and the four *msg calls.
 *
 * Each copies between the caller's memory and one `struct message` in ours, and hands that to dgram.c; so a datagram that goes this way is
 * copied twice.  Streams come here only where AF_UNIX would do otherwise than TCP.  An address: TCP ignores the one given to a send and
 * returns none; the kernel would refuse it, or return the name of the placeholder's other end.  MSG_MORE and MSG_OOB: the pair would lose
 * them.  Such a send goes past the pair: what the program wrote there before is moved first, then the caller's memory is read straight
 * into the stack's.  MSG_TRUNC discards bytes of a stream, which AF_UNIX would give.  Their other calls are continued.
 * A call that must wait is run anew from the start: a datagram goes when all of it can, a stream's send remembers how much it has done.
 */
#include "supervisor.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/udp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define IOV_MAX_KERNEL 1024u
#define SEND_MOST 0x7ffff000u /* bytes of one call, as everywhere in the kernel */
#define PAIR_LOSES (MSG_MORE | MSG_OOB)

static bool addr_given(const struct msghdr *h)
{
	return h->msg_name && h->msg_namelen;
}

/* A socket that was never connected: AF_UNIX has other errors for it. */
static bool unconnected(const struct object *o)
{
	return o->state == ST_FRESH || o->state == ST_LISTEN;
}

static long broken_pipe(const struct call *c, int flags)
{
	if (!(flags & MSG_NOSIGNAL))
		syscall(SYS_tkill, (pid_t)c->req.pid, SIGPIPE);
	return -EPIPE;
}

/* What a stream's send is to read of the caller's memory. */
struct gathering {
	struct supervisor *sup;
	const struct call *c;
	struct iovec *iov;             /* what is left, in the caller; the first may be a part */
	size_t n;
};

static void advance(struct gathering *g, size_t bytes)
{
	while (g->n && bytes >= g->iov->iov_len) {
		bytes -= g->iov->iov_len;
		g->iov++;
		g->n--;
	}
	if (bytes && g->n) { /* the caller's pieces may have become fewer while it was held */
		g->iov->iov_base = (char *)g->iov->iov_base + bytes;
		g->iov->iov_len -= bytes;
	}
}

static ssize_t fill_from_caller(void *ctx, void *dst, size_t n)
{
	struct gathering *g = ctx;
	ssize_t got = mem_gather(g->sup, g->c, g->iov, g->n, dst, n);

	if (got > 0)
		advance(g, (size_t)got);
	return got;
}

/* Moves on what the program wrote to the pair before.  False: the stack has no room for all of it. */
static bool drained(struct supervisor *sup, struct object *o)
{
	o->in_ready = true; /* its edge may not have been reported yet */
	while (o->state == ST_LINKED && o->in_ready && !o->up_blocked)
		stream_pump(sup, o);
	return o->state != ST_LINKED || !o->up_blocked;
}

/* The connection is not there (any more). */
static long send_refused(struct supervisor *sup, struct call *c, int flags)
{
	if (c->obj->state == ST_CONNECTING)
		return call_again(c, flags, SO_SNDTIMEO);
	int err = unconnected(c->obj) ? 0 : take_error(sup, c);
	return err ? -err : broken_pipe(c, flags);
}

/* Before all was taken.  What was taken is the result, unless the call waits for more room. */
static long send_stopped(struct call *c, int error, int flags)
{
	long result = -error;

	if (error == EAGAIN) {
		c->obj->up_blocked = true;
		result = call_again(c, flags, SO_SNDTIMEO);
	}
	if (c->done && result != CALL_HOLD)
		return (long)c->done;
	return error == EPIPE ? broken_pipe(c, flags) : result;
}

/* Past the pair.  c->done goes up by what the stack takes. */
static long stream_send(struct supervisor *sup, struct call *c, struct iovec *iov, size_t n, int flags)
{
	struct gathering g = { sup, c, iov, n };
	struct object *o = c->obj;
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		total = MIN(total + MIN(iov[i].iov_len, (size_t)SEND_MOST), (size_t)SEND_MOST);
	if (flags & MSG_FASTOPEN)
		return -EOPNOTSUPP;
	if (o->state == ST_LINKED && !drained(sup, o))
		return call_again(c, flags, SO_SNDTIMEO);
	if (o->state != ST_LINKED)
		return send_refused(sup, c, flags);
	advance(&g, c->done);
	while (c->done < total) {
		ssize_t sent = xmit_send_fill(sup->net, o->sfd, fill_from_caller, &g, total - c->done, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent <= 0)
			return send_stopped(c, sent < 0 ? errno : EFAULT, flags);
		c->done += (size_t)sent;
		o->up_bytes += (uint32_t)sent;
	}
	return (long)c->done;
}

static long stream_recv(struct supervisor *sup, struct call *c, struct message *m, size_t size, int flags)
{
	if (c->obj->state == ST_LINKED)
		stream_pump(sup, c->obj);
	ssize_t n = recv(c->dup, m->data, MIN(size, (size_t)BOUNCE_BYTES), (flags & ~MSG_WAITALL) | MSG_DONTWAIT);
	if (n >= 0) {
		m->len = (size_t)n;
		return n;
	}
	if (errno == EINVAL)
		return -ENOTCONN;
	return errno == EAGAIN ? call_again(c, flags, SO_RCVTIMEO) : -errno;
}

/* MSG_TRUNC of a stream: bytes are counted and not given. */
static bool discards(const struct object *o, int flags)
{
	return o->kind == OBJ_STREAM && (flags & (MSG_TRUNC | MSG_OOB | MSG_ERRQUEUE)) == MSG_TRUNC;
}

/* Would the next read begin at the urgent mark?  None goes past it. */
static bool mark_reached(int fd)
{
	int at = 0;

	return ioctl(fd, SIOCATMARK, &at) == 0 && at;
}

/* Up to size bytes; c->done goes up by what is gone.  With MSG_PEEK they stay, and one look tells. */
static long stream_discard(struct supervisor *sup, struct call *c, size_t size, int flags)
{
	ssize_t n = 0;

	if (unconnected(c->obj))
		return -ENOTCONN;
	if (c->obj->state == ST_LINKED)
		stream_pump(sup, c->obj);
	while (c->done < size && !(c->done && mark_reached(c->dup))) {
		n = recv(c->dup, sup->bounce, MIN(size - c->done, (size_t)BOUNCE_BYTES), (flags & MSG_PEEK) | MSG_DONTWAIT);
		if (n > 0)
			c->done += (size_t)n;
		if (n <= 0 || (flags & MSG_PEEK))
			break;
	}
	if (n < 0 && errno == EAGAIN && (!c->done || (flags & MSG_WAITALL))) {
		long result = call_again(c, flags, SO_RCVTIMEO);
		if (result == CALL_HOLD || !c->done)
			return result;
	}
	return n < 0 && !c->done ? -errno : (long)c->done;
}

long message_recv(struct supervisor *sup, struct call *c, struct message *m, size_t size, int flags)
{
	m->data = sup->bounce;
	m->len = m->control_len = 0;
	m->addr_len = 0;
	m->has_addr = false;
	m->flags = 0;
	return c->obj->kind == OBJ_STREAM ? stream_recv(sup, c, m, size, flags) : dgram_recv(sup, c, m, size, flags);
}

long sys_sendto(struct supervisor *sup, struct call *c)
{
	const uint64_t *a = (const uint64_t *)c->req.data.args;
	struct message m = { .data = sup->bounce, .addr_len = a[4] ? (socklen_t)a[5] : 0 };
	struct iovec iov = { (void *)(uintptr_t)a[1], (size_t)a[2] };
	int rc = mem_read_addr(sup, c, a[4], m.addr_len, &m.addr);

	if (rc)
		return rc;
	if (c->obj->kind == OBJ_STREAM)
		return stream_send(sup, c, &iov, 1, (int)a[3]);
	m.has_addr = m.addr_len > 0;
	if (a[2] > BOUNCE_BYTES)
		return -EMSGSIZE;
	ssize_t n = mem_gather(sup, c, &iov, 1, m.data, BOUNCE_BYTES);
	if (n < 0)
		return n;
	m.len = (size_t)n;
	return dgram_send(sup, c, &m, (int)a[3]);
}

long sys_recvfrom(struct supervisor *sup, struct call *c)
{
	const uint64_t *a = (const uint64_t *)c->req.data.args;
	struct message m;
	struct iovec iov = { (void *)(uintptr_t)a[1], (size_t)a[2] };

	if (discards(c->obj, (int)a[3])) {
		socklen_t none = 0;
		long n = stream_discard(sup, c, MIN((size_t)a[2], (size_t)SEND_MOST), (int)a[3]);
		int failed = n >= 0 && a[4] && a[5] ? mem_write(sup, c, a[5], &none, sizeof(none)) : 0;
		return failed ? failed : n;
	}
	if (!a[4])
		return CALL_CONTINUE; /* MSG_TRUNC of a datagram */
	long result = message_recv(sup, c, &m, (size_t)a[2], (int)a[3]);

	if (result < 0)
		return result;
	int rc = mem_scatter(sup, c, &iov, 1, m.data, m.len);
	if (!rc && a[5])
		rc = mem_write_addr(sup, c, a[4], a[5], &m.addr, m.addr_len);
	return rc ? rc : result;
}

/* --- msghdr --- */

static int read_msghdr(struct supervisor *sup, const struct call *c, uint64_t addr, struct msghdr *h, struct iovec *iov)
{
	int rc = mem_read(sup, c, addr, h, sizeof(*h));

	if (rc)
		return rc;
	if (h->msg_iovlen > IOV_MAX_KERNEL)
		return -EMSGSIZE;
	if ((int)h->msg_namelen < 0)
		return -EINVAL;
	return mem_read(sup, c, (uintptr_t)h->msg_iov, iov, h->msg_iovlen * sizeof(*iov));
}

/* UDP_SEGMENT, which the stack has not: Linux says EIO of a device that cannot, upon which programs send one by one. */
static bool asks_to_be_cut(struct message *m)
{
	struct msghdr h = { .msg_control = m->control, .msg_controllen = m->control_len };

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(&h); cm; cm = CMSG_NXTHDR(&h, cm)) {
		if (cm->cmsg_len < sizeof(*cm))
			return false;
		if (cm->cmsg_level == IPPROTO_UDP && cm->cmsg_type == UDP_SEGMENT)
			return true;
	}
	return false;
}

static long send_one(struct supervisor *sup, struct call *c, uint64_t addr, int flags)
{
	struct iovec iov[IOV_MAX_KERNEL];
	struct msghdr h;
	struct message m;
	int rc = read_msghdr(sup, c, addr, &h, iov);

	if (rc)
		return rc;
	if (c->obj->kind == OBJ_STREAM && !addr_given(&h) && !(flags & PAIR_LOSES))
		return unconnected(c->obj) ? broken_pipe(c, flags) : CALL_CONTINUE;
	m.data = sup->bounce;
	m.has_addr = addr_given(&h);
	m.addr_len = MIN(h.msg_namelen, (socklen_t)sizeof(m.addr));
	if (m.has_addr && (rc = mem_read_addr(sup, c, (uintptr_t)h.msg_name, m.addr_len, &m.addr)))
		return rc;
	if (c->obj->kind == OBJ_STREAM)
		return stream_send(sup, c, iov, h.msg_iovlen, flags);
	if (h.msg_controllen > sizeof(m.control))
		return -ENOBUFS;
	m.control_len = h.msg_control ? h.msg_controllen : 0;
	if ((rc = mem_read(sup, c, (uintptr_t)h.msg_control, m.control, m.control_len)))
		return rc;
	if (asks_to_be_cut(&m))
		return -EIO;
	ssize_t n = mem_gather(sup, c, iov, h.msg_iovlen, m.data, BOUNCE_BYTES);
	if (n < 0)
		return n;
	m.len = (size_t)n;
	return dgram_send(sup, c, &m, flags);
}

static size_t total_len(const struct iovec *iov, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += MIN(iov[i].iov_len, (size_t)BOUNCE_BYTES);
	return len;
}

static long discard_message(struct supervisor *sup, struct call *c, struct message *m, const struct iovec *iov, size_t n, int flags)
{
	size_t size = 0;

	for (size_t i = 0; i < n; i++)
		size = MIN(size + MIN(iov[i].iov_len, (size_t)SEND_MOST), (size_t)SEND_MOST);
	m->len = m->control_len = 0;
	m->addr_len = 0;
	m->flags = 0;
	return stream_discard(sup, c, size, flags);
}

/* Control data that the program has room for; the rest is cut, whole headers only, and said so. */
static size_t fit_control(struct message *m, size_t room)
{
	struct msghdr h = { .msg_control = m->control, .msg_controllen = m->control_len };
	size_t fits = 0;

	if (m->control_len <= room)
		return m->control_len;
	m->flags |= MSG_CTRUNC;
	for (struct cmsghdr *cm = CMSG_FIRSTHDR(&h); cm; cm = CMSG_NXTHDR(&h, cm)) {
		size_t at = (size_t)((unsigned char *)cm - m->control);
		if (cm->cmsg_len > room - at)
			break;
		fits = MIN(at + CMSG_ALIGN(cm->cmsg_len), room);
		if (fits == room)
			break;
	}
	return fits;
}

static long receive_one(struct supervisor *sup, struct call *c, uint64_t addr, int flags)
{
	struct iovec iov[IOV_MAX_KERNEL];
	struct msghdr h;
	struct message m;
	int rc = read_msghdr(sup, c, addr, &h, iov);

	if (rc)
		return rc;
	if (c->obj->kind == OBJ_STREAM && (flags & MSG_ERRQUEUE))
		return -EAGAIN; /* always empty; the placeholder would wait */
	if (c->obj->kind == OBJ_STREAM && !addr_given(&h) && !discards(c->obj, flags))
		return unconnected(c->obj) ? -ENOTCONN : CALL_CONTINUE;
	long result = discards(c->obj, flags) ? discard_message(sup, c, &m, iov, h.msg_iovlen, flags)
					      : message_recv(sup, c, &m, total_len(iov, h.msg_iovlen), flags);
	if (result < 0)
		return result;
	rc = mem_scatter(sup, c, iov, h.msg_iovlen, m.data, m.len);
	if (!rc && h.msg_name)
		rc = mem_write(sup, c, (uintptr_t)h.msg_name, &m.addr, MIN(h.msg_namelen, m.addr_len));
	size_t control = fit_control(&m, h.msg_control ? h.msg_controllen : 0);
	if (!rc)
		rc = mem_write(sup, c, (uintptr_t)h.msg_control, m.control, control);
	h.msg_namelen = m.addr_len;
	h.msg_controllen = control;
	h.msg_flags = m.flags;
	if (!rc)
		rc = mem_write(sup, c, addr, &h, sizeof(h));
	return rc ? rc : result;
}

long sys_sendmsg(struct supervisor *sup, struct call *c)
{
	return send_one(sup, c, c->req.data.args[1], (int)c->req.data.args[2]);
}

long sys_recvmsg(struct supervisor *sup, struct call *c)
{
	return receive_one(sup, c, c->req.data.args[1], (int)c->req.data.args[2]);
}

/* Both *mmsg calls: as many as go without waiting; the first alone may wait.  A stream's message that goes in part is the last. */
static long many(struct supervisor *sup, struct call *c, long (*one)(struct supervisor *, struct call *, uint64_t, int), int flags)
{
	uint64_t vec = c->req.data.args[1];
	unsigned n = MIN((unsigned)c->req.data.args[2], IOV_MAX_KERNEL), i;
	long result = 0;

	if (c->obj->kind == OBJ_STREAM && (one != send_one || !(flags & PAIR_LOSES)))
		return CALL_CONTINUE;
	for (i = 0; i < n; i++) {
		uint64_t at = vec + i * sizeof(struct mmsghdr);
		result = one(sup, c, at, i ? flags | MSG_DONTWAIT : flags);
		if (result < 0)
			break;
		c->done = 0; /* the next message begins with its first byte */
		unsigned len = (unsigned)result;
		int rc = mem_write(sup, c, at + offsetof(struct mmsghdr, msg_len), &len, sizeof(len));
		if (rc) {
			result = rc;
			break;
		}
	}
	return i ? (long)i : result;
}

long sys_sendmmsg(struct supervisor *sup, struct call *c)
{
	return many(sup, c, send_one, (int)c->req.data.args[3]);
}

/* The time limit of recvmmsg is honoured for the first message; without MSG_WAITFORONE the kernel would wait for the others too. */
long sys_recvmmsg(struct supervisor *sup, struct call *c)
{
	struct timespec ts;
	uint64_t limit = 0;

	if (c->req.data.args[4]) {
		int rc = mem_read(sup, c, c->req.data.args[4], &ts, sizeof(ts));
		if (rc)
			return rc;
		limit = (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
	}
	long result = many(sup, c, receive_one, (int)c->req.data.args[3] & ~MSG_WAITFORONE);
	if (result == CALL_HOLD && c->req.data.args[4] && !limit)
		return -EAGAIN;
	if (result == CALL_HOLD && limit && (!c->timeout_ns || limit < c->timeout_ns))
		c->timeout_ns = limit;
	return result;
}
