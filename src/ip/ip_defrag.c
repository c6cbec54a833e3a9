/* SPDX-License-Identifier: MIT */
/*
 * ip_defrag.c - fragments become a packet again, within bounds of memory, time and distance (I5).
 *
 * A queue for each (source, destination, ID, protocol, user, device) holds its fragments in a tree by offset.  A fragment that repeats one
 * exactly is dropped; one that overlaps in any other way drops the whole queue (RFC 5722 says so for IPv6, Linux does it for both: no
 * sender has a reason to overlap).  The queue ends when it is whole, when its time is up (30 s from the first fragment; ICMP time
 * exceeded if the first fragment was there), or when more than max_dist other fragments of its sender came between (IDs wrap).
 *
 * Memory: all queues together hold at most ipfrag_high_thresh bytes, and never more than 1/8 of the instance; beyond, new fragments are
 * refused.  RFC 791 section 3.2, RFC 815, RFC 1122 section 3.3.2, RFC 3168 section 5.3, RFC 4963.
 */
#include "ip/ip_internal.h"
#include "wire/icmp.h"

enum { QUEUES_HASH = 64, FIRST_IN = 1, LAST_IN = 2 };

struct frag_key {
	be32 saddr, daddr;
	uint32_t user;
	int32_t vif;
	be16 id;
	uint16_t protocol;
};
static_assert(sizeof(struct frag_key) == 20, "hashed as bytes: no padding");

struct ipq {
	struct hlist_node hash;
	struct frag_key key;
	struct net *net;
	struct timer_list timer;
	struct rb_root fragments;  /* by offset */
	struct sk_buff *last;      /* fragment with the highest offset: in order, new ones go behind it */
	uint32_t len;              /* end of what was seen; of the packet once LAST_IN */
	uint32_t meat;             /* bytes held */
	uint32_t mem;              /* charged */
	uint16_t max_size, max_df_size; /* of fragments, header included */
	uint8_t flags, ecn;
	int iif;
	uint32_t rid, peer_generation;
};

/* A fragment while it waits: behind IP's own control block. */
struct frag_cb {
	struct inet_skb_parm h;
	uint32_t offset;
};
static struct frag_cb *FRAG_CB(const struct sk_buff *skb)
{
	return (struct frag_cb *)(void *)skb->cb;
}
static_assert(sizeof(struct frag_cb) <= sizeof(((struct sk_buff *)0)->cb), "fits the control block");

struct frag_state {
	struct hlist_head hash[QUEUES_HASH];
	uint64_t mem;     /* bytes held by all queues */
	uint64_t mem_cap; /* 1/8 of the instance's memory */
};

static struct frag_state *frag_state(struct net *net)
{
	return net->ipv4->priv->frag;
}

/* --- life of a queue ------------------------------------------------------------------------------------------- */

static void charge(struct ipq *q, uint32_t bytes)
{
	q->mem += bytes;
	frag_state(q->net)->mem += bytes;
}

static void drop_fragments(struct ipq *q, enum skb_drop_reason reason)
{
	struct rb_node *n;

	while ((n = rb_first(&q->fragments))) {
		struct sk_buff *skb = rb_to_skb(n);
		rb_erase(n, &q->fragments);
		skb->next = skb->prev = NULL;
		skb_drop(skb, reason);
	}
	q->last = NULL;
}

static void ipq_free(struct ipq *q)
{
	timer_del(q->net, &q->timer);
	hlist_del_init(&q->hash);
	frag_state(q->net)->mem -= q->mem;
	net_free(q->net, q);
}

static void ipq_kill(struct ipq *q, enum skb_drop_reason reason)
{
	drop_fragments(q, reason);
	ipq_free(q);
}

/* The first fragment, out of its queue, as it came in: so that an ICMP error can quote it. */
static struct sk_buff *take_head(struct ipq *q)
{
	struct rb_node *n = rb_first(&q->fragments);
	struct sk_buff *skb = rb_to_skb(n);

	rb_erase(n, &q->fragments);
	skb->next = skb->prev = NULL;
	if (q->last == skb)
		q->last = NULL;
	skb_push(skb, (unsigned)-skb_network_offset(skb));
	return skb;
}

static void ip_expire(struct net *net, struct timer_list *t)
{
	struct ipq *q = container_of(t, struct ipq, timer);
	struct net_device *dev = dev_get_by_index(net, q->iif);
	enum skb_drop_reason reason;

	NET_INC_STATS(net, IpReasmFails);
	NET_INC_STATS(net, IpReasmTimeout);
	if ((q->flags & FIRST_IN) && dev) {
		struct sk_buff *head = take_head(q);
		const struct iphdr *iph = ip_hdr(head);
		head->dev = dev;
		if (!ip_route_input(head, iph->daddr, iph->saddr, iph->tos, dev, &reason) && skb_rtable(head)->rt_type == RTN_LOCAL)
			icmp_send(head, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, 0);
		skb_drop(head, SKB_DROP_REASON_FRAG_REASM_TIMEOUT);
	}
	ipq_kill(q, SKB_DROP_REASON_FRAG_REASM_TIMEOUT);
}

static uint64_t mem_limit(struct net *net)
{
	return MIN((uint64_t)net->ipv4->sysctl_ipfrag_high_thresh, frag_state(net)->mem_cap);
}

/* The queue of a fragment, made if there is none; NULL: no memory, or the bound is reached. */
static struct ipq *ip_find(struct net *net, const struct frag_key *key)
{
	struct frag_state *st = frag_state(net);
	struct hlist_head *bucket = &st->hash[hsiphash(key, sizeof(*key), &net->hash_key) % QUEUES_HASH];
	struct ipq *q;

	hlist_for_each_entry(q, bucket, hash)
		if (!memcmp(&q->key, key, sizeof(*key)))
			return q;
	if (st->mem >= mem_limit(net))
		return NULL;
	q = net_zalloc(net, sizeof(*q), MEM_NORMAL);
	if (!q)
		return NULL;
	q->key = *key;
	q->net = net;
	timer_init(&q->timer, ip_expire);
	timer_mod(net, &q->timer, net->now_ns + (uint64_t)net->ipv4->sysctl_ipfrag_time_s * NSEC_PER_SEC);
	hlist_add_head(&q->hash, bucket);
	charge(q, (uint32_t)net_alloc_size(sizeof(*q)));
	return q;
}

/* --- distance ---------------------------------------------------------------------------------------------------- */

static bool too_far(struct ipq *q)
{
	struct inet_peer *peer = inet_getpeer(q->net, q->key.saddr);
	const uint32_t max_dist = (uint32_t)q->net->ipv4->sysctl_ipfrag_max_dist, start = q->rid, end = ++peer->rid;
	bool known = q->peer_generation == peer->generation;

	q->rid = end;
	q->peer_generation = peer->generation;
	return max_dist && known && !rb_empty(&q->fragments) && end - start > max_dist;
}

/* The fragments held are of an earlier packet with the same ID: starts anew. */
static void reinit(struct ipq *q)
{
	NET_INC_STATS(q->net, IpReasmFails);
	drop_fragments(q, SKB_DROP_REASON_FRAG_TOO_FAR);
	frag_state(q->net)->mem -= q->mem;
	q->mem = 0;
	charge(q, (uint32_t)net_alloc_size(sizeof(*q)));
	q->flags = q->ecn = 0;
	q->len = q->meat = 0;
	q->max_size = q->max_df_size = 0;
	timer_mod(q->net, &q->timer, q->net->now_ns + (uint64_t)q->net->ipv4->sysctl_ipfrag_time_s * NSEC_PER_SEC);
}

/* --- a fragment joins its queue ----------------------------------------------------------------------------------- */

enum insert_result { INSERTED, DUPLICATE, OVERLAP };

static uint32_t frag_end(const struct sk_buff *skb)
{
	return FRAG_CB(skb)->offset + skb->len;
}

static enum insert_result insert_fragment(struct ipq *q, struct sk_buff *skb, uint32_t offset, uint32_t end)
{
	struct rb_node **link = &q->fragments.node, *parent = NULL;

	if (q->last && offset >= frag_end(q->last)) { /* the usual case: in order */
		parent = &q->last->rbnode;
		link = &parent->right;
	}
	while (*link) {
		const struct sk_buff *s = rb_to_skb(*link);
		parent = *link;
		if (end <= FRAG_CB(s)->offset)
			link = &parent->left;
		else if (offset >= frag_end(s))
			link = &parent->right;
		else if (offset >= FRAG_CB(s)->offset && end <= frag_end(s))
			return DUPLICATE;
		else
			return OVERLAP;
	}
	*FRAG_CB(skb) = (struct frag_cb){.h = *IPCB(skb), .offset = offset};
	if (!q->last || offset >= frag_end(q->last))
		q->last = skb;
	rb_link_node(&skb->rbnode, parent, link);
	rb_insert_color(&skb->rbnode, &q->fragments);
	return INSERTED;
}

/* Where the packet ends, by this fragment; false: that contradicts what came before. */
static bool update_length(struct ipq *q, uint32_t end, bool more)
{
	if (!more) {
		if (end < q->len || ((q->flags & LAST_IN) && end != q->len))
			return false;
		q->flags |= LAST_IN;
		q->len = end;
	} else if (end > q->len) {
		if (q->flags & LAST_IN)
			return false;
		q->len = end;
	}
	return true;
}

/* 0: joined; else what became of skb (dropped here), and *kill whether the queue goes too. */
static int ip_frag_queue(struct ipq *q, struct sk_buff *skb, bool *kill)
{
	struct net *net = q->net;
	const struct iphdr iph = *ip_hdr(skb);
	const unsigned hlen = iph.ihl * 4u, field = be16_to_cpu(iph.frag_off);
	const uint32_t offset = (field & IP_OFFSET) << 3;
	uint32_t end = offset + skb->len - hlen;
	enum skb_drop_reason reason = SKB_DROP_REASON_IP_INHDR;

	*kill = true;
	if (field & IP_MF)
		end &= ~UINT32_C(7);
	if (end == offset || end > 65535u || !update_length(q, end, field & IP_MF))
		goto drop;
	reason = SKB_DROP_REASON_NOMEM;
	if (end - offset != skb->len - hlen && skb->ip_summed == CHECKSUM_COMPLETE)
		skb->ip_summed = CHECKSUM_NONE;
	if (skb_unclone(skb, MEM_NORMAL) || pskb_trim(skb, hlen + end - offset))
		goto drop;
	skb_pull(skb, hlen);
	reason = SKB_DROP_REASON_DUP_FRAG;
	switch (insert_fragment(q, skb, offset, end)) {
	case INSERTED:
		break;
	case DUPLICATE:
		*kill = false;
		goto drop;
	case OVERLAP:
		NET_INC_STATS(net, IpExtReasmOverlaps);
		goto drop;
	}
	q->iif = skb->dev->ifindex;
	q->meat += skb->len;
	q->ecn |= (uint8_t)(1u << (iph.tos & INET_ECN_MASK));
	charge(q, skb->truesize);
	if (!offset)
		q->flags |= FIRST_IN;
	uint16_t size = (uint16_t)MIN(skb->len + hlen, 65535u);
	q->max_size = MAX(q->max_size, size);
	if (field & IP_DF)
		q->max_df_size = MAX(q->max_df_size, size);
	return 0;

drop:
	if (*kill)
		NET_INC_STATS(net, IpReasmFails);
	skb_drop(skb, reason);
	return -EINVAL;
}

/* --- whole ---------------------------------------------------------------------------------------------------------- */

/* RFC 3168 5.3: CE if any fragment had it; marked and not-ECT fragments do not belong together.  0xff: invalid. */
static uint8_t merged_ecn(uint8_t seen)
{
	const uint8_t not_ect = 1u << INET_ECN_NOT_ECT, ce = 1u << INET_ECN_CE;

	if ((seen & not_ect) && seen != not_ect)
		return 0xff;
	return (seen & ce) && seen != ce ? INET_ECN_CE : 0;
}

/* Hangs next behind head: its bytes move into head's frags where that is possible, else it joins the frag_list. */
static struct sk_buff **append(struct sk_buff *head, struct sk_buff **tail, struct sk_buff *next)
{
	int delta;

	if (head->ip_summed != next->ip_summed)
		head->ip_summed = CHECKSUM_NONE;
	else if (head->ip_summed == CHECKSUM_COMPLETE)
		head->csum = csum_block_add(head->csum, next->csum, FRAG_CB(next)->offset);
	if (tail == &skb_shinfo(head)->frag_list && !*tail && skb_try_coalesce(head, next, &delta)) {
		skb_consume_coalesced(next);
		return tail;
	}
	*tail = next;
	head->len += next->len;
	head->data_len += next->len;
	head->truesize += next->truesize;
	return &next->next;
}

/* All fragments of q as one packet with the first one's header; q is gone. */
static struct sk_buff *reassemble(struct ipq *q, struct dst_entry *dst, struct net_device *dev)
{
	struct net *net = q->net;
	uint8_t ecn = merged_ecn(q->ecn);
	struct sk_buff *head = take_head(q), **tail = &skb_shinfo(head)->frag_list;
	const unsigned hlen = ip_hdrlen(head);
	struct rb_node *n;

	if (ecn == 0xff || hlen + q->len > 65535) {
		NET_INC_STATS(net, IpReasmFails);
		skb_drop(head, SKB_DROP_REASON_IP_INHDR);
		ipq_kill(q, SKB_DROP_REASON_IP_INHDR);
		dst_release(dst);
		return NULL;
	}
	while (*tail)
		tail = &(*tail)->next;
	while ((n = rb_first(&q->fragments))) {
		struct sk_buff *next = rb_to_skb(n);
		rb_erase(n, &q->fragments);
		next->next = next->prev = NULL;
		tail = append(head, tail, next);
	}
	head->dst = dst;
	head->dev = dev;
	skb_shinfo(head)->gso_size = 0;
	struct iphdr *iph = ip_hdr(head);
	iph->tot_len = cpu_to_be16((uint16_t)head->len);
	iph->tos |= ecn;
	iph->frag_off = 0;
	*IPCB(head) = FRAG_CB(head)->h;
	IPCB(head)->frag_max_size = MAX(q->max_df_size, q->max_size);
	if (q->max_df_size && q->max_df_size == q->max_size) { /* keep to what the sender asked when it is cut again */
		IPCB(head)->flags |= IPSKB_FRAG_PMTU;
		iph->frag_off = CPU_TO_BE16(IP_DF);
	}
	ip_send_check(iph);
	skb_set_transport_header(head, (int)hlen);
	NET_INC_STATS(net, IpReasmOKs);
	ipq_free(q);
	return head;
}

static struct sk_buff *refuse(struct net *net, struct sk_buff *skb, enum skb_drop_reason reason)
{
	NET_INC_STATS(net, IpReasmFails);
	skb_drop(skb, reason);
	return NULL;
}

struct sk_buff *ip_defrag(struct net *net, struct sk_buff *skb, uint32_t user)
{
	const struct iphdr *iph = ip_hdr(skb);
	const struct frag_key key = {iph->saddr, iph->daddr, user, ipv4_is_multicast(iph->daddr) ? skb->dev->ifindex : 0, iph->id, iph->protocol};
	struct net_device *dev = skb->dev;
	struct dst_entry *dst = skb->dst;
	bool kill;

	trace_skb(skb, TP_ip_defrag);
	NET_INC_STATS(net, IpReasmReqds);
	struct ipq *q = ip_find(net, &key);
	if (!q || frag_state(net)->mem + skb->truesize > mem_limit(net)) {
		if (q && rb_empty(&q->fragments))
			ipq_kill(q, SKB_DROP_REASON_FRAG_MEM);
		return refuse(net, skb, SKB_DROP_REASON_FRAG_MEM);
	}
	if (too_far(q))
		reinit(q);
	skb->dst = NULL; /* the whole packet gets the route of its last fragment */
	if (ip_frag_queue(q, skb, &kill)) {
		if (kill)
			ipq_kill(q, SKB_DROP_REASON_DUP_FRAG);
		dst_release(dst);
		return NULL;
	}
	if ((q->flags & (FIRST_IN | LAST_IN)) == (FIRST_IN | LAST_IN) && q->meat == q->len)
		return reassemble(q, dst, dev);
	dst_release(dst);
	return NULL;
}

int frag_init(struct net *net)
{
	struct frag_state *st = net_zalloc(net, sizeof(*st), MEM_NORMAL);
	struct mem_stats mem;

	if (!st)
		return -ENOMEM;
	mem_stats(net, &mem);
	st->mem_cap = mem.cap_bytes / 8;
	net->ipv4->priv->frag = st;
	return 0;
}

void frag_exit(struct net *net)
{
	struct frag_state *st = frag_state(net);
	struct ipq *q, *n;

	for (unsigned b = 0; b < QUEUES_HASH; b++)
		hlist_for_each_entry_safe(q, n, &st->hash[b], hash)
			ipq_kill(q, SKB_DROP_REASON_NET_DYING);
	net->ipv4->priv->frag = NULL;
	net_free(net, st);
}
