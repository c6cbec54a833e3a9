/* SPDX-License-Identifier: MIT */
/*
 * read_write.c - read, write and their vectors (V1): the plain forms go through the iterator form of the file's operations, so that
 * they reach a socket just as send() and recv() do.  Also what files have beside: ioctl, and no position (ESPIPE).
 */
#include "socket/socket_internal.h"
#include "vfs/vfs_internal.h"
#include <sys/ioctl.h>

static ssize_t file_read(struct file *f, struct iov_iter *to)
{
	struct kiocb iocb = {.file = f, .nonblock = f->flags & O_NONBLOCK};

	return f->ops->read_iter ? f->ops->read_iter(&iocb, to) : -EINVAL;
}

static ssize_t file_write(struct file *f, struct iov_iter *from)
{
	struct kiocb iocb = {.file = f, .nonblock = f->flags & O_NONBLOCK};

	if (unlikely(f->net->trace.on) && file_socket(f))
		sock_trace(file_socket(f)->sk, TP_vfs_write, from->count);
	if (PROVE_BREAKS("V1"))
		return -EINVAL;
	return f->ops->write_iter ? f->ops->write_iter(&iocb, from) : -EINVAL;
}

typedef ssize_t (*file_io_fn)(struct file *f, struct iov_iter *it);

static ssize_t plain_io(struct net *net, int fd, void *buf, size_t n, file_io_fn io)
{
	net_clock_update(net);
	struct file *f = fget(net, fd);
	if (!f)
		return -EBADF;
	struct iovec iov = {buf, MIN(n, (size_t)MAX_RW_COUNT)};
	struct iov_iter it;
	ssize_t r = -EFAULT;
	if (n <= SIZE_MAX / 2) {
		iov_iter_init(&it, &iov, 1, iov.iov_len);
		r = io(f, &it);
	}
	fput(f);
	return r;
}

ssize_t iovec_check(const struct iovec *iov, size_t n)
{
	size_t total = 0;

	if (n && !iov)
		return -EFAULT;
	for (size_t i = 0; i < n; i++) {
		if (iov[i].iov_len > SIZE_MAX / 2)
			return -EINVAL;
		if (iov[i].iov_len && !iov[i].iov_base)
			return -EFAULT;
		total += MIN(iov[i].iov_len, (size_t)MAX_RW_COUNT - total);
	}
	return (ssize_t)total;
}

static ssize_t vector_io(struct net *net, int fd, const struct iovec *iov, int iovcnt, file_io_fn io)
{
	net_clock_update(net);
	struct file *f = fget(net, fd);
	if (!f)
		return -EBADF;
	ssize_t r = -EINVAL;
	if (iovcnt >= 0 && iovcnt <= UIO_MAXIOV_)
		r = iovec_check(iov, (size_t)iovcnt);
	if (r > 0) {
		struct iov_iter it;
		iov_iter_init(&it, iov, (size_t)iovcnt, (size_t)r);
		r = io(f, &it);
	}
	fput(f);
	return r;
}

ssize_t xmit_read(xmit_net *net, int fd, void *buf, size_t n) { return sys_result(plain_io(net, fd, buf, n, file_read)); }
ssize_t xmit_write(xmit_net *net, int fd, const void *buf, size_t n)
{
	return sys_result(plain_io(net, fd, (void *)(uintptr_t)buf, n, file_write)); /* only read from */
}
ssize_t xmit_readv(xmit_net *net, int fd, const struct iovec *iov, int iovcnt)
{
	return sys_result(vector_io(net, fd, iov, iovcnt, file_read));
}
ssize_t xmit_writev(xmit_net *net, int fd, const struct iovec *iov, int iovcnt)
{
	return sys_result(vector_io(net, fd, iov, iovcnt, file_write));
}

off_t xmit_lseek(xmit_net *net, int fd, off_t offset, int whence)
{
	struct file *f = fget(net, fd);

	(void)offset;
	(void)whence;
	if (f)
		fput(f);
	return (off_t)sys_result(f ? -ESPIPE : -EBADF);
}

/* --- ioctl ------------------------------------------------------------------------------------------------------------ */

static int set_nonblock(struct file *f, const int *on)
{
	if (!on)
		return -EFAULT;
	f->flags = *on ? f->flags | O_NONBLOCK : f->flags & ~(uint32_t)O_NONBLOCK;
	return 0;
}

static int do_ioctl(struct net *net, int fd, struct file *f, unsigned long request, void *arg)
{
	switch (request) {
	case FIOCLEX:
	case FIONCLEX:
		fd_set_cloexec(net, fd, request == FIOCLEX);
		return 0;
	case FIONBIO:
		return set_nonblock(f, arg);
	default:
		return f->ops->ioctl ? f->ops->ioctl(f, request, arg) : -ENOTTY;
	}
}

int xmit_ioctl(xmit_net *net, int fd, unsigned long request, void *arg)
{
	net_clock_update(net);
	struct file *f = fget(net, fd);
	if (!f)
		return sys_result_int(-EBADF);
	int err = do_ioctl(net, fd, f, request, arg);
	fput(f);
	return sys_result_int(err);
}
