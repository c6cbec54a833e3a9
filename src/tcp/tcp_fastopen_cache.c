/* SPDX-License-Identifier: MIT */
/*
 * tcp_fastopen_cache.c - what a Fast Open client remembers (RFC 7413 4.1.3): of each server its cookie and MSS, and of the path to all of
 * them whether it swallows such SYNs.
 *
 * The cache is a table of fixed size, looked up by a keyed hash of both addresses, with FASTOPEN_CACHE_WAYS places for each hash; a
 * new server takes the place of the one not heard of for longest.  It is made with the first entry.
 *
 * A middlebox that drops SYNs with data, or what follows them, makes a black hole.  When one shows (nothing comes back for a
 * SYN with the option twice, or of the answer only a FIN or RST out of order), Fast Open is switched off for all connections for
 * net.ipv4.tcp_fastopen_blackhole_timeout_sec, each time twice as long, up to 64 times; 0 turns this off.
 */
#include "tcp/tcp_fastopen_state.h"
#include "dev/netdevice.h"
#include "tcp/tcp_input.h"

enum { BLACKHOLE_DOUBLINGS = 6 };

/* --- servers ---------------------------------------------------------------------------------------------------------------- */

static struct fastopen_server *places_of(struct net *net, be32 saddr, be32 daddr)
{
	const be32 key[2] = {saddr, daddr};
	unsigned sets = FASTOPEN_CACHE_SIZE / FASTOPEN_CACHE_WAYS;

	return net->tcp->fastopen->cache + hsiphash(key, sizeof(key), &net->hash_key) % sets * FASTOPEN_CACHE_WAYS;
}

static struct fastopen_server *find(struct sock *sk, bool make)
{
	struct net *net = sock_net(sk);
	struct tcp_fastopen_state *st = net->tcp->fastopen;
	be32 saddr = inet_sk(sk)->inet_saddr.ip, daddr = inet_sk(sk)->inet_daddr.ip;
	struct fastopen_server *place, *oldest;

	if (!st->cache && make)
		st->cache = net_zalloc(net, FASTOPEN_CACHE_SIZE * sizeof(*st->cache), MEM_NORMAL);
	if (!st->cache)
		return NULL;
	place = oldest = places_of(net, saddr, daddr);
	for (unsigned i = 0; i < FASTOPEN_CACHE_WAYS; i++) {
		if (place[i].used_ns && place[i].saddr == saddr && place[i].daddr == daddr)
			return &place[i];
		if (place[i].used_ns < oldest->used_ns)
			oldest = &place[i];
	}
	if (!make)
		return NULL;
	*oldest = (struct fastopen_server){.saddr = saddr, .daddr = daddr};
	return oldest;
}

/* False: nothing is known; *mss is left alone where it is not. */
bool tcp_fastopen_cache_get(struct sock *sk, uint16_t *mss, struct tcp_fastopen_cookie *foc)
{
	const struct fastopen_server *s = find(sk, false);

	if (!s)
		return false;
	if (s->mss)
		*mss = s->mss;
	*foc = s->cookie;
	if (foc->len <= 0 && s->try_exp == 1)
		foc->exp = true;
	return true;
}

void tcp_fastopen_cache_set(struct sock *sk, uint16_t mss, const struct tcp_fastopen_cookie *foc, bool syn_lost, uint8_t try_exp)
{
	struct fastopen_server *s = find(sk, true);

	if (!s)
		return;
	s->used_ns = MAX(sock_net(sk)->now_ns, UINT64_C(1));
	if (mss)
		s->mss = mss;
	if (foc->len > 0)
		s->cookie = *foc;
	else if (try_exp > s->try_exp && s->cookie.len <= 0 && !s->cookie.exp)
		s->try_exp = try_exp;
	if (!syn_lost)
		s->syn_loss = 0;
	else if (s->syn_loss < UINT8_MAX)
		s->syn_loss++;
}

void tcp_fastopen_cache_flush(struct net *net)
{
	net_free(net, net->tcp->fastopen->cache);
	net->tcp->fastopen->cache = NULL;
}

/* --- the black hole ------------------------------------------------------------------------------------------------------------- */

static uint64_t blackhole_timeout_ns(const struct net *net)
{
	return (uint64_t)net->tcp->sysctl_tcp_fastopen_blackhole_timeout_sec * NSEC_PER_SEC;
}

void tcp_fastopen_active_disable(struct sock *sk)
{
	struct net *net = sock_net(sk);
	struct tcp_fastopen_state *st = net->tcp->fastopen;

	if (!blackhole_timeout_ns(net))
		return;
	st->blackhole_ns = net->now_ns;
	if (st->blackhole_times < UINT32_MAX)
		st->blackhole_times++;
	NET_INC_STATS(net, TCPFastOpenBlackhole);
}

/* Is Fast Open switched off now?  The first connection after the time is up finds out whether the hole is still there. */
bool tcp_fastopen_active_should_disable(struct sock *sk)
{
	struct net *net = sock_net(sk);
	const struct tcp_fastopen_state *st = net->tcp->fastopen;

	if (!blackhole_timeout_ns(net) || !st->blackhole_times)
		return false;
	if (net->now_ns < st->blackhole_ns + (blackhole_timeout_ns(net) << MIN(st->blackhole_times - 1, (uint32_t)BLACKHOLE_DOUBLINGS)))
		return true;
	tcp_sk(sk)->syn_fastopen_ch = 1;
	return false;
}

/* The connection ends.  All that came of the answer is its end, out of order: its beginning is lost somewhere.  Data that came is proof that
 * there is no hole (a loopback proves nothing). */
void tcp_fastopen_active_disable_ofo_check(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct dst_entry *dst = __sk_dst_get(sk);

	if (likely(!tp->syn_fastopen))
		return;
	if (!tp->data_segs_in) {
		struct rb_node *first = tcp_ofo_empty(sk) ? NULL : rb_first(tcp_ofo(sk));
		if (first && !rb_next(first) && (TCP_SKB_CB(rb_to_skb(first))->tcp_flags & TCPHDR_FIN))
			tcp_fastopen_active_disable(sk);
	} else if (tp->syn_fastopen_ch && sock_net(sk)->tcp->fastopen->blackhole_times && dst && !(dst->dev->flags & IFF_LOOPBACK_)) {
		sock_net(sk)->tcp->fastopen->blackhole_times = 0;
	}
}

/* A SYN timed out: for good, or for the second time. */
void tcp_fastopen_active_detect_blackhole(struct sock *sk, bool expired)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	unsigned timeouts = inet_csk(sk)->icsk_retransmits;

	if ((tp->syn_fastopen || tp->syn_data) && (timeouts == 2 || (timeouts < 2 && expired)))
		tcp_fastopen_active_disable(sk);
}
