/* SPDX-License-Identifier: MIT */
/*
 * netfilter.c - the five hooks: registration by priority, traversal, verdicts, queueing to a handler and back (I3).
 *
 * A hook is a list of entries in order of (priority, number); the number is given at registration and never used again, so
 * it orders entries of the same priority by age and names the place where a queued packet goes on, whatever was registered or
 * unregistered meanwhile.  Entries are unlinked at once only when nobody walks the list; otherwise they are marked dead, are not
 * called any more, and the outermost traversal sweeps them up when it ends.  So a hook function may register and unregister
 * hooks, itself included.
 *
 * Called by ip/ through NF_HOOK(); calls what rule engines registered.  Nothing here allocates while a packet passes.
 */
#include "netfilter/netfilter.h"

enum {
	HOOKS_MAX = 16,  /* entries of one hook */
	REPEAT_MAX = 16, /* NF_REPEAT in a row before the packet is dropped */
};

struct nf_hook_entry {
	struct list_head list;
	const struct nf_hook_ops *ops;
	unsigned number;
	bool dead;
};

struct nf_hook_list {
	struct list_head entries;
	unsigned walkers; /* traversals under way */
	bool sweep;       /* dead entries are in the list */
};

struct nf_private {
	struct nf_state pub; /* first: net->nf points here */
	struct nf_hook_list hooks[NFPROTO_NUM][NF_INET_NUMHOOKS];
	unsigned last_number;
	nf_queue_handler queue_handler;
};

static struct nf_private *nf_private(const struct net *net)
{
	return (struct nf_private *)net->nf;
}

static bool ops_valid(const struct nf_hook_ops *ops)
{
	return ops->hook && (unsigned)ops->pf < NFPROTO_NUM && (unsigned)ops->hooknum < NF_INET_NUMHOOKS;
}

int nf_register_hook(struct net *net, const struct nf_hook_ops *ops)
{
	struct nf_private *nf = nf_private(net);

	if (!ops_valid(ops))
		return -EINVAL;
	if (nf->pub.nr_hooks[ops->pf][ops->hooknum] >= HOOKS_MAX)
		return -EBUSY;
	struct nf_hook_entry *e = net_zalloc(net, sizeof(*e), MEM_NORMAL);
	if (!e)
		return -ENOMEM;
	e->ops = ops;
	e->number = ++nf->last_number;

	struct list_head *head = &nf->hooks[ops->pf][ops->hooknum].entries, *pos = head->next;
	/* A dead entry's ops may be gone already, but its place in the order no longer matters either. */
	while (pos != head && (list_entry(pos, struct nf_hook_entry, list)->dead ||
			       list_entry(pos, struct nf_hook_entry, list)->ops->priority <= ops->priority))
		pos = pos->next;
	list_add_tail(&e->list, pos);
	nf->pub.nr_hooks[ops->pf][ops->hooknum]++;
	return 0;
}

static void entry_free(struct net *net, struct nf_hook_entry *e)
{
	list_del_init(&e->list);
	net_free(net, e);
}

void nf_unregister_hook(struct net *net, const struct nf_hook_ops *ops)
{
	struct nf_private *nf = nf_private(net);
	struct nf_hook_entry *e, *n;

	if (!nf || !ops_valid(ops))
		return;
	struct nf_hook_list *hl = &nf->hooks[ops->pf][ops->hooknum];
	list_for_each_entry_safe(e, n, &hl->entries, list) {
		if (e->dead || e->ops != ops)
			continue;
		nf->pub.nr_hooks[ops->pf][ops->hooknum]--;
		if (hl->walkers) {
			e->dead = true;
			e->ops = NULL;
			hl->sweep = true;
		} else {
			entry_free(net, e);
		}
		return;
	}
}

static void sweep(struct net *net, struct nf_hook_list *hl)
{
	struct nf_hook_entry *e, *n;

	hl->sweep = false;
	list_for_each_entry_safe(e, n, &hl->entries, list)
		if (e->dead)
			entry_free(net, e);
}

void nf_set_queue_handler(struct net *net, nf_queue_handler fn)
{
	nf_private(net)->queue_handler = fn;
}

static void state_hold(const struct nf_hook_state *st)
{
	if (st->sk)
		sock_hold(st->sk);
	if (st->in)
		dev_hold(st->in);
	if (st->out)
		dev_hold(st->out);
}

static void state_put(const struct nf_hook_state *st)
{
	if (st->out)
		dev_put(st->out);
	if (st->in)
		dev_put(st->in);
	if (st->sk)
		sock_put(st->sk);
}

/* Gives skb to the queue handler; it is the handler's, or dropped, after this. */
static void nf_queue(struct sk_buff *skb, const struct nf_hook_state *st, unsigned queue_num)
{
	nf_queue_handler handler = nf_private(st->net)->queue_handler;

	if (handler) {
		state_hold(st);
		if (handler(skb, st, queue_num) == 0)
			return;
		state_put(st);
	}
	skb_drop(skb, SKB_DROP_REASON_NETFILTER_DROP);
}

/* Runs one entry until it says something else than NF_REPEAT. */
static unsigned run_entry(struct nf_hook_entry *e, struct sk_buff *skb, const struct nf_hook_state *st)
{
	unsigned verdict = NF_DROP;

	for (unsigned i = 0; i < REPEAT_MAX && !e->dead; i++) {
		verdict = e->ops->hook(e->ops->priv, skb, st);
		if ((verdict & 0xffff) != NF_REPEAT)
			return verdict;
	}
	return NF_DROP;
}

/* From the first live entry behind *after (NULL: the start) on.  As nf_hook_slow(). */
static int nf_iterate(struct sk_buff *skb, struct nf_hook_state *st, bool resume)
{
	struct nf_hook_list *hl = &nf_private(st->net)->hooks[st->pf][st->hook];
	const unsigned from_number = st->next;
	const int from_priority = st->priority;
	struct net *net = st->net;
	struct nf_hook_entry *e;
	int ret = 1;

	hl->walkers++;
	list_for_each_entry(e, &hl->entries, list) {
		if (e->dead)
			continue;
		const int priority = e->ops->priority;
		if (resume && (priority < from_priority || (priority == from_priority && e->number <= from_number)))
			continue;
		unsigned verdict = run_entry(e, skb, st);
		switch (verdict & 0xffff) {
		case NF_ACCEPT:
			continue;
		case NF_STOLEN:
			ret = 0;
			break;
		case NF_QUEUE:
			st->next = e->number;
			st->priority = priority;
			nf_queue(skb, st, verdict >> 16);
			ret = 0;
			break;
		default:
			skb_drop(skb, SKB_DROP_REASON_NETFILTER_DROP);
			ret = verdict >> 16 ? -(int)(verdict >> 16) : -EPERM;
			break;
		}
		break;
	}
	if (--hl->walkers == 0 && hl->sweep)
		sweep(net, hl);
	return ret;
}

int nf_hook_slow(struct sk_buff *skb, struct nf_hook_state *st)
{
	if (PROVE_BREAKS("I3"))
		return 1;
	return nf_iterate(skb, st, false);
}

/* Consumes skb and the references of state. */
void nf_reinject(struct sk_buff *skb, struct nf_hook_state *st, unsigned verdict)
{
	struct nf_hook_state held = *st;
	int ret = 1;

	switch (verdict & 0xffff) {
	case NF_REPEAT: /* the hook that queued it shall see it again */
		st->next--;
		ret = nf_iterate(skb, st, true);
		break;
	case NF_ACCEPT:
		ret = nf_iterate(skb, st, true);
		break;
	case NF_QUEUE:
		nf_queue(skb, st, verdict >> 16);
		ret = 0;
		break;
	case NF_STOLEN:
		ret = 0;
		break;
	default:
		skb_drop(skb, SKB_DROP_REASON_NETFILTER_DROP);
		ret = 0;
		break;
	}
	if (ret == 1)
		st->okfn(st->net, st->sk, skb);
	state_put(&held);
}

int netfilter_init(struct net *net)
{
	struct nf_private *nf = net_zalloc(net, sizeof(*nf), MEM_NORMAL);

	if (!nf)
		return -ENOMEM;
	for (unsigned pf = 0; pf < NFPROTO_NUM; pf++)
		for (unsigned h = 0; h < NF_INET_NUMHOOKS; h++)
			list_init(&nf->hooks[pf][h].entries);
	net->nf = &nf->pub;
	return 0;
}

void netfilter_exit(struct net *net)
{
	struct nf_private *nf = nf_private(net);
	struct nf_hook_entry *e, *n;

	for (unsigned pf = 0; pf < NFPROTO_NUM; pf++)
		for (unsigned h = 0; h < NF_INET_NUMHOOKS; h++)
			list_for_each_entry_safe(e, n, &nf->hooks[pf][h].entries, list)
				entry_free(net, e);
	net->nf = NULL;
	net_free(net, nf);
}
