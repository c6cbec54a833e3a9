/* SPDX-License-Identifier: MIT */
/* calls.c - the calls of the table that move no data: each enters the instance, makes the call of the same name, and leaves. */
#include "adapter.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int pd_socket(void *u, int domain, int type, int protocol)
{
	struct adapter *a = u;

	enter(a);
	namespace_read(a);
	int fd = xmit_socket(a->net, domain, type, protocol);
	return (int)leave(a, fd < 0 ? fd : adopt(a, fd, FD_SOCKET));
}

/* The address in an IPv4 or v4-mapped socket address; 0: none. */
static struct in_addr ipv4_of(const struct sockaddr *addr, socklen_t len)
{
	struct in_addr v4 = {0};

	if (addr && addr->sa_family == AF_INET && len >= sizeof(struct sockaddr_in))
		v4 = ((const struct sockaddr_in *)(const void *)addr)->sin_addr;
	if (addr && addr->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
		if (IN6_IS_ADDR_V4MAPPED(v6))
			memcpy(&v4, v6->s6_addr + 12, sizeof(v4));
	}
	return v4;
}

static int pd_bind(void *u, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct adapter *a = u;

	enter(a);
	interface_learn(a, ipv4_of(addr, len));
	return (int)leave(a, xmit_bind(a->net, fd, addr, len));
}

static int pd_listen(void *u, int fd, int backlog)
{
	struct adapter *a = u;

	enter(a);
	int r = xmit_listen(a->net, fd, backlog);
	if (!r)
		show_listener(a, fd);
	return (int)leave(a, r);
}

static int pd_accept(void *u, int fd, struct sockaddr *addr, socklen_t *len)
{
	struct adapter *a = u;

	enter(a);
	int new = xmit_accept(a->net, fd, addr, len);
	return (int)leave(a, new < 0 ? new : adopt(a, new, FD_SOCKET));
}

static int pd_connect(void *u, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct adapter *a = u;

	enter(a);
	return (int)leave(a, xmit_connect(a->net, fd, addr, len));
}

static int duplicate(struct adapter *a, int fd)
{
	int new = xmit_dup(a->net, fd);

	return new < 0 ? new : adopt(a, new, (enum fd_kind)atomic_load(&a->kind[fd]));
}

static int pd_fcntl(void *u, int fd, int cmd, ...)
{
	struct adapter *a = u;
	va_list ap;

	va_start(ap, cmd);
	long arg = va_arg(ap, long);
	va_end(ap);
	if (!is_ours(a, fd))
		return fcntl(fd, cmd, arg);
	enter(a);
	bool dup = cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC;
	return (int)leave(a, dup ? duplicate(a, fd) : xmit_fcntl(a->net, fd, cmd, (int)arg));
}

static int pd_ioctl(void *u, int fd, unsigned long request, ...)
{
	struct adapter *a = u;
	va_list ap;

	va_start(ap, request);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	if (!is_ours(a, fd))
		return ioctl(fd, request, arg);
	enter(a);
	return (int)leave(a, xmit_ioctl(a->net, fd, request, arg));
}

static int pd_close(void *u, int fd)
{
	struct adapter *a = u;

	if (!is_ours(a, fd))
		return close(fd);
	enter(a);
	return (int)leave(a, close_ours(a, fd));
}

static int pd_shutdown(void *u, int fd, int how)
{
	struct adapter *a = u;

	enter(a);
	return (int)leave(a, xmit_shutdown(a->net, fd, how));
}

static int pd_getsockopt(void *u, int fd, int level, int name, void *val, socklen_t *len)
{
	struct adapter *a = u;

	enter(a);
	return (int)leave(a, xmit_getsockopt(a->net, fd, level, name, val, len));
}

static int pd_setsockopt(void *u, int fd, int level, int name, const void *val, socklen_t len)
{
	struct adapter *a = u;

	enter(a);
	return (int)leave(a, xmit_setsockopt(a->net, fd, level, name, val, len));
}

/* --- waiting for events ---------------------------------------------------------------------------------------------- */

static int pd_poll(void *u, struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct adapter *a = u;

	enter(a);
	return (int)leave(a, xmit_poll_sockets(a->net, fds, (unsigned)n, timeout_ms));
}

static int pd_epoll_create(void *u, int size)
{
	struct adapter *a = u;

	if (size <= 0) {
		errno = EINVAL;
		return -1;
	}
	enter(a);
	int fd = xmit_epoll_create(a->net);
	return (int)leave(a, fd < 0 ? fd : adopt(a, fd, FD_EPOLL));
}

static int pd_epoll_ctl(void *u, int epfd, int op, int fd, struct epoll_event *ev)
{
	struct adapter *a = u;
	struct xmit_epoll_event e = {0};

	if (ev)
		e = (struct xmit_epoll_event){.events = ev->events, .data = ev->data.u64};
	enter(a);
	return (int)leave(a, xmit_epoll_ctl(a->net, epfd, op, fd, ev ? &e : NULL));
}

enum { EVENTS_MOST = 64 }; /* of one call; more are told by the next */

static int pd_epoll_wait(void *u, int epfd, struct epoll_event *ev, int max, int timeout_ms)
{
	struct adapter *a = u;
	struct xmit_epoll_event e[EVENTS_MOST];

	enter(a);
	int n = xmit_epoll_wait(a->net, epfd, ev ? e : NULL, max < EVENTS_MOST ? max : EVENTS_MOST, timeout_ms);
	for (int i = 0; i < n; i++) {
		ev[i].events = e[i].events;
		ev[i].data.u64 = e[i].data;
	}
	return (int)leave(a, n);
}

void calls_fill(struct packetdrill_interface *t)
{
	t->socket = pd_socket;
	t->bind = pd_bind;
	t->listen = pd_listen;
	t->accept = pd_accept;
	t->connect = pd_connect;
	t->fcntl = pd_fcntl;
	t->ioctl = pd_ioctl;
	t->close = pd_close;
	t->shutdown = pd_shutdown;
	t->getsockopt = pd_getsockopt;
	t->setsockopt = pd_setsockopt;
	t->poll = pd_poll;
	t->epoll_create = pd_epoll_create;
	t->epoll_ctl = pd_epoll_ctl;
	t->epoll_wait = pd_epoll_wait;
}
