/* SPDX-License-Identifier: MIT */
/*
 * ip_errqueue.c - errors that a socket asked to be told in full: IP_RECVERR on, recvmsg(MSG_ERRQUEUE) reads (RFC 1122 4.1.3.3, ip(7)).
 *
 * An ICMP error becomes a clone of the packet that brought it, pulled to the quoted payload; a local one an empty skb.  Both are charged to the
 * receive buffer.  Called by the transports' err_handlers and by ip_make_skb(); read by the transports' recvmsg.
 */
#include "ip/error_queue.h"
#include "ip/ip_internal.h"
#include "wire/icmp.h"

enum { IP_RECVERR_CMSG = 11, IPV6_RECVERR_CMSG = 25, SCM_TIMESTAMPING_OPT_STATS_ = 54 };

#ifndef MSG_ERRQUEUE
#define MSG_ERRQUEUE 0x2000
#endif

void ip_icmp_error(struct sock *sk, struct sk_buff *skb, int err, be16 port, uint32_t info, const uint8_t *payload)
{
	const struct icmphdr *icmph = (const struct icmphdr *)(const void *)skb_transport_header(skb);
	const struct iphdr *quoted = (const struct iphdr *)(const void *)(icmph + 1);
	struct sk_buff *clone = skb_clone(skb, MEM_NORMAL);

	if (!clone)
		return;
	*SKB_EXT_ERR(clone) = (struct sock_exterr_skb){
		.header = {.iif = skb->skb_iif},
		.ee = {.ee_errno = (uint32_t)err, .ee_origin = SO_EE_ORIGIN_ICMP_, .ee_type = icmph->type, .ee_code = icmph->code, .ee_info = info},
		.daddr = quoted->daddr,
		.offender = ip_hdr(skb)->saddr,
		.port = port,
	};
	unsigned offset = (unsigned)(payload - skb->data);
	if (offset <= skb_headlen(clone)) {
		skb_pull(clone, offset);
		skb_reset_transport_header(clone);
		if (!sock_queue_err_skb(sk, clone))
			return;
	}
	skb_drop(clone, SKB_DROP_REASON_SOCKET_RCVBUFF);
}

void ip_local_error(struct sock *sk, int err, be32 daddr, be16 port, uint32_t info)
{
	struct iphdr *iph;

	if (!sock_flag(sk, SOCK_F_RECVERR))
		return;
	struct sk_buff *skb = alloc_skb(sock_net(sk), 0, sizeof(*iph), 0);
	if (!skb)
		return;
	skb_reset_network_header(skb);
	iph = skb_put(skb, sizeof(*iph));
	*iph = (struct iphdr){.version = 4, .ihl = 5, .daddr = daddr};
	skb_pull(skb, sizeof(*iph));
	skb_reset_transport_header(skb);
	*SKB_EXT_ERR(skb) = (struct sock_exterr_skb){
		.ee = {.ee_errno = (uint32_t)err, .ee_origin = SO_EE_ORIGIN_LOCAL_, .ee_info = info},
		.daddr = daddr,
		.port = port,
	};
	if (sock_queue_err_skb(sk, skb))
		skb_drop(skb, SKB_DROP_REASON_SOCKET_RCVBUFF);
}

static bool from_icmp(const struct sk_buff *skb)
{
	return skb && SKB_EXT_ERR(skb)->ee.ee_origin == SO_EE_ORIGIN_ICMP_;
}

/* Off the queue; the pending error becomes that of the next ICMP error, or none. */
static struct sk_buff *dequeue_err_skb(struct sock *sk)
{
	struct sk_buff_head *q = sk->sk_ext ? &sk->sk_ext->error_queue : NULL;
	struct sk_buff *skb = q ? skb_dequeue(q) : NULL, *next;

	if (!skb)
		return NULL;
	next = skb_peek(q);
	if (from_icmp(next))
		sk->sk_err = (int)SKB_EXT_ERR(next)->ee.ee_errno;
	else if (from_icmp(skb))
		sk->sk_err = 0;
	if (next)
		sk_error_report(sk);
	return skb;
}

/* Where the packet was going, as the socket's family has it: of errors only, not of completions and time stamps. */
static void put_destination(const struct sock *sk, struct msghdr_k *msg, const struct sock_exterr_skb *serr)
{
	uint8_t origin = serr->ee.ee_origin;

	if (!msg->name || (origin != SO_EE_ORIGIN_ICMP_ && origin != SO_EE_ORIGIN_LOCAL_ && !serr->port)) {
		msg->namelen = 0;
		return;
	}
	(void)sk; /* the socket layer maps it for AF_INET6 */
	memset(&msg->name->in, 0, sizeof(msg->name->in));
	msg->name->in.sin_family = AF_INET;
	msg->name->in.sin_addr.s_addr = serr->daddr;
	msg->name->in.sin_port = serr->port;
	msg->namelen = sizeof(msg->name->in);
}

/* Is there a packet that control messages can tell of: the ICMP error, or with SOF_TIMESTAMPING_OPT_CMSG the one that was sent? */
static bool has_packet(const struct sock *sk, const struct sk_buff *skb)
{
	return from_icmp(skb) || (SKB_EXT_ERR(skb)->ee.ee_origin == SO_EE_ORIGIN_TIMESTAMPING_ && skb->skb_iif && skb->len && !SKB_EXT_ERR(skb)->opt_stats &&
				  sk->sk_ext && (sk->sk_ext->tsflags & SOF_TIMESTAMPING_OPT_CMSG_));
}

static void put_error(struct sock *sk, struct msghdr_k *msg, struct sk_buff *skb)
{
	const struct sock_exterr_skb *serr = SKB_EXT_ERR(skb);
	struct {
		struct sock_extended_err_ ee;
		union {
			struct sockaddr_in in;
			struct sockaddr_in6 in6;
		} offender;
	} e;
	bool v6 = sk->sk_family == AF_INET6, packet = has_packet(sk, skb);
	be32 offender = !packet ? 0 : from_icmp(skb) ? serr->offender : ip_hdr(skb)->saddr;
	size_t len = sizeof(e.ee) + (v6 ? sizeof(e.offender.in6) : sizeof(e.offender.in));

	memset(&e, 0, sizeof(e));
	e.ee = serr->ee;
	if (packet && v6) {
		e.offender.in6.sin6_family = AF_INET6;
		e.offender.in6.sin6_addr.s6_addr[10] = e.offender.in6.sin6_addr.s6_addr[11] = 0xff;
		memcpy(&e.offender.in6.sin6_addr.s6_addr[12], &offender, sizeof(offender));
	} else if (packet) {
		e.offender.in.sin_family = AF_INET;
		e.offender.in.sin_addr.s_addr = offender;
	}
	if (packet)
		ip_cmsg_recv_packet(msg, sk, skb);
	if (v6)
		put_cmsg(msg, IPPROTO_IPV6, IPV6_RECVERR_CMSG, &e, len);
	else
		put_cmsg(msg, IPPROTO_IP, IP_RECVERR_CMSG, &e, len);
}

ssize_t ip_recv_error(struct sock *sk, struct msghdr_k *msg)
{
	struct sk_buff *skb = dequeue_err_skb(sk);
	int err;

	if (!skb)
		return -EAGAIN;
	size_t n = skb->len;
	if (n > msg->iter.count) {
		msg->flags |= MSG_TRUNC;
		n = msg->iter.count;
	}
	err = skb_copy_datagram_iter(skb, 0, &msg->iter, (unsigned)n);
	if (err) {
		skb_consume(skb);
		return err;
	}
	if (from_icmp(skb) || SKB_EXT_ERR(skb)->ee.ee_origin == SO_EE_ORIGIN_TIMESTAMPING_)
		ip_recv_stamp(msg, sk, skb->tstamp_ns, true);
	if (SKB_EXT_ERR(skb)->opt_stats)
		put_cmsg(msg, SOL_SOCKET, SCM_TIMESTAMPING_OPT_STATS_, skb->data, skb->len);
	put_destination(sk, msg, SKB_EXT_ERR(skb));
	put_error(sk, msg, skb);
	msg->flags |= MSG_ERRQUEUE;
	skb_consume(skb);
	return (ssize_t)n;
}
