/* SPDX-License-Identifier: MIT */
/* neighbour.h - link-layer addresses of next hops: the table, its states, output through an entry (N1 to N4). RFC 826, RFC 4861 7.3. */
#ifndef XMIT_NEIGH_NEIGHBOUR_H
#define XMIT_NEIGH_NEIGHBOUR_H

#include "core/flow.h"
#include "dev/netdevice.h"

enum { /* Linux's numbers; a set of bits in tests */
	NUD_NONE = 0, NUD_INCOMPLETE = 0x01, NUD_REACHABLE = 0x02, NUD_STALE = 0x04, NUD_DELAY = 0x08, NUD_PROBE = 0x10,
	NUD_FAILED = 0x20, NUD_NOARP = 0x40, NUD_PERMANENT = 0x80,
	NUD_IN_TIMER = NUD_INCOMPLETE | NUD_REACHABLE | NUD_DELAY | NUD_PROBE,
	NUD_VALID = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY,
	NUD_CONNECTED = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE,
};

struct neigh_table;
struct neighbour;

struct neigh_ops { /* picked by the table's constructor by device */
	void (*solicit)(struct neighbour *n, struct sk_buff *skb);
	void (*error_report)(struct neighbour *n, struct sk_buff *skb); /* consumes skb */
	int (*output)(struct neighbour *n, struct sk_buff *skb);        /* not known to be reachable */
	int (*connected_output)(struct neighbour *n, struct sk_buff *skb);
};

struct neighbour {
	struct hlist_node hash;
	struct neigh_table *tbl;
	struct net_device *dev;        /* counted */
	union inet_addr key;           /* next hop */
	uint8_t family;
	uint8_t nud_state;
	uint8_t probes;
	bool dead;
	uint32_t refcnt;
	uint8_t ha[ETH_ALEN];
	uint8_t hh_len;                /* 0: no cached header yet */
	_Alignas(8) uint8_t hh[16];    /* cached link header, right-aligned: its bytes are hh[16 - hh_len] on */
	int (*output)(struct neighbour *n, struct sk_buff *skb);
	const struct neigh_ops *ops;
	struct timer_list timer;
	uint64_t confirmed_ns, updated_ns, used_ns;
	struct sk_buff_head arp_queue; /* packets waiting for the answer, in order */
	uint32_t arp_queue_len_bytes;
	struct list_head gc_list;
};

static inline struct neighbour *neigh_hold(struct neighbour *n) { n->refcnt++; return n; }
void neigh_release(struct neighbour *n);

/* The entry for (key, dev), created if missing; not counted, valid until the next call into neigh.  NULL: table full (-ENOBUFS) or no memory. */
struct neighbour *neigh_lookup_or_create(struct net *net, uint8_t family, const union inet_addr *key, struct net_device *dev);
struct neighbour *neigh_lookup(struct net *net, uint8_t family, const union inet_addr *key, struct net_device *dev);
/* N4/N2: sends skb (network header at data) through n.  Consumes. */
int neigh_hh_output(struct neighbour *n, struct sk_buff *skb);
int neigh_resolve_output(struct neighbour *n, struct sk_buff *skb);
static inline int neigh_output(struct neighbour *n, struct sk_buff *skb)
{
	if ((n->nud_state & NUD_CONNECTED) && n->hh_len)
		return neigh_hh_output(n, skb);
	return n->output(n, skb);
}
/* Proof of forward progress from above (an ACK for new data): REACHABLE without a probe. */
static inline void neigh_confirm(struct neighbour *n, uint64_t now_ns) { n->confirmed_ns = now_ns; }

enum { NEIGH_UPDATE_F_OVERRIDE = 1, NEIGH_UPDATE_F_ADMIN = 2 };
/* Learns a link-layer address (lladdr NULL: only the state). 0 or -errno. */
int neigh_update(struct neighbour *n, const uint8_t *lladdr, uint8_t new_state, unsigned flags);

/*
 * What IP must tell ARP, registered by ip/ (calls go down only): is an address ours, which source to ask with.
 */
struct arp_ip_ops {
	bool (*is_local)(struct net_device *dev, be32 addr);       /* to be answered on dev */
	be32 (*source_for)(struct net_device *dev, be32 target, const struct sk_buff *skb);
	uint8_t (*addr_type)(struct net *net, struct net_device *dev, be32 addr); /* RTN_* of addr: unicast 1, local 2, broadcast 3, multicast 5 */
	void (*link_failure)(struct sk_buff *skb);                 /* unreachable: tell the sender; does not consume */
};
void arp_register_ip(struct net *net, const struct arp_ip_ops *ops);
/* Gratuitous request for addr on dev (address added, device up). */
void arp_announce(struct net_device *dev, be32 addr);

int neigh_init(struct net *net);
void neigh_exit(struct net *net);

#endif
