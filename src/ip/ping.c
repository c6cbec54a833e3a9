/* SPDX-License-Identifier: MIT */
/*
 * ping.c - ping sockets, SOCK_DGRAM with IPPROTO_ICMP: echo requests out, their replies in (RFC 792; icmp(7)).
 *
 * The "port" is the identifier of the echo header: it is put into what the user sends, and replies find their socket by it.  The user
 * sees and gives packets that begin at the ICMP header.
 */
#include "ip/datagram.h"
#include "ip/raw.h"
#include "wire/icmp.h"

enum { PING_HASH_SIZE = 64 };

struct ping_table {
	struct hlist_head by_id[PING_HASH_SIZE];
};
struct ping_sock {
	struct inet_sock inet;
};

static struct hlist_head *ping_bucket(const struct net *net, uint16_t id) { return &net->ipv4->ping->by_id[id % PING_HASH_SIZE]; }

/* --- identifiers ------------------------------------------------------------------------------------------------------------ */

static bool id_in_use(const struct sock *sk, uint16_t id)
{
	const struct sock *sk2;

	hlist_for_each_entry(sk2, ping_bucket(sk->sk_net, id), sk_node)
		if (sk2 != sk && inet_sk(sk2)->inet_num == id && !(sk->sk_reuse && sk2->sk_reuse))
			return true;
	return false;
}

static uint16_t choose_id(const struct sock *sk)
{
	uint16_t id = (uint16_t)net_random_u32(sk->sk_net);

	for (unsigned i = 0; i < 65536; i++, id++)
		if (id && !id_in_use(sk, id))
			return id;
	return 0;
}

static int ping_get_port(struct sock *sk, uint16_t id)
{
	if (!id)
		id = choose_id(sk);
	else if (id_in_use(sk, id))
		id = 0;
	if (!id)
		return -EADDRINUSE;
	inet_sk(sk)->inet_num = id;
	hlist_add_head(&sk->sk_node, ping_bucket(sk->sk_net, id));
	return 0;
}

static void ping_unhash(struct sock *sk)
{
	hlist_del_init(&sk->sk_node);
	inet_sk(sk)->inet_num = 0;
	inet_sk(sk)->inet_sport = 0;
}

/* The socket of an identifier whose packets go between a local address and its peer. */
static struct sock *ping_lookup(struct net *net, be16 id, be32 local, be32 remote, int dif)
{
	uint16_t num = be16_to_cpu(id);
	struct sock *sk;

	hlist_for_each_entry(sk, ping_bucket(net, num), sk_node) {
		const struct inet_sock *inet = inet_sk(sk);

		if (inet->inet_num != num || (inet->inet_rcv_saddr.ip && inet->inet_rcv_saddr.ip != local))
			continue;
		if ((inet->inet_daddr.ip && inet->inet_daddr.ip != remote) || (sk->sk_bound_dev_if && sk->sk_bound_dev_if != dif))
			continue;
		return sk;
	}
	return NULL;
}

/* --- in ---------------------------------------------------------------------------------------------------------------------- */

bool ping_rcv(struct sk_buff *skb)
{
	enum skb_drop_reason reason;
	struct icmphdr h;

	if (skb_copy_bits(skb, 0, &h, sizeof(h)))
		return false;
	struct sock *sk = ping_lookup(skb->net, h.un.echo.id, ip_hdr(skb)->daddr, ip_hdr(skb)->saddr, skb->dev->ifindex);
	if (!sk)
		return false;
	struct sk_buff *clone = skb_clone(skb, MEM_NORMAL);
	if (clone && sock_queue_rcv_skb(sk, clone, &reason))
		skb_drop(clone, reason);
	return true;
}

void ping_err(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	const struct iphdr *iph = (const struct iphdr *)(void *)skb->data;
	const struct icmphdr *icmph = (const struct icmphdr *)(void *)(skb->data + iph->ihl * 4u);

	if (icmph->type != ICMP_ECHO)
		return;
	struct sock *sk = ping_lookup(skb->net, icmph->un.echo.id, iph->saddr, iph->daddr, skb->dev->ifindex);
	if (sk)
		datagram_icmp_error(sk, skb, type, code, info, 0, (const uint8_t *)icmph);
}

/* --- out ----------------------------------------------------------------------------------------------------------------------- */

static int ping_destination(const struct sock *sk, const struct msghdr_k *msg, be32 *daddr)
{
	if (!msg->name) {
		*daddr = inet_sk(sk)->inet_daddr.ip;
		return sk->sk_state == TCP_ESTABLISHED ? 0 : -EDESTADDRREQ;
	}
	if (msg->namelen < sizeof(msg->name->in))
		return -EINVAL;
	if (msg->name->family != AF_INET)
		return -EAFNOSUPPORT;
	*daddr = msg->name->in.sin_addr.s_addr;
	return 0;
}

/* Echo requests only, with the header's identifier and checksum ours. */
static int read_request(struct msghdr_k *msg, struct icmphdr *h)
{
	if (copy_from_iter(h, sizeof(*h), &msg->iter) != sizeof(*h))
		return -EFAULT;
	return h->type == ICMP_ECHO && h->code == 0 ? 0 : -EINVAL;
}

static int ping_push(struct sock *sk, struct sk_buff *skb, const struct icmphdr *user)
{
	struct icmphdr *h = (struct icmphdr *)(void *)skb_transport_header(skb);

	*h = (struct icmphdr){.type = ICMP_ECHO, .un.echo = {inet_sk(sk)->inet_sport, user->un.echo.sequence}};
	h->checksum = csum_fold(skb_checksum(skb, 0, skb->len, 0));
	skb->ip_summed = CHECKSUM_NONE;
	return ip_send_skb(sk->sk_net, skb);
}

static ssize_t ping_sendmsg(struct sock *sk, struct msghdr_k *msg)
{
	size_t len = msg->iter.count;
	struct ip_options_data options;
	struct ipcm_cookie ipc;
	struct icmphdr user;
	struct flowi fl;
	be32 daddr;

	if (len > 65535)
		return -EMSGSIZE;
	if (len < sizeof(user))
		return -EINVAL;
	if (msg->flags & MSG_OOB)
		return -EOPNOTSUPP;
	int err = read_request(msg, &user);
	if (!err)
		err = ping_destination(sk, msg, &daddr);
	if (err)
		return err;
	ipcm_init_sk(&ipc, sk);
	ipc.room = &options;
	ipc.daddr = daddr;
	if (msg->controllen && (err = ip_cmsg_send(sk, msg->control, msg->controllen, &ipc)))
		return err;
	datagram_choose_device(sk, &ipc);
	datagram_flow(&fl, sk, &ipc, msg->flags);
	struct rtable *rt = datagram_route(sk, &fl, &err);
	if (!rt)
		return err;
	ipc.saddr = fl.saddr.ip;
	ipc.daddr = ipc.daddr ? ipc.daddr : fl.daddr.ip;
	struct sk_buff *skb = ip_make_skb(sk, &fl, &msg->iter, (unsigned)len, sizeof(user), &ipc, rt, msg->flags, &err);
	if (skb)
		err = ping_push(sk, skb, &user);
	dst_release(&rt->dst);
	return err ? err : (ssize_t)len;
}

/* --- the rest of ping_prot ------------------------------------------------------------------------------------------------------- */

static void ping_close(struct sock *sk, uint64_t timeout_ns)
{
	(void)timeout_ns;
	sk_common_release(sk);
}

static int ping_disconnect(struct sock *sk)
{
	ip4_datagram_disconnect(sk);
	if (!sock_flag(sk, SOCK_F_BINDPORT_LOCK))
		ping_unhash(sk);
	return 0;
}

const struct proto ping_prot = {
	.name = "PING",
	.type = SOCK_DGRAM,
	.protocol = IPPROTO_ICMP,
	.obj_size = sizeof(struct ping_sock),
	.close = ping_close,
	.connect = ip4_datagram_connect,
	.disconnect = ping_disconnect,
	.setsockopt = ip_setsockopt,
	.getsockopt = ip_getsockopt,
	.sendmsg = ping_sendmsg,
	.recvmsg = datagram_recvmsg,
	.get_port = ping_get_port,
	.unhash = ping_unhash,
	.poll = datagram_poll,
};

int ping_init(struct net *net)
{
	net->ipv4->ping = net_zalloc(net, sizeof(struct ping_table), MEM_NORMAL);
	return net->ipv4->ping ? 0 : -ENOMEM;
}

void ping_exit(struct net *net)
{
	net_free(net, net->ipv4->ping);
	net->ipv4->ping = NULL;
}
