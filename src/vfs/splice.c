/* SPDX-License-Identifier: MIT */
/*
 * splice.c - between a stream socket and a pipe (or other stream) of the host, as splice(2) does.
 *
 * To the host, the receive queue is shown in place (recv_iov) and written from there; what was written is then consumed, and nothing is lost
 * when the pipe is full.  From the host, read() puts the bytes straight into stack memory (an ITER_FILL iterator).  As on Linux
 * the call returns with what it moved as soon as it would have to wait for more, and data before the urgent mark ends there: the urgent byte is
 * never spliced.
 */
#include "socket/socket_internal.h"
#include "vfs/vfs_internal.h"
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum {
	CHUNK = 4096, /* bytes that a pipe which is ready takes without blocking (PIPE_BUF on Linux) */
	PIECES = 8,
	IOC_ATMARK = 0x8905, /* SIOCATMARK, Linux's number */
	F_NONBLOCK = XMIT_SPLICE_F_NONBLOCK, F_MORE = XMIT_SPLICE_F_MORE,
};

static bool host_ready(int host_fd, short event)
{
	struct pollfd p = {.fd = host_fd, .events = event};

	return poll(&p, 1, 0) > 0;
}

/* --- to the host ------------------------------------------------------------------------------------------------------------ */

static bool at_urgent_mark(struct socket *sock)
{
	int at = 0;

	return sock->ops->ioctl(sock, IOC_ATMARK, &at) == 0 && at;
}

/* The first pieces of the receive queue, n bytes at most; their number, 0 at the end, -errno. */
static int show_pieces(struct socket *sock, struct iovec *iov, size_t n)
{
	int k = sock->sk->sk_prot->recv_iov(sock->sk, iov, PIECES);
	int used = 0;

	for (; used < k && n; used++) {
		iov[used].iov_len = MIN(iov[used].iov_len, n);
		n -= iov[used].iov_len;
	}
	return k < 0 ? k : used;
}

/* Nothing passes the mark: whoever would wait is told that it is there by 0, as of an end. */
static ssize_t stopped_by_mark(const struct socket *sock, bool nonblock)
{
	return nonblock && !(sock->sk->sk_shutdown & RCV_SHUTDOWN) ? -EAGAIN : 0;
}

/* One chunk.  Bytes moved; 0: the end, or the urgent mark; -errno. */
static ssize_t move_chunk(struct socket *sock, int host_fd, size_t n, bool nonblock, bool wait_for_host)
{
	struct iovec iov[PIECES];

	if (at_urgent_mark(sock))
		return stopped_by_mark(sock, nonblock);
	int k = show_pieces(sock, iov, MIN(n, (size_t)CHUNK));
	if (k <= 0)
		return k;
	if (!wait_for_host && !host_ready(host_fd, POLLOUT))
		return -EWOULDBLOCK;
	ssize_t w = writev(host_fd, iov, k);
	if (w <= 0)
		return w < 0 ? -errno : 0;
	int err = sock->sk->sk_prot->recv_skip(sock->sk, (size_t)w);
	return err ? err : w;
}

static ssize_t move_ready(struct socket *sock, int host_fd, size_t n, bool nonblock, bool pipe_nonblock)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = move_chunk(sock, host_fd, n - done, nonblock, !done && !pipe_nonblock);
		if (r <= 0)
			return done ? (ssize_t)done : r;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

static bool can_be_written(int host_fd)
{
	int flags = fcntl(host_fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

static bool sock_is_readable(void *arg)
{
	struct socket *sock = arg;

	return sock->ops->poll(sock) & (POLLIN | POLLRDHUP | POLLHUP | POLLERR);
}

/* The socket waits unless its file is O_NONBLOCK; SPLICE_F_NONBLOCK is the pipe's, as on Linux. */
static ssize_t splice_to(struct socket *sock, int host_fd, size_t n, bool nonblock, bool pipe_nonblock)
{
	struct net *net = sock->net;
	uint64_t timeo = sock_rcvtimeo(sock->sk, false);
	uint64_t deadline = timeo > TIME_NEVER - net->now_ns ? TIME_NEVER : net->now_ns + timeo;

	if (!sock->sk->sk_prot->recv_iov)
		return -EINVAL;
	for (;;) {
		ssize_t r = move_ready(sock, host_fd, n, nonblock, pipe_nonblock);
		if (r == -EAGAIN && !can_be_written(host_fd))
			return -EBADF;
		if (r != -EAGAIN || nonblock || sock_is_readable(sock))
			return r; /* an EAGAIN of the pipe is final */
		int err = vfs_wait(net, deadline, sock_is_readable, sock);
		if (err <= 0)
			return err ? err : -EAGAIN;
	}
}

ssize_t xmit_splice_to(xmit_net *net, int fd, int host_fd, size_t n, unsigned flags)
{
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (unlikely(!sock))
		return sys_result(err);
	ssize_t r = n ? splice_to(sock, host_fd, MIN(n, (size_t)MAX_RW_COUNT), f->flags & O_NONBLOCK, flags & F_NONBLOCK) : 0;
	fput(f);
	return sys_result(r);
}

/* --- from the host ---------------------------------------------------------------------------------------------------------- */

struct source {
	int fd;
	bool nonblock;
	size_t taken;
	ssize_t end; /* why it gave no more: 0 or -errno; 1 until then */
};

/* The first bytes are waited for; then only what is there. */
static ssize_t read_source(void *arg, void *dst, size_t n)
{
	struct source *s = arg;

	if ((s->taken || s->nonblock) && !host_ready(s->fd, POLLIN)) {
		s->end = s->taken ? 0 : -EAGAIN;
		return s->end;
	}
	ssize_t r = read(s->fd, dst, n);
	if (r <= 0)
		return s->end = r < 0 ? -errno : 0;
	s->taken += (size_t)r;
	return r;
}

/* The pipe comes first, whatever the socket would say.  1: it has something; 0: its end; -EAGAIN, -EBADF, -EINTR. */
static ssize_t wait_for_source(int host_fd, bool nonblock)
{
	struct pollfd p = {.fd = host_fd, .events = POLLIN};

	if (host_fd < 0) /* poll() would wait for ever */
		return -EBADF;
	if (poll(&p, 1, nonblock ? 0 : -1) < 0)
		return -errno;
	if (p.revents & POLLNVAL)
		return -EBADF;
	return p.revents & POLLIN ? 1 : p.revents & POLLHUP ? 0 : nonblock ? -EAGAIN : 1;
}

static ssize_t splice_from(struct socket *sock, int host_fd, size_t n, unsigned flags, bool nonblock)
{
	struct source s = {.fd = host_fd, .nonblock = flags & F_NONBLOCK, .end = 1};
	struct msghdr_k msg = {.flags = (nonblock ? MSG_DONTWAIT : 0) | (flags & F_MORE ? MSG_MORE : 0)};

	if (sock->type != SOCK_STREAM)
		return -EINVAL;
	ssize_t r = wait_for_source(host_fd, s.nonblock);
	if (r <= 0)
		return r;
	iov_iter_fill_init(&msg.iter, read_source, &s, n);
	r = sock_sendmsg(sock, &msg);
	return r <= 0 && s.end <= 0 ? s.end : r;
}

ssize_t xmit_splice_from(xmit_net *net, int fd, int host_fd, size_t n, unsigned flags)
{
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (unlikely(!sock))
		return sys_result(err);
	ssize_t r = n ? splice_from(sock, host_fd, MIN(n, (size_t)MAX_RW_COUNT), flags, f->flags & O_NONBLOCK) : 0;
	fput(f);
	return sys_result(r);
}
