/* SPDX-License-Identifier: MIT */
/*
 * socket.c - struct socket: made, joined to its sock, released; the one way in for messages (V2).
 *
 * A socket is held by its file (vfs/), a sock by its protocol; sock_init_data() and sock_graft() join them, sock_orphan() parts them, after
 * which the protocol goes on alone (FIN, TIME_WAIT).  The wake chain: a protocol calls sk->sk_wake, which is sock_def_wake()
 * while the sock has a socket and wakes nobody otherwise; that calls socket.wake, which the file layer set.
 */
#include "socket/socket_internal.h"
#include "core/sysctl.h"
#include "tcp/tcp_internal.h"

struct socket *sock_alloc(struct net *net)
{
	struct socket *sock = kmem_cache_zalloc(net->sock->socket_cache, MEM_NORMAL);

	if (sock) {
		sock->net = net;
		sock->state = SS_UNCONNECTED;
	}
	return sock;
}

void sock_release(struct socket *sock)
{
	if (sock->ops)
		sock->ops->release(sock);
	kmem_cache_free(sock->net->sock->socket_cache, sock);
}

enum { AF_LIMIT = 46, SOCK_TYPE_LIMIT = 11 }; /* Linux's: families and types that it has numbers for end here */

int sock_create(struct net *net, int family, int type, int protocol, struct socket **res)
{
	if (family < 0 || family >= AF_LIMIT)
		return -EAFNOSUPPORT;
	if (type < 0 || type >= SOCK_TYPE_LIMIT)
		return -EINVAL;
	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	struct socket *sock = sock_alloc(net);
	if (!sock)
		return -ENFILE;
	sock->type = (uint8_t)type;
	int err = inet_create(net, sock, family, protocol);
	if (err) {
		sock->ops = NULL;
		sock_release(sock);
		return err;
	}
	*res = sock;
	return 0;
}

/* --- both halves ------------------------------------------------------------------------------------------------------- */

static void sock_def_wake(struct sock *sk, unsigned poll_mask)
{
	struct socket *sock = sk->sk_socket;

	if (!sock)
		return;
	if (unlikely(sk->sk_net->trace.on) && (poll_mask & POLLIN)) {
		struct sk_buff *skb = skb_peek_tail(&sk->sk_receive_queue);

		if (skb)
			trace_skb(skb, TP_sock_def_readable);
	}
	if (likely(sock->wake))
		sock->wake(sock->wake_ctx, poll_mask);
}

static void sock_no_wake(struct sock *sk, unsigned poll_mask)
{
	(void)sk;
	(void)poll_mask;
}

void sock_init_data(struct socket *sock, struct sock *sk)
{
	const struct netns_sock *ns = sk->sk_net->sock;

	sk->sk_rcvbuf = ns->sysctl_rmem_default;
	sk->sk_sndbuf = ns->sysctl_wmem_default;
	sk->sk_state = TCP_CLOSE;
	sk->sk_rcvlowat = 1;
	sk->sk_pacing_rate = UINT64_MAX;
	sk->sk_pacing_shift = 10;
	sk->sk_wake = sock_no_wake;
	if (sock) {
		sk->sk_type = sock->type;
		sock_graft(sk, sock);
	}
}

void sock_graft(struct sock *sk, struct socket *parent)
{
	parent->sk = sk;
	sk->sk_socket = parent;
	sk->sk_wake = sock_def_wake;
	sock_reset_flag(sk, SOCK_F_DEAD);
}

void sock_orphan(struct sock *sk)
{
	sock_set_flag(sk, SOCK_F_DEAD);
	sk->sk_socket = NULL;
	sk->sk_wake = sock_no_wake;
}

/* --- messages ------------------------------------------------------------------------------------------------------------ */

void sock_trace_slow(const struct sock *sk, enum trace_point point, size_t len)
{
	if (!sk)
		return;
	if (sk->sk_protocol == IPPROTO_TCP && sk->sk_type == SOCK_STREAM)
		tcp_trace(sk, point, tcp_sk(sk)->write_seq, tcp_sk(sk)->write_seq + (uint32_t)len, (uint32_t)len);
	else
		trace_record(sk->sk_net, point, sk->sk_cookie, 0, 0, (uint32_t)len, 0);
}

static ssize_t sock_sendmsg_nosec(struct socket *sock, struct msghdr_k *msg) { return sock->ops->sendmsg(sock, msg); }

ssize_t sock_sendmsg(struct socket *sock, struct msghdr_k *msg)
{
	socket_sendmsg_policy policy = sock->net->sock->policy;

	sock_trace(sock->sk, TP_sock_sendmsg, msg->iter.count);
	if (unlikely(policy) && !PROVE_BREAKS("V2")) {
		int err = policy(sock->net, sock, msg);
		if (err)
			return err;
	}
	return sock_sendmsg_nosec(sock, msg);
}

ssize_t sock_recvmsg(struct socket *sock, struct msghdr_k *msg, int flags)
{
	msg->control_used = 0;
	ssize_t n = sock->ops->recvmsg(sock, msg, flags);
	msg->controllen = msg->control_used;
	return n;
}

void sock_set_policy(struct net *net, socket_sendmsg_policy fn) { net->sock->policy = fn; }

/* --- start and end --------------------------------------------------------------------------------------------------------- */

enum { SK_MEM_DEFAULT = 212992 }; /* bytes, Linux's net.core.[rw]mem_{default,max} */

static const struct sysctl_entry sock_sysctls[] = {
	{.name = "net.core.wmem_max", .type = SYSCTL_INT, .offset = offsetof(struct netns_sock, sysctl_wmem_max), .count = 1,
	 .min = SOCK_MIN_SNDBUF, .max = INT32_MAX},
	{.name = "net.core.wmem_default", .type = SYSCTL_INT, .offset = offsetof(struct netns_sock, sysctl_wmem_default), .count = 1,
	 .min = SOCK_MIN_SNDBUF, .max = INT32_MAX},
	{.name = "net.core.rmem_default", .type = SYSCTL_INT, .offset = offsetof(struct netns_sock, sysctl_rmem_default), .count = 1,
	 .min = SOCK_MIN_RCVBUF, .max = INT32_MAX},
	{.name = "net.core.optmem_max", .type = SYSCTL_INT, .offset = offsetof(struct netns_sock, sysctl_optmem_max), .count = 1,
	 .min = 0, .max = INT32_MAX},
};

static const struct sysctl_entry net_sysctls[] = {
	{.name = "net.core.rmem_max", .type = SYSCTL_INT, .offset = offsetof(struct net, sysctl_rmem_max), .count = 1,
	 .min = SOCK_MIN_RCVBUF, .max = INT32_MAX},
};

int sock_init(struct net *net)
{
	struct netns_sock *ns = net_zalloc(net, sizeof(*ns), MEM_NORMAL);
	int err = -ENOMEM;

	if (!ns)
		return err;
	net->sysctl_rmem_max = ns->sysctl_wmem_max = ns->sysctl_wmem_default = ns->sysctl_rmem_default = SK_MEM_DEFAULT;
	ns->sysctl_optmem_max = 20480;
	ns->socket_cache = kmem_cache_create(net, "socket", sizeof(struct socket), 0);
	if (!ns->socket_cache)
		goto free_ns;
	err = sysctl_register(net, ns, sock_sysctls, ARRAY_SIZE(sock_sysctls));
	if (!err)
		err = sysctl_register(net, net, net_sysctls, ARRAY_SIZE(net_sysctls));
	if (err)
		goto destroy_cache;
	net->sock = ns;
	return 0;

destroy_cache:
	kmem_cache_destroy(ns->socket_cache);
free_ns:
	net_free(net, ns);
	return err;
}

void sock_exit(struct net *net)
{
	kmem_cache_destroy(net->sock->socket_cache);
	net_free(net, net->sock);
	net->sock = NULL;
}
