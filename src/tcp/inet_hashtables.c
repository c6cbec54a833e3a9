/* SPDX-License-Identifier: MIT */
/*
 * inet_hashtables.c - which connection or listener a segment is for (T12).
 *
 * One table holds every connection by its 4-tuple, whatever it is made of: a sock, a request (SYN_RECV) or a TIME_WAIT entry; all
 * three begin alike, so that a chain is walked through struct sock.  The table doubles when there is an entry a bucket; when
 * there is no memory for that, it stays and its chains grow.  Listeners lie in a small table by port; those that take every
 * destination in a list of their own.  A sock's place can be told from its sk_hash: listeners have INET_HASH_LISTENER set.
 *
 * Tables hold no reference of what is in them: a sock leaves them in tcp_set_state(TCP_CLOSE), before it can die.  Hashes are
 * keyed (SipHash), since the remote side chooses half of the tuple.
 *
 * Called by tcp_ipv4.c for every segment.  Ports are inet_bind.c's.
 */
#include "tcp/tcp_conn.h"

/* --- the table ----------------------------------------------------------------------------------------------------- */

static int table_init(struct net *net, struct inet_table *t, uint32_t (*hash_of)(const struct hlist_node *n))
{
	t->buckets = net_alloc_table(net, INET_TABLE_MIN * sizeof(*t->buckets));
	if (!t->buckets)
		return -ENOMEM;
	t->size = INET_TABLE_MIN;
	t->hash_of = hash_of;
	return 0;
}

static void table_exit(struct net *net, struct inet_table *t)
{
	ASSERT(!t->count);
	net_free_table(net, t->buckets, t->size * sizeof(*t->buckets));
}

static void table_grow(struct net *net, struct inet_table *t)
{
	uint32_t size = t->size * 2;
	struct hlist_head *buckets;

	if (!size)
		return;
	buckets = net_alloc_table(net, (size_t)size * sizeof(*buckets));
	if (!buckets)
		return;
	for (uint32_t i = 0; i < t->size; i++) {
		struct hlist_node *n;
		while ((n = t->buckets[i].first)) {
			hlist_del_init(n);
			hlist_add_head(n, &buckets[t->hash_of(n) & (size - 1)]);
		}
	}
	net_free_table(net, t->buckets, t->size * sizeof(*t->buckets));
	t->buckets = buckets;
	t->size = size;
}

void inet_table_insert(struct net *net, struct inet_table *t, struct hlist_node *n, uint32_t hash)
{
	if (unlikely(t->count >= t->size))
		table_grow(net, t);
	hlist_add_head(n, &t->buckets[hash & (t->size - 1)]);
	t->count++;
}

void inet_table_remove(struct inet_table *t, struct hlist_node *n)
{
	if (hlist_unhashed(n))
		return;
	hlist_del_init(n);
	t->count--;
}

/* --- connections ----------------------------------------------------------------------------------------------------- */

/* A cheap hash under a secret of the instance, as Linux's: it runs for every segment received. */
uint32_t inet_ehashfn(const struct net *net, be32 laddr, uint16_t lport, be32 raddr, be16 rport)
{
	uint64_t key = net->hash_key.key[1];

	return jhash_3words((uint32_t)laddr ^ (uint32_t)(key >> 32), (uint32_t)raddr, (uint32_t)lport << 16 | (uint16_t)rport, (uint32_t)key) & ~INET_HASH_LISTENER;
}

static uint32_t ehash_of(const struct hlist_node *n) { return container_of(n, struct sock, sk_node)->sk_hash; }

static inline bool dev_matches(int bound, int dif) { return !bound || !dif || bound == dif; }

static bool ehash_matches(const struct sock *sk, const struct inet_tuple *t, int dif)
{
	if (sk->sk_state == TCP_TIME_WAIT) {
		const struct tcp_timewait_sock *tw = tcp_twsk(sk);
		return tw->num == t->lport && tw->dport == t->rport && tw->rcv_saddr == t->laddr && tw->daddr == t->raddr &&
		       dev_matches(tw->bound_dev_if, dif);
	}
	if (sk->sk_state == TCP_NEW_SYN_RECV) {
		const struct request_sock *req = inet_reqsk(sk);
		return req->num == t->lport && req->rmt_port == t->rport && req->loc_addr == t->laddr && req->rmt_addr == t->raddr &&
		       dev_matches(req->listener->sk_bound_dev_if, dif);
	}
	const struct inet_sock *inet = inet_sk(sk);
	return inet->inet_num == t->lport && inet->inet_dport == t->rport && inet->inet_rcv_saddr.ip == t->laddr &&
	       inet->inet_daddr.ip == t->raddr && dev_matches(sk->sk_bound_dev_if, dif);
}

struct sock *inet_ehash_find(struct net *net, const struct inet_tuple *t, uint32_t hash, int dif, const struct sock *self)
{
	const struct inet_table *e = &net->tcp->hashinfo->ehash;
	struct hlist_node *n;

	for (n = e->buckets[hash & (e->size - 1)].first; n; n = n->next) {
		struct sock *sk = container_of(n, struct sock, sk_node);
		if (sk->sk_hash == hash && sk != self && ehash_matches(sk, t, dif))
			return sk;
	}
	return NULL;
}

void inet_ehash_insert(struct net *net, struct hlist_node *n, uint32_t hash)
{
	inet_table_insert(net, &net->tcp->hashinfo->ehash, n, hash);
}

void inet_ehash_remove(struct net *net, struct hlist_node *n) { inet_table_remove(&net->tcp->hashinfo->ehash, n); }

struct sock *inet_lookup_established(struct net *net, be32 saddr, be16 sport, be32 daddr, uint16_t hnum, int dif)
{
	const struct inet_tuple t = {.laddr = daddr, .raddr = saddr, .lport = hnum, .rport = sport};

	return inet_ehash_find(net, &t, inet_ehashfn(net, daddr, hnum, saddr, sport), dif, NULL);
}

/* --- listeners ------------------------------------------------------------------------------------------------------- */

static struct hlist_head *listener_bucket(struct net *net, uint16_t port)
{
	return &net->tcp->hashinfo->lhash[port & (INET_LHASH_SIZE - 1)];
}

/* How well a listener fits: a bound address counts more than a bound device, that more than the family; -1: not at all. */
static int listener_score(const struct sock *sk, be32 daddr, uint16_t hnum, int dif)
{
	const struct inet_sock *inet = inet_sk(sk);
	int score = 1;

	if (inet->inet_num != hnum || sock_flag(sk, SOCK_F_V6ONLY))
		return -1;
	if (!inet_addr_any(&inet->inet_rcv_saddr)) {
		union inet_addr local = inet_addr_v4(daddr);
		if (!inet_addr_equal(&inet->inet_rcv_saddr, &local))
			return -1;
		score += 8;
	}
	if (sk->sk_bound_dev_if) {
		if (sk->sk_bound_dev_if != dif)
			return -1;
		score += 4;
	}
	return score + (sk->sk_family == AF_INET ? 2 : 0);
}

/* The n-th of the listeners with this score that share the port by SO_REUSEPORT. */
static struct sock *reuseport_nth(struct hlist_head *head, be32 daddr, uint16_t hnum, int dif, int score, uint32_t n)
{
	struct sock *sk;

	hlist_for_each_entry(sk, head, sk_node)
		if (sk->sk_reuseport && listener_score(sk, daddr, hnum, dif) == score && !n--)
			return sk;
	return NULL;
}

static struct sock *lookup_accept_any(struct net *net, int dif)
{
	struct sock *sk, *wild = NULL;

	hlist_for_each_entry(sk, &net->tcp->hashinfo->accept_any, sk_node) {
		if (sk->sk_bound_dev_if == dif)
			return sk;
		if (!sk->sk_bound_dev_if && !wild)
			wild = sk;
	}
	return wild;
}

struct sock *inet_lookup_listener(struct net *net, be32 saddr, be16 sport, be32 daddr, uint16_t hnum, int dif)
{
	struct hlist_head *head = listener_bucket(net, hnum);
	struct sock *sk, *best = NULL;
	int best_score = 0;
	uint32_t group = 0;

	hlist_for_each_entry(sk, head, sk_node) {
		int score = listener_score(sk, daddr, hnum, dif);
		if (score > best_score) {
			best = sk;
			best_score = score;
			group = sk->sk_reuseport;
		} else if (score == best_score && sk->sk_reuseport) {
			group++;
		}
	}
	if (!best)
		return lookup_accept_any(net, dif);
	if (!best->sk_reuseport || group < 2)
		return best;
	/* Bits above those that choose the connection's bucket, so that the share of a listener is even. */
	uint32_t hash = inet_ehashfn(net, daddr, hnum, saddr, sport) << 1;
	return reuseport_nth(head, daddr, hnum, dif, best_score, reciprocal_scale(hash, group));
}

struct sock *inet_lookup(struct net *net, be32 saddr, be16 sport, be32 daddr, uint16_t hnum, int dif)
{
	struct sock *sk = inet_lookup_established(net, saddr, sport, daddr, hnum, dif);

	return likely(sk) ? sk : inet_lookup_listener(net, saddr, sport, daddr, hnum, dif);
}

/* --- in and out -------------------------------------------------------------------------------------------------------- */

int inet_hash(struct sock *sk)
{
	if (sk->sk_state == TCP_CLOSE)
		return 0;
	if (sk->sk_state != TCP_LISTEN)
		return inet_hash_established(sk, inet_sk(sk)->inet_num, true);

	struct net *net = sk->sk_net;
	sk->sk_hash = INET_HASH_LISTENER | inet_sk(sk)->inet_num;
	if (sock_flag(sk, SOCK_F_ACCEPT_ANY))
		hlist_add_head(&sk->sk_node, &net->tcp->hashinfo->accept_any);
	else
		hlist_add_head(&sk->sk_node, listener_bucket(net, inet_sk(sk)->inet_num));
	return 0;
}

void inet_unhash(struct sock *sk)
{
	if (sk->sk_hash & INET_HASH_LISTENER)
		hlist_del_init(&sk->sk_node);
	else
		inet_ehash_remove(sk->sk_net, &sk->sk_node);
}

/* --- per instance -------------------------------------------------------------------------------------------------------- */

static uint32_t bhash_of(const struct hlist_node *n) { return container_of(n, struct inet_bind_bucket, node)->port; }

int inet_hashinfo_init(struct net *net)
{
	struct inet_hashinfo *h = net_zalloc(net, sizeof(*h), MEM_NORMAL);
	int err;

	if (!h)
		return -ENOMEM;
	err = table_init(net, &h->ehash, ehash_of);
	if (err)
		goto free_info;
	err = table_init(net, &h->bhash, bhash_of);
	if (err)
		goto free_ehash;
	net->env.random(net->env.ctx, h->table_perturb, sizeof(h->table_perturb));
	net->tcp->hashinfo = h;
	return 0;

free_ehash:
	table_exit(net, &h->ehash);
free_info:
	net_free(net, h);
	return err;
}

/* What is left when the instance ends: nobody is told, nobody holds it any more. */
static void kill_sock(struct sock *sk)
{
	sock_hold(sk);
	sk->sk_socket = NULL;
	if (!sock_flag(sk, SOCK_F_DEAD)) {
		sock_set_flag(sk, SOCK_F_DEAD);
		sk->sk_net->tcp->orphan_count++;
	}
	if (sk->sk_state == TCP_LISTEN)
		inet_csk_listen_stop(sk);
	tcp_done(sk);
	inet_unhash(sk);
	sock_put(sk);
}

static void kill_listeners(struct hlist_head *head)
{
	while (head->first)
		kill_sock(container_of(head->first, struct sock, sk_node));
}

void inet_hashinfo_exit(struct net *net)
{
	struct inet_hashinfo *h = net->tcp->hashinfo;

	if (!h)
		return;
	for (unsigned i = 0; i < INET_LHASH_SIZE; i++)
		kill_listeners(&h->lhash[i]);
	kill_listeners(&h->accept_any);
	for (uint32_t i = 0; i < h->ehash.size; i++) {
		while (h->ehash.buckets[i].first) {
			struct sock *sk = container_of(h->ehash.buckets[i].first, struct sock, sk_node);
			if (sk->sk_state == TCP_TIME_WAIT)
				inet_twsk_kill(tcp_twsk(sk));
			else if (sk->sk_state == TCP_NEW_SYN_RECV)
				reqsk_put_unlink(inet_reqsk(sk));
			else
				kill_sock(sk);
		}
	}
	table_exit(net, &h->bhash);
	table_exit(net, &h->ehash);
	net_free(net, h);
	net->tcp->hashinfo = NULL;
}
