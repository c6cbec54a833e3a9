/* SPDX-License-Identifier: MIT */
/*
 * peer.c - what is remembered of remote hosts, and IP IDs by destination.
 *
 * Both are tables of fixed size indexed by a keyed hash, so that nobody can make them grow or aim at one place.  A peer that takes
 * another's place starts with a full token bucket and a new generation.
 * IDs (RFC 791, RFC 6864): a counter for each bucket of (source, destination, protocol) which, beside counting packets, advances by a
 * random step that grows with the time it lay idle: an observer cannot count our packets to others by it (RFC 7739).
 */
#include "ip/ip_internal.h"

enum { PEERS = 256, IDENTS = 1024 };

struct peer_state {
	uint32_t generation;
	struct inet_peer peer[PEERS];
};

struct ident_state {
	struct {
		uint32_t id, stamp_ms;
	} bucket[IDENTS];
};

struct inet_peer *inet_getpeer(struct net *net, be32 addr)
{
	struct peer_state *st = net->ipv4->priv->peers;
	struct inet_peer *p = &st->peer[hsiphash(&addr, sizeof(addr), &net->hash_key) % PEERS];

	if (p->addr != addr || !p->generation)
		*p = (struct inet_peer){.addr = addr, .generation = ++st->generation, .rate_tokens_ns = UINT64_MAX};
	return p;
}

int peers_init(struct net *net)
{
	struct peer_state *st = net_zalloc(net, sizeof(*st), MEM_NORMAL);

	net->ipv4->priv->peers = st;
	return st ? 0 : -ENOMEM;
}

void peers_exit(struct net *net)
{
	net_free(net, net->ipv4->priv->peers);
	net->ipv4->priv->peers = NULL;
}

static uint16_t reserve_ident(struct net *net, const struct iphdr *iph, unsigned segs)
{
	const uint32_t key[3] = {(uint32_t)iph->saddr, (uint32_t)iph->daddr, iph->protocol};
	const uint32_t now_ms = (uint32_t)(net->now_ns / NSEC_PER_MSEC);
	const uint32_t b = hsiphash(key, sizeof(key), &net->hash_key) % IDENTS;
	struct ident_state *st = net->ipv4->priv->ident;
	uint32_t idle_ms = now_ms - st->bucket[b].stamp_ms;

	if (idle_ms) {
		st->bucket[b].stamp_ms = now_ms;
		st->bucket[b].id += net_random_below(net, idle_ms);
	}
	uint16_t id = (uint16_t)st->bucket[b].id;
	st->bucket[b].id += segs;
	return id;
}

void ip_select_ident_segs(struct net *net, struct sk_buff *skb, struct sock *sk, unsigned segs)
{
	struct iphdr *iph = ip_hdr(skb);

	if (sk && inet_sk(sk)->inet_daddr.ip) {
		iph->id = cpu_to_be16(inet_sk(sk)->inet_id);
		inet_sk(sk)->inet_id = (uint16_t)(inet_sk(sk)->inet_id + segs);
	} else if ((iph->frag_off & CPU_TO_BE16(IP_DF)) && !skb->ignore_df) {
		iph->id = 0; /* RFC 6864: the ID of an atomic datagram means nothing */
	} else {
		iph->id = cpu_to_be16(reserve_ident(net, iph, segs));
	}
}

int ident_init(struct net *net)
{
	struct ident_state *st = net_zalloc(net, sizeof(*st), MEM_NORMAL);

	if (!st)
		return -ENOMEM;
	for (unsigned i = 0; i < IDENTS; i++)
		st->bucket[i].id = net_random_u32(net);
	net->ipv4->priv->ident = st;
	return 0;
}

void ident_exit(struct net *net)
{
	net_free(net, net->ipv4->priv->ident);
	net->ipv4->priv->ident = NULL;
}
