/* SPDX-License-Identifier: MIT */
/* transfer.c - the calls of the table that move data.  A descriptor that is not ours (a file, a pipe) goes to the host's call. */
#include "adapter.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static ssize_t pd_read(void *u, int fd, void *buf, size_t n)
{
	struct adapter *a = u;

	if (!is_ours(a, fd))
		return read(fd, buf, n);
	enter(a);
	return leave(a, xmit_read(a->net, fd, buf, n));
}

static ssize_t pd_readv(void *u, int fd, const struct iovec *iov, int count)
{
	struct adapter *a = u;

	if (!is_ours(a, fd))
		return readv(fd, iov, count);
	enter(a);
	return leave(a, xmit_readv(a->net, fd, iov, count));
}

static ssize_t pd_recv(void *u, int fd, void *buf, size_t n, int flags)
{
	struct adapter *a = u;

	enter(a);
	return leave(a, xmit_recv(a->net, fd, buf, n, flags));
}

static ssize_t pd_recvfrom(void *u, int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len)
{
	struct adapter *a = u;

	enter(a);
	return leave(a, xmit_recvfrom(a->net, fd, buf, n, flags, addr, len));
}

static ssize_t pd_recvmsg(void *u, int fd, struct msghdr *msg, int flags)
{
	struct adapter *a = u;

	enter(a);
	return leave(a, xmit_recvmsg(a->net, fd, msg, flags));
}

static ssize_t pd_write(void *u, int fd, const void *buf, size_t n)
{
	struct adapter *a = u;

	if (!is_ours(a, fd))
		return write(fd, buf, n);
	enter(a);
	return leave(a, xmit_write(a->net, fd, buf, n));
}

static ssize_t pd_writev(void *u, int fd, const struct iovec *iov, int count)
{
	struct adapter *a = u;

	if (!is_ours(a, fd))
		return writev(fd, iov, count);
	enter(a);
	return leave(a, xmit_writev(a->net, fd, iov, count));
}

static ssize_t pd_send(void *u, int fd, const void *buf, size_t n, int flags)
{
	struct adapter *a = u;

	enter(a);
	return leave(a, xmit_send(a->net, fd, buf, n, flags));
}

static ssize_t pd_sendto(void *u, int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len)
{
	struct adapter *a = u;

	enter(a);
	return leave(a, xmit_sendto(a->net, fd, buf, n, flags, addr, len));
}

static ssize_t pd_sendmsg(void *u, int fd, const struct msghdr *msg, int flags)
{
	struct adapter *a = u;

	enter(a);
	return leave(a, xmit_sendmsg(a->net, fd, msg, flags));
}

static int pd_pipe(void *u, int fds[2])
{
	(void)u;
	return pipe(fds);
}

/* packetdrill has no NULL for an offset: zero is none. */
static ssize_t pd_splice(void *u, int fd_in, loff_t *off_in, int fd_out, loff_t *off_out, size_t n, unsigned flags)
{
	struct adapter *a = u;
	bool in = is_ours(a, fd_in), out = is_ours(a, fd_out);

	off_in = off_in && *off_in ? off_in : NULL;
	off_out = off_out && *off_out ? off_out : NULL;
	if (!in && !out)
		return splice(fd_in, off_in, fd_out, off_out, n, flags);
	if ((in && off_in) || (out && off_out)) {
		errno = ESPIPE;
		return -1;
	}
	if (in && out) { /* one end is a pipe */
		errno = EINVAL;
		return -1;
	}
	enter(a);
	return leave(a, in ? xmit_splice_to(a->net, fd_in, fd_out, n, flags) : xmit_splice_from(a->net, fd_out, fd_in, n, flags));
}

void transfers_fill(struct packetdrill_interface *t)
{
	t->read = pd_read;
	t->readv = pd_readv;
	t->recv = pd_recv;
	t->recvfrom = pd_recvfrom;
	t->recvmsg = pd_recvmsg;
	t->write = pd_write;
	t->writev = pd_writev;
	t->send = pd_send;
	t->sendto = pd_sendto;
	t->sendmsg = pd_sendmsg;
	t->pipe = pd_pipe;
	t->splice = pd_splice;
}
