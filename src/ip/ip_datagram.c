/* SPDX-License-Identifier: MIT */
/*
 * ip_datagram.c - one datagram from the user's bytes to an skb with its IP header (UDP, raw, ping), and on its way.
 *
 * A small payload is copied into the linear area behind the headers, a large one into the socket's page fragments, so that ip_fragment()
 * and software GSO can share it.  This is the one copy of the path; the checksum is summed in the same pass where no device will do it.
 *
 * Called by udp_sendmsg() and its like; next is ip_local_out().  RFC 1122 sections 3.3.3, 4.1.3.
 */
#include "ip/error_queue.h"
#include "ip/ip_internal.h"

enum { LINEAR_MAX = 3072 /* bytes of payload that lie behind the headers */ };

/* Copies n bytes from the user to p, n0 bytes into the payload; false: the user's memory ended. */
static bool take_bytes(struct sk_buff *skb, uint8_t *p, unsigned n, unsigned n0, struct iov_iter *from)
{
	skb->net->copied.user_to_skb += n;
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		return copy_from_iter(p, n, from) == n;
	csum32 sum = 0;
	bool whole = csum_and_copy_from_iter(p, n, &sum, from) == n;
	skb->csum = csum_block_add(skb->csum, sum, n0);
	return whole;
}

/* n bytes of payload into page fragments; -EFAULT, -ENOBUFS. */
static int append_pages(struct sock *sk, struct sk_buff *skb, struct iov_iter *from, unsigned n)
{
	struct page_frag *pf = &sk->sk_frag;
	unsigned done = 0;

	while (done < n) {
		if (skb_shinfo(skb)->nr_frags == MAX_SKB_FRAGS || !page_frag_refill(sock_net(sk), pf, 1, MEM_NORMAL))
			return -ENOBUFS;
		unsigned take = MIN(n - done, pf->size - pf->offset);
		uint8_t *at = pf->page + pf->offset;
		struct frag_owner *owner = page_owner(sock_net(sk), pf->page);
		frag_owner_get(owner);
		skb_add_frag(skb, at, take, owner);
		skb->truesize += take;
		sk->sk_wmem_alloc += take;
		pf->offset += take;
		if (!take_bytes(skb, at, take, done, from))
			return -EFAULT;
		done += take;
	}
	return 0;
}

/* Can the device complete the checksum of this datagram?  Only if it goes out as it is. */
static bool csum_by_device(const struct net_device *dev, const struct ipcm_cookie *ipc, uint8_t protocol, unsigned ip_len, unsigned mtu)
{
	return protocol == IPPROTO_UDP && (ipc->gso_size || ip_len <= mtu) && (dev->features & (XMIT_F_CSUM | XMIT_F_LOOPBACK));
}

static uint8_t choose_ttl(const struct inet_sock *inet, const struct ipcm_cookie *ipc, const struct rtable *rt)
{
	if (ipc->ttl > 0)
		return (uint8_t)ipc->ttl;
	if (rt->rt_type == RTN_MULTICAST)
		return inet->mc_ttl;
	return (uint8_t)ip_select_ttl(inet, &rt->dst, rt->dst.net);
}

static void make_header(struct sock *sk, struct sk_buff *skb, const struct flowi *fl, const struct ipcm_cookie *ipc, struct rtable *rt, uint8_t protocol)
{
	const struct inet_sock *inet = inet_sk(sk);
	const struct ip_options_data *opt = ipc->opt;
	const unsigned optlen = opt ? opt->optlen : 0, ip_len = (unsigned)sizeof(struct iphdr) + optlen + skb->len;
	const be32 daddr = ipc->daddr ? ipc->daddr : fl->daddr.ip;
	bool df = inet->pmtudisc == IP_PMTUDISC_DO_ || inet->pmtudisc == IP_PMTUDISC_PROBE_ ||
		  (ip_len <= dst_mtu(&rt->dst) && ip_df_wanted(sk, rt));

	skb->ignore_df = ip_sk_ignore_df(sk);
	struct iphdr *iph = ip_push_header(skb, optlen, ipc->tos >= 0 ? (uint8_t)ipc->tos : inet->tos, df, choose_ttl(inet, ipc, rt), protocol,
					   fl->saddr.ip, opt && opt->faddr ? opt->faddr : daddr);
	if (opt)
		ip_options_build(sock_net(sk), iph, opt, daddr, fl->saddr.ip);
	ip_select_ident_segs(sock_net(sk), skb, sk, ipc->gso_size ? DIV_ROUND_UP(ip_len, ipc->gso_size) : 1);
	skb->priority = ipc->tos >= 0 ? ipc->priority : sk->sk_priority;
	skb->mark = ipc->mark;
	skb_pull(skb, (unsigned)sizeof(*iph) + optlen);
}

struct sk_buff *ip_make_skb(struct sock *sk, struct flowi *fl, struct iov_iter *from, unsigned length, unsigned transport_hdrlen,
			    const struct ipcm_cookie *ipc, struct rtable *rt, unsigned flags, int *err)
{
	struct net_device *dev = rt->dst.dev;
	const uint8_t protocol = ipc->protocol ? ipc->protocol : (uint8_t)sk->sk_protocol;
	const unsigned optlen = ipc->opt ? ipc->opt->optlen : 0, hdrs = (unsigned)sizeof(struct iphdr) + optlen;
	const unsigned mtu = ip_sk_use_pmtu(sk) ? dst_mtu(&rt->dst) : MIN(dev->mtu, (unsigned)IPV4_MAX_PMTU);
	const unsigned most = ipc->gso_size || ip_sk_ignore_df(sk) ? (unsigned)IPV4_MAX_PMTU : mtu;
	const unsigned payload = length - transport_hdrlen, linear = payload <= LINEAR_MAX ? payload : 0;

	if (length > most - hdrs) {
		ip_local_error(sk, EMSGSIZE, fl->daddr.ip, fl->dport, mtu - optlen);
		*err = -EMSGSIZE;
		return NULL;
	}
	struct sk_buff *skb = sock_alloc_send_skb(sk, LL_RESERVED_SPACE(dev) + hdrs, transport_hdrlen + linear, flags & MSG_DONTWAIT, err);
	if (!skb)
		return NULL;
	*IPCB(skb) = (struct inet_skb_parm){0};
	skb->ip_summed = csum_by_device(dev, ipc, protocol, hdrs + length, mtu) ? CHECKSUM_PARTIAL : CHECKSUM_NONE;
	skb_put(skb, transport_hdrlen);
	memset(skb->data, 0, transport_hdrlen);
	skb_reset_transport_header(skb);
	if (linear && !take_bytes(skb, skb_put(skb, linear), linear, 0, from))
		*err = -EFAULT;
	else
		*err = payload > linear ? append_pages(sk, skb, from, payload) : 0;
	if (*err) {
		skb_drop(skb, *err == -EFAULT ? SKB_DROP_REASON_NOT_SPECIFIED : SKB_DROP_REASON_NOMEM);
		return NULL;
	}
	skb->dst = dst_hold(&rt->dst);
	make_header(sk, skb, fl, ipc, rt, protocol);
	if (unlikely(ipc->tsflags))
		ip_setup_tx_timestamp(sk, skb, ipc);
	return skb;
}

int ip_send_skb(struct net *net, struct sk_buff *skb)
{
	skb_push(skb, (unsigned)-skb_network_offset(skb));
	int err = net_xmit_errno(ip_local_out(net, skb->sk, skb));
	if (err)
		NET_INC_STATS(net, IpOutDiscards);
	return err;
}
