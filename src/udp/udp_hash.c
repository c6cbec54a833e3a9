/* SPDX-License-Identifier: MIT */
/*
 * udp_hash.c - local ports of UDP and finding the socket of a datagram (S2).
 *
 * Two tables hold every bound sock: by port, for bind() and multicast, and by (address, port), for look-ups: first in the bucket of the
 * packet's destination address, then in that of the wildcard.  Within a bucket the best score wins: bound address, connected
 * peer, bound device.  Of several with the same score that share the port by SO_REUSEPORT the packet's flow hash chooses, so that a flow
 * stays with its socket.  Ephemeral ports are chosen at random (RFC 6056 3.3.1).
 */
#include "udp/udp_internal.h"

static uint32_t port_bucket(uint16_t port) { return port & (UDP_HASH_SIZE - 1); }

static struct hlist_head *addr_bucket(const struct net *net, be32 addr, uint16_t port)
{
	return &net->udp->addr[jhash_3words((uint32_t)addr, port, 0, (uint32_t)net->hash_key.key[0]) & (UDP_HASH_SIZE - 1)];
}

/* --- ports ------------------------------------------------------------------------------------------------------------- */

/* Can one packet be for both?  A socket that is for IPv6 only shares nothing with IPv4. */
static bool addrs_overlap(const struct sock *a, const struct sock *b)
{
	be32 x = inet_sk(a)->inet_rcv_saddr.ip, y = inet_sk(b)->inet_rcv_saddr.ip;

	if ((sock_flag(a, SOCK_F_V6ONLY) && b->sk_family == AF_INET) || (sock_flag(b, SOCK_F_V6ONLY) && a->sk_family == AF_INET))
		return false;
	return !x || !y || x == y;
}

static bool port_in_use(const struct sock *sk, uint16_t port, bool chosen)
{
	const struct sock *sk2;

	hlist_for_each_entry(sk2, &sk->sk_net->udp->port[port_bucket(port)], sk_node) {
		if (sk2 == sk || inet_sk(sk2)->inet_num != port)
			continue;
		if (sk->sk_bound_dev_if && sk2->sk_bound_dev_if && sk->sk_bound_dev_if != sk2->sk_bound_dev_if)
			continue;
		if (!addrs_overlap(sk, sk2))
			continue;
		/* Sharing is for who names the port; a chosen one is not somebody else's. */
		if (chosen || !((sk->sk_reuse && sk2->sk_reuse) || (sk->sk_reuseport && sk2->sk_reuseport)))
			return true;
	}
	return false;
}

enum { SCATTERED = 16 }; /* random tries */

/* A free port of ip_local_port_range; 0: none. */
static uint16_t choose_port(const struct sock *sk)
{
	struct net *net = sk->sk_net;
	unsigned low = (unsigned)net->ipv4->sysctl_ip_local_port_range[0], high = (unsigned)net->ipv4->sysctl_ip_local_port_range[1];
	unsigned n = high - low + 1, at = net_random_below(net, n);

	for (unsigned i = 0; i < n + SCATTERED; i++, at = at + 1 < n ? at + 1 : 0) {
		if (!port_in_use(sk, (uint16_t)(low + at), true))
			return (uint16_t)(low + at);
		if (i < SCATTERED) /* scattered while there is hope; then one after another, so that the last free one is found */
			at = net_random_below(net, n);
	}
	return 0;
}

int udp_get_port(struct sock *sk, uint16_t port)
{
	struct netns_udp *un = sk->sk_net->udp;
	struct inet_sock *inet = inet_sk(sk);

	if (!port)
		port = choose_port(sk);
	else if (port_in_use(sk, port, false))
		port = 0;
	if (!port)
		return -EADDRINUSE;
	inet->inet_num = port;
	hlist_add_head(&sk->sk_node, &un->port[port_bucket(port)]);
	hlist_add_head(&sk->sk_bind_node, addr_bucket(sk->sk_net, inet->inet_rcv_saddr.ip, port));
	if (sock_flag(sk, SOCK_F_ACCEPT_ANY))
		hlist_add_head(&udp_sk(sk)->any_node, &un->any);
	return 0;
}

void udp_unhash(struct sock *sk)
{
	hlist_del_init(&sk->sk_node);
	hlist_del_init(&sk->sk_bind_node);
	hlist_del_init(&udp_sk(sk)->any_node);
	inet_sk(sk)->inet_num = 0;
}

void udp_rehash(struct sock *sk)
{
	if (hlist_unhashed(&sk->sk_bind_node))
		return;
	hlist_del_init(&sk->sk_bind_node);
	hlist_add_head(&sk->sk_bind_node, addr_bucket(sk->sk_net, inet_sk(sk)->inet_rcv_saddr.ip, inet_sk(sk)->inet_num));
}

/* --- look-up --------------------------------------------------------------------------------------------------------------- */

struct udp_key {
	be32 saddr, daddr;
	be16 sport;
	uint16_t hnum;
	int dif;
};

/* How well sk fits; < 0: not at all. */
static int score(const struct sock *sk, const struct udp_key *k, be32 rcv_saddr)
{
	const struct inet_sock *inet = inet_sk(sk);

	if (inet->inet_num != k->hnum || inet->inet_rcv_saddr.ip != rcv_saddr || sock_flag(sk, SOCK_F_V6ONLY))
		return -1;
	int s = sk->sk_family == AF_INET ? 2 : 1;
	if (inet->inet_daddr.ip) {
		if (inet->inet_daddr.ip != k->saddr)
			return -1;
		s += 4;
	}
	if (inet->inet_dport) {
		if (inet->inet_dport != k->sport)
			return -1;
		s += 4;
	}
	if (sk->sk_bound_dev_if) {
		if (sk->sk_bound_dev_if != k->dif)
			return -1;
		s += 4;
	}
	return s;
}

/* Of the `many` socks with the best score the one that the flow's hash names. */
static struct sock *choose_reuseport(struct net *net, struct hlist_head *bucket, const struct udp_key *k, be32 addr, int best, unsigned many)
{
	uint32_t ports = (uint32_t)be16_to_cpu(k->sport) << 16 | k->hnum;
	unsigned n = reciprocal_scale(jhash_3words((uint32_t)k->saddr, (uint32_t)k->daddr, ports, (uint32_t)net->hash_key.key[1]), many);
	struct sock *sk;

	hlist_for_each_entry(sk, bucket, sk_bind_node)
		if (score(sk, k, addr) == best && sk->sk_reuseport && n-- == 0)
			return sk;
	return NULL;
}

static struct sock *lookup_bucket(struct net *net, const struct udp_key *k, be32 addr)
{
	struct hlist_head *bucket = addr_bucket(net, addr, k->hnum);
	struct sock *sk, *found = NULL;
	unsigned sharing = 0;
	int best = 0;

	hlist_for_each_entry(sk, bucket, sk_bind_node) {
		int s = score(sk, k, addr);

		if (s > best) {
			best = s;
			found = sk;
			sharing = 0;
		}
		if (s == best)
			sharing += sk->sk_reuseport;
	}
	if (sharing > 1 && found->sk_reuseport && found->sk_state != TCP_ESTABLISHED)
		return choose_reuseport(net, bucket, k, addr, best, sharing);
	return found;
}

/* Who takes every destination: what comes in by a device, not what goes round by loopback. */
static struct sock *lookup_any(struct net *net, const struct udp_key *k)
{
	const struct net_device *dev = dev_get_by_index(net, k->dif);
	struct udp_sock *up;

	if (!dev || dev->loopback)
		return NULL;
	hlist_for_each_entry(up, &net->udp->any, any_node) {
		struct sock *sk = &up->inet.sk;

		if (sk->sk_state != TCP_ESTABLISHED && (!sk->sk_bound_dev_if || sk->sk_bound_dev_if == k->dif))
			return sk;
	}
	return NULL;
}

struct sock *udp4_lookup(struct net *net, be32 saddr, be16 sport, be32 daddr, uint16_t hnum, int dif)
{
	const struct udp_key k = {.saddr = saddr, .daddr = daddr, .sport = sport, .hnum = hnum, .dif = dif};
	struct sock *sk = lookup_bucket(net, &k, daddr);

	if (!sk)
		sk = lookup_bucket(net, &k, 0);
	if (!sk && unlikely(!hlist_empty(&net->udp->any)))
		sk = lookup_any(net, &k);
	return sk;
}

struct sock *udp4_mcast_next(struct net *net, struct sock *from, be32 saddr, be16 sport, be32 daddr, uint16_t hnum, int dif)
{
	struct hlist_node *node = from ? from->sk_node.next : net->udp->port[port_bucket(hnum)].first;

	for (; node; node = node->next) {
		struct sock *sk = container_of(node, struct sock, sk_node);
		const struct inet_sock *inet = inet_sk(sk);

		if (inet->inet_num != hnum || sock_flag(sk, SOCK_F_V6ONLY))
			continue;
		if ((inet->inet_daddr.ip && inet->inet_daddr.ip != saddr) || (inet->inet_dport && inet->inet_dport != sport))
			continue;
		if ((inet->inet_rcv_saddr.ip && inet->inet_rcv_saddr.ip != daddr) || (sk->sk_bound_dev_if && sk->sk_bound_dev_if != dif))
			continue;
		if (ip_mc_sf_allow(sk, daddr, saddr, dif))
			return sk;
	}
	return NULL;
}
