/* SPDX-License-Identifier: MIT */
/* fib.h - routing tables and policy rules: what the route look-ups, devinet and the control plane call (I1). */
#ifndef XMIT_IP_FIB_H
#define XMIT_IP_FIB_H

#include "core/dst.h"
#include "core/flow.h"
#include "dev/netdevice.h"
#include "ip/fib_trie.h"
#include "ip/ip_internal.h"
#include "ip/route.h"

enum { RT_TABLE_UNSPEC = 0, RT_TABLE_DEFAULT = 253, RT_TABLE_MAIN = 254, RT_TABLE_LOCAL = 255 };
enum { RTPROT_KERNEL = 2, RTPROT_BOOT = 3, RTPROT_STATIC = 4 };
enum { RTNH_F_DEAD = 1, RTNH_F_ONLINK = 4, RTNH_F_LINKDOWN = 16 };
enum { FIB_TABLES_MAX = 256 };

struct fib_nh {
	struct net_device *dev;  /* counted; NULL only for routes that are errors */
	be32 gw;                 /* 0: on link */
	uint8_t scope;           /* of the way to the next hop: LINK with a gateway, HOST on link, NOWHERE for local routes */
	uint8_t flags;           /* RTNH_F_* */
	int weight;              /* 1 or more */
};

/* What several prefixes may share. */
struct fib_info {
	struct hlist_node hash;
	uint32_t refcnt;         /* aliases */
	uint8_t type, scope, protocol;
	bool dead;               /* no next hop is alive: about to be flushed */
	be32 prefsrc;            /* 0: chosen by scope */
	uint32_t priority;       /* lower wins */
	uint32_t metrics[RTAX_MAX_PLUS1];
	unsigned nhs;
	struct fib_nh nh[];
};

/* One route: a prefix, TOS and fib_info in a table. */
struct fib_alias {
	struct fib_alias *next;  /* of the same prefix: TOS descending, then priority ascending, then age */
	struct list_head all;    /* fib_table.routes */
	struct fib_info *fi;
	uint32_t key;            /* host order */
	uint8_t plen, tos;
};

struct fib_table {
	struct list_head list;   /* fib_state.tables, by id */
	uint32_t id;
	struct fib_trie trie;    /* prefix -> first fib_alias */
	struct list_head routes; /* every alias, in order of age */
};

/* A policy rule, in order of pref.  A selector that is zero matches everything; a place for `ip rule` to come. */
enum { FR_ACT_TO_TBL = 1, FR_ACT_BLACKHOLE = 6, FR_ACT_UNREACHABLE = 7, FR_ACT_PROHIBIT = 8 };
struct fib_rule {
	struct list_head list;
	uint32_t pref, table;
	uint8_t action;          /* FR_ACT_* */
	bool any;                /* no selector at all */
	uint8_t src_len, dst_len, tos;
	be32 src, dst;
	int iif, oif;            /* device index, 0: any */
	uint32_t mark, mark_mask;
	struct fib_table *tb;    /* cached; NULL: the table does not exist (yet) */
};

struct fib_result {
	uint8_t type, scope, prefixlen;
	uint32_t prefix;         /* host order */
	struct fib_info *fi;
	struct fib_nh *nh;       /* the next hop chosen */
	struct fib_table *table;
};

struct fib_config {
	be32 dst;
	uint8_t plen, tos, type, scope, protocol;
	bool scope_given;        /* for deletion: scope must match */
	bool onlink;
	bool append;             /* beside a route of the same TOS and priority, unless it is the same in all */
	be32 gw, prefsrc;
	struct net_device *dev;
	uint32_t priority, table;
	uint32_t metrics[RTAX_MAX_PLUS1];
};

/* --- of fib.c and fib_semantics.c ---------------------------------------------------------------------------------------- */
enum { FIB_INFO_BUCKETS = 256 };
struct fib_state {
	struct list_head tables; /* by id */
	struct list_head rules;  /* by pref */
	unsigned nr_tables;
	struct hlist_head infos[FIB_INFO_BUCKETS];
};
static inline struct fib_state *fib_state(struct net *net) { return net->ipv4->priv->fib; }
/* What a route of a type means to a sender, and the widest scope it may have. */
extern const struct fib_prop {
	int error;
	uint8_t scope;
} fib_props[RTN_THROW + 1];
/* A shared or new fib_info with one reference for the caller.  -EINVAL -ENODEV -ENETDOWN -ENETUNREACH -ENOMEM. */
int fib_info_get(struct net *net, const struct fib_config *cfg, struct fib_info **res);
void fib_info_put(struct net *net, struct fib_info *fi);
unsigned fib_flush_dead(struct net *net); /* takes out every route whose fib_info is dead */

/* --- for the rest of ip/ -------------------------------------------------------------------------------------------------- */
int fib_init(struct net *net);
void fib_exit(struct net *net);
struct fib_table *fib_get_table(struct net *net, uint32_t id); /* NULL: there is none */
int fib_route_add(struct net *net, const struct fib_config *cfg); /* -EEXIST -EINVAL -ENODEV -ENETDOWN -ENETUNREACH -ENOMEM -ENOSPC */
int fib_route_del(struct net *net, const struct fib_config *cfg); /* -ESRCH */
/* By the rules, in order.  0 with *res filled in; -ENETUNREACH, or the error that a route stands for (-EHOSTUNREACH, -EACCES, -EINVAL). */
int fib_lookup(struct net *net, const struct flowi *fl, struct fib_result *res);
/* One table: 0, an error that a route stands for, or -EAGAIN (no match, or throw): the next rule is asked. */
int fib_table_lookup(struct fib_table *tb, const struct flowi *fl, struct fib_result *res);
/* Among several next hops: by the flow. */
void fib_select_path(struct net *net, struct fib_result *res, const struct flowi *fl);
be32 fib_result_prefsrc(struct net *net, const struct fib_result *res);
bool fib_info_uses_dev(const struct fib_info *fi, const struct net_device *dev);
/* Routes over dev are gone (force: local ones too, the device goes away).  Returns how many were flushed. */
unsigned fib_sync_down_dev(struct net_device *dev, bool force);
void fib_sync_down_addr(struct net *net, be32 local); /* routes whose source is an address that is no longer ours */
void fib_sync_up(struct net_device *dev);             /* next hops of dev in routes of several live again */

#endif
