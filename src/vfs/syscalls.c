/* SPDX-License-Identifier: MIT */
/*
 * syscalls.c - the socket calls of xmit/socket.h that move no data: each finds the socket of the descriptor (sockfd_lookup_light), checks
 * its arguments in Linux's order, and makes one call of the socket's operations.  sendrecv.c has the others.
 */
#include "socket/socket_internal.h"
#include "vfs/vfs_internal.h"
#include "vfs/user_addr.h"

int xmit_socket(xmit_net *net, int domain, int type, int protocol)
{
	int flags = type & ~0xf;
	struct socket *sock;

	net_clock_update(net);
	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return sys_result_int(-EINVAL);
	int err = sock_create(net, domain, type & 0xf, protocol, &sock);
	if (err < 0)
		return sys_result_int(err);
	return sys_result_int(sock_map_fd(sock, flags));
}

/* For the calls that are given an address: the socket of fd, held by *f, and the address in *a; NULL and *err. */
static struct socket *lookup_with_addr(struct net *net, int fd, const struct sockaddr *addr, socklen_t len, struct file **f, struct sockaddr_any *a,
				       int *err)
{
	struct socket *sock = sockfd_lookup_light(net, fd, f, err);

	if (!sock)
		return NULL;
	*err = move_addr_to_kernel(addr, len, a);
	if (!*err)
		return sock;
	fput(*f);
	return NULL;
}

int xmit_bind(xmit_net *net, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_any a;
	struct file *f;
	int err;
	struct socket *sock = lookup_with_addr(net, fd, addr, len, &f, &a, &err);

	if (!sock)
		return sys_result_int(err);
	err = sock->ops->bind(sock, &a, len);
	fput(f);
	return sys_result_int(err);
}

int xmit_listen(xmit_net *net, int fd, int backlog)
{
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (!sock)
		return sys_result_int(err);
	err = sock->ops->listen(sock, backlog);
	fput(f);
	return sys_result_int(err);
}

/* The new connection in newsock; its peer's address to the user. */
static int accept_into(struct socket *sock, struct socket *newsock, int file_flags, struct sockaddr *addr, socklen_t *len)
{
	struct sockaddr_any a;
	int err = sock->ops->accept(sock, newsock, file_flags);

	if (err < 0 || !addr)
		return err;
	err = newsock->ops->getname(newsock, &a, 2);
	if (err < 0)
		return -ECONNABORTED;
	return move_addr_to_user(&a, (socklen_t)err, addr, len);
}

static int do_accept(struct net *net, struct socket *sock, int file_flags, struct sockaddr *addr, socklen_t *len, int flags)
{
	int fd = get_unused_fd(net, 0, flags & SOCK_CLOEXEC);

	if (fd < 0)
		return fd;
	int err = -ENFILE;
	struct socket *newsock = sock_alloc(net);
	if (!newsock)
		goto put_fd;
	newsock->type = sock->type;
	newsock->ops = sock->ops;
	err = -ENOMEM;
	struct file *newfile = sock_alloc_file(newsock, flags & SOCK_NONBLOCK ? O_NONBLOCK : 0);
	if (!newfile)
		goto release;
	err = accept_into(sock, newsock, file_flags, addr, len);
	if (err < 0)
		goto put_file;
	fd_install(net, fd, newfile);
	return fd;

put_file:
	fput(newfile); /* releases newsock */
	goto put_fd;
release:
	sock_release(newsock);
put_fd:
	put_unused_fd(net, fd);
	return err;
}

int xmit_accept4(xmit_net *net, int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct file *f;
	int err;

	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return sys_result_int(-EINVAL);
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);
	if (!sock)
		return sys_result_int(err);
	err = do_accept(net, sock, (int)f->flags, addr, len, flags);
	fput(f);
	return sys_result_int(err);
}

int xmit_accept(xmit_net *net, int fd, struct sockaddr *addr, socklen_t *len) { return xmit_accept4(net, fd, addr, len, 0); }

int xmit_connect(xmit_net *net, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_any a;
	struct file *f;
	int err;
	struct socket *sock = lookup_with_addr(net, fd, addr, len, &f, &a, &err);

	if (!sock)
		return sys_result_int(err);
	err = sock->ops->connect(sock, &a, len, (int)f->flags);
	fput(f);
	return sys_result_int(err);
}

int xmit_shutdown(xmit_net *net, int fd, int how)
{
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (!sock)
		return sys_result_int(err);
	err = sock->ops->shutdown(sock, how);
	fput(f);
	return sys_result_int(err);
}

static int get_name(struct net *net, int fd, struct sockaddr *addr, socklen_t *len, int peer)
{
	struct sockaddr_any a;
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (!sock)
		return err;
	err = sock->ops->getname(sock, &a, peer);
	if (err >= 0)
		err = move_addr_to_user(&a, (socklen_t)err, addr, len);
	fput(f);
	return err;
}

int xmit_getsockname(xmit_net *net, int fd, struct sockaddr *addr, socklen_t *len)
{
	return sys_result_int(get_name(net, fd, addr, len, 0));
}

int xmit_getpeername(xmit_net *net, int fd, struct sockaddr *addr, socklen_t *len)
{
	return sys_result_int(get_name(net, fd, addr, len, 1));
}

int xmit_setsockopt(xmit_net *net, int fd, int level, int name, const void *val, socklen_t len)
{
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (!sock)
		return sys_result_int(err);
	if (len > INT32_MAX)
		err = -EINVAL;
	else if (len && !val && level != IPPROTO_IP) /* of IP's options some are not looked at: they check themselves */
		err = -EFAULT;
	else
		err = sock_setsockopt(sock, level, name, val, len);
	fput(f);
	return sys_result_int(err);
}

/* There is no place for the value: -EFAULT, unless the option is not there either. */
static int getsockopt_nowhere(struct socket *sock, int level, int name, socklen_t len)
{
	uint8_t nowhere[512];

	len = MIN(len, (socklen_t)sizeof(nowhere));
	int err = sock_getsockopt(sock, level, name, nowhere, &len);
	return err ? err : len ? -EFAULT : 0;
}

int xmit_getsockopt(xmit_net *net, int fd, int level, int name, void *val, socklen_t *len)
{
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	if (!sock)
		return sys_result_int(err);
	err = !len ? -EFAULT : *len > INT32_MAX ? -EINVAL : val ? sock_getsockopt(sock, level, name, val, len) : getsockopt_nowhere(sock, level, name, *len);
	fput(f);
	return sys_result_int(err);
}
