/* SPDX-License-Identifier: MIT */
/*
 * raw.c - raw sockets: IP packets of one protocol, past the transports (raw(7)).
 *
 * In: every packet for this host is shown to the raw sockets of its protocol before the transport gets it; each gets a clone that begins
 * at the IP header.  Out: the user's bytes behind our IP header, or with IP_HDRINCL behind his own, of which total length, checksum
 * and what he left zero (source, ID) are filled in.
 */
#include "ip/error_queue.h"
#include "ip/raw.h"
#include "ip/datagram.h"
#include "ip/ip_internal.h"
#include "wire/icmp.h"

enum { RAW_HASH_SIZE = 256, LEVEL_RAW = 255, OPT_ICMP_FILTER = 1, ETHERTYPE_IPV4 = 0x0800 };

struct raw_hashinfo {
	struct hlist_head by_protocol[RAW_HASH_SIZE];
};
struct raw_sock {
	struct inet_sock inet;
	uint32_t icmp_filter; /* bit per ICMP type that is not wanted */
};
static struct raw_sock *raw_sk(const struct sock *sk) { return (struct raw_sock *)sk; }

/* --- finding ------------------------------------------------------------------------------------------------------------- */

static int raw_hash(struct sock *sk)
{
	hlist_add_head(&sk->sk_node, &sk->sk_net->ipv4->raw->by_protocol[inet_sk(sk)->inet_num % RAW_HASH_SIZE]);
	return 0;
}

static void raw_unhash(struct sock *sk) { hlist_del_init(&sk->sk_node); }

/* Is a packet between a local and a remote address for this socket? */
static bool raw_match(const struct sock *sk, uint8_t protocol, be32 local, be32 remote, int dif)
{
	const struct inet_sock *inet = inet_sk(sk);

	return inet->inet_num == protocol && (!inet->inet_daddr.ip || inet->inet_daddr.ip == remote) &&
	       (!inet->inet_rcv_saddr.ip || inet->inet_rcv_saddr.ip == local) && (!sk->sk_bound_dev_if || sk->sk_bound_dev_if == dif);
}

/* --- in --------------------------------------------------------------------------------------------------------------------- */

static bool icmp_filtered(const struct sock *sk, struct sk_buff *skb)
{
	if (sk->sk_protocol != IPPROTO_ICMP || !pskb_may_pull(skb, sizeof(struct icmphdr)))
		return false;
	uint8_t type = skb->data[0];

	return type < 32 && (raw_sk(sk)->icmp_filter >> type & 1);
}

static void raw_rcv(struct sock *sk, struct sk_buff *skb)
{
	enum skb_drop_reason reason;
	struct sk_buff *clone = skb_clone(skb, MEM_NORMAL);

	if (!clone)
		return;
	skb_push(clone, (unsigned)-skb_network_offset(clone));
	if (sock_queue_rcv_skb(sk, clone, &reason))
		skb_drop(clone, reason);
}

bool raw_local_deliver(struct sk_buff *skb, uint8_t protocol)
{
	struct hlist_head *head = &skb->net->ipv4->raw->by_protocol[protocol % RAW_HASH_SIZE];
	bool delivered = false;
	struct sock *sk;

	hlist_for_each_entry(sk, head, sk_node) {
		const struct iphdr *iph = ip_hdr(skb); /* anew each time: the filter may have made the packet linear */

		if (!raw_match(sk, protocol, iph->daddr, iph->saddr, skb->dev->ifindex))
			continue;
		if (!ip_mc_sf_allow(sk, iph->daddr, iph->saddr, skb->dev->ifindex))
			continue;
		delivered = true;
		if (!icmp_filtered(sk, skb))
			raw_rcv(sk, skb);
	}
	return delivered;
}

/* --- errors -------------------------------------------------------------------------------------------------------------- */

static void raw_err(struct sock *sk, struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	const struct inet_sock *inet = inet_sk(sk);
	bool recverr = sock_flag(sk, SOCK_F_RECVERR), hard = false;
	int err = EHOSTUNREACH;

	if (!recverr && sk->sk_state != TCP_ESTABLISHED)
		return;
	if (type == ICMP_SOURCE_QUENCH)
		return;
	if (type == ICMP_PARAMETERPROB) {
		err = EPROTO;
		hard = true;
	} else if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED) {
		err = EMSGSIZE;
		hard = inet->pmtudisc != IP_PMTUDISC_DONT_;
	} else if (type == ICMP_DEST_UNREACH && code <= NR_ICMP_UNREACH) {
		err = icmp_err_convert[code].errno_;
		hard = icmp_err_convert[code].fatal;
	}
	if (recverr) {
		const struct iphdr *iph = (const struct iphdr *)(void *)skb->data;

		ip_icmp_error(sk, skb, err, 0, info, skb->data + (inet->hdrincl ? 0 : iph->ihl * 4u));
	}
	if (recverr || hard) {
		sk->sk_err = err;
		sk_error_report(sk);
	}
}

void raw_icmp_error(struct sk_buff *skb, uint8_t protocol, uint8_t type, uint8_t code, uint32_t info)
{
	const struct iphdr *iph = (const struct iphdr *)(void *)skb->data;
	struct hlist_head *head = &skb->net->ipv4->raw->by_protocol[protocol % RAW_HASH_SIZE];
	struct sock *sk;

	hlist_for_each_entry(sk, head, sk_node)
		if (raw_match(sk, protocol, iph->saddr, iph->daddr, skb->dev->ifindex))
			raw_err(sk, skb, type, code, info);
}

/* --- out --------------------------------------------------------------------------------------------------------------------- */

/* What the user left open; ip_local_out() sets length and checksum. */
static void complete_header(struct net *net, struct sk_buff *skb, const struct flowi *fl)
{
	struct iphdr *iph = ip_hdr(skb);

	if (!iph->saddr)
		iph->saddr = fl->saddr.ip;
	if (!iph->id)
		ip_select_ident_segs(net, skb, NULL, 1);
}

/* The user's own header.  It must fit the device: we do not fragment what is not ours. */
static int raw_send_hdrinc(struct sock *sk, struct flowi *fl, struct msghdr_k *msg, size_t len, const struct ipcm_cookie *ipc, struct rtable *rt)
{
	int err;

	if (len > rt->dst.dev->mtu) {
		ip_local_error(sk, EMSGSIZE, fl->daddr.ip, inet_sk(sk)->inet_dport, rt->dst.dev->mtu);
		return -EMSGSIZE;
	}
	if (len < sizeof(struct iphdr))
		return -EINVAL;
	struct sk_buff *skb = sock_alloc_send_skb(sk, LL_RESERVED_SPACE(rt->dst.dev), (unsigned)len, msg->flags & MSG_DONTWAIT, &err);
	if (!skb)
		return err;
	skb->priority = sk->sk_priority;
	skb->mark = sk->sk_mark;
	skb->protocol = CPU_TO_BE16(ETHERTYPE_IPV4);
	skb->dst = dst_hold(&rt->dst);
	skb->dev = rt->dst.dev;
	skb_reset_network_header(skb);
	struct iphdr *iph = skb_put(skb, (unsigned)len);
	err = -EFAULT;
	if (copy_from_iter(iph, len, &msg->iter) != len)
		goto drop;
	sk->sk_net->copied.user_to_skb += len;
	err = -EINVAL;
	if (iph->ihl * 4u > len || iph->ihl < 5)
		goto drop;
	skb_set_transport_header(skb, (int)(iph->ihl * 4u));
	*IPCB(skb) = (struct inet_skb_parm){0};
	complete_header(sk->sk_net, skb, fl);
	if (unlikely(ipc->tsflags))
		ip_setup_tx_timestamp(sk, skb, ipc);
	return net_xmit_errno(ip_local_out(sk->sk_net, sk, skb));

drop:
	skb_drop(skb, SKB_DROP_REASON_NOT_SPECIFIED);
	return err;
}

static int raw_send_payload(struct sock *sk, struct flowi *fl, struct msghdr_k *msg, size_t len, const struct ipcm_cookie *ipc, struct rtable *rt)
{
	int err;
	struct sk_buff *skb = ip_make_skb(sk, fl, &msg->iter, (unsigned)len, 0, ipc, rt, msg->flags, &err);

	if (!skb)
		return err;
	skb->ip_summed = CHECKSUM_NONE; /* whatever checksum the protocol has is the user's */
	return ip_send_skb(sk->sk_net, skb);
}

static int raw_destination(const struct sock *sk, const struct msghdr_k *msg, be32 *daddr)
{
	if (!msg->name) {
		*daddr = inet_sk(sk)->inet_daddr.ip;
		return sk->sk_state == TCP_ESTABLISHED ? 0 : -EDESTADDRREQ;
	}
	if (msg->namelen < sizeof(msg->name->in))
		return -EINVAL;
	if (msg->name->family != AF_INET && msg->name->family != AF_UNSPEC)
		return -EAFNOSUPPORT;
	*daddr = msg->name->in.sin_addr.s_addr;
	return 0;
}

static ssize_t raw_sendmsg(struct sock *sk, struct msghdr_k *msg)
{
	size_t len = msg->iter.count;
	struct ip_options_data options;
	struct ipcm_cookie ipc;
	struct flowi fl;
	be32 daddr;

	if (len > 65535)
		return -EMSGSIZE;
	if (msg->flags & MSG_OOB)
		return -EOPNOTSUPP;
	int err = raw_destination(sk, msg, &daddr);
	if (err)
		return err;
	ipcm_init_sk(&ipc, sk);
	ipc.daddr = daddr;
	ipc.room = &options;
	if (msg->controllen && (err = ip_cmsg_send(sk, msg->control, msg->controllen, &ipc)))
		return err;
	datagram_choose_device(sk, &ipc);
	datagram_flow(&fl, sk, &ipc, msg->flags);
	struct rtable *rt = datagram_route(sk, &fl, &err);
	if (!rt)
		return err;
	ipc.saddr = fl.saddr.ip;
	ipc.daddr = ipc.daddr ? ipc.daddr : fl.daddr.ip;
	err = inet_sk(sk)->hdrincl ? raw_send_hdrinc(sk, &fl, msg, len, &ipc, rt) : raw_send_payload(sk, &fl, msg, len, &ipc, rt);
	if (err == -ENOBUFS && !sock_flag(sk, SOCK_F_RECVERR))
		err = 0;
	dst_release(&rt->dst);
	return err ? err : (ssize_t)len;
}

/* --- the rest of raw_prot ------------------------------------------------------------------------------------------------------ */

static void raw_close(struct sock *sk, uint64_t timeout_ns)
{
	(void)timeout_ns;
	sk_common_release(sk);
}

static int raw_bind(struct sock *sk, const struct sockaddr_any *addr, socklen_t len)
{
	struct inet_sock *inet = inet_sk(sk);

	if (sk->sk_state != TCP_CLOSE || len < sizeof(addr->in))
		return -EINVAL;
	be32 a = addr->in.sin_addr.s_addr; /* whatever the family, as on Linux */
	uint8_t type = a ? inet_addr_type(sk->sk_net, a) : RTN_LOCAL;
	bool nonlocal = sk->sk_net->ipv4->sysctl_ip_nonlocal_bind || sock_flag(sk, SOCK_F_FREEBIND) || sock_flag(sk, SOCK_F_TRANSPARENT);
	if (!nonlocal && type != RTN_LOCAL && type != RTN_MULTICAST && type != RTN_BROADCAST)
		return -EADDRNOTAVAIL;
	inet->inet_rcv_saddr = inet_addr_v4(a);
	inet->inet_saddr = type == RTN_MULTICAST || type == RTN_BROADCAST ? inet_addr_v4(0) : inet_addr_v4(a);
	if (a)
		sock_set_flag(sk, SOCK_F_BINDADDR_LOCK);
	sk_dst_reset(sk);
	return 0;
}

static int raw_setsockopt(struct sock *sk, int level, int name, const void *val, socklen_t len)
{
	if (level != LEVEL_RAW)
		return ip_setsockopt(sk, level, name, val, len);
	if (name != OPT_ICMP_FILTER)
		return -ENOPROTOOPT;
	if (sk->sk_protocol != IPPROTO_ICMP)
		return -EOPNOTSUPP;
	memcpy(&raw_sk(sk)->icmp_filter, val, MIN(len, (socklen_t)sizeof(uint32_t)));
	return 0;
}

static int raw_getsockopt(struct sock *sk, int level, int name, void *val, socklen_t *len)
{
	if (level != LEVEL_RAW)
		return ip_getsockopt(sk, level, name, val, len);
	if (name != OPT_ICMP_FILTER)
		return -ENOPROTOOPT;
	if (sk->sk_protocol != IPPROTO_ICMP)
		return -EOPNOTSUPP;
	*len = MIN(*len, (socklen_t)sizeof(uint32_t));
	memcpy(val, &raw_sk(sk)->icmp_filter, *len);
	return 0;
}

const struct proto raw_prot = {
	.name = "RAW",
	.type = SOCK_RAW,
	.obj_size = sizeof(struct raw_sock),
	.close = raw_close,
	.connect = ip4_datagram_connect,
	.disconnect = ip4_datagram_disconnect,
	.ioctl = datagram_ioctl,
	.setsockopt = raw_setsockopt,
	.getsockopt = raw_getsockopt,
	.sendmsg = raw_sendmsg,
	.recvmsg = datagram_recvmsg,
	.bind = raw_bind,
	.hash = raw_hash,
	.unhash = raw_unhash,
	.poll = datagram_poll,
};

int raw_init(struct net *net)
{
	net->ipv4->raw = net_zalloc(net, sizeof(struct raw_hashinfo), MEM_NORMAL);
	return net->ipv4->raw ? 0 : -ENOMEM;
}

void raw_exit(struct net *net)
{
	net_free(net, net->ipv4->raw);
	net->ipv4->raw = NULL;
}
