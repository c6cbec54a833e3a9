/* SPDX-License-Identifier: MIT */
/*
 * datagram.c - the common half of UDP, raw and ping sockets.  Receiving: a queue of whole packets, each charged to the
 * socket by its truesize.  Sending: who the peer is, which device and source address, the route.  RFC 1122 4.1.3.
 */
#include "ip/datagram.h"
#include "wire/icmp.h"
#include <limits.h>
#include <sys/ioctl.h>

/* --- receiving ---------------------------------------------------------------------------------------------------------- */

unsigned datagram_poll(struct sock *sk)
{
	unsigned mask = 0;

	if (sk->sk_err || (sk->sk_ext && !skb_queue_empty(&sk->sk_ext->error_queue)))
		mask |= POLLERR;
	if (sk->sk_shutdown & RCV_SHUTDOWN)
		mask |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (sk->sk_shutdown == SHUTDOWN_MASK)
		mask |= POLLHUP;
	if (!skb_queue_empty(&sk->sk_receive_queue))
		mask |= POLLIN | POLLRDNORM;
	if (sock_writeable(sk))
		mask |= POLLOUT | POLLWRNORM | POLLWRBAND;
	else
		sock_set_flag(sk, SOCK_F_NOSPACE);
	return mask;
}

struct seek { int from; unsigned offset; }; /* SO_PEEK_OFF or -1; where that lies in the packet found */

/* An empty datagram is peeked at once. */
static struct sk_buff *seek_datagram(struct sock *sk, struct seek *s)
{
	struct sk_buff *skb = skb_peek(&sk->sk_receive_queue);

	s->offset = 0;
	if (likely(s->from < 0))
		return skb;
	s->offset = (unsigned)s->from;
	skb_queue_walk(&sk->sk_receive_queue, skb) {
		if (s->offset < skb->len || (!skb->len && !s->offset && !skb->peeked))
			return skb;
		s->offset -= skb->len;
	}
	return NULL;
}

static bool something_to_receive(struct sock *sk, void *arg)
{
	return sk->sk_err || seek_datagram(sk, arg) || (sk->sk_shutdown & RCV_SHUTDOWN);
}

struct sk_buff *skb_recv_datagram(struct sock *sk, int flags, unsigned *offset, int *err)
{
	uint64_t timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	struct seek s = {.from = sk_peek_offset(sk, flags)};
	bool over = (sk->sk_shutdown & RCV_SHUTDOWN) && !timeo && !sk->sk_err && !seek_datagram(sk, &s);

	/* Only who would wait is told of the end; who would not is told, as ever, that there is nothing. */
	if (unlikely(over || !something_to_receive(sk, &s))) {
		*err = timeo ? sk_wait(sk, &timeo, something_to_receive, &s) : -EAGAIN;
		if (*err)
			return NULL;
	}
	*err = sock_error(sk);
	if (unlikely(*err))
		return NULL;
	struct sk_buff *skb = seek_datagram(sk, &s);
	*offset = s.offset;
	if (likely(skb)) {
		if (flags & MSG_PEEK) {
			skb->peeked = 1;
			skb_get(skb);
		} else {
			skb_unlink(skb, &sk->sk_receive_queue);
		}
	}
	return skb;
}

ssize_t skb_copy_datagram_msg(const struct sk_buff *skb, unsigned offset, struct msghdr_k *msg)
{
	size_t n = skb->len - offset;

	if (n > msg->iter.count) {
		n = msg->iter.count;
		msg->flags |= MSG_TRUNC;
	} else if (unlikely(offset) && n == msg->iter.count) {
		msg->flags |= MSG_TRUNC; /* as Linux has it: of a datagram longer than the buffer only a rest that leaves room is whole */
	}
	int err = skb_copy_datagram_iter(skb, offset, &msg->iter, (unsigned)n);
	return err ? err : (ssize_t)n;
}

void datagram_set_name(struct msghdr_k *msg, be32 saddr, be16 sport)
{
	if (!msg->name)
		return;
	memset(&msg->name->in, 0, sizeof(msg->name->in));
	msg->name->in.sin_family = AF_INET;
	msg->name->in.sin_port = sport;
	msg->name->in.sin_addr.s_addr = saddr;
	msg->namelen = sizeof(msg->name->in);
}

ssize_t datagram_recvmsg(struct sock *sk, struct msghdr_k *msg, int flags)
{
	unsigned offset;
	int err;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (flags & MSG_ERRQUEUE)
		return ip_recv_error(sk, msg);
	struct sk_buff *skb = skb_recv_datagram(sk, flags, &offset, &err);
	if (!skb)
		return err;
	ssize_t n = skb_copy_datagram_msg(skb, 0, msg);
	if (n >= 0) {
		datagram_set_name(msg, ip_hdr(skb)->saddr, 0);
		ip_cmsg_recv(msg, sk, skb);
		if ((flags & MSG_TRUNC) && sk->sk_type == SOCK_RAW) /* of a ping socket it tells nothing */
			n = (ssize_t)skb->len;
	}
	skb_consume(skb);
	return n;
}

int datagram_ioctl(struct sock *sk, unsigned long cmd, void *arg)
{
	const struct sk_buff *skb = skb_peek(&sk->sk_receive_queue);
	int v;

	switch (cmd) {
	case TIOCOUTQ:
		v = (int)(sk->sk_wmem_alloc - 1);
		break;
	case FIONREAD:
		v = skb ? (int)MIN(skb->len, (uint32_t)INT_MAX) : 0;
		break;
	default:
		return -ENOTTY;
	}
	if (!arg)
		return -EFAULT;
	memcpy(arg, &v, sizeof(v));
	return 0;
}

/* --- errors -------------------------------------------------------------------------------------------------------------- */

/* The errno that an ICMP error means, positive, and whether it ends the conversation; 0: none. */
static int icmp_errno(struct sk_buff *skb, const struct sock *sk, uint8_t type, uint8_t code, uint32_t info, bool *hard)
{
	*hard = false;
	switch (type) {
	case ICMP_TIME_EXCEEDED:
		return EHOSTUNREACH;
	case ICMP_PARAMETERPROB:
		*hard = true;
		return EPROTO;
	case ICMP_DEST_UNREACH:
		if (code > NR_ICMP_UNREACH)
			return 0;
		if (code == ICMP_FRAG_NEEDED) {
			ipv4_update_pmtu(skb->net, ((const struct iphdr *)(const void *)skb->data)->daddr, info);
			*hard = inet_sk(sk)->pmtudisc != IP_PMTUDISC_DONT_;
			return *hard ? EMSGSIZE : 0;
		}
		*hard = icmp_err_convert[code].fatal;
		return icmp_err_convert[code].errno_;
	default:
		return 0;
	}
}

void datagram_icmp_error(struct sock *sk, struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info, be16 port, const uint8_t *payload)
{
	bool hard;
	int err = icmp_errno(skb, sk, type, code, info, &hard);

	if (!err)
		return;
	if (sock_flag(sk, SOCK_F_RECVERR))
		ip_icmp_error(sk, skb, err, port, info, payload);
	else if (!hard || sk->sk_state != TCP_ESTABLISHED)
		return; /* an unconnected socket cannot tell which of its peers is meant */
	sk->sk_err = err;
	sk_error_report(sk);
}

/* --- sending ------------------------------------------------------------------------------------------------------------- */

void ipcm_init_sk(struct ipcm_cookie *ipc, const struct sock *sk)
{
	*ipc = (struct ipcm_cookie){
		.saddr = inet_sk(sk)->inet_saddr.ip, .oif = sk->sk_bound_dev_if, .tos = -1, .ttl = 0, .mark = sk->sk_mark,
		.priority = sk->sk_priority, .protocol = (uint8_t)sk->sk_protocol,
	};
	if (unlikely(sk->sk_ext)) {
		ipc->opt = sk->sk_ext->inet_opt;
		ipc->tsflags = sk->sk_ext->tsflags;
	}
}

void datagram_choose_device(const struct sock *sk, struct ipcm_cookie *ipc)
{
	const struct inet_sock *inet = inet_sk(sk);

	if (ipv4_is_multicast(ipc->daddr)) {
		if (!ipc->oif)
			ipc->oif = inet->mc_index;
		if (!ipc->saddr)
			ipc->saddr = inet->mc_addr;
	} else if (!ipc->oif) {
		ipc->oif = inet->uc_index;
	}
}

void datagram_flow(struct flowi *fl, const struct sock *sk, const struct ipcm_cookie *ipc, unsigned msg_flags)
{
	bool foreign = sock_flag(sk, SOCK_F_TRANSPARENT) || sock_flag(sk, SOCK_F_ACCEPT_ANY) || inet_sk(sk)->hdrincl;
	bool dontroute = sock_flag(sk, SOCK_F_DONTROUTE) || (msg_flags & MSG_DONTROUTE);
	be32 to = ipc->opt && ipc->opt->faddr ? ipc->opt->faddr : ipc->daddr;

	*fl = (struct flowi){
		.family = AF_INET, .proto = ipc->protocol, .tos = (ipc->tos >= 0 ? (uint8_t)ipc->tos : inet_sk(sk)->tos) & 0x1c,
		.scope = dontroute ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE, .flags = foreign ? FLOWI_FLAG_ANYSRC : 0, .oif = ipc->oif,
		.mark = ipc->mark, .saddr = inet_addr_v4(ipc->saddr), .daddr = inet_addr_v4(to),
	};
}

struct rtable *datagram_route(struct sock *sk, struct flowi *fl, int *err)
{
	struct rtable *rt = ip_route_output_flow(sk->sk_net, fl, sk, err);

	if (!rt) {
		if (*err == -ENETUNREACH)
			NET_INC_STATS(sk->sk_net, IpOutNoRoutes);
		return NULL;
	}
	if ((rt->rt_flags & RTCF_BROADCAST) && !sock_flag(sk, SOCK_F_BROADCAST)) {
		dst_release(&rt->dst);
		*err = -EACCES;
		return NULL;
	}
	return rt;
}

/* --- peers ----------------------------------------------------------------------------------------------------------------- */

int ip4_datagram_connect(struct sock *sk, const struct sockaddr_any *addr, socklen_t len)
{
	struct inet_sock *inet = inet_sk(sk);
	struct ipcm_cookie ipc;
	struct flowi fl;
	int err;

	if (len < sizeof(addr->in))
		return -EINVAL;
	if (addr->family != AF_INET)
		return -EAFNOSUPPORT;
	sk_dst_reset(sk);
	ipcm_init_sk(&ipc, sk);
	ipc.daddr = addr->in.sin_addr.s_addr;
	datagram_choose_device(sk, &ipc);
	datagram_flow(&fl, sk, &ipc, 0);
	fl.sport = inet->inet_sport;
	fl.dport = addr->in.sin_port;
	struct rtable *rt = datagram_route(sk, &fl, &err);
	if (!rt)
		return err;
	if (!inet->inet_saddr.ip)
		inet->inet_saddr = inet_addr_v4(fl.saddr.ip);
	if (!inet->inet_rcv_saddr.ip)
		inet->inet_rcv_saddr = inet_addr_v4(fl.saddr.ip);
	inet->inet_daddr = ipc.daddr ? inet_addr_v4(ipc.daddr) : inet_addr_v4(fl.daddr.ip);
	inet->inet_dport = addr->in.sin_port;
	sk->sk_state = TCP_ESTABLISHED;
	sk->sk_txhash = net_random_u32(sk->sk_net);
	sk_dst_set(sk, &rt->dst);
	return 0;
}

int ip4_datagram_disconnect(struct sock *sk)
{
	struct inet_sock *inet = inet_sk(sk);

	sk->sk_state = TCP_CLOSE;
	inet->inet_daddr = inet_addr_v4(0);
	inet->inet_dport = 0;
	if (!sock_flag(sk, SOCK_F_BINDADDR_LOCK))
		inet->inet_rcv_saddr = inet->inet_saddr = inet_addr_v4(0);
	sk_dst_reset(sk);
	return 0;
}

void sk_common_release(struct sock *sk)
{
	if (sk->sk_prot->unhash)
		sk->sk_prot->unhash(sk);
	sk_accept_any_end(sk);
	sock_set_flag(sk, SOCK_F_DEAD);
	sk->sk_socket = NULL;
	skb_queue_purge(&sk->sk_receive_queue, sk->sk_net->dying ? SKB_DROP_REASON_NET_DYING : SKB_DROP_REASON_SOCKET_CLOSE);
	if (sk->sk_ext)
		skb_queue_purge(&sk->sk_ext->error_queue, SKB_DROP_REASON_SOCKET_CLOSE);
	sk_dst_reset(sk);
	sock_put(sk);
}
