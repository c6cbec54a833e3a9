/* SPDX-License-Identifier: MIT */
/*
 * skbuff.c - life of an skb: allocation, clones and copies, a head of one's own, the end.
 *
 * Memory: struct sk_buff comes from one of two slab caches.  With SKB_ALLOC_FCLONE it is the first of a pair whose second half is kept
 * for the clone that TCP makes for each transmission, so that this clone needs no allocation; the pair is freed when
 * both halves have ended.  The head (linear area and shared info) comes from skb_small_cache when it holds headers only or a small
 * received frame, else from the size classes.
 *
 * References: `users` counts holders of the struct; `dataref` in the shared info counts structs that share the head (looked at only
 * when `cloned` is set); each frag holds one reference of its owner; each skb of a frag_list holds its own `users`.
 */
#include "core/skbuff.h"
#include "core/dst.h"
#include "core/mem_internal.h"
#include <errno.h>

enum { SMALL_HEAD_BYTES = 768, SMALL_HEAD_END = SMALL_HEAD_BYTES - (int)sizeof(struct skb_shared_info) };
enum { AT_HAND = 512 }; /* freed skbs that are kept: as many as a device has descriptors, and as many completed or received ones */
static_assert(SMALL_HEAD_END >= MAX_TCP_HEADER + 64, "a bare TCP segment fits a small head");
static_assert(SMALL_HEAD_END >= SKB_RX_COPYBREAK + 64, "a small received frame fits a small head");

struct skb_pair {
	struct sk_buff skb, clone;
	uint32_t refs; /* halves in use */
};
static struct skb_pair *pair_of_clone(struct sk_buff *skb) { return container_of(skb, struct skb_pair, clone); }

/* --- allocation -------------------------------------------------------------------------------------------- */

/* The allocator's fast path, inline. */
static inline void *take(struct kmem_cache *c, enum mem_prio prio)
{
	void *obj = cache_take(c);

	return likely(obj) ? obj : kmem_cache_alloc(c, prio);
}

static inline void leave(struct kmem_cache *c, void *obj)
{
	if (unlikely(!cache_leave(c, obj)))
		kmem_cache_free(c, obj);
}

/* As a string instruction or a call this would cost more than the stores do. */
static inline void zero_struct(struct sk_buff *skb)
{
	enum { BYTES = offsetof(struct sk_buff, truesize), STEP = 64 };
	uint8_t *p = (uint8_t *)skb;
	static_assert(BYTES >= 2 * STEP && BYTES <= 4 * STEP, "four overlapping steps");

	memset(p, 0, STEP);
	memset(p + STEP, 0, STEP);
	memset(p + MIN(2 * STEP, BYTES - STEP), 0, STEP);
	memset(p + BYTES - STEP, 0, STEP);
}

struct head {
	uint8_t *mem; /* NULL: no memory */
	uint32_t end; /* bytes of room; the shared info follows */
	bool small;   /* of skb_small_cache */
};

static __attribute__((noinline)) struct head large_head_alloc(struct net *net, size_t room, enum mem_prio prio)
{
	size_t bytes = net_alloc_size(ALIGN_UP(room, (size_t)8) + sizeof(struct skb_shared_info));

	return (struct head){net_alloc(net, bytes, prio), (uint32_t)(bytes - sizeof(struct skb_shared_info)), false};
}

static inline struct head head_alloc(struct net *net, size_t room, enum mem_prio prio)
{
	if (likely(room <= SMALL_HEAD_END))
		return (struct head){take(net->skb_small_cache, prio), SMALL_HEAD_END, true};
	return large_head_alloc(net, room, prio);
}

static void head_free(struct net *net, uint8_t *head, bool small)
{
	if (likely(small))
		leave(net->skb_small_cache, head);
	else
		net_free(net, head);
}

static inline void head_set(struct sk_buff *skb, struct head h)
{
	skb->head = h.mem;
	skb->end = h.end;
	skb->small_head = h.small;
	struct skb_shared_info *si = skb_shinfo(skb);
	memset(si, 0, offsetof(struct skb_shared_info, frags));
	si->dataref = 1;
}

static uint32_t truesize_of(struct head h) { return (uint32_t)(sizeof(struct sk_buff) + sizeof(struct skb_shared_info)) + h.end; }

struct sk_buff *alloc_skb(struct net *net, unsigned headroom, unsigned size, unsigned flags)
{
	enum mem_prio prio = flags & SKB_ALLOC_RESERVE ? MEM_RESERVE : MEM_NORMAL;
	struct kmem_cache *cache = flags & SKB_ALLOC_FCLONE ? net->skb_fclone_cache : net->skb_cache;
	struct sk_buff *skb = take(cache, prio);
	struct head h;

	if (unlikely(!skb))
		return NULL;
	zero_struct(skb);
	skb->net = net;
	skb->users = 1;
	skb->tail = headroom;
	skb->alloc_reserve = prio == MEM_RESERVE;
	skb->transport_header = skb->network_header = skb->mac_header = 0xffff;
	if (flags & SKB_ALLOC_FCLONE) {
		skb->fclone = SKB_FCLONE_ORIG;
		container_of(skb, struct skb_pair, skb)->refs = 1;
	}
	h = head_alloc(net, (size_t)headroom + size, prio);
	if (unlikely(!h.mem)) {
		kmem_cache_free(cache, skb);
		return NULL;
	}
	skb->truesize = truesize_of(h);
	if (unlikely(flags & SKB_ALLOC_EXACT))
		h.end = ALIGN_UP(headroom + size, 8u);
	skb->data = h.mem + headroom;
	head_set(skb, h);
	return skb;
}

/* --- the end ----------------------------------------------------------------------------------------------- */

static void release_data(struct sk_buff *skb)
{
	struct skb_shared_info *si = skb_shinfo(skb);

	if (skb->cloned && --si->dataref)
		return;
	for (unsigned i = 0; i < si->nr_frags; i++)
		frag_owner_put(si->frags[i].owner);
	for (struct sk_buff *s = si->frag_list, *next; s; s = next) {
		next = s->next;
		skb_consume(s);
	}
	head_free(skb->net, skb->head, skb->small_head);
}

static void free_struct(struct sk_buff *skb)
{
	struct net *net = skb->net;
	struct skb_pair *pair;

	switch (skb->fclone) {
	case SKB_FCLONE_UNAVAILABLE:
		leave(net->skb_cache, skb);
		return;
	case SKB_FCLONE_ORIG:
		pair = container_of(skb, struct skb_pair, skb);
		break;
	default:
		pair = pair_of_clone(skb);
		break;
	}
	if (--pair->refs == 0)
		leave(net->skb_fclone_cache, pair);
}

static void run_destructor(struct sk_buff *skb)
{
	skb->destructor(skb);
	skb->destructor = NULL;
	skb->sk = NULL;
}

static void release(struct sk_buff *skb)
{
	if (skb->destructor)
		run_destructor(skb);
	dst_release(skb->dst);
	release_data(skb);
	free_struct(skb);
}

void skb_consume(struct sk_buff *skb)
{
	if (unlikely(!skb))
		return;
	DEBUG_ASSERT(skb->users > 0);
	EXPENSIVE_ASSERT(skb_is_valid(skb));
	if (--skb->users == 0)
		release(skb);
}

void skb_drop(struct sk_buff *skb, enum skb_drop_reason reason)
{
	if (unlikely(!skb))
		return;
	DEBUG_ASSERT(skb->users > 0);
	EXPENSIVE_ASSERT(skb_is_valid(skb));
	if (--skb->users)
		return;
	struct trace *trace = &skb->net->trace;
	trace->drops[reason]++;
	if (unlikely(trace->on))
		trace_drop(skb->net, reason, skb->trace_cookie, skb->trace_seq, skb->trace_end, skb->len);
	release(skb);
}

void skb_drop_list(struct sk_buff *list, enum skb_drop_reason reason)
{
	for (struct sk_buff *next; list; list = next) {
		next = list->next;
		list->next = NULL;
		skb_drop(list, reason);
	}
}

void skb_queue_purge(struct sk_buff_head *q, enum skb_drop_reason reason)
{
	struct sk_buff *skb;

	while ((skb = skb_dequeue(q)))
		skb_drop(skb, reason);
}

void skb_orphan(struct sk_buff *skb)
{
	if (skb->destructor)
		run_destructor(skb);
	skb->sk = NULL;
}

/* --- clones and copies ------------------------------------------------------------------------------------- */

struct sk_buff *skb_clone(struct sk_buff *skb, enum mem_prio prio)
{
	struct sk_buff *n;
	unsigned fclone;

	if (skb->fclone == SKB_FCLONE_ORIG && container_of(skb, struct skb_pair, skb)->refs == 1) {
		struct skb_pair *pair = container_of(skb, struct skb_pair, skb);
		pair->refs = 2;
		n = &pair->clone;
		fclone = SKB_FCLONE_CLONE;
	} else {
		n = kmem_cache_alloc(skb->net->skb_cache, prio);
		if (!n)
			return NULL;
		fclone = SKB_FCLONE_UNAVAILABLE;
	}
	skb->cloned = 1;
	skb_shinfo(skb)->dataref++;
	memcpy(n, skb, not_constant(sizeof(*n)));
	n->next = n->prev = NULL;
	n->sk = NULL;
	n->destructor = NULL;
	n->users = 1;
	n->fclone = fclone;
	n->peeked = 0;
	if (n->dst)
		dst_hold(n->dst);
	return n;
}

static uint16_t moved(uint16_t offset, int by)
{
	int to = offset + by;

	return offset == 0xffff || to < 0 || to >= 0xffff ? 0xffff : (uint16_t)to;
}

static void move_headers(struct sk_buff *skb, int by)
{
	skb->transport_header = moved(skb->transport_header, by);
	skb->network_header = moved(skb->network_header, by);
	skb->mac_header = moved(skb->mac_header, by);
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		skb->csum_start = moved(skb->csum_start, by);
}

/* Everything that says what the packet is, from `from` to the newly allocated n with its own head. */
static void copy_description(struct sk_buff *n, const struct sk_buff *from)
{
	struct skb_shared_info *si = skb_shinfo(n), *from_si = skb_shinfo(from);

	skb_copy_description(n, from);
	memcpy(n->cb, from->cb, sizeof(n->cb));
	n->dev = from->dev;
	n->tstamp_ns = from->tstamp_ns;
	n->nf_ct = from->nf_ct;
	n->dst = from->dst;
	if (n->dst)
		dst_hold(n->dst);
	move_headers(n, (int)skb_headroom(n) - (int)skb_headroom(from));
	si->tx_flags = from_si->tx_flags;
	si->gso_size = from_si->gso_size;
	si->gso_segs = from_si->gso_segs;
	si->gso_type = from_si->gso_type;
	si->tskey = from_si->tskey;
}

static unsigned alloc_flags(enum mem_prio prio) { return prio == MEM_RESERVE ? SKB_ALLOC_RESERVE : 0; }

/* One more reference of every frag and listed skb that si names. */
static void hold_frags(const struct skb_shared_info *si)
{
	for (unsigned i = 0; i < si->nr_frags; i++)
		frag_owner_get(si->frags[i].owner);
	for (struct sk_buff *s = si->frag_list; s; s = s->next)
		skb_get(s);
}

static void share_frags(struct skb_shared_info *to, const struct skb_shared_info *from)
{
	memcpy(to->frags, from->frags, from->nr_frags * sizeof(from->frags[0]));
	to->nr_frags = from->nr_frags;
	to->frag_list = from->frag_list;
}

struct sk_buff *pskb_copy(struct sk_buff *skb, unsigned headroom, enum mem_prio prio)
{
	struct sk_buff *n = alloc_skb(skb->net, headroom, skb_headlen(skb), alloc_flags(prio));

	if (!n)
		return NULL;
	memcpy(skb_put(n, skb_headlen(skb)), skb->data, skb_headlen(skb));
	share_frags(skb_shinfo(n), skb_shinfo(skb));
	hold_frags(skb_shinfo(n));
	n->len = skb->len;
	n->data_len = skb->data_len;
	n->truesize += skb->data_len;
	copy_description(n, skb);
	return n;
}

struct sk_buff *skb_copy(const struct sk_buff *skb, unsigned headroom, enum mem_prio prio)
{
	struct sk_buff *n = alloc_skb(skb->net, headroom, skb->len, alloc_flags(prio));

	if (!n)
		return NULL;
	skb_copy_bits(skb, 0, skb_put(n, skb->len), skb->len);
	copy_description(n, skb);
	return n;
}

bool skb_fclone_busy(const struct sk_buff *skb)
{
	if (skb->fclone == SKB_FCLONE_ORIG) {
		const struct skb_pair *pair = container_of(skb, const struct skb_pair, skb);
		/* A clone that lost its owner has left this host's queues (or lies in a receiver's): it no longer counts. */
		return pair->refs > 1 && pair->clone.sk;
	}
	return skb_cloned(skb);
}

int pskb_expand_head(struct sk_buff *skb, unsigned headroom, unsigned tailroom, enum mem_prio prio)
{
	unsigned old_headroom = skb_headroom(skb), shift;
	struct skb_shared_info *old_si = skb_shinfo(skb);
	struct sk_buff old = *skb;
	struct head h;

	ASSERT(!skb_shared(skb));
	shift = headroom > old_headroom ? headroom - old_headroom : 0;
	tailroom = MAX(tailroom, skb->data_len ? 0 : MIN(skb->end - skb->tail, 128u));
	h = head_alloc(skb->net, (size_t)shift + skb->tail + tailroom, prio);
	if (!h.mem)
		return -ENOMEM;
	/* What lies before data may be headers already read (mac_header, network_header): it moves along. */
	memcpy(h.mem + shift, skb->head, skb->tail);
	head_set(skb, h);
	struct skb_shared_info *si = skb_shinfo(skb);
	uint32_t old_bytes = old.end + (uint32_t)sizeof(*si);
	memcpy(si, old_si, offsetof(struct skb_shared_info, frags));
	si->dataref = 1;
	share_frags(si, old_si);
	if (skb_cloned(&old)) {
		hold_frags(si);
		old_si->dataref--;
	} else {
		head_free(skb->net, old.head, old.small_head);
	}
	skb->cloned = 0;
	skb->data = h.mem + shift + old_headroom;
	skb->tail = shift + old.tail;
	move_headers(skb, (int)shift);
	if (!skb->sk) /* an owner has accounted truesize and will give the same back */
		skb->truesize += h.end + (uint32_t)sizeof(*si) - old_bytes;
	return 0;
}

int skb_cow_head(struct sk_buff *skb, unsigned headroom)
{
	/* The clone that goes down may write in front of the original's data, see skbuff.h. */
	bool writable = !skb_cloned(skb) || skb->fclone == SKB_FCLONE_CLONE;

	if (likely(writable && skb_headroom(skb) >= headroom))
		return 0;
	return pskb_expand_head(skb, headroom, 0, MEM_NORMAL);
}

/* --- validity ---------------------------------------------------------------------------------------------- */

static bool header_is_valid(const struct sk_buff *skb, uint16_t offset) { return offset == 0xffff || offset <= skb->end; }

static bool is_valid(const struct sk_buff *skb, int depth)
{
	const struct skb_shared_info *si = skb_shinfo(skb);
	uint64_t paged = 0;

	if (!skb->users || !skb->net || skb->data < skb->head || skb->tail > skb->end || skb->data_len > skb->len)
		return false;
	if (skb_headroom(skb) + skb_headlen(skb) != skb->tail)
		return false;
	if (!si->dataref || (!skb->cloned && si->dataref != 1) || si->nr_frags > MAX_SKB_FRAGS)
		return false;
	if (!header_is_valid(skb, skb->transport_header) || !header_is_valid(skb, skb->network_header) ||
	    !header_is_valid(skb, skb->mac_header))
		return false;
	for (unsigned i = 0; i < si->nr_frags; i++) {
		if (!si->frags[i].owner || !si->frags[i].owner->refs || !si->frags[i].addr)
			return false;
		paged += si->frags[i].len;
	}
	for (const struct sk_buff *s = si->frag_list; s; s = s->next) {
		if (!depth || !is_valid(s, depth - 1))
			return false;
		paged += s->len;
	}
	return paged == skb->data_len;
}

bool skb_is_valid(const struct sk_buff *skb) { return is_valid(skb, 1); }

int skb_init(struct net *net)
{
	net->skb_cache = kmem_cache_create(net, "sk_buff", sizeof(struct sk_buff), 8);
	net->skb_fclone_cache = kmem_cache_create(net, "sk_buff pair", sizeof(struct skb_pair), 8);
	net->skb_small_cache = kmem_cache_create(net, "small head", SMALL_HEAD_BYTES, 16);
	if (!net->skb_cache || !net->skb_fclone_cache || !net->skb_small_cache) {
		skb_exit(net);
		return -ENOMEM;
	}
	kmem_cache_keep(net->skb_cache, AT_HAND);
	kmem_cache_keep(net->skb_fclone_cache, AT_HAND);
	kmem_cache_keep(net->skb_small_cache, AT_HAND);
	return 0;
}

void skb_exit(struct net *net)
{
	kmem_cache_destroy(net->skb_cache);
	kmem_cache_destroy(net->skb_fclone_cache);
	kmem_cache_destroy(net->skb_small_cache);
	net->skb_cache = net->skb_fclone_cache = net->skb_small_cache = NULL;
}
