/* SPDX-License-Identifier: MIT */
/*
 * sock.c - life of a sock, its queues for datagrams and errors, waiting, the cached route.
 *
 * A sock is freed when two counts are gone: sk_refcnt (who knows it) and sk_wmem_alloc (its bytes below, plus one while sk_refcnt is
 * not zero).  Each size of sock has a slab cache, so that nothing is lost to rounding.
 *
 * Called by socket/, tcp/ and udp/; sk_wait() runs the instance through net->run_softirqs, which dev/ registered.
 */
#include "core/sock.h"
#include <errno.h>

enum { WAIT_BUDGET = 300, BUFFER_DEFAULT = 212992 };

/* --- life -------------------------------------------------------------------------------------------------- */

/* The cache for socks of this size, made if `make`; NULL: none, all places are taken by other sizes. */
static struct sock_cache *cache_of_size(struct net *net, size_t size, bool make)
{
	for (unsigned i = 0; i < MAX_SOCK_CACHES; i++) {
		struct sock_cache *c = &net->sock_caches[i];
		if (c->size == size)
			return c;
		if (c->size)
			continue;
		c->cache = make ? kmem_cache_create(net, "sock", size, 8) : NULL;
		if (!c->cache)
			return NULL;
		c->size = size;
		return c;
	}
	return NULL;
}

static struct sock *object_alloc(struct net *net, size_t size, enum mem_prio prio)
{
	struct sock_cache *c = cache_of_size(net, size, true);

	return c ? kmem_cache_alloc(c->cache, prio) : NULL;
}

static void object_free(struct net *net, size_t size, struct sock *sk)
{
	kmem_cache_free(cache_of_size(net, size, false)->cache, sk);
}

static void wake_nobody(struct sock *sk, unsigned poll_mask)
{
	(void)sk;
	(void)poll_mask;
}

struct sock *sk_alloc(struct net *net, const struct proto *prot, uint16_t family)
{
	struct sock *sk = object_alloc(net, prot->obj_size, MEM_NORMAL);
	struct proto_mem *pm;

	if (!sk)
		return NULL;
	memset(sk, 0, prot->obj_size);
	sk->sk_net = net;
	sk->sk_prot = prot;
	sk->sk_family = family;
	sk->sk_type = prot->type;
	sk->sk_protocol = prot->protocol;
	sk->sk_state = TCP_CLOSE;
	sk->sk_refcnt = 1;
	sk->sk_wmem_alloc = 1;
	sk->sk_rcvbuf = sk->sk_sndbuf = BUFFER_DEFAULT;
	sk->sk_rcvlowat = 1;
	sk->sk_pacing_rate = UINT64_MAX;
	sk->sk_pacing_shift = 10;
	sk->sk_wake = wake_nobody;
	sk->sk_cookie = ++net->cookie_next;
	skb_queue_head_init(&sk->sk_receive_queue);
	skb_queue_head_init(&sk->sk_write_queue);
	timer_init(&sk->sk_timer, NULL);
	pm = sk_proto_mem(sk);
	if (pm)
		pm->sockets++;
	return sk;
}

/* The options that a child takes over from its listener; not what belongs to one connection. */
static int clone_ext(struct sock *sk, const struct sock_ext *from)
{
	struct sock_ext *ext;
	int err;

	sk->sk_ext = NULL;
	if (!from)
		return 0;
	err = sk_ext_get(sk, &ext);
	if (err)
		return err;
	*ext = *from;
	skb_queue_head_init(&ext->error_queue);
	ext->inet_opt = NULL;
	ext->mc_list = NULL;
	ext->rx_timestamp_ns = 0;
	ext->rx_dropped = ext->tskey = 0;
	ext->zckey = ext->zc_charged = 0;
	return 0;
}

struct sock *sk_clone(const struct sock *from, enum mem_prio prio)
{
	struct net *net = from->sk_net;
	size_t size = from->sk_prot->obj_size;
	struct sock *sk = object_alloc(net, size, prio);
	struct proto_mem *pm;

	if (!sk)
		return NULL;
	memcpy(sk, from, size);
	if (clone_ext(sk, from->sk_ext) < 0) {
		object_free(net, size, sk);
		return NULL;
	}
	sk->sk_node = (struct hlist_node){NULL, NULL};
	sk->sk_bind_node = (struct hlist_node){NULL, NULL};
	skb_queue_head_init(&sk->sk_receive_queue);
	skb_queue_head_init(&sk->sk_write_queue);
	sk->tcp_rtx_queue = (struct rb_root){NULL};
	sk->sk_frag = (struct page_frag){.page = NULL};
	sk->sk_dst_cache = NULL;
	sk->sk_rmem_alloc = sk->sk_wmem_queued = 0;
	sk->sk_forward_alloc = 0;
	sk->sk_wmem_alloc = 1;
	sk->sk_refcnt = 2;
	sk->sk_err = sk->sk_err_soft = 0;
	sk->sk_ack_backlog = 0;
	sk->sk_tsq_flags = 0;
	sk->sk_socket = NULL;
	sk->sk_wake = wake_nobody;
	sk->sk_cookie = ++net->cookie_next;
	timer_init(&sk->sk_timer, from->sk_timer.fn);
	pm = sk_proto_mem(sk);
	if (pm)
		pm->sockets++;
	return sk;
}

static void sk_destroy(struct sock *sk)
{
	struct net *net = sk->sk_net;
	struct proto_mem *pm = sk_proto_mem(sk);

	if (sk->sk_prot->destroy)
		sk->sk_prot->destroy(sk);
	DEBUG_ASSERT(!timer_pending(&sk->sk_timer));
	skb_queue_purge(&sk->sk_receive_queue, SKB_DROP_REASON_SOCKET_CLOSE);
	skb_queue_purge(&sk->sk_write_queue, SKB_DROP_REASON_SOCKET_CLOSE);
	if (sk->sk_ext) {
		skb_queue_purge(&sk->sk_ext->error_queue, SKB_DROP_REASON_SOCKET_CLOSE);
		net_free(net, sk->sk_ext->inet_opt);
	}
	DEBUG_ASSERT(sk->sk_rmem_alloc == 0);
	sk_mem_reclaim(sk);
	DEBUG_ASSERT(!pm || (sk->sk_forward_alloc >= 0 && sk->sk_forward_alloc < PAGE_SIZE));
	page_frag_release(net, &sk->sk_frag);
	dst_release(sk->sk_dst_cache);
	net_free(net, sk->sk_ext);
	if (pm)
		pm->sockets--;
	object_free(net, sk->sk_prot->obj_size, sk);
}

void sk_free(struct sock *sk)
{
	if (--sk->sk_wmem_alloc == 0)
		sk_destroy(sk);
}

void sock_put(struct sock *sk)
{
	DEBUG_ASSERT(sk->sk_refcnt > 0);
	if (--sk->sk_refcnt == 0)
		sk_free(sk);
}

int sk_ext_get(struct sock *sk, struct sock_ext **ext)
{
	if (!sk->sk_ext) {
		struct sock_ext *e = net_zalloc(sk->sk_net, sizeof(*e), MEM_NORMAL);
		if (!e)
			return -ENOMEM;
		skb_queue_head_init(&e->error_queue);
		e->max_pacing_rate = UINT64_MAX;
		e->peek_off = -1;
		e->rcvtimeo_ns = e->sndtimeo_ns = TIME_NEVER;
		sk->sk_ext = e;
	}
	*ext = sk->sk_ext;
	return 0;
}

void __sk_peek_offset_moved(struct sock_ext *ext, int flags, size_t n)
{
	if (flags & MSG_PEEK)
		ext->peek_off = (int32_t)MIN((size_t)ext->peek_off + n, (size_t)INT32_MAX);
	else
		ext->peek_off -= (int32_t)MIN(n, (size_t)ext->peek_off);
}

/* --- queues ------------------------------------------------------------------------------------------------ */

void sk_drops_inc(struct sock *sk)
{
	struct sock_ext *ext;

	if (!sock_flag(sk, SOCK_F_DEAD) && !sk_ext_get(sk, &ext))
		ext->rx_dropped++;
}

int sock_queue_rcv_skb(struct sock *sk, struct sk_buff *skb, enum skb_drop_reason *reason)
{
	if (sk->sk_rmem_alloc >= (uint32_t)sk->sk_rcvbuf) {
		sk_drops_inc(sk);
		*reason = SKB_DROP_REASON_SOCKET_RCVBUFF;
		return -ENOMEM;
	}
	if (!sk_rmem_schedule(sk, skb->truesize)) {
		sk_drops_inc(sk);
		*reason = SKB_DROP_REASON_PROTO_MEM;
		return -ENOBUFS;
	}
	skb->dev = NULL;
	skb_set_owner_r(skb, sk);
	skb_queue_tail(&sk->sk_receive_queue, skb);
	if (!sock_flag(sk, SOCK_F_DEAD))
		sk_data_ready(sk);
	return 0;
}

static void error_skb_free(struct sk_buff *skb) { skb->sk->sk_rmem_alloc -= skb->truesize; }

int sock_queue_err_skb(struct sock *sk, struct sk_buff *skb)
{
	struct sock_ext *ext;

	if (sk->sk_rmem_alloc + skb->truesize >= (uint32_t)sk->sk_rcvbuf || sk_ext_get(sk, &ext) < 0)
		return -ENOMEM;
	skb_orphan(skb);
	skb->sk = sk;
	skb->destructor = error_skb_free;
	sk->sk_rmem_alloc += skb->truesize;
	skb->dev = NULL;
	skb_queue_tail(&ext->error_queue, skb);
	if (!sock_flag(sk, SOCK_F_DEAD))
		sk_error_report(sk);
	return 0;
}

static bool send_room_or_end(struct sock *sk, void *arg)
{
	(void)arg;
	return sk->sk_err || (sk->sk_shutdown & SEND_SHUTDOWN) || sk->sk_wmem_alloc - 1 < (uint32_t)sk->sk_sndbuf;
}

struct sk_buff *sock_alloc_send_skb(struct sock *sk, unsigned headroom, unsigned size, bool nonblock, int *err)
{
	uint64_t timeo = sock_sndtimeo(sk, nonblock);
	struct sk_buff *skb;

	for (;;) {
		*err = sock_error(sk);
		if (!*err && (sk->sk_shutdown & SEND_SHUTDOWN))
			*err = -EPIPE;
		if (*err)
			return NULL;
		if (sk->sk_wmem_alloc - 1 < (uint32_t)sk->sk_sndbuf)
			break;
		sock_set_flag(sk, SOCK_F_NOSPACE);
		*err = sk_wait(sk, &timeo, send_room_or_end, NULL);
		if (*err)
			return NULL;
	}
	skb = alloc_skb(sk->sk_net, headroom, size, 0);
	if (!skb) {
		*err = -ENOBUFS;
		return NULL;
	}
	skb_set_owner_w(skb, sk);
	return skb;
}

void sk_write_space(struct sock *sk)
{
	if ((sk->sk_wmem_alloc << 1) > (uint32_t)sk->sk_sndbuf || sock_flag(sk, SOCK_F_DEAD))
		return;
	sock_reset_flag(sk, SOCK_F_NOSPACE);
	sk->sk_wake(sk, POLLOUT | POLLWRNORM | POLLWRBAND);
}

void sk_stream_write_space(struct sock *sk)
{
	if (!sock_flag(sk, SOCK_F_NOSPACE) || sk_stream_wspace(sk) < sk_stream_min_wspace(sk))
		return;
	sock_reset_flag(sk, SOCK_F_NOSPACE);
	sk->sk_wake(sk, POLLOUT | POLLWRNORM | POLLWRBAND);
}

/* --- waiting ----------------------------------------------------------------------------------------------- */

/* Runs and waits until cond holds, `deadline` is there or the wait is interrupted. */
static int wait_until(struct sock *sk, uint64_t deadline, bool (*cond)(struct sock *sk, void *arg), void *arg)
{
	struct net *net = sk->sk_net;

	for (;;) {
		bool more = net->run_softirqs(net, WAIT_BUDGET);
		if (cond(sk, arg))
			return 0;
		if (net->now_ns >= deadline)
			return -EAGAIN;
		if (more)
			continue;
		uint64_t next = net->next_deadline(net);
		int err = net->env.wait(net->env.ctx, net, MIN(next, deadline));
		net_clock_update(net);
		if (err)
			return cond(sk, arg) ? 0 : err;
	}
}

int sk_wait(struct sock *sk, uint64_t *timeo_ns, bool (*cond)(struct sock *sk, void *arg), void *arg)
{
	struct net *net = sk->sk_net;
	uint64_t start, passed, deadline;
	int err;

	if (cond(sk, arg))
		return 0;
	if (!*timeo_ns || net->in_poll || net->in_user_callback || net->dying || !net->env.wait || !net->run_softirqs)
		return -EAGAIN;
	start = net->now_ns;
	deadline = *timeo_ns > TIME_NEVER - start ? TIME_NEVER : start + *timeo_ns;
	sock_hold(sk);
	err = wait_until(sk, deadline, cond, arg);
	if (*timeo_ns != TIME_NEVER) {
		passed = net->now_ns - start;
		*timeo_ns -= MIN(passed, *timeo_ns);
	}
	sock_put(sk);
	return err;
}

/* --- dst cache --------------------------------------------------------------------------------------------- */

void sk_dst_set(struct sock *sk, struct dst_entry *dst)
{
	struct dst_entry *old = sk->sk_dst_cache;

	sk->sk_dst_cache = dst;
	dst_release(old);
}

struct dst_entry *__sk_dst_check(struct sock *sk)
{
	struct dst_entry *dst = sk->sk_dst_cache;

	if (dst && unlikely(!dst_check(dst))) {
		sk_dst_reset(sk);
		return NULL;
	}
	return dst;
}
