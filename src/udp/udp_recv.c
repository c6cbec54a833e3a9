/* SPDX-License-Identifier: MIT */
/*
 * udp_recv.c - datagrams on their way up: udp_rcv, from IP's local delivery, to the socket's queue; udp_recvmsg, to the user; udp_err, ICMP
 * errors.  RFC 768, RFC 1122 4.1.3.
 *
 * A datagram is verified before it is queued, so that what is queued is good and poll() never lies.  Queued skbs begin with the
 * payload; IP's control block and both headers stay with them for recvmsg()'s address and control messages.
 */
#include "udp/udp_internal.h"
#include "wire/icmp.h"

/* --- in ----------------------------------------------------------------------------------------------------------------- */

/* Verified already, sent without a checksum, or right. */
static bool udp_checksum_ok(struct sk_buff *skb, const struct udphdr *uh)
{
	const struct iphdr *iph = ip_hdr(skb);
	csum32 sum = 0;

	if (!uh->check || skb->ip_summed == CHECKSUM_UNNECESSARY || skb->ip_summed == CHECKSUM_PARTIAL)
		return true;
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		sum = skb->csum;
	if (skb->ip_summed == CHECKSUM_NONE || csum_tcpudp_magic(iph->saddr, iph->daddr, skb->len, IPPROTO_UDP, sum))
		sum = skb_checksum(skb, 0, skb->len, 0);
	if (csum_tcpudp_magic(iph->saddr, iph->daddr, skb->len, IPPROTO_UDP, sum))
		return false;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	return true;
}

/* Consumes skb. */
static void udp_queue_rcv_skb(struct sock *sk, struct sk_buff *skb)
{
	struct net *net = sk->sk_net;
	enum skb_drop_reason reason;

	skb_pull(skb, sizeof(struct udphdr));
	int err = sock_queue_rcv_skb(sk, skb, &reason);
	if (likely(!err))
		return;
	if (err == -ENOMEM)
		NET_INC_STATS(net, UdpRcvbufErrors);
	else
		NET_INC_STATS(net, UdpMemErrors);
	NET_INC_STATS(net, UdpInErrors);
	skb_drop(skb, reason);
}

/* To every socket that takes it; a clone for each but the last.  Consumes skb. */
static void udp_deliver_all(struct net *net, struct sk_buff *skb, const struct udphdr *uh)
{
	const struct iphdr *iph = ip_hdr(skb);
	uint16_t hnum = be16_to_cpu(uh->dest);
	int dif = skb->dev->ifindex;
	struct sock *sk = udp4_mcast_next(net, NULL, iph->saddr, uh->source, iph->daddr, hnum, dif), *next;

	if (!sk) {
		NET_INC_STATS(net, UdpIgnoredMulti);
		skb_consume(skb);
		return;
	}
	for (; (next = udp4_mcast_next(net, sk, iph->saddr, uh->source, iph->daddr, hnum, dif)); sk = next) {
		struct sk_buff *clone = skb_clone(skb, MEM_NORMAL);

		if (clone) {
			udp_queue_rcv_skb(sk, clone);
			continue;
		}
		NET_INC_STATS(net, UdpRcvbufErrors);
		NET_INC_STATS(net, UdpInErrors);
	}
	udp_queue_rcv_skb(sk, skb);
}

static int udp_bad(struct sk_buff *skb, enum skb_drop_reason reason)
{
	if (reason == SKB_DROP_REASON_UDP_CSUM)
		NET_INC_STATS(skb->net, UdpInCsumErrors);
	NET_INC_STATS(skb->net, UdpInErrors);
	skb_drop(skb, reason);
	return 0;
}

/* The header is there and its length is that of the packet; else a reason. */
static enum skb_drop_reason udp_pull_header(struct sk_buff *skb)
{
	if (!pskb_may_pull(skb, sizeof(struct udphdr)))
		return SKB_DROP_REASON_PKT_TOO_SMALL;
	unsigned ulen = be16_to_cpu(((struct udphdr *)(void *)skb->data)->len);
	if (ulen < sizeof(struct udphdr) || ulen > skb->len)
		return SKB_DROP_REASON_PKT_TOO_SMALL;
	if (ulen < skb->len) {
		if (pskb_trim(skb, ulen))
			return SKB_DROP_REASON_NOMEM;
		if (skb->ip_summed == CHECKSUM_COMPLETE)
			skb->ip_summed = CHECKSUM_NONE; /* it was over more than this */
	}
	skb_reset_transport_header(skb);
	return SKB_CONSUMED;
}

int udp_rcv(struct sk_buff *skb)
{
	struct net *net = skb->net;
	enum skb_drop_reason bad = udp_pull_header(skb);

	trace_skb(skb, TP_udp_rcv);
	if (unlikely(bad))
		return udp_bad(skb, bad);
	const struct udphdr *uh = udp_hdr(skb);
	if (unlikely(!udp_checksum_ok(skb, uh)))
		return udp_bad(skb, SKB_DROP_REASON_UDP_CSUM);
	if (skb_rtable(skb)->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) {
		udp_deliver_all(net, skb, uh);
		return 0;
	}
	struct sock *sk = udp4_lookup(net, ip_hdr(skb)->saddr, uh->source, ip_hdr(skb)->daddr, be16_to_cpu(uh->dest), skb->dev->ifindex);
	if (likely(sk)) {
		udp_queue_rcv_skb(sk, skb);
		return 0;
	}
	NET_INC_STATS(net, UdpNoPorts);
	icmp_send(skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
	skb_drop(skb, SKB_DROP_REASON_NO_SOCKET);
	return 0;
}

/* --- to the user --------------------------------------------------------------------------------------------------------- */

enum { CMSG6_PKTINFO = 50, CMSG6_HOPLIMIT = 52, CMSG6_TCLASS = 67 }; /* RFC 3542, Linux's numbers */

/* What an IPv6 socket asked to be told of a v4-mapped datagram. */
static void udp_cmsg6_recv(struct msghdr_k *msg, const struct sock *sk, const struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	const struct { be32 addr[4]; uint32_t ifindex; } info = {
		{0, 0, CPU_TO_BE32(0x0000ffff), iph->daddr}, (uint32_t)IPCB(skb)->iif,
	};
	int v;

	if (sock_flag(sk, SOCK_F_RECVPKTINFO6))
		put_cmsg(msg, IPPROTO_IPV6, CMSG6_PKTINFO, &info, sizeof(info));
	if (sock_flag(sk, SOCK_F_RECVHOPLIMIT6)) {
		v = iph->ttl;
		put_cmsg(msg, IPPROTO_IPV6, CMSG6_HOPLIMIT, &v, sizeof(v));
	}
	if (sock_flag(sk, SOCK_F_RECVTCLASS6)) {
		v = iph->tos;
		put_cmsg(msg, IPPROTO_IPV6, CMSG6_TCLASS, &v, sizeof(v));
	}
}

static void udp_cmsg_recv(struct msghdr_k *msg, struct sock *sk, struct sk_buff *skb)
{
	ip_cmsg_recv(msg, sk, skb);
	if (sk->sk_family == AF_INET6)
		udp_cmsg6_recv(msg, sk, skb);
	if (unlikely(sock_flag(sk, SOCK_F_ACCEPT_ANY) || sock_flag(sk, SOCK_F_RECVORIGDSTADDR))) {
		struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = udp_hdr(skb)->dest, .sin_addr = {ip_hdr(skb)->daddr}};

		put_cmsg(msg, IPPROTO_IP, OPT_IP_ORIGDSTADDR, &to, sizeof(to));
	}
}

ssize_t udp_recvmsg(struct sock *sk, struct msghdr_k *msg, int flags)
{
	struct net *net = sk->sk_net;
	unsigned offset;
	int err;

	if (unlikely(flags & MSG_ERRQUEUE))
		return ip_recv_error(sk, msg);
	struct sk_buff *skb = skb_recv_datagram(sk, flags, &offset, &err);
	if (!skb)
		return err;
	ssize_t n = skb_copy_datagram_msg(skb, offset, msg);
	if (unlikely(n < 0)) {
		if (!(flags & MSG_PEEK))
			NET_INC_STATS(net, UdpInErrors);
		goto consume;
	}
	if (!(flags & MSG_PEEK))
		NET_INC_STATS(net, UdpInDatagrams);
	datagram_set_name(msg, ip_hdr(skb)->saddr, udp_hdr(skb)->source);
	udp_cmsg_recv(msg, sk, skb);
	if (flags & MSG_TRUNC)
		n = (ssize_t)skb->len;
	sk_peek_offset_moved(sk, flags, (size_t)n);
consume:
	skb_consume(skb);
	return n;
}

/* --- errors ------------------------------------------------------------------------------------------------------------- */

int udp_err(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	const struct iphdr *iph = (const struct iphdr *)(void *)skb->data;
	const struct udphdr *uh = (const struct udphdr *)(void *)(skb->data + iph->ihl * 4u);
	/* The quoted packet is ours: its source is the socket's address. */
	struct sock *sk = udp4_lookup(skb->net, iph->daddr, uh->dest, iph->saddr, be16_to_cpu(uh->source), skb->dev->ifindex);

	if (!sk) {
		NET_INC_STATS(skb->net, IcmpInErrors);
		return -ENOENT;
	}
	datagram_icmp_error(sk, skb, type, code, info, uh->dest, (const uint8_t *)(uh + 1));
	return 0;
}
