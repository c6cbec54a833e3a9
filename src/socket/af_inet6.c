/* SPDX-License-Identifier: MIT */
/*
 * af_inet6.c - AF_INET6 sockets over IPv4 (S1): what RFC 4291 2.5.5.2 calls v4-mapped addresses.  There is no IPv6 below yet.
 *
 * The protocols see only IPv4: here an address is turned into sockaddr_in on the way down and into ::ffff:a.b.c.d on the way up.
 * `::` is any address.  True IPv6 destinations are unreachable (ENETUNREACH), true IPv6 local addresses not there (EADDRNOTAVAIL), as
 * on a Linux host whose interfaces have no IPv6.  A socket with IPV6_V6ONLY holds its port and hears nothing.  ipv6_sockopt.c has the options.
 */
#include "socket/ipv6_sockopt.h"
#include "socket/socket_internal.h"

enum { SIN6_LEN_RFC2133 = 24 }; /* bytes of a sockaddr_in6 without sin6_scope_id, which old programs pass */

static void addr_words(const struct sockaddr_any *addr, be32 w[4]) { memcpy(w, &addr->in6.sin6_addr, 16); }
static bool is_any(const be32 w[4]) { return !(w[0] | w[1] | w[2] | w[3]); }

static void make_v4(struct sockaddr_any *v4, be32 addr, be16 port)
{
	memset(v4, 0, sizeof(*v4));
	v4->in.sin_family = AF_INET;
	v4->in.sin_addr.s_addr = addr;
	v4->in.sin_port = port;
}

static void make_mapped(struct sockaddr_any *addr)
{
	const be32 w[4] = {0, 0, CPU_TO_BE32(0x0000ffff), addr->in.sin_addr.s_addr};
	be16 port = addr->in.sin_port;
	bool any = !addr->in.sin_addr.s_addr;

	memset(addr, 0, sizeof(*addr));
	addr->in6.sin6_family = AF_INET6;
	addr->in6.sin6_port = port;
	if (!any)
		memcpy(&addr->in6.sin6_addr, w, sizeof(w));
}

static int inet6_bind(struct socket *sock, const struct sockaddr_any *addr, socklen_t len)
{
	struct sockaddr_any v4;
	be32 w[4];

	if (len < SIN6_LEN_RFC2133)
		return -EINVAL;
	if (addr->family != AF_INET6)
		return -EAFNOSUPPORT;
	addr_words(addr, w);
	if (ipv6_addr_v4mapped(w)) {
		if (sock_flag(sock->sk, SOCK_F_V6ONLY))
			return -EINVAL;
	} else if (!is_any(w)) {
		return -EADDRNOTAVAIL;
	}
	make_v4(&v4, w[3], addr->in6.sin6_port);
	return inet_bind(sock, &v4, sizeof(v4.in));
}

/* The IPv4 form of a destination; an AF_INET one passes as it is. */
static int map_destination(const struct sock *sk, const struct sockaddr_any *addr, socklen_t len, struct sockaddr_any *v4)
{
	be32 w[4];

	if (addr->family == AF_INET || addr->family == AF_UNSPEC) {
		if (len < sizeof(v4->in))
			return -EINVAL;
		if (sock_flag(sk, SOCK_F_V6ONLY))
			return addr->family == AF_INET ? -ENETUNREACH : -EAFNOSUPPORT;
		*v4 = *addr;
		return 0;
	}
	if (addr->family != AF_INET6)
		return -EAFNOSUPPORT;
	if (len < SIN6_LEN_RFC2133)
		return -EINVAL;
	addr_words(addr, w);
	if (is_any(w) && inet_sk(sk)->inet_rcv_saddr.ip) /* `::` is this host, by the family that the socket was bound to */
		w[3] = CPU_TO_BE32(0x7f000001);
	else if (!ipv6_addr_v4mapped(w))
		return -ENETUNREACH;
	if (sock_flag(sk, SOCK_F_V6ONLY))
		return -ENETUNREACH;
	make_v4(v4, w[3], addr->in6.sin6_port);
	return 0;
}

static int inet6_stream_connect(struct socket *sock, const struct sockaddr_any *addr, socklen_t len, int flags)
{
	struct sockaddr_any v4;

	if (len < sizeof(addr->family) || addr->family == AF_UNSPEC || sock->state != SS_UNCONNECTED)
		return inet_stream_connect(sock, addr, len, flags);
	if (addr->family != AF_INET6)
		return -EAFNOSUPPORT;
	int err = map_destination(sock->sk, addr, len, &v4);
	return err ? err : inet_stream_connect(sock, &v4, sizeof(v4.in), flags);
}

static int inet6_dgram_connect(struct socket *sock, const struct sockaddr_any *addr, socklen_t len, int flags)
{
	struct sockaddr_any v4;

	if (len < sizeof(addr->family) || addr->family == AF_UNSPEC)
		return inet_dgram_connect(sock, addr, len, flags);
	int err = map_destination(sock->sk, addr, len, &v4);
	return err ? err : inet_dgram_connect(sock, &v4, sizeof(v4.in), flags);
}

static int inet6_getname(struct socket *sock, struct sockaddr_any *addr, int peer)
{
	int n = inet_getname(sock, addr, peer);

	if (n < 0)
		return n;
	make_mapped(addr);
	return sizeof(addr->in6);
}

static ssize_t inet6_sendmsg(struct socket *sock, struct msghdr_k *msg)
{
	struct sockaddr_any v4;

	bool opens = (msg->flags & MSG_FASTOPEN) && msg->name && msg->name->family != AF_UNSPEC;

	if (msg->name && (sock->type != SOCK_STREAM || opens)) {
		int err = msg->namelen < sizeof(v4.family) ? -EINVAL : map_destination(sock->sk, msg->name, msg->namelen, &v4);
		if (err)
			return err;
		msg->name = &v4;
		msg->namelen = sizeof(v4.in);
	}
	return inet_sendmsg(sock, msg);
}

static ssize_t inet6_recvmsg(struct socket *sock, struct msghdr_k *msg, int flags)
{
	ssize_t n = inet_recvmsg(sock, msg, flags);

	if (n >= 0 && msg->name && msg->namelen) {
		make_mapped(msg->name);
		msg->namelen = sizeof(msg->name->in6);
	}
	return n;
}

static int inet6_setsockopt(struct socket *sock, int level, int name, const void *val, socklen_t len)
{
	return level == IPPROTO_IPV6 ? ipv6_setsockopt(sock->sk, name, val, len) : sock_common_setsockopt(sock, level, name, val, len);
}

static int inet6_getsockopt(struct socket *sock, int level, int name, void *val, socklen_t *len)
{
	return level == IPPROTO_IPV6 ? ipv6_getsockopt(sock->sk, name, val, len) : sock_common_getsockopt(sock, level, name, val, len);
}

static int no_accept(struct socket *sock, struct socket *newsock, int flags)
{
	(void)sock;
	(void)newsock;
	(void)flags;
	return -EOPNOTSUPP;
}

static int no_listen(struct socket *sock, int backlog)
{
	(void)sock;
	(void)backlog;
	return -EOPNOTSUPP;
}

const struct proto_ops inet6_stream_ops = {
	.family = AF_INET6, .release = inet_release, .bind = inet6_bind, .connect = inet6_stream_connect, .accept = inet_accept,
	.getname = inet6_getname, .poll = inet_poll, .ioctl = inet_ioctl, .listen = inet_listen, .shutdown = inet_shutdown,
	.setsockopt = inet6_setsockopt, .getsockopt = inet6_getsockopt, .sendmsg = inet6_sendmsg, .recvmsg = inet6_recvmsg,
};

const struct proto_ops inet6_dgram_ops = {
	.family = AF_INET6, .release = inet_release, .bind = inet6_bind, .connect = inet6_dgram_connect, .accept = no_accept,
	.getname = inet6_getname, .poll = inet_poll, .ioctl = inet_ioctl, .listen = no_listen, .shutdown = inet_shutdown,
	.setsockopt = inet6_setsockopt, .getsockopt = inet6_getsockopt, .sendmsg = inet6_sendmsg, .recvmsg = inet6_recvmsg,
};
