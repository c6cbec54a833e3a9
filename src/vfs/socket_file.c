/* SPDX-License-Identifier: MIT */
/*
 * socket_file.c - a socket as a file (V1): sock_map_fd -> sock_alloc_file, and socket_file_ops, by which read() and write() reach
 * the same sock_recvmsg() and sock_sendmsg() as recv() and send() do.  Next below: socket/socket.c.
 */
#include "socket/socket_internal.h"
#include "vfs/vfs_internal.h"

static ssize_t sock_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct msghdr_k msg = {.iter = *to};

	if (!to->count)
		return 0;
	ssize_t n = sock_recvmsg(iocb->file->private_data, &msg, iocb->nonblock ? MSG_DONTWAIT : 0);
	*to = msg.iter;
	return n;
}

static ssize_t sock_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct socket *sock = iocb->file->private_data;
	struct msghdr_k msg = {.iter = *from, .flags = iocb->nonblock ? MSG_DONTWAIT : 0, .from_user_write = true};

	sock_trace(sock->sk, TP_sock_write_iter, from->count);
	ssize_t n = sock_sendmsg(sock, &msg);
	*from = msg.iter;
	return n;
}

static unsigned sock_file_poll(struct file *f)
{
	struct socket *sock = f->private_data;

	return sock->ops->poll(sock);
}

static int sock_file_ioctl(struct file *f, unsigned long cmd, void *arg)
{
	struct socket *sock = f->private_data;

	return sock->ops->ioctl(sock, cmd, arg);
}

static int sock_file_release(struct file *f)
{
	struct socket *sock = f->private_data;

	sock->wake = NULL;
	sock_release(sock);
	return 0;
}

const struct file_operations socket_file_ops = {
	.read_iter = sock_read_iter,
	.write_iter = sock_write_iter,
	.poll = sock_file_poll,
	.ioctl = sock_file_ioctl,
	.release = sock_file_release,
};

static void socket_wake_file(void *ctx, unsigned poll_mask) { file_wake(ctx, poll_mask); }

struct file *sock_alloc_file(struct socket *sock, uint32_t flags)
{
	struct file *f = alloc_file(sock->net, &socket_file_ops, sock, flags);

	if (f) {
		sock->wake = socket_wake_file;
		sock->wake_ctx = f;
	}
	return f;
}

int sock_map_fd(struct socket *sock, int flags)
{
	struct net *net = sock->net;
	int fd = get_unused_fd(net, 0, flags & SOCK_CLOEXEC);

	if (fd < 0)
		goto release;
	struct file *f = sock_alloc_file(sock, flags & SOCK_NONBLOCK ? O_NONBLOCK : 0);
	if (!f)
		goto put_fd;
	fd_install(net, fd, f);
	return fd;

put_fd:
	put_unused_fd(net, fd);
	fd = -ENOMEM;
release:
	sock_release(sock);
	return fd;
}

struct socket *sockfd_lookup_light(struct net *net, int fd, struct file **f, int *err)
{
	net_clock_update(net);
	*f = fget(net, fd);
	*err = -EBADF;
	if (unlikely(!*f))
		return NULL;
	struct socket *sock = file_socket(*f);
	if (unlikely(!sock)) {
		fput(*f);
		*err = -ENOTSOCK;
	}
	return sock;
}
