/* SPDX-License-Identifier: MIT */
/*
 * udp.c - udp_sendmsg: one call, one datagram (RFC 768, RFC 1122 4.1).
 *
 * inet_sendmsg() calls it with a bound sock.  Who is the destination (the message's address or the connected peer), what do control messages
 * change, which route; then ip_make_skb() copies the user's bytes once behind room for all headers, udp_send_skb() completes the
 * UDP header and ip_send_skb() takes it down.  A call with MSG_MORE, or on a corked socket, goes by udp_cork.c instead.
 */
#include "ip/zerocopy.h"
#include "udp/udp_internal.h"

/* --- control messages ------------------------------------------------------------------------------------------------------ */

enum { CMSG6_PKTINFO = 50, CMSG6_HOPLIMIT = 52, CMSG6_TCLASS = 67 }; /* RFC 3542, Linux's numbers */

/* A v4-mapped socket's IPv6 forms of IP_PKTINFO, IP_TTL, IP_TOS. */
static int cmsg6_send(const struct cmsghdr *c, struct ipcm_cookie *ipc)
{
	struct { be32 addr[4]; uint32_t ifindex; } info;
	size_t n = c->cmsg_len - CMSG_LEN(0);
	int v = 0;

	if (c->cmsg_type == CMSG6_PKTINFO) {
		if (n < sizeof(info))
			return -EINVAL;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		if (info.addr[3] && !ipv6_addr_v4mapped(info.addr))
			return -EINVAL;
		if (info.addr[3])
			ipc->saddr = info.addr[3];
		if (info.ifindex)
			ipc->oif = (int)info.ifindex;
		return 0;
	}
	if (n != sizeof(v))
		return -EINVAL;
	memcpy(&v, CMSG_DATA(c), sizeof(v));
	if (v < -1 || v > 255)
		return -EINVAL;
	switch (c->cmsg_type) {
	case CMSG6_HOPLIMIT:
		ipc->ttl = (int16_t)MAX(v, 0);
		return 0;
	case CMSG6_TCLASS:
		ipc->tos = (int16_t)v;
		return 0;
	default:
		return -EINVAL;
	}
}

/* A socket that takes every destination answers from it: address and port. */
static int cmsg_source(const struct cmsghdr *c, struct ipcm_cookie *ipc, be16 *sport)
{
	struct sockaddr_in from;

	if (c->cmsg_len < CMSG_LEN(sizeof(from)))
		return -EINVAL;
	memcpy(&from, CMSG_DATA(c), sizeof(from));
	if (from.sin_family != AF_INET)
		return -EINVAL;
	ipc->saddr = from.sin_addr.s_addr;
	*sport = from.sin_port;
	return 0;
}

static int udp_cmsg_send(struct sock *sk, struct msghdr_k *msg, struct ipcm_cookie *ipc, be16 *sport)
{
	struct msghdr m = {.msg_control = msg->control};
	int err = 0;

	m.msg_controllen = msg->controllen;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c && !err; c = CMSG_NXTHDR(&m, c)) {
		size_t room = msg->controllen - (size_t)((char *)c - (char *)msg->control);

		if (c->cmsg_len < sizeof(*c) || c->cmsg_len > room)
			return -EINVAL;
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == OPT_IP_ORIGDSTADDR && sock_flag(sk, SOCK_F_ACCEPT_ANY))
			err = cmsg_source(c, ipc, sport);
		else if (c->cmsg_level == IPPROTO_IPV6 && sk->sk_family == AF_INET6)
			err = cmsg6_send(c, ipc);
		else if (c->cmsg_level == IPPROTO_UDP)
			err = -EINVAL; /* there is none that we have */
		else
			err = ip_cmsg_send(sk, c, c->cmsg_len, ipc);
	}
	return err;
}

/* --- destination ------------------------------------------------------------------------------------------------------------- */

struct udp_out {
	struct ipcm_cookie ipc;
	struct flowi fl;
	struct ip_options_data options; /* the message's own, if it has some */
	be16 sport, dport;
	bool connected;  /* to the sock's peer, nothing changed: its cached route will do */
};

static int udp_destination(struct sock *sk, struct msghdr_k *msg, struct udp_out *o)
{
	const struct inet_sock *inet = inet_sk(sk);
	const struct sockaddr_any *to = msg->name;

	ipcm_init_sk(&o->ipc, sk);
	o->sport = inet->inet_sport;
	if (to) {
		if (msg->namelen < sizeof(to->in))
			return -EINVAL;
		if (to->family != AF_INET && to->family != AF_UNSPEC)
			return -EAFNOSUPPORT;
		o->ipc.daddr = to->in.sin_addr.s_addr;
		o->dport = to->in.sin_port;
		if (!o->dport)
			return -EINVAL;
		o->connected = false;
	} else {
		if (sk->sk_state != TCP_ESTABLISHED)
			return -EDESTADDRREQ;
		o->ipc.daddr = inet->inet_daddr.ip;
		o->dport = inet->inet_dport;
		o->connected = true;
	}
	if (unlikely(msg->controllen)) {
		o->ipc.room = &o->options;
		int err = udp_cmsg_send(sk, msg, &o->ipc, &o->sport);
		if (err)
			return err;
		o->connected = false;
	}
	return 0;
}

/* The route, counted; fl complete with the addresses that it chose. */
static struct rtable *udp_route(struct sock *sk, struct msghdr_k *msg, struct udp_out *o, int *err)
{
	datagram_choose_device(sk, &o->ipc);
	datagram_flow(&o->fl, sk, &o->ipc, msg->flags);
	o->fl.sport = o->sport;
	o->fl.dport = o->dport;
	if (ipv4_is_multicast(o->ipc.daddr) || (msg->flags & MSG_DONTROUTE))
		o->connected = false;
	if (o->connected) {
		struct dst_entry *dst = __sk_dst_check(sk);
		if (likely(dst))
			return dst_rtable(dst_hold(dst));
	}
	struct rtable *rt = datagram_route(sk, &o->fl, err);
	if (rt && o->connected)
		sk_dst_set(sk, dst_hold(&rt->dst));
	return rt;
}

/* --- sending --------------------------------------------------------------------------------------------------------------------- */

static void udp_checksum(struct sk_buff *skb, struct udphdr *uh, const struct flowi *fl, const struct sock *sk)
{
	if (sock_flag(sk, SOCK_F_NO_CHECK_TX)) {
		skb->ip_summed = CHECKSUM_NONE;
		return;
	}
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		uh->check = (uint16_t)~csum_tcpudp_magic(fl->saddr.ip, fl->daddr.ip, skb->len, IPPROTO_UDP, 0);
		skb->csum_start = skb->transport_header;
		skb->csum_offset = offsetof(struct udphdr, check);
		return;
	}
	uh->check = csum_tcpudp_magic(fl->saddr.ip, fl->daddr.ip, skb->len, IPPROTO_UDP, csum_partial(uh, sizeof(*uh), skb->csum));
	if (!uh->check)
		uh->check = 0xffff; /* zero would say "not computed" */
}

int udp_send_skb(struct sk_buff *skb, const struct flowi *fl, struct sock *sk)
{
	struct net *net = sk->sk_net;
	struct udphdr *uh = udp_hdr(skb);

	*uh = (struct udphdr){.source = fl->sport, .dest = fl->dport, .len = cpu_to_be16((uint16_t)skb->len)};
	udp_checksum(skb, uh, fl, sk);
	trace_skb(skb, TP_udp_sendmsg);
	int err = ip_send_skb(net, skb);
	if (likely(!err)) {
		NET_INC_STATS(net, UdpOutDatagrams);
	} else if (err == -ENOBUFS && !sock_flag(sk, SOCK_F_RECVERR)) {
		/* Lost on the way out as it might be lost further on: only who asks for errors is told. */
		NET_INC_STATS(net, UdpSndbufErrors);
		err = 0;
	}
	return err;
}

static ssize_t send_datagram(struct sock *sk, struct msghdr_k *msg)
{
	size_t len = msg->iter.count;
	bool more = udp_sk(sk)->corkflag || (msg->flags & MSG_MORE);
	struct udp_out o;

	if (len > UDP_MAX_LEN)
		return -EMSGSIZE;
	if (msg->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (unlikely(udp_sk(sk)->cork))
		return udp_cork_append(sk, msg, more);
	int err = udp_destination(sk, msg, &o);
	if (unlikely(err))
		return err;
	struct rtable *rt = udp_route(sk, msg, &o, &err);
	if (unlikely(!rt))
		return err;
	/* The addresses that go into the pseudo-header: a source route's first hop is not the destination. */
	if (o.ipc.daddr)
		o.fl.daddr = inet_addr_v4(o.ipc.daddr);
	o.ipc.saddr = o.fl.saddr.ip;
	o.ipc.daddr = o.fl.daddr.ip;
	if (unlikely(more))
		return udp_cork_start(sk, msg, &o.fl, &o.ipc, rt);
	struct sk_buff *skb = ip_make_skb(sk, &o.fl, &msg->iter, (unsigned)(len + sizeof(struct udphdr)), sizeof(struct udphdr), &o.ipc, rt,
					  msg->flags, &err);
	if (likely(skb))
		err = udp_send_skb(skb, &o.fl, sk);
	else if (err == -ENOBUFS || sock_flag(sk, SOCK_F_NOSPACE))
		NET_INC_STATS(sk->sk_net, UdpSndbufErrors);
	dst_release(&rt->dst);
	return err ? err : (ssize_t)len;
}

/* MSG_ZEROCOPY: the bytes are copied all the same, and it is told so at once. */
static ssize_t send_and_tell(struct sock *sk, struct msghdr_k *msg)
{
	struct frag_owner *call = msg_zerocopy_start(sk);
	ssize_t n;

	if (!call)
		return -ENOBUFS;
	n = send_datagram(sk, msg);
	call->copied = true;
	msg_zerocopy_end(call, n >= 0);
	return n;
}

ssize_t udp_sendmsg(struct sock *sk, struct msghdr_k *msg)
{
	if (unlikely((msg->flags & MSG_ZEROCOPY) && sock_flag(sk, SOCK_F_ZEROCOPY)))
		return send_and_tell(sk, msg);
	return send_datagram(sk, msg);
}
