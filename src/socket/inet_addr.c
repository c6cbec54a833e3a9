/* SPDX-License-Identifier: MIT */
/* inet_addr.c - the names of sockets: bind(), getsockname(), getpeername() (S2). */
#include "socket/socket_internal.h"
#include "ip/route.h"

/* May a socket have this local address? */
static bool addr_valid_or_nonlocal(const struct sock *sk, be32 addr)
{
	struct net *net = sk->sk_net;

	if (!addr || net->ipv4->sysctl_ip_nonlocal_bind || sock_flag(sk, SOCK_F_FREEBIND) || sock_flag(sk, SOCK_F_TRANSPARENT))
		return true;
	uint8_t type = inet_addr_type(net, addr);
	if (type == RTN_LOCAL || PROVE_BREAKS("MUST-43"))
		return true;
	/* Echo replies come from one host to one host. */
	return sk->sk_prot->protocol != IPPROTO_ICMP && (type == RTN_MULTICAST || type == RTN_BROADCAST);
}

static void inet_set_local(struct inet_sock *inet, be32 addr)
{
	inet->inet_rcv_saddr = inet->inet_saddr = inet_addr_v4(addr);
}

int inet_bind(struct socket *sock, const struct sockaddr_any *addr, socklen_t len)
{
	struct sock *sk = sock->sk;
	struct inet_sock *inet = inet_sk(sk);

	if (sk->sk_prot->bind)
		return sk->sk_prot->bind(sk, addr, len);
	if (len < sizeof(struct sockaddr_in))
		return -EINVAL;
	be32 a = addr->in.sin_addr.s_addr;
	uint16_t port = be16_to_cpu(addr->in.sin_port);
	if (addr->family != AF_INET && (addr->family != AF_UNSPEC || a))
		return -EAFNOSUPPORT;
	if (!addr_valid_or_nonlocal(sk, a))
		return -EADDRNOTAVAIL;
	if (sk->sk_state != TCP_CLOSE || inet->inet_num)
		return -EINVAL;
	inet_set_local(inet, a);
	if (port || !inet->bind_address_no_port) {
		int err = sk->sk_prot->get_port(sk, port);
		if (err) {
			inet_set_local(inet, 0);
			return err;
		}
	}
	if (ipv4_is_multicast(a) || (a && inet_addr_type(sk->sk_net, a) == RTN_BROADCAST))
		inet->inet_saddr = inet_addr_v4(0); /* received on it, but never sent from it */
	if (a)
		sock_set_flag(sk, SOCK_F_BINDADDR_LOCK);
	if (port)
		sock_set_flag(sk, SOCK_F_BINDPORT_LOCK);
	inet->inet_sport = cpu_to_be16(inet->inet_num);
	inet->inet_daddr = inet_addr_v4(0);
	inet->inet_dport = 0;
	sk_dst_reset(sk);
	return 0;
}

int inet_getname(struct socket *sock, struct sockaddr_any *addr, int peer)
{
	struct sock *sk = sock->sk;
	const struct inet_sock *inet = inet_sk(sk);

	memset(addr, 0, sizeof(*addr));
	addr->in.sin_family = AF_INET;
	if (peer) {
		/* 2: accept() asks, which gets the name even of a connection that is over already */
		if (!inet->inet_dport || (peer == 1 && (TCPF(sk->sk_state) & (TCPF(TCP_CLOSE) | TCPF(TCP_SYN_SENT)))))
			return -ENOTCONN;
		addr->in.sin_port = inet->inet_dport;
		addr->in.sin_addr.s_addr = inet->inet_daddr.ip;
	} else {
		addr->in.sin_port = inet->inet_sport;
		addr->in.sin_addr.s_addr = inet->inet_rcv_saddr.ip ? inet->inet_rcv_saddr.ip : inet->inet_saddr.ip;
	}
	return sizeof(addr->in);
}
