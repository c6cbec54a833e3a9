/* SPDX-License-Identifier: MIT */
/* netfilter.h - the five hooks with priorities and verdicts (I3).  Rule engines register here; an empty hook costs one load. */
#ifndef XMIT_NETFILTER_NETFILTER_H
#define XMIT_NETFILTER_NETFILTER_H

#include "core/sock.h"
#include "dev/netdevice.h"

enum nf_hook { NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN, NF_INET_FORWARD, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NF_INET_NUMHOOKS };
enum nf_pf { NFPROTO_IPV4_, NFPROTO_IPV6_, NFPROTO_NUM };
enum { NF_DROP = 0, NF_ACCEPT = 1, NF_STOLEN = 2, NF_QUEUE = 3, NF_REPEAT = 4 };
/* A drop that is reported to the local sender as -err. */
#define NF_DROP_ERR(err) (NF_DROP | ((unsigned)(err) << 16))
enum { /* priorities, lowest first; Linux's numbers */
	NF_IP_PRI_RAW = -300, NF_IP_PRI_CONNTRACK = -200, NF_IP_PRI_MANGLE = -150, NF_IP_PRI_NAT_DST = -100, NF_IP_PRI_FILTER = 0,
	NF_IP_PRI_NAT_SRC = 100, NF_IP_PRI_LAST = 0x7fffffff,
};

struct nf_hook_state {
	struct net *net;
	struct sock *sk;
	struct net_device *in, *out;
	enum nf_hook hook;
	enum nf_pf pf;
	int (*okfn)(struct net *net, struct sock *sk, struct sk_buff *skb);
	unsigned next;            /* NF_QUEUE: number of the hook that queued; the traversal goes on behind it */
	int priority;             /* NF_QUEUE: its priority */
};
struct nf_hook_ops {
	unsigned (*hook)(void *priv, struct sk_buff *skb, const struct nf_hook_state *state); /* NF_*; NF_STOLEN: skb is the hook's */
	void *priv;
	enum nf_pf pf;
	enum nf_hook hooknum;
	int priority;
};
int nf_register_hook(struct net *net, const struct nf_hook_ops *ops);   /* -ENOMEM, -EINVAL, -EBUSY (16 a hook) */
void nf_unregister_hook(struct net *net, const struct nf_hook_ops *ops);
/*
 * Where NF_QUEUE packets go; NULL: dropped.  It copies *state, and later calls nf_reinject() with the copy.  sock and devices of the
 * state are held until then.  Returns 0, or -errno: the packet was not taken and is dropped.
 */
typedef int (*nf_queue_handler)(struct sk_buff *skb, const struct nf_hook_state *state, unsigned queue_num);
void nf_set_queue_handler(struct net *net, nf_queue_handler fn);
void nf_reinject(struct sk_buff *skb, struct nf_hook_state *state, unsigned verdict);

/* The head of the instance's state, so that an empty hook costs one load. */
struct nf_state {
	uint8_t nr_hooks[NFPROTO_NUM][NF_INET_NUMHOOKS]; /* registered now */
};
static inline bool nf_hook_empty(const struct net *net, enum nf_pf pf, enum nf_hook hook) { return !net->nf->nr_hooks[pf][hook]; }
int nf_hook_slow(struct sk_buff *skb, struct nf_hook_state *state); /* 1: go on; else skb was consumed, 0 or -errno */
/* Runs the hook, then okfn.  Consumes the skb. */
static inline int NF_HOOK(struct net *net, enum nf_pf pf, enum nf_hook hook, struct sock *sk, struct sk_buff *skb, struct net_device *in,
			  struct net_device *out, int (*okfn)(struct net *, struct sock *, struct sk_buff *))
{
	if (likely(nf_hook_empty(net, pf, hook)))
		return okfn(net, sk, skb);
	struct nf_hook_state st = {.net = net, .sk = sk, .in = in, .out = out, .hook = hook, .pf = pf, .okfn = okfn};
	int r = nf_hook_slow(skb, &st);
	return r == 1 ? okfn(net, sk, skb) : r;
}

int netfilter_init(struct net *net);
void netfilter_exit(struct net *net);

#endif
