/* SPDX-License-Identifier: MIT */
/*
 * af_inet.c - AF_INET sockets (S1, S2): which protocol a socket() gets, and the operations that all of them share: inet_stream_ops,
 * inet_dgram_ops, inet_sockraw_ops.  Each ends in a call of the sock's struct proto (tcp_prot, udp_prot, raw_prot, ping_prot).
 * inet_connect.c has connect() and its states, inet_addr.c bind() and names.
 */
#include "socket/socket_internal.h"
#include "ip/ip.h"
#include "tcp/tcp.h"
#include "tcp/tcp_internal.h"
#include "udp/udp.h"

/* What socket(family, type, protocol) may ask for, in the order in which it is looked for. */
static const struct inet_protosw {
	uint16_t family, type, protocol; /* protocol IPPROTO_IP: any */
	const struct proto *prot;
	const struct proto_ops *ops;
} inetsw[] = {
	{AF_INET, SOCK_STREAM, IPPROTO_TCP, &tcp_prot, &inet_stream_ops},
	{AF_INET, SOCK_DGRAM, IPPROTO_UDP, &udp_prot, &inet_dgram_ops},
	{AF_INET, SOCK_DGRAM, IPPROTO_ICMP, &ping_prot, &inet_sockraw_ops},
	{AF_INET, SOCK_RAW, IPPROTO_IP, &raw_prot, &inet_sockraw_ops},
	{AF_INET6, SOCK_STREAM, IPPROTO_TCP, &tcp_prot, &inet6_stream_ops},
	{AF_INET6, SOCK_DGRAM, IPPROTO_UDP, &udp_prot, &inet6_dgram_ops},
};

/* -ESOCKTNOSUPPORT: no such type in this family; -EPROTONOSUPPORT: the type has not this protocol. */
static int find_protosw(int family, int type, int *protocol, const struct inet_protosw **res)
{
	int err = -ESOCKTNOSUPPORT;

	for (size_t i = 0; i < ARRAY_SIZE(inetsw); i++) {
		const struct inet_protosw *p = &inetsw[i];

		if (p->family != family || p->type != type)
			continue;
		err = -EPROTONOSUPPORT;
		if (*protocol == IPPROTO_IP && p->protocol != IPPROTO_IP)
			*protocol = p->protocol;
		if (*protocol != p->protocol && p->protocol != IPPROTO_IP)
			continue;
		if (*protocol == IPPROTO_IP) /* a raw socket must say what it wants */
			continue;
		*res = p;
		return 0;
	}
	return err;
}

static void inet_sock_defaults(struct inet_sock *inet)
{
	inet->uc_ttl = -1;
	inet->mc_ttl = 1;
	inet->pmtudisc = inet->sk.sk_net->ipv4->sysctl_ip_no_pmtu_disc ? IP_PMTUDISC_DONT_ : IP_PMTUDISC_WANT_;
	sock_set_flag(&inet->sk, SOCK_F_MC_LOOP);
}

int inet_create(struct net *net, struct socket *sock, int family, int protocol)
{
	const struct inet_protosw *p;

	if (protocol < 0 || protocol >= IPPROTO_MAX)
		return -EINVAL;
	int err = find_protosw(family, sock->type, &protocol, &p);
	if (err)
		return err;
	struct sock *sk = sk_alloc(net, p->prot, (uint16_t)family);
	if (!sk)
		return -ENOBUFS;
	struct inet_sock *inet = inet_sk(sk);
	sock->ops = p->ops;
	sock_init_data(sock, sk);
	sk->sk_protocol = (uint16_t)protocol;
	inet_sock_defaults(inet);
	sk->sk_reuse = p->ops == &inet_sockraw_ops; /* protocol numbers and echo identifiers are shared */
	if (sock->type == SOCK_RAW) {
		inet->inet_num = (uint16_t)protocol;
		inet->inet_sport = cpu_to_be16(inet->inet_num);
		inet->hdrincl = protocol == IPPROTO_RAW;
	}
	if (sk->sk_prot->init && (err = sk->sk_prot->init(sk)))
		goto put_sock;
	if (inet->inet_num && sk->sk_prot->hash && (err = sk->sk_prot->hash(sk)))
		goto put_sock;
	return 0;

put_sock:
	sock->sk = NULL;
	sock_orphan(sk);
	sock_put(sk);
	return err;
}

/* The user is done: what happens to unsent data, and how long close() waits for it, is the protocol's and SO_LINGER's to say. */
int inet_release(struct socket *sock)
{
	struct sock *sk = sock->sk;

	if (!sk)
		return 0;
	uint64_t timeout = 0;
	if (sock_flag(sk, SOCK_F_LINGER) && !sk->sk_net->dying)
		timeout = sock_lingertime_s(sk) == UINT32_MAX ? TIME_NEVER : sock_lingertime_s(sk) * NSEC_PER_SEC;
	ip_sock_release(sk);
	sock->sk = NULL;
	sk->sk_socket = NULL;
	sk->sk_prot->close(sk, timeout);
	return 0;
}

int inet_accept(struct socket *sock, struct socket *newsock, int flags)
{
	struct sock *sk = sock->sk;
	int err = -EINVAL;

	if (!sk->sk_prot->accept)
		return -EOPNOTSUPP;
	struct sock *newsk = sk->sk_prot->accept(sk, flags, &err);
	if (!newsk)
		return err;
	sock_graft(newsk, newsock);
	newsock->state = SS_CONNECTED;
	return 0;
}

int inet_listen(struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;

	if (sock->state != SS_UNCONNECTED || sock->type != SOCK_STREAM)
		return -EINVAL;
	if (!(TCPF(sk->sk_state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN))))
		return -EINVAL;
	return sk->sk_prot->listen(sk, backlog);
}

int inet_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	int err = 0;

	how++; /* SHUT_RD, SHUT_WR, SHUT_RDWR become bits */
	if ((how & ~SHUTDOWN_MASK) || !how)
		return -EINVAL;
	if (sock->state == SS_CONNECTING)
		sock->state = TCPF(sk->sk_state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV) | TCPF(TCP_CLOSE)) ? SS_DISCONNECTING
														      : SS_CONNECTED;
	switch (sk->sk_state) {
	case TCP_LISTEN:
		if (!(how & RCV_SHUTDOWN))
			break;
		/* fall through */
	case TCP_SYN_SENT:
		err = sk->sk_prot->disconnect(sk);
		sock->state = err ? SS_DISCONNECTING : SS_UNCONNECTED;
		break;
	case TCP_CLOSE:
		err = -ENOTCONN; /* yet the shutdown holds: HUP, and EPIPE on writing */
		/* fall through */
	default:
		sk->sk_shutdown |= (unsigned)how & SHUTDOWN_MASK;
		if (sk->sk_prot->shutdown)
			sk->sk_prot->shutdown(sk, how);
	}
	sk_state_change(sk);
	return err;
}

/* A datagram socket that sends before it was bound gets a port now. */
static int inet_autobind(struct sock *sk)
{
	struct inet_sock *inet = inet_sk(sk);

	if (inet->inet_num || sk->sk_type == SOCK_STREAM)
		return 0;
	if (sk->sk_prot->get_port && sk->sk_prot->get_port(sk, 0))
		return -EAGAIN;
	inet->inet_sport = cpu_to_be16(inet->inet_num);
	return 0;
}

ssize_t inet_sendmsg(struct socket *sock, struct msghdr_k *msg)
{
	struct sock *sk = sock->sk;

	sock_trace(sk, TP_inet_sendmsg, msg->iter.count);
	if (unlikely(!inet_sk(sk)->inet_num) && inet_autobind(sk))
		return -EAGAIN;
	if (PROVE_BREAKS("S1"))
		return (ssize_t)msg->iter.count;
	if (sk->sk_prot == &tcp_prot && unlikely((msg->flags & MSG_FASTOPEN) || tcp_sk(sk)->defer_connect))
		return inet_sendmsg_fastopen(sock, msg);
	return sk->sk_prot->sendmsg(sk, msg);
}

ssize_t inet_recvmsg(struct socket *sock, struct msghdr_k *msg, int flags)
{
	msg->namelen = 0;
	msg->flags = 0;
	return sock->sk->sk_prot->recvmsg(sock->sk, msg, flags);
}

unsigned inet_poll(struct socket *sock) { return sock->sk->sk_prot->poll(sock->sk); }

int inet_dgram_connect(struct socket *sock, const struct sockaddr_any *addr, socklen_t len, int flags)
{
	struct sock *sk = sock->sk;

	(void)flags;
	if (len < sizeof(addr->family))
		return -EINVAL;
	if (addr->family == AF_UNSPEC)
		return sk->sk_prot->disconnect(sk);
	if (inet_autobind(sk))
		return -EAGAIN;
	return sk->sk_prot->connect(sk, addr, len);
}

int inet_ioctl(struct socket *sock, unsigned long cmd, void *arg)
{
	struct sock *sk = sock->sk;
	int err = inet_ifioctl(sock->net, cmd, arg);

	if (err == -ENOTTY && sk->sk_prot->ioctl)
		err = sk->sk_prot->ioctl(sk, cmd, arg);
	return err;
}

int sock_common_setsockopt(struct socket *sock, int level, int name, const void *val, socklen_t len)
{
	return sock->sk->sk_prot->setsockopt(sock->sk, level, name, val, len);
}

int sock_common_getsockopt(struct socket *sock, int level, int name, void *val, socklen_t *len)
{
	return sock->sk->sk_prot->getsockopt(sock->sk, level, name, val, len);
}

static int sock_no_accept(struct socket *sock, struct socket *newsock, int flags)
{
	(void)sock;
	(void)newsock;
	(void)flags;
	return -EOPNOTSUPP;
}

static int sock_no_listen(struct socket *sock, int backlog)
{
	(void)sock;
	(void)backlog;
	return -EOPNOTSUPP;
}

const struct proto_ops inet_stream_ops = {
	.family = AF_INET, .release = inet_release, .bind = inet_bind, .connect = inet_stream_connect, .accept = inet_accept,
	.getname = inet_getname, .poll = inet_poll, .ioctl = inet_ioctl, .listen = inet_listen, .shutdown = inet_shutdown,
	.setsockopt = sock_common_setsockopt, .getsockopt = sock_common_getsockopt, .sendmsg = inet_sendmsg, .recvmsg = inet_recvmsg,
};

const struct proto_ops inet_dgram_ops = {
	.family = AF_INET, .release = inet_release, .bind = inet_bind, .connect = inet_dgram_connect, .accept = sock_no_accept,
	.getname = inet_getname, .poll = inet_poll, .ioctl = inet_ioctl, .listen = sock_no_listen, .shutdown = inet_shutdown,
	.setsockopt = sock_common_setsockopt, .getsockopt = sock_common_getsockopt, .sendmsg = inet_sendmsg, .recvmsg = inet_recvmsg,
};

const struct proto_ops inet_sockraw_ops = {
	.family = AF_INET, .release = inet_release, .bind = inet_bind, .connect = inet_dgram_connect, .accept = sock_no_accept,
	.getname = inet_getname, .poll = inet_poll, .ioctl = inet_ioctl, .listen = sock_no_listen, .shutdown = inet_shutdown,
	.setsockopt = sock_common_setsockopt, .getsockopt = sock_common_getsockopt, .sendmsg = inet_sendmsg, .recvmsg = inet_recvmsg,
};
