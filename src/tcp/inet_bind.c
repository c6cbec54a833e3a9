/* SPDX-License-Identifier: MIT */
/*
 * inet_bind.c - local ports (S2): who may bind to which, and which one is chosen when nobody says.
 *
 * A port in use is one inet_bind_bucket, whoever uses it; its owners (socks and TIME_WAIT entries) are chained through
 * sk_bind_node.  bind() asks inet_csk_get_port(); connect() without bind() takes any port whose 4-tuple is free, so that one
 * local port serves many destinations.  So that both find ports fast, each prefers its own parity: bind() odd offsets into
 * the range, connect() even ones.  connect() walks by the double-hash of RFC 6056 3.3.4 (a keyed hash of the destination says where to
 * start, a perturbed table how far it has come); bind() starts anywhere.
 */
#include "tcp/tcp_conn.h"

#define ODD_FIRST_NS (64 * NSEC_PER_MSEC)

/* --- buckets --------------------------------------------------------------------------------------------------------- */

struct inet_bind_bucket *inet_bind_bucket_find(struct net *net, uint16_t port)
{
	const struct inet_table *b = &net->tcp->hashinfo->bhash;
	struct inet_bind_bucket *tb;

	hlist_for_each_entry(tb, &b->buckets[port & (b->size - 1)], node)
		if (tb->port == port)
			return tb;
	return NULL;
}

static struct inet_bind_bucket *bucket_create(struct net *net, uint16_t port)
{
	struct inet_bind_bucket *tb = kmem_cache_zalloc(net->tcp->bind_cache, MEM_NORMAL);

	if (!tb)
		return NULL;
	tb->port = port;
	inet_table_insert(net, &net->tcp->hashinfo->bhash, &tb->node, port);
	return tb;
}

struct inet_bind_bucket *inet_bind_bucket_get(struct net *net, uint16_t port)
{
	struct inet_bind_bucket *tb = inet_bind_bucket_find(net, port);

	return tb ? tb : bucket_create(net, port);
}

void inet_bind_hash(struct sock *sk, struct inet_bind_bucket *tb)
{
	inet_sk(sk)->inet_num = tb->port;
	hlist_add_head(&sk->sk_bind_node, &tb->owners);
	inet_csk(sk)->icsk_bind_hash = tb;
}

void inet_bind_unlink(struct net *net, struct inet_bind_bucket *tb, struct hlist_node *bind_node)
{
	hlist_del_init(bind_node);
	if (hlist_empty(&tb->owners)) {
		inet_table_remove(&net->tcp->hashinfo->bhash, &tb->node);
		kmem_cache_free(net->tcp->bind_cache, tb);
	}
}

void inet_put_port(struct sock *sk)
{
	struct inet_bind_bucket *tb = inet_csk(sk)->icsk_bind_hash;

	if (!tb)
		return;
	inet_bind_unlink(sk->sk_net, tb, &sk->sk_bind_node);
	inet_csk(sk)->icsk_bind_hash = NULL;
	inet_sk(sk)->inet_num = 0;
}

int inet_inherit_port(const struct sock *parent, struct sock *child)
{
	struct inet_bind_bucket *tb = inet_csk(parent)->icsk_bind_hash;

	if (!tb || tb->port != inet_sk(child)->inet_num)
		tb = inet_bind_bucket_get(child->sk_net, inet_sk(child)->inet_num);
	if (!tb)
		return -ENOMEM;
	inet_bind_hash(child, tb);
	return 0;
}

/* --- conflicts --------------------------------------------------------------------------------------------------------- */

/* What counts of an owner, be it a sock or a TIME_WAIT entry. */
struct bind_view {
	union inet_addr rcv_saddr;
	int dev;
	uint8_t state;
	bool reuse, reuseport, v6, v6only;
};

static struct bind_view bind_view(const struct sock *sk)
{
	if (sk->sk_state == TCP_TIME_WAIT) {
		const struct tcp_timewait_sock *tw = tcp_twsk(sk);
		return (struct bind_view){.rcv_saddr = inet_addr_v4(tw->rcv_saddr), .dev = tw->bound_dev_if, .state = TCP_TIME_WAIT,
					  .reuse = tw->reuse, .reuseport = tw->reuseport, .v6 = tw->family == AF_INET6};
	}
	return (struct bind_view){.rcv_saddr = inet_sk(sk)->inet_rcv_saddr, .dev = sk->sk_bound_dev_if, .state = sk->sk_state,
				  .reuse = sk->sk_reuse, .reuseport = sk->sk_reuseport, .v6 = sk->sk_family == AF_INET6,
				  .v6only = sock_flag(sk, SOCK_F_V6ONLY)};
}

static bool addrs_overlap(const struct bind_view *a, const struct bind_view *b)
{
	if ((a->v6only && !b->v6) || (b->v6only && !a->v6))
		return false;
	return inet_addr_any(&a->rcv_saddr) || inet_addr_any(&b->rcv_saddr) || inet_addr_equal(&a->rcv_saddr, &b->rcv_saddr);
}

/*
 * explicit_port: the user named the port; only then does sharing by SO_REUSEADDR or SO_REUSEPORT count: a port that is
 * chosen for the user is not one that somebody else has.
 */
static bool bind_conflict(const struct sock *sk, const struct inet_bind_bucket *tb, bool explicit_port)
{
	const struct bind_view a = bind_view(sk);
	struct sock *sk2;

	hlist_for_each_entry(sk2, &tb->owners, sk_bind_node) {
		if (sk2 == sk)
			continue;
		const struct bind_view b = bind_view(sk2);
		if (a.dev && b.dev && a.dev != b.dev)
			continue;
		if (!addrs_overlap(&a, &b))
			continue;
		if (!explicit_port)
			return true;
		if (a.reuse && b.reuse && b.state != TCP_LISTEN)
			continue;
		if (!(a.reuseport && b.reuseport))
			return true;
	}
	return false;
}

/* --- bind() -------------------------------------------------------------------------------------------------------------- */

struct port_range {
	uint32_t low, count; /* count: even if more than one port is there */
};

static struct port_range local_port_range(const struct net *net)
{
	uint32_t low = (uint32_t)net->ipv4->sysctl_ip_local_port_range[0];
	uint32_t count = (uint32_t)net->ipv4->sysctl_ip_local_port_range[1] - low + 1;

	return (struct port_range){low, count > 1 ? count & ~1u : count};
}

/* A port of the range with this parity of offset that nobody owns or all owners of which are elsewhere; 0: none. */
static uint16_t find_port_from(struct sock *sk, struct port_range r, uint32_t offset)
{
	for (uint32_t i = 0; i < r.count; i += 2, offset += 2) {
		uint16_t port = (uint16_t)(r.low + offset % r.count);
		struct inet_bind_bucket *tb = inet_bind_bucket_find(sk->sk_net, port);
		if (!tb || !bind_conflict(sk, tb, false))
			return port;
	}
	return 0;
}

static uint16_t find_port_in(struct sock *sk, struct port_range r)
{
	uint32_t offset = net_random_below(sk->sk_net, r.count);
	uint16_t port = find_port_from(sk, r, r.count > 1 ? offset | 1u : 0);

	return port || r.count == 1 ? port : find_port_from(sk, r, offset & ~1u);
}

static uint16_t find_open_port(struct sock *sk)
{
	struct port_range all = local_port_range(sk->sk_net), half = all;
	uint16_t port;

	/* With SO_REUSEADDR the lower half first: the upper is left to connections that want a port to themselves. */
	if (!sk->sk_reuse || all.count < 4)
		return find_port_in(sk, all);
	half.count = (all.count / 4) * 2;
	port = find_port_in(sk, half);
	if (port)
		return port;
	all.low += half.count;
	all.count -= half.count;
	return find_port_in(sk, all);
}

/* Linux remembers that a port is shared by SO_REUSEPORT, whatever its owners did with the option since. */
static bool joins_reuseport(const struct sock *sk, const struct inet_bind_bucket *tb)
{
	return tb->reuseport && sk->sk_reuseport && tb->reuseport_family == sk->sk_family &&
	       (!tb->reuseport_addr || tb->reuseport_addr == inet_sk(sk)->inet_rcv_saddr.ip);
}

static void note_bound(struct inet_bind_bucket *tb, const struct sock *sk, bool fresh)
{
	tb->bound = true;
	if (!sk->sk_reuseport)
		tb->reuseport = false;
	if (!sk->sk_reuseport || !fresh)
		return;
	tb->reuseport = true;
	tb->reuseport_family = sk->sk_family;
	tb->reuseport_addr = inet_sk(sk)->inet_rcv_saddr.ip;
}

int inet_csk_get_port(struct sock *sk, uint16_t snum)
{
	bool chosen = !snum, fresh;
	struct inet_bind_bucket *tb;

	if (chosen) {
		snum = find_open_port(sk);
		if (!snum)
			return -EADDRINUSE;
	}
	tb = inet_bind_bucket_find(sk->sk_net, snum);
	fresh = !tb;
	if (fresh) {
		tb = bucket_create(sk->sk_net, snum);
		if (!tb)
			return -ENOMEM;
	} else if (!chosen && !joins_reuseport(sk, tb) && bind_conflict(sk, tb, true)) {
		return -EADDRINUSE;
	}
	note_bound(tb, sk, fresh);
	if (!inet_csk(sk)->icsk_bind_hash)
		inet_bind_hash(sk, tb);
	return 0;
}

/* --- connect() ----------------------------------------------------------------------------------------------------------- */

int inet_check_established(struct sock *sk, uint16_t port, bool bound, uint32_t *hash, struct tcp_timewait_sock **tw)
{
	const struct inet_sock *inet = inet_sk(sk);
	const struct inet_tuple t = {.laddr = inet->inet_rcv_saddr.ip, .raddr = inet->inet_daddr.ip, .lport = port, .rport = inet->inet_dport};
	struct sock *other;

	*tw = NULL;
	*hash = inet_ehashfn(sk->sk_net, t.laddr, port, t.raddr, t.rport);
	other = inet_ehash_find(sk->sk_net, &t, *hash, sk->sk_bound_dev_if, sk);
	if (!other)
		return 0;
	if (other->sk_state != TCP_TIME_WAIT || !tcp_twsk_unique(sk, tcp_twsk(other), bound))
		return -EADDRNOTAVAIL;
	*tw = tcp_twsk(other);
	return 0;
}

int inet_hash_established(struct sock *sk, uint16_t port, bool bound)
{
	struct tcp_timewait_sock *tw;
	uint32_t hash;
	int err = inet_check_established(sk, port, bound, &hash, &tw);

	if (err)
		return err;
	inet_sk(sk)->inet_num = port;
	inet_sk(sk)->inet_sport = cpu_to_be16(port);
	sk->sk_hash = hash;
	inet_ehash_insert(sk->sk_net, &sk->sk_node, hash);
	if (tw) {
		NET_INC_STATS(sk->sk_net, TWRecycled);
		inet_twsk_kill(tw);
	}
	return 0;
}

/* Takes port if this connection may have it: 0, -EADDRNOTAVAIL (try another) or -ENOMEM. */
static int try_connect_port(struct sock *sk, uint16_t port)
{
	struct net *net = sk->sk_net;
	struct inet_bind_bucket *tb = inet_bind_bucket_find(net, port);
	int err;

	if (tb && tb->bound)
		return -EADDRNOTAVAIL; /* somebody bound to it */
	if (!tb)
		tb = bucket_create(net, port);
	if (!tb)
		return -ENOMEM;
	/* First an owner, so that the bucket outlives a TIME_WAIT entry that gives way. */
	inet_bind_hash(sk, tb);
	err = inet_hash_established(sk, port, false);
	if (err)
		inet_put_port(sk);
	return err;
}

/* The first free port of the offsets start, start + 2, ... around the range: 0, -EADDRNOTAVAIL (none is free) or -ENOMEM. */
static int connect_from(struct sock *sk, struct port_range r, uint32_t start, uint32_t *perturb)
{
	for (uint32_t i = 0; i < r.count; i += 2) {
		int err = try_connect_port(sk, (uint16_t)(r.low + (start + i) % r.count));
		if (err == -EADDRNOTAVAIL)
			continue;
		/* A random step more hides how many connections were made between two of the observer's own. */
		if (!err)
			*perturb += MAX(i, net_random_below(sk->sk_net, 8) * 2) + 2;
		return err;
	}
	return -EADDRNOTAVAIL;
}

/*
 * A client that ends its connections itself fills its even ports with TIME_WAIT; to learn that they are all taken costs thousands of
 * lookups.  So for a moment it is remembered, and the odd ones are tried first.
 */
int inet_hash_connect(struct net *net, struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);
	struct inet_hashinfo *h = net->tcp->hashinfo;
	struct port_range r = local_port_range(net);
	unsigned slot;
	uint32_t even, odd_first;
	uint64_t start;
	int err;

	if (inet_csk(sk)->icsk_bind_hash)
		return inet_hash_established(sk, inet->inet_num, true);

	start = secure_ipv4_port_ephemeral(net, inet->inet_rcv_saddr.ip, inet->inet_daddr.ip, inet->inet_dport);
	slot = start & (INET_TABLE_PERTURB - 1);
	even = (uint32_t)((h->table_perturb[slot] + (start >> 32)) % r.count) & ~1u;
	if (r.count == 1)
		return connect_from(sk, r, 0, &h->table_perturb[slot]);
	odd_first = net->now_ns < h->odd_first_until_ns[slot];
	err = connect_from(sk, r, even + odd_first, &h->table_perturb[slot]);
	if (err != -EADDRNOTAVAIL)
		return err;
	if (!odd_first)
		h->odd_first_until_ns[slot] = net->now_ns + ODD_FIRST_NS;
	return connect_from(sk, r, even + !odd_first, &h->table_perturb[slot]);
}
