/* SPDX-License-Identifier: MIT */
/*
 * sendfile.c - ways in and out that keep to one copy: sendfile and xmit_send_fill write straight into stack memory (an ITER_FILL
 * iterator), xmit_recv_iov shows the receive queue in place.
 */
#include "socket/socket_internal.h"
#include "vfs/vfs_internal.h"
#include <unistd.h>

/* Between the user's fill and the iterator: remembers how it ended, which copy_from_iter() cannot tell. */
struct fill_call {
	ssize_t (*fill)(void *ctx, void *dst, size_t n);
	void *ctx;
	ssize_t end; /* last result when it was not a positive one; 1 until then */
};

static ssize_t fill_step(void *arg, void *dst, size_t n)
{
	struct fill_call *c = arg;
	ssize_t r = c->fill(c->ctx, dst, n);

	if (r <= 0)
		c->end = r;
	return r;
}

/* Bytes queued; when none were: what fill said (0: it had nothing), or the socket's error. */
static ssize_t send_filled(struct socket *sock, struct fill_call *c, size_t n, unsigned flags)
{
	struct msghdr_k msg = {.flags = flags};

	c->end = 1;
	iov_iter_fill_init(&msg.iter, fill_step, c, MIN(n, (size_t)MAX_RW_COUNT));
	ssize_t r = sock_sendmsg(sock, &msg);
	return r <= 0 && c->end <= 0 ? c->end : r;
}

ssize_t xmit_send_fill(xmit_net *net, int fd, ssize_t (*fill)(void *ctx, void *dst, size_t n), void *ctx, size_t n, int flags)
{
	struct fill_call c = {.fill = fill, .ctx = ctx};
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (unlikely(!sock))
		return sys_result(err);
	ssize_t r = send_filled(sock, &c, n, (unsigned)flags | MSG_DONTWAIT);
	fput(f);
	return sys_result(r);
}

/* --- sendfile ---------------------------------------------------------------------------------------------------------- */

struct host_file {
	int fd;
	off_t pos;
	bool positioned; /* read from pos and leave the file's own position alone */
};

static ssize_t read_host_file(void *arg, void *dst, size_t n)
{
	struct host_file *h = arg;
	ssize_t r = h->positioned ? pread(h->fd, dst, n, h->pos) : read(h->fd, dst, n);

	if (r < 0)
		return -errno;
	h->pos += r;
	return r;
}

/* Only streams: a datagram's length must be known before its first byte is read. */
static ssize_t do_sendfile(struct socket *sock, struct file *f, int host_fd, off_t *offset, size_t n)
{
	struct host_file h = {.fd = host_fd, .pos = offset ? *offset : 0, .positioned = offset};
	struct fill_call c = {.fill = read_host_file, .ctx = &h};

	if (sock->type != SOCK_STREAM || h.pos < 0)
		return -EINVAL;
	if (!n)
		return 0;
	ssize_t r = send_filled(sock, &c, n, f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
	if (offset && r > 0)
		*offset += r;
	return r;
}

ssize_t xmit_sendfile(xmit_net *net, int fd, int host_fd, off_t *offset, size_t n)
{
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (unlikely(!sock))
		return sys_result(err);
	ssize_t r = do_sendfile(sock, f, host_fd, offset, n);
	fput(f);
	return sys_result(r);
}

/* --- in place ------------------------------------------------------------------------------------------------------------- */

int xmit_recv_iov(xmit_net *net, int fd, struct iovec *iov, int max)
{
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (unlikely(!sock))
		return sys_result_int(err);
	if (max <= 0)
		err = -EINVAL;
	else if (!iov)
		err = -EFAULT;
	else
		err = sock->sk->sk_prot->recv_iov ? sock->sk->sk_prot->recv_iov(sock->sk, iov, max) : -EOPNOTSUPP;
	fput(f);
	return sys_result_int(err);
}

int xmit_recv_skip(xmit_net *net, int fd, size_t n)
{
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (unlikely(!sock))
		return sys_result_int(err);
	err = sock->sk->sk_prot->recv_skip ? sock->sk->sk_prot->recv_skip(sock->sk, n) : -EOPNOTSUPP;
	fput(f);
	return sys_result_int(err);
}
