/* SPDX-License-Identifier: MIT */
/*
 * sendrecv.c - the calls that move data (V2): every way in builds one message, struct msghdr_k with an iterator over the user's memory, and
 * makes one call, sock_sendmsg() or sock_recvmsg().  sendfile.c has the ways in that let somebody else fill the memory.
 */
#include "socket/socket_internal.h"
#include "vfs/user_addr.h"
#include "vfs/vfs_internal.h"
#include <limits.h>

/* The descriptor's own O_NONBLOCK is a flag of each message. */
static unsigned msg_flags(const struct file *f, int flags) { return (unsigned)flags | (f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0); }

/* --- one buffer ------------------------------------------------------------------------------------------------------- */

ssize_t xmit_sendto(xmit_net *net, int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len)
{
	struct iovec iov = {(void *)(uintptr_t)buf, MIN(n, (size_t)MAX_RW_COUNT)}; /* only read from */
	struct msghdr_k msg = {0};
	struct sockaddr_any a;
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (unlikely(!sock))
		return sys_result(err);
	ssize_t r = 0; /* a NULL buffer is found out by the copy, if there is one */
	if (addr) {
		r = move_addr_to_kernel(addr, len, &a);
		msg.name = &a;
		msg.namelen = len;
	}
	if (likely(!r)) {
		iov_iter_init(&msg.iter, &iov, 1, iov.iov_len);
		msg.flags = msg_flags(f, flags);
		r = sock_sendmsg(sock, &msg);
	}
	fput(f);
	return sys_result(r);
}

ssize_t xmit_send(xmit_net *net, int fd, const void *buf, size_t n, int flags) { return xmit_sendto(net, fd, buf, n, flags, NULL, 0); }

ssize_t xmit_recvfrom(xmit_net *net, int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len)
{
	struct iovec iov = {buf, MIN(n, (size_t)MAX_RW_COUNT)};
	struct msghdr_k msg = {0};
	struct sockaddr_any a;
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (unlikely(!sock))
		return sys_result(err);
	iov_iter_init(&msg.iter, &iov, 1, iov.iov_len);
	msg.name = addr ? &a : NULL;
	ssize_t r = sock_recvmsg(sock, &msg, (int)msg_flags(f, flags));
	if (r >= 0 && addr && (err = move_addr_to_user(&a, msg.namelen, addr, len)) < 0)
		r = err;
	fput(f);
	return sys_result(r);
}

ssize_t xmit_recv(xmit_net *net, int fd, void *buf, size_t n, int flags) { return xmit_recvfrom(net, fd, buf, n, flags, NULL, NULL); }

/* --- messages ---------------------------------------------------------------------------------------------------------- */

/* Checks a struct msghdr and makes an iterator of it. */
static int import_msghdr(const struct msghdr *u, struct msghdr_k *msg)
{
	if (!u)
		return -EFAULT;
	if (u->msg_namelen > INT_MAX)
		return -EINVAL;
	if ((size_t)u->msg_iovlen > UIO_MAXIOV_)
		return -EMSGSIZE;
	ssize_t total = iovec_check(u->msg_iov, (size_t)u->msg_iovlen);
	if (total < 0)
		return (int)total;
	*msg = (struct msghdr_k){0};
	iov_iter_init(&msg->iter, u->msg_iov, (size_t)u->msg_iovlen, (size_t)total);
	return 0;
}

static ssize_t send_one(struct socket *sock, const struct msghdr *u, unsigned flags)
{
	struct msghdr_k msg;
	struct sockaddr_any a;
	int err = import_msghdr(u, &msg);

	if (err)
		return err;
	if (u->msg_name && u->msg_namelen) {
		socklen_t len = MIN(u->msg_namelen, (socklen_t)sizeof(a.storage));
		err = move_addr_to_kernel(u->msg_name, len, &a);
		if (err)
			return err;
		msg.name = &a;
		msg.namelen = len;
	}
	if (u->msg_controllen) {
		if (u->msg_controllen > (size_t)sock->net->sock->sysctl_optmem_max)
			return -ENOBUFS;
		if (!u->msg_control)
			return -EFAULT;
		msg.control = u->msg_control;
		msg.controllen = u->msg_controllen;
	}
	msg.flags = flags;
	return sock_sendmsg(sock, &msg);
}

static ssize_t recv_one(struct socket *sock, struct msghdr *u, unsigned flags)
{
	struct msghdr_k msg;
	struct sockaddr_any a;
	socklen_t room;
	int err = import_msghdr(u, &msg);

	if (err)
		return err;
	msg.name = u->msg_name ? &a : NULL;
	msg.control = u->msg_control;
	msg.controllen = u->msg_control ? u->msg_controllen : 0;
	ssize_t r = sock_recvmsg(sock, &msg, (int)flags);
	if (r < 0)
		return r;
	if (u->msg_name) {
		room = u->msg_namelen;
		err = move_addr_to_user(&a, msg.namelen, u->msg_name, &room);
		if (err < 0)
			return err;
		u->msg_namelen = room;
	}
	u->msg_controllen = msg.controllen;
	u->msg_flags = (int)msg.flags;
	return r;
}

ssize_t xmit_sendmsg(xmit_net *net, int fd, const struct msghdr *u, int flags)
{
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (unlikely(!sock))
		return sys_result(err);
	ssize_t r = send_one(sock, u, msg_flags(f, flags));
	fput(f);
	return sys_result(r);
}

ssize_t xmit_recvmsg(xmit_net *net, int fd, struct msghdr *u, int flags)
{
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (unlikely(!sock))
		return sys_result(err);
	ssize_t r = recv_one(sock, u, msg_flags(f, flags));
	fput(f);
	return sys_result(r);
}

/* --- many messages ------------------------------------------------------------------------------------------------------- */

/* How many went out; the error of the first only when none did. */
int xmit_sendmmsg(xmit_net *net, int fd, struct xmit_mmsghdr *msgs, unsigned n, int flags)
{
	struct file *f;
	int err;
	unsigned done = 0;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (unlikely(!sock))
		return sys_result_int(err);
	n = MIN(n, (unsigned)UIO_MAXIOV_);
	ssize_t r = n && !msgs ? -EFAULT : 0;
	while (r >= 0 && done < n) {
		r = send_one(sock, &msgs[done].msg_hdr, msg_flags(f, flags));
		if (r >= 0)
			msgs[done++].msg_len = (unsigned)r;
	}
	fput(f);
	return sys_result_int(done ? (int)done : (int)r);
}

#ifndef MSG_WAITFORONE
#define MSG_WAITFORONE 0x10000
#endif

/* Receives until n messages are there, an error, or (looked at after each) the deadline. */
static int recv_many(struct net *net, struct socket *sock, struct xmit_mmsghdr *msgs, unsigned n, unsigned flags, uint64_t deadline_ns)
{
	unsigned done = 0;
	ssize_t r = 0;

	if (!(flags & MSG_ERRQUEUE) && (r = sock_error(sock->sk)) < 0)
		return (int)r;
	while (done < n) {
		r = recv_one(sock, &msgs[done].msg_hdr, flags & ~(unsigned)MSG_WAITFORONE);
		if (r < 0)
			break;
		msgs[done++].msg_len = (unsigned)r;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		net_clock_update(net);
		if (net->now_ns >= deadline_ns || (msgs[done - 1].msg_hdr.msg_flags & MSG_OOB))
			break;
	}
	if (!done)
		return (int)r;
	if (r < 0 && r != -EAGAIN)
		sock->sk->sk_err = (int)-r; /* for the next call: this one tells what it got */
	return (int)done;
}

int xmit_recvmmsg(xmit_net *net, int fd, struct xmit_mmsghdr *msgs, unsigned n, int flags, uint64_t timeout_ns)
{
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (unlikely(!sock))
		return sys_result_int(err);
	uint64_t deadline = timeout_ns > TIME_NEVER - net->now_ns ? TIME_NEVER : net->now_ns + timeout_ns;
	err = n && !msgs ? -EFAULT : recv_many(net, sock, msgs, MIN(n, (unsigned)INT_MAX), msg_flags(f, flags), deadline);
	fput(f);
	return sys_result_int(err);
}
