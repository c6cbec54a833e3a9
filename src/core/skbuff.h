/* SPDX-License-Identifier: MIT */
/*
 * skbuff.h - struct sk_buff: a packet on its way (T3).
 *
 *	head            data                 tail                 end
 *	 |<- headroom -->|<- linear: len-data_len ->|<- tailroom --->| struct skb_shared_info
 *
 * Layers push headers in front of data; payload lies behind the headers in the linear area or in frags of the
 * shared info.  data -> segment -> packet -> frame is the same skb; nobody copies payload on the way down.
 *
 * Sharing: a clone has its own struct sk_buff and shares head and shared info (dataref counts); neither may then be written,
 * except that a header may be pushed in front by the one that goes down (the original, which stays in TCP's
 * queue, keeps its own offsets and never looks at the bytes before its data).  A partial copy has its own head and shares the frags.
 *
 * Every skb ends in exactly one of skb_consume() (all went well) and skb_drop(skb, reason) (counted and traced).  A destructor set by an
 * owner (skb_set_owner_w/_r) runs when the skb ends or is orphaned, and gives the accounted truesize back.
 */
#ifndef XMIT_CORE_SKBUFF_H
#define XMIT_CORE_SKBUFF_H

#include "core/mem.h"
#include "core/net.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "wire/byteorder.h"
#include "wire/checksum.h"

struct sock;
struct dst_entry;
struct net_device;
struct iov_iter;

enum {
	MAX_SKB_FRAGS = 17,
	MAX_HEADER = 64,           /* room for the link header: Ethernet, VLANs, virtio-net header */
	/* Room in front of TCP payload: link, IPv6 or IPv4 with options, TCP with options. */
	MAX_TCP_HEADER = 192,
	GSO_MAX_SIZE = 65536,      /* bytes of the longest super-segment, IP header included, exclusive */
	GSO_MAX_SEGS = 65535,
	SKB_RX_COPYBREAK = 256,    /* received frames up to this many bytes are copied to a small linear skb */
};

struct skb_frag {
	uint8_t *addr;
	uint32_t len;
	struct frag_owner *owner; /* one reference is held for each frag */
};

struct skb_shared_info {
	uint32_t dataref;      /* skbs that share this head */
	uint8_t nr_frags;
	uint8_t tx_flags;      /* SKBTX_* */
	uint16_t gso_size;     /* payload bytes per segment; 0: not GSO */
	uint16_t gso_segs;
	uint16_t gso_type;     /* SKB_GSO_* */
	uint32_t tskey;
	struct sk_buff *frag_list; /* chain by ->next of whole skbs behind the frags (GRO, reassembly) */
	struct skb_frag frags[MAX_SKB_FRAGS];
};

/* tx_flags: SO_TIMESTAMPING wants to know when the packet leaves the driver, and when it enters the queueing discipline. */
enum { SKBTX_SW_TSTAMP = 2, SKBTX_SCHED_TSTAMP = 64 };
enum { SKB_GSO_TCPV4 = 1, SKB_GSO_TCPV6 = 2, SKB_GSO_UDP_L4 = 4, SKB_GSO_TCP_ECN = 8, SKB_GSO_DODGY = 16 };

/* skb->ip_summed, as Linux defines them. */
enum {
	CHECKSUM_NONE = 0,        /* rx: not verified; tx: complete in the packet */
	CHECKSUM_UNNECESSARY = 1, /* rx: verified by the device (or in memory all the way) */
	CHECKSUM_COMPLETE = 2,    /* rx: skb->csum is the sum over the packet from data on */
	CHECKSUM_PARTIAL = 3,     /* tx: pseudo-header sum is stored at csum_start + csum_offset; device or stack completes */
};
enum { PACKET_HOST = 0, PACKET_BROADCAST = 1, PACKET_MULTICAST = 2, PACKET_OTHERHOST = 3, PACKET_OUTGOING = 4, PACKET_LOOPBACK = 5 };

struct sk_buff {
	union {
		struct {
			struct sk_buff *next, *prev; /* in a queue or list; next == NULL: in none */
		};
		struct rb_node rbnode;               /* in TCP's retransmit or out-of-order tree */
	};
	struct net *net;
	union {
		struct {
			struct sock *sk;             /* owner, if any; not a counted reference unless the destructor says so */
			struct net_device *dev;      /* receiving or sending device */
		};
		struct list_head tcp_tsorted;        /* original in TCP's retransmit tree: by time sent, or lost (tcp_rack.c); next NULL: in neither */
	};
	void (*destructor)(struct sk_buff *skb);
	struct dst_entry *dst;               /* a counted reference, or NULL */
	union {
		uint64_t tstamp_ns;          /* rx: arrival, instance clock */
		uint64_t skb_mstamp_ns;      /* tx: departure time (earliest), instance clock; also when TCP last sent it */
	};
	void *nf_ct;                         /* connection tracking entry (later) */
	_Alignas(8) char cb[56];             /* control block of the layer that has the skb now */

	uint32_t len;                        /* all bytes: linear + frags + frag_list */
	uint32_t data_len;                   /* bytes not in the linear area */
	/* How this struct and its head are held; stays with them. */
	uint8_t cloned : 1;                  /* head may be shared: look at dataref */
	uint8_t fclone : 2;                  /* SKB_FCLONE_* */
	uint8_t nohdr : 1;
	uint8_t head_frag : 1;
	uint8_t peeked : 1;
	uint8_t small_head : 1;              /* head comes from skb_small_cache */
	uint8_t alloc_reserve : 1;           /* allocated with MEM_RESERVE */

	/* What the packet is, from here to trace_rx_id: the segments and copies of it have the same (skb_copy_description). */
	be16 protocol;                       /* EtherType */
	uint8_t ip_summed : 2;
	uint8_t csum_valid : 1;
	uint8_t pkt_type : 3;
	uint8_t ignore_df : 1;               /* fragment although DF is set */
	uint8_t ooo_okay : 1;
	uint8_t dst_pending_confirm : 1;     /* neighbour is known good: confirm it when the packet passes */
	uint8_t l4_hash : 1;
	uint8_t rerouted : 1;                /* IPSKB_REROUTED: POST_ROUTING is skipped */
	uint8_t encap_hdr_csum : 1;
	uint8_t from_vnic_fault : 1;
	uint8_t is_retrans : 1;              /* trace: TCP sent this before */
	uint8_t gro_flush : 1;
	uint8_t tx_tapped : 1;               /* the device's tap saw it already: it is sent again after a busy driver */

	uint16_t mac_len;
	uint16_t queue_mapping;
	uint16_t transport_header;           /* offsets from head; 0xffff: not set */
	uint16_t network_header;
	uint16_t mac_header;
	uint16_t csum_start;                 /* offset from head, CHECKSUM_PARTIAL */
	uint16_t csum_offset;                /* from csum_start */
	uint32_t hash;                       /* flow hash, 0: not computed */
	csum32 csum;
	uint32_t priority;                   /* for the qdisc: 0 to 15 select a band, else class ids */
	uint32_t mark;
	int skb_iif;
	/* For the trace only (trace/trace.h): set by the transport while tracing is on, kept after orphaning, carried to clones and segments. */
	uint32_t trace_cookie;               /* low 32 bits of the socket's cookie; 0: not known (yet) */
	uint32_t trace_seq, trace_end;       /* byte range of the stream, offsets */
	uint32_t trace_rx_id;                /* received skb: its number, given at the first hop; 0: not received */

	uint32_t truesize;                   /* bytes accounted: struct + head + frag pages */
	uint32_t users;                      /* references to this struct sk_buff */
	uint32_t tail, end;                  /* offsets from head */
	uint8_t *head, *data;
};
enum { SKB_FCLONE_UNAVAILABLE = 0, SKB_FCLONE_ORIG = 1, SKB_FCLONE_CLONE = 2 };

struct sk_buff_head {
	struct sk_buff *next, *prev; /* must match the start of struct sk_buff */
	uint32_t qlen;
};

/* --- life ------------------------------------------------------------------------------------------------- */

/*
 * New skb with `size` bytes of linear space behind `headroom` bytes, refs 1, truesize set, owned by nobody.  NULL: no memory.
 * With SKB_ALLOC_FCLONE the memory of one clone is allocated along, so that skb_clone() cannot fail for the first clone.
 * With SKB_ALLOC_EXACT there is no more room than was asked for, whatever the allocator gave.
 */
struct sk_buff *alloc_skb(struct net *net, unsigned headroom, unsigned size, unsigned flags);
enum { SKB_ALLOC_FCLONE = 1, SKB_ALLOC_RESERVE = 2, SKB_ALLOC_EXACT = 4 };
void skb_consume(struct sk_buff *skb);                            /* NULL is allowed */
void skb_drop(struct sk_buff *skb, enum skb_drop_reason reason);  /* NULL is allowed; a ->next list is not followed */
void skb_drop_list(struct sk_buff *list, enum skb_drop_reason reason); /* a list by ->next */
static inline struct sk_buff *skb_get(struct sk_buff *skb)
{
	skb->users++;
	return skb;
}
static inline bool skb_shared(const struct sk_buff *skb) { return skb->users != 1; }
/* Runs the destructor now and forgets sk. */
void skb_orphan(struct sk_buff *skb);

/* Clone: shares head and frags.  dst is referenced, destructor and sk are not carried over.  NULL: no memory. */
struct sk_buff *skb_clone(struct sk_buff *skb, enum mem_prio prio);
/* Partial copy: own head with `headroom`, linear bytes copied, frags shared. */
struct sk_buff *pskb_copy(struct sk_buff *skb, unsigned headroom, enum mem_prio prio);
/* Full copy into a linear skb with `headroom`. */
struct sk_buff *skb_copy(const struct sk_buff *skb, unsigned headroom, enum mem_prio prio);
/* True while the fclone companion (or any clone) of a TCP skb is still alive below: do not retransmit it yet. */
bool skb_fclone_busy(const struct sk_buff *skb);
/* Gives the skb a head of its own with at least the given headroom. 0 or -ENOMEM (skb unchanged). */
int pskb_expand_head(struct sk_buff *skb, unsigned headroom, unsigned tailroom, enum mem_prio prio);
/* Headers may be written and `headroom` bytes be pushed after this.  0 or -ENOMEM. */
int skb_cow_head(struct sk_buff *skb, unsigned headroom);
/* Moves everything into the linear area (counts net->copied.linearize).  0 or -ENOMEM. */
int skb_linearize(struct sk_buff *skb);
/* Checks every invariant of this header (lengths, offsets, references); for assertions. */
bool skb_is_valid(const struct sk_buff *skb);

/* --- geometry ---------------------------------------------------------------------------------------------- */

static inline struct skb_shared_info *skb_shinfo(const struct sk_buff *skb) { return (struct skb_shared_info *)(void *)(skb->head + skb->end); }
static inline unsigned skb_headlen(const struct sk_buff *skb) { return skb->len - skb->data_len; }
static inline unsigned skb_headroom(const struct sk_buff *skb) { return (unsigned)(skb->data - skb->head); }
static inline unsigned skb_tailroom(const struct sk_buff *skb) { return skb->data_len ? 0 : skb->end - skb->tail; }
static inline bool skb_is_nonlinear(const struct sk_buff *skb) { return skb->data_len; }
static inline uint8_t *skb_tail_pointer(const struct sk_buff *skb) { return skb->head + skb->tail; }
static inline bool skb_cloned(const struct sk_buff *skb) { return skb->cloned && skb_shinfo(skb)->dataref != 1; }
/* Unless nobody shares its head, gives the skb one of its own: for who changes the shared info.  0 or -ENOMEM. */
static inline int skb_unclone(struct sk_buff *skb, enum mem_prio prio)
{
	return skb_cloned(skb) ? pskb_expand_head(skb, 0, 0, prio) : 0;
}
static inline bool skb_is_gso(const struct sk_buff *skb) { return skb_shinfo(skb)->gso_size; }
static inline bool skb_has_frag_list(const struct sk_buff *skb) { return skb_shinfo(skb)->frag_list; }

/* rx: the device (or the way in memory) says that the transport checksum is good. */
static inline bool skb_csum_vouched(const struct sk_buff *skb)
{
	return skb->ip_summed == CHECKSUM_UNNECESSARY || skb->ip_summed == CHECKSUM_PARTIAL;
}

static inline void skb_reserve(struct sk_buff *skb, unsigned n)
{
	skb->data += n;
	skb->tail += n;
}
static inline void *skb_push(struct sk_buff *skb, unsigned n)
{
	ASSERT(skb_headroom(skb) >= n);
	skb->data -= n;
	skb->len += n;
	return skb->data;
}
static inline void *skb_pull(struct sk_buff *skb, unsigned n) /* n <= headlen */
{
	DEBUG_ASSERT(n <= skb_headlen(skb));
	skb->len -= n;
	skb->data += n;
	return skb->data;
}
static inline void *skb_put(struct sk_buff *skb, unsigned n) /* linear skb only */
{
	void *p = skb_tail_pointer(skb);
	ASSERT(!skb->data_len && skb->tail + n <= skb->end);
	skb->tail += n;
	skb->len += n;
	return p;
}
/* Makes the first n bytes linear.  False when the packet is shorter or no memory is there. */
bool pskb_may_pull_slow(struct sk_buff *skb, unsigned n);
static inline bool pskb_may_pull(struct sk_buff *skb, unsigned n)
{
	if (likely(n <= skb_headlen(skb)))
		return true;
	return pskb_may_pull_slow(skb, n);
}
/* Cuts the packet to n bytes (any geometry). 0 or -ENOMEM. */
int pskb_trim(struct sk_buff *skb, unsigned n);
/*
 * Removes the first n bytes, wherever they lie; frees frags that become empty.  n <= len.  0; -ENOMEM (skb unchanged) only where
 * bytes beyond the linear area go and head or a listed skb is shared.
 */
int pskb_pull_any(struct sk_buff *skb, unsigned n);

static inline void skb_reset_mac_header(struct sk_buff *s) { s->mac_header = (uint16_t)(s->data - s->head); }
static inline void skb_reset_network_header(struct sk_buff *s) { s->network_header = (uint16_t)(s->data - s->head); }
static inline void skb_reset_transport_header(struct sk_buff *s) { s->transport_header = (uint16_t)(s->data - s->head); }
static inline void skb_set_network_header(struct sk_buff *s, int off) { s->network_header = (uint16_t)(s->data - s->head + off); }
static inline void skb_set_transport_header(struct sk_buff *s, int off) { s->transport_header = (uint16_t)(s->data - s->head + off); }
static inline uint8_t *skb_mac_header(const struct sk_buff *s) { return s->head + s->mac_header; }
static inline uint8_t *skb_network_header(const struct sk_buff *s) { return s->head + s->network_header; }
static inline uint8_t *skb_transport_header(const struct sk_buff *s) { return s->head + s->transport_header; }
static inline int skb_network_offset(const struct sk_buff *s) { return (int)(skb_network_header(s) - s->data); }
static inline int skb_transport_offset(const struct sk_buff *s) { return (int)(skb_transport_header(s) - s->data); }

static inline void skb_copy_description(struct sk_buff *to, const struct sk_buff *from)
{
	memcpy(&to->protocol, &from->protocol, offsetof(struct sk_buff, truesize) - offsetof(struct sk_buff, protocol));
}

/* --- frags ------------------------------------------------------------------------------------------------- */

/* Appends a frag; takes over one reference of owner that the caller holds.  Adjusts len and data_len, not truesize. */
static inline void skb_add_frag(struct sk_buff *skb, uint8_t *addr, uint32_t n, struct frag_owner *owner)
{
	struct skb_shared_info *si = skb_shinfo(skb);
	DEBUG_ASSERT(si->nr_frags < MAX_SKB_FRAGS);
	si->frags[si->nr_frags++] = (struct skb_frag){addr, n, owner};
	skb->len += n;
	skb->data_len += n;
}
/* True when n bytes at addr continue the last frag, which then may be grown in place. */
static inline bool skb_can_coalesce(const struct sk_buff *skb, const uint8_t *addr, const struct frag_owner *owner)
{
	const struct skb_shared_info *si = skb_shinfo(skb);
	if (!si->nr_frags)
		return false;
	const struct skb_frag *f = &si->frags[si->nr_frags - 1];
	return f->owner == owner && f->addr + f->len == addr;
}
/*
 * Splits skb at len: skb keeps the first len bytes, skb1 (empty, with enough headroom) gets the rest, frags shared, not copied.
 * Bytes that lie in the linear area are copied.  truesize of both is left to the caller.  skb has no frag_list and, if it has frags,
 * is not cloned (skb_unclone() first).
 */
void skb_split(struct sk_buff *skb, struct sk_buff *skb1, uint32_t len);
/*
 * Moves the payload of `from` behind `to` without copying (frag stealing); true when it could be done.  `from` still tells its len, and is
 * to be ended by skb_consume_coalesced() alone; *delta_truesize is what `to` grew by.  Both must be unshared and what fits the linear room of `to` is copied there.
 */
bool skb_try_coalesce(struct sk_buff *to, struct sk_buff *from, int *delta_truesize);
static inline void skb_consume_coalesced(struct sk_buff *from)
{
	if (!skb_shinfo(from)->nr_frags && !skb_shinfo(from)->frag_list) { /* they were taken */
		from->len -= from->data_len;
		from->data_len = 0;
	}
	skb_consume(from);
}
/*
 * Moves the first n bytes of from, which has no linear data, to the end of to, frags shared, not copied.  False, and nothing is done: no
 * room, or one of them has a clone that sees its frags.  truesize of both is left to the caller.
 */
bool skb_shift(struct sk_buff *to, struct sk_buff *from, uint32_t n);
/*
 * Replaces frags of lent memory (MSG_ZEROCOPY) by copies: for who keeps the packet longer than its sender reckons with.  0 or -ENOMEM (skb
 * whole, perhaps partly copied).
 */
int skb_orphan_frags(struct sk_buff *skb);
/* Notes that the bytes of lent frags are copied by whoever takes the packet. */
void skb_note_copied(const struct sk_buff *skb);
/* Copies n bytes from offset into buf; -EFAULT when the packet is shorter. */
int skb_copy_bits(const struct sk_buff *skb, unsigned offset, void *buf, unsigned n);
/* Same, towards the user; counts copied.skb_to_user.  0 or -EFAULT. */
int skb_copy_datagram_iter(const struct sk_buff *skb, unsigned offset, struct iov_iter *to, unsigned n);
/* Sum over n bytes from offset. */
csum32 skb_checksum(const struct sk_buff *skb, unsigned offset, unsigned n, csum32 sum);
/* Completes a CHECKSUM_PARTIAL skb in software.  0 or -errno. */
int skb_checksum_help(struct sk_buff *skb);
/* Fills iov with the bytes from data on (linear, frags, frag_list); returns entries used or -EMSGSIZE. */
struct iovec;
int skb_to_iovec(const struct sk_buff *skb, struct iovec *iov, int max);

/*
 * Page fragment: the page that small writes of one socket share (sk->sk_frag).  Ensures at least `least` free bytes behind
 * pf->offset.  Blocks of page_frag_order(); false when there is none.
 */
struct page_frag {
	uint8_t *page; /* NULL: none held; else one reference is held */
	struct frag_owner *owner; /* of page */
	uint32_t offset, size;
};
bool page_frag_refill_slow(struct net *net, struct page_frag *pf, unsigned least, enum mem_prio prio);
static inline bool page_frag_refill(struct net *net, struct page_frag *pf, unsigned least, enum mem_prio prio)
{
	if (likely(pf->page)) {
		if (pf->owner->refs == 1)
			pf->offset = 0; /* nobody else holds any of it */
		if (likely(pf->offset + least <= pf->size))
			return true;
	}
	return page_frag_refill_slow(net, pf, least, prio);
}
void page_frag_release(struct net *net, struct page_frag *pf);

/* --- queues ------------------------------------------------------------------------------------------------ */

static inline void skb_queue_head_init(struct sk_buff_head *q)
{
	q->next = q->prev = (struct sk_buff *)q;
	q->qlen = 0;
}
static inline bool skb_queue_empty(const struct sk_buff_head *q) { return q->next == (const struct sk_buff *)q; }
static inline struct sk_buff *skb_peek(const struct sk_buff_head *q) { return skb_queue_empty(q) ? NULL : q->next; }
static inline struct sk_buff *skb_peek_tail(const struct sk_buff_head *q) { return skb_queue_empty(q) ? NULL : q->prev; }
static inline bool skb_queue_is_last(const struct sk_buff_head *q, const struct sk_buff *s) { return s->next == (const struct sk_buff *)q; }
static inline void skb_insert_between(struct sk_buff *n, struct sk_buff *prev, struct sk_buff *next, struct sk_buff_head *q)
{
	n->next = next;
	n->prev = prev;
	((struct sk_buff_head *)(void *)next)->prev = n; /* either may be the head, which is smaller than an skb */
	((struct sk_buff_head *)(void *)prev)->next = n;
	q->qlen++;
}
static inline void skb_queue_tail(struct sk_buff_head *q, struct sk_buff *n) { skb_insert_between(n, q->prev, (struct sk_buff *)q, q); }
static inline void skb_queue_head(struct sk_buff_head *q, struct sk_buff *n) { skb_insert_between(n, (struct sk_buff *)q, q->next, q); }
static inline void skb_queue_after(struct sk_buff_head *q, struct sk_buff *prev, struct sk_buff *n) { skb_insert_between(n, prev, prev->next, q); }
static inline void skb_unlink(struct sk_buff *s, struct sk_buff_head *q)
{
	struct sk_buff *next = s->next, *prev = s->prev;
	q->qlen--;
	s->next = s->prev = NULL;
	((struct sk_buff_head *)(void *)next)->prev = prev;
	((struct sk_buff_head *)(void *)prev)->next = next;
}
static inline struct sk_buff *skb_dequeue(struct sk_buff_head *q)
{
	struct sk_buff *s = skb_peek(q);
	if (s)
		skb_unlink(s, q);
	return s;
}
void skb_queue_purge(struct sk_buff_head *q, enum skb_drop_reason reason);
#define skb_queue_walk(q, skb) for (skb = (q)->next; skb != (struct sk_buff *)(q); skb = skb->next)
#define skb_queue_walk_safe(q, skb, tmp) \
	for (skb = (q)->next, tmp = skb->next; skb != (struct sk_buff *)(q); skb = tmp, tmp = skb->next)

static inline struct sk_buff *rb_to_skb(const struct rb_node *n) { return n ? container_of(n, struct sk_buff, rbnode) : NULL; }

/* --- tracing ----------------------------------------------------------------------------------------------- */

/*
 * Records point for skb when tracing is on, under the trace_* members of the skb.
 * Where there is no skb yet (the user's call) a layer calls trace_record() itself.
 */
void skb_trace_slow(struct sk_buff *skb, enum trace_point point);
static inline void trace_skb(struct sk_buff *skb, enum trace_point point)
{
	if (unlikely(skb->net->trace.on))
		skb_trace_slow(skb, point);
}

int skb_init(struct net *net); /* creates the caches */
void skb_exit(struct net *net);

#endif
