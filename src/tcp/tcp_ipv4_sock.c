/* SPDX-License-Identifier: MIT */
/*
 * tcp_ipv4_sock.c - TCP's sockets over IPv4: connect(), the route of a connection, and the table by which TCP knows IPv4 (S1).
 *
 * v4-mapped sockets (AF_INET6) are the same: addresses are kept as IPv4, and socket/ translates what the user passes.
 * Called by the socket layer (connect) and by tcp/ through ipv4_specific; goes on to tcp_connect() (T10) and ip/route.h (I1).
 */
#include "tcp/tcp_conn.h"
#include "tcp/tcp_fastopen.h"

void sk_setup_caps(struct sock *sk, struct dst_entry *dst)
{
	sk_dst_set(sk, dst);
	tcp_init_xmit_tso(sk);
	tcp_bound_delack(sk);
}

static const struct ip_options_data *sock_options(const struct sock *sk) { return sk->sk_ext ? sk->sk_ext->inet_opt : NULL; }

/* The route to the peer of sk, or -errno. */
static struct rtable *route_to(struct sock *sk, be32 daddr, be32 *saddr, int *err)
{
	const struct inet_sock *inet = inet_sk(sk);
	const struct ip_options_data *opt = sock_options(sk);
	struct flowi fl = {
		.family = AF_INET, .proto = IPPROTO_TCP, .tos = inet->tos & 0x1c, .oif = sk->sk_bound_dev_if, .mark = sk->sk_mark,
		.scope = sock_flag(sk, SOCK_F_DONTROUTE) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
		.saddr = inet_addr_v4(*saddr), .daddr = inet_addr_v4(opt && opt->faddr ? opt->faddr : daddr),
		.sport = inet->inet_sport, .dport = inet->inet_dport,
	};
	struct rtable *rt;

	if (sock_flag(sk, SOCK_F_TRANSPARENT) || sock_flag(sk, SOCK_F_ACCEPT_ANY))
		fl.flags |= FLOWI_FLAG_ANYSRC;
	rt = ip_route_output_flow(sk->sk_net, &fl, sk, err);
	if (rt)
		*saddr = fl.saddr.ip;
	return rt;
}

/* --- connect() --------------------------------------------------------------------------------------------------------- */

/* Undoes what connect() noted; the port goes back unless bind() named it. */
static void connect_undo(struct sock *sk)
{
	struct inet_sock *inet = inet_sk(sk);

	tcp_set_state(sk, TCP_CLOSE);
	if (!sock_flag(sk, SOCK_F_BINDADDR_LOCK))
		inet->inet_saddr = inet->inet_rcv_saddr = inet_addr_v4(0);
	sk_dst_reset(sk);
	sk->sk_route_caps = 0;
	inet->inet_dport = 0;
	inet->inet_daddr = inet_addr_v4(0);
	tcp_sk(sk)->write_seq = 0;
}

static void choose_isn(struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);
	struct tcp_sock *tp = tcp_sk(sk);

	if (!tp->write_seq)
		tp->write_seq = secure_tcp_seq(sk->sk_net, inet->inet_saddr.ip, inet->inet_daddr.ip, inet->inet_sport, inet->inet_dport);
	tp->isn_snd = tp->write_seq;
	tp->tsoffset = secure_tcp_ts_off(sk->sk_net, inet->inet_saddr.ip, inet->inet_daddr.ip);
}

int tcp_v4_connect(struct sock *sk, const struct sockaddr_any *addr, socklen_t len)
{
	struct inet_sock *inet = inet_sk(sk);
	struct tcp_sock *tp = tcp_sk(sk);
	struct net *net = sk->sk_net;
	be32 daddr, saddr = inet->inet_saddr.ip;
	struct rtable *rt;
	int err;

	if (len < sizeof(struct sockaddr_in))
		return -EINVAL;
	if (addr->family != AF_INET)
		return -EAFNOSUPPORT;
	daddr = addr->in.sin_addr.s_addr;
	if (!daddr) /* this host */
		daddr = saddr ? saddr : CPU_TO_BE32(0x7f000001);
	rt = route_to(sk, daddr, &saddr, &err);
	if (!rt) {
		if (err == -ENETUNREACH)
			NET_INC_STATS(net, IpOutNoRoutes);
		return err;
	}
	if ((rt->rt_flags & (RTCF_MULTICAST | RTCF_BROADCAST)) && !PROVE_BREAKS("MUST-46")) {
		dst_release(&rt->dst);
		return -ENETUNREACH;
	}
	if (!inet->inet_saddr.ip) {
		inet->inet_saddr = inet_addr_v4(saddr);
		inet->inet_rcv_saddr = inet->inet_saddr;
	}
	/* A socket used again: what it knew of its last peer's clock and numbers says nothing of this one's. */
	if (tp->rx_opt.ts_recent_stamp_s && inet->inet_daddr.ip != daddr) {
		tp->rx_opt.ts_recent = tp->rx_opt.ts_recent_stamp_s = 0;
		tp->write_seq = 0;
	}
	inet->inet_dport = addr->in.sin_port;
	inet->inet_daddr = inet_addr_v4(daddr);
	inet_csk(sk)->icsk_ext_hdr_len = sock_options(sk) ? sock_options(sk)->optlen : 0;
	tp->rx_opt.mss_clamp = TCP_MSS_DEFAULT;

	/* SYN_SENT before the port is chosen: the sock is found from the moment that it is in the table. */
	tcp_set_state(sk, TCP_SYN_SENT);
	sk_setup_caps(sk, &rt->dst);
	err = inet_hash_connect(net, sk);
	if (err)
		goto undo;
	sk->sk_txhash = net_random_u32(net) | 1;
	choose_isn(sk);
	inet->inet_id = (uint16_t)net_random_u32(net);
	if (tcp_fastopen_defer_connect(sk, &err))
		return 0;
	if (!err)
		err = tcp_connect(sk);
	if (err)
		goto undo;
	return 0;

undo:
	connect_undo(sk);
	return err;
}

/* --- the table ----------------------------------------------------------------------------------------------------------- */

static int rebuild_header(struct sock *sk)
{
	struct inet_sock *inet = inet_sk(sk);
	be32 saddr = inet->inet_saddr.ip;
	struct rtable *rt;
	int err;

	if (likely(__sk_dst_check(sk)))
		return 0;
	rt = route_to(sk, inet->inet_daddr.ip, &saddr, &err);
	if (!rt) {
		sk->sk_route_caps = 0;
		sk->sk_err_soft = -err;
		return err;
	}
	sk_setup_caps(sk, &rt->dst);
	return 0;
}

void tcp_v4_mtu_reduced(struct sock *sk)
{
	struct dst_entry *dst;
	uint32_t mtu;

	if (TCPF(sk->sk_state) & (TCPF(TCP_LISTEN) | TCPF(TCP_CLOSE)))
		return;
	if (rebuild_header(sk))
		return;
	dst = __sk_dst_get(sk);
	mtu = dst_mtu(dst);
	if (inet_sk(sk)->pmtudisc == IP_PMTUDISC_DONT_ || inet_csk(sk)->icsk_pmtu_cookie <= mtu)
		return;
	tcp_sync_mss(sk, mtu);
	/* What is in flight and too long is lost already. */
	tcp_simple_retransmit(sk);
}

/* No input route is kept; but that the peer answered our handshake shows that the route out works. */
static void sk_rx_dst_set(struct sock *sk, const struct sk_buff *skb)
{
	struct dst_entry *dst = __sk_dst_get(sk);

	(void)skb;
	if (dst && dst->ops->confirm_neigh)
		dst->ops->confirm_neigh(dst, &inet_sk(sk)->inet_daddr);
}

static int conn_request(struct sock *sk, struct sk_buff *skb)
{
	if (skb->dst && (skb_rtable(skb)->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) && !PROVE_BREAKS("MUST-57")) {
		tcp_listendrop(sk);
		skb_drop(skb, SKB_DROP_REASON_IP_INADDRERRORS);
		return 0;
	}
	return tcp_conn_request(sk, skb);
}

enum { OPT_IP_OPTIONS = 4 }; /* Linux's IP_OPTIONS */

/* Longer headers leave less of the MTU to segments. */
static void options_changed(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	icsk->icsk_ext_hdr_len = sock_options(sk) ? sock_options(sk)->optlen : 0;
	if (!(TCPF(sk->sk_state) & (TCPF(TCP_LISTEN) | TCPF(TCP_CLOSE))))
		tcp_resync_mss(sk);
}

static int setsockopt_ip(struct sock *sk, int level, int name, const void *val, socklen_t len)
{
	int err = ip_setsockopt(sk, level, name, val, len);

	if (!err && name == OPT_IP_OPTIONS)
		options_changed(sk);
	return err;
}

/* The peer's address as this socket's user sees it. */
static void addr2sockaddr(struct sock *sk, struct sockaddr_any *sa)
{
	const struct inet_sock *inet = inet_sk(sk);

	memset(sa, 0, sizeof(*sa));
	if (sk->sk_family == AF_INET6) {
		const be32 mapped[4] = {0, 0, CPU_TO_BE32(0x0000ffff), inet->inet_daddr.ip};
		sa->in6.sin6_family = AF_INET6;
		sa->in6.sin6_port = inet->inet_dport;
		memcpy(&sa->in6.sin6_addr, mapped, sizeof(mapped));
		return;
	}
	sa->in.sin_family = AF_INET;
	sa->in.sin_port = inet->inet_dport;
	sa->in.sin_addr.s_addr = inet->inet_daddr.ip;
}

const struct inet_connection_sock_af_ops ipv4_specific = {
	.net_header_len = sizeof(struct iphdr),
	.sockaddr_len = sizeof(struct sockaddr_in),
	.queue_xmit = ip_queue_xmit,
	.send_check = tcp_v4_send_check,
	.rebuild_header = rebuild_header,
	.sk_rx_dst_set = sk_rx_dst_set,
	.conn_request = conn_request,
	.syn_recv_sock = tcp_v4_syn_recv_sock,
	.setsockopt = setsockopt_ip,
	.getsockopt = ip_getsockopt,
	.addr2sockaddr = addr2sockaddr,
	.mtu_reduced = tcp_v4_mtu_reduced,
};
