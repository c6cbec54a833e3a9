/* SPDX-License-Identifier: MIT */
/*
 * net.h - struct net: one instance of the stack.  All state hangs off it; there are no globals.
 *
 * Each layer keeps its own per-instance state behind an opaque pointer here and sets it up in its <layer>_init(net),
 * called in path order by src/xmit.c.  One thread at a time may be inside an instance (DESIGN.md, principle 2).
 *
 * Clock: now_ns is the cached time of the instance's monotonic clock; net_clock_update() reads the clock anew, at
 * the start of each socket call and of each round of xmit_poll().  Code inside the stack reads net->now_ns.
 */
#ifndef XMIT_CORE_NET_H
#define XMIT_CORE_NET_H

#include "core/mem.h"
#include "core/snmp.h"
#include "core/timer.h"
#include "lib/hash.h"
#include "trace/trace.h"
#include "xmit/xmit.h"
#include <stdbool.h>

/* Softirqs in order of service; see dev/softirq.h. */
enum softirq { TIMER_SOFTIRQ, NET_RX_SOFTIRQ, NET_TX_SOFTIRQ, READY_SOFTIRQ, NR_SOFTIRQS };

struct copy_account { /* M: bytes of payload copied, by where */
	uint64_t user_to_skb;   /* the one copy of the transmit path */
	uint64_t skb_to_user;   /* the one copy of the receive path */
	uint64_t linearize;     /* for a device without scatter-gather */
	uint64_t fragment;      /* IP fragmentation */
	uint64_t collapse;      /* receive queue or retransmit queue collapsed */
	uint64_t rx_small;      /* small frames copied to a linear skb */
	uint64_t device;        /* "DMA" of in-memory devices */
	uint64_t gso;           /* payload bytes copied by software segmentation */
};

/* Random numbers fetched from env.random in one go; used ones are wiped. */
struct random_pool {
	uint32_t word[64];
	uint32_t left;
};
struct log_limit { /* net_log(): lines in the current second */
	uint64_t window_ns;
	uint32_t lines, left_out;
};
/* sk_alloc(): one slab cache per size of sock, made on first use. */
struct sock_cache {
	size_t size; /* 0: free */
	struct kmem_cache *cache;
};
enum { MAX_SOCK_CACHES = 12 };

struct sk_buff;
struct sock;
struct net {
	uint64_t now_ns;           /* cached clock, ns; see above */
	uint32_t softirq_pending;  /* bit per enum softirq */
	bool in_poll;              /* inside xmit_poll(): no re-entry */
	bool in_user_callback;
	bool dying;                /* xmit_net_free() is under way */
	unsigned max_files;        /* as configured */
	int first_fd;
	struct xmit_env env;
	struct mem *mem;
	struct timer_base *timers;
	struct sysctl_table_set *sysctls;
	struct trace trace;
	/* Registered by dev/softirq.c: one run of deferred work (true: more waits), and when the next is due. For sk_wait(). */
	bool (*run_softirqs)(struct net *net, int budget);
	uint64_t (*next_deadline)(struct net *net);
	/* Registered by ip/: a packet of sk passed a station that SO_TIMESTAMPING asked about (SCM_TSTAMP_*). */
	void (*skb_tstamp_tx)(struct sk_buff *skb, struct sock *sk, int type);
	uint32_t zerocopy_live;      /* sends whose lent memory is still in use */
	struct snmp mib;
	struct copy_account copied;
	struct siphash_key hash_key; /* for hash tables, from env.random at start */
	uint64_t cookie_next;        /* next sock cookie */

	struct kmem_cache *skb_cache;        /* struct sk_buff */
	struct kmem_cache *skb_fclone_cache; /* struct sk_buff with room for its clone */
	struct kmem_cache *skb_small_cache;  /* heads of small linear size */
	struct sock_cache sock_caches[MAX_SOCK_CACHES];
	struct random_pool random;
	int32_t sysctl_rmem_max; /* net.core.rmem_max, bytes: set by socket/, also bounds what TCP's window scale has to express */
	struct log_limit log;

	/* Per-layer state, each defined in its layer. */
	struct softirq_state *softirq;  /* dev/ */
	struct netdev_state *netdev;    /* dev/ */
	const struct dev_sched_ops *sched_ops; /* registered by sched/ */
	struct neigh_state *neigh;      /* neigh/ */
	struct nf_state *nf;            /* netfilter/ */
	struct netns_ipv4 *ipv4;        /* ip/ */
	struct netns_tcp *tcp;          /* tcp/ */
	struct netns_udp *udp;          /* udp/ */
	struct netns_sock *sock;        /* socket/: protosw, memory limits of sockets */
	struct vfs *vfs;                /* vfs/ */
};

static inline void net_clock_update(struct net *net)
{
	uint64_t now = net->env.now_ns(net->env.ctx);
	if (likely(now > net->now_ns)) /* never backwards */
		net->now_ns = now;
}
/* Random numbers from the instance's source. */
uint32_t net_random_u32(struct net *net);
static inline uint32_t net_random_below(struct net *net, uint32_t n) { return reciprocal_scale(net_random_u32(net), n); }
static inline void raise_softirq(struct net *net, enum softirq nr) { net->softirq_pending |= 1u << nr; }
/* One line to the instance's log (env.log), rate-limited to 10 a second plus a count of those left out. */
void net_log(struct net *net, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
